"""Rules on single lines, C4's and RefinedWeb's: texts of a page → the same texts without the lines that are no prose.

C4 (arXiv 1910.10683, 2.2; tensorflow_datasets/text/c4_utils.py): a line stays if it ends as a sentence does and has
enough words; lines about JavaScript or cookies are dropped. A page with "lorem ipsum", a curly bracket or too few
sentences is dropped whole. The paper asks for 3 words and 5 sentences, the code that made the data for 5 words and 3
sentences: both are here by name, and so is FineWeb's variant (arXiv 2406.17557), which asks for no end of sentence.
"paper" and "fineweb" count as datatrove does (tokens.py); "code" counts end marks, where C4 itself used NLTK's punkt,
which knows abbreviations. A line is a sentence at least.

RefinedWeb (arXiv 2306.01116, as DCLM's code has it, baselines/mappers/modifiers.py): lines in capitals, of a counter
("3 likes") or of one word are dropped, and "Read more..." and the like are cut out of short lines. A page that loses
more than 5 % of its words (dclm_rules.count) is dropped whole.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal, NamedTuple

from weft.transforms.extract import dclm_rules, tokens

Texts = list[str | None]
Lines = Sequence[str | None]  # of one text; None where a line has gone


class C4(NamedTuple):
    """One variant of C4's rules."""

    words: int  # the least of a line
    sentences: int  # the least of a page
    marks: tuple[str, ...]  # what a line has to end in; () for anything
    datatrove: bool  # whether words and sentences are counted as there


_MARKS = (".", "?", "!", '"')
C4_RULES = {
    "code": C4(5, 3, _MARKS, False),
    "paper": C4(3, 5, (*_MARKS, "'"), True),
    "fineweb": C4(3, 5, (), True),
}
MAX_WORD = 1_000  # characters of one word
_CITATION = re.compile(r"\[(?:\d*|edit|citation needed)\]")
_POLICY = ("terms of use", "privacy policy", "cookie policy", "uses cookies", "use of cookies", "use cookies")
_SENTENCE = re.compile(r"[.?!][\"')\]”’]*(?:\s|$)")

MAX_UPPER = 0.5  # share of a line's characters that are capitals
MAX_REMOVED = 0.05  # share of a page's words that stand in dropped lines
SHORT = 10  # words; only in lines of at most so many is boilerplate looked for
_COUNTER = re.compile(
    r"\W*\d[\d,.]*[kmb]?\s+(?:likes|shares|comments|retweets|reposts|quotes|bookmarks|upvotes|downvotes|downloads|views"
    r"|followers)\W*"
)
# One after another. The marks after "more" stand for any three characters in DCLM's code, so here too.
_BOILERPLATE = [re.compile(cut, re.IGNORECASE) for cut in (r"\s?items in cart", r"\s?read more...$", r"^sign-in\s?")]


def apply(
    texts: Sequence[str | None], c4: Literal["off", "code", "paper", "fineweb"], refinedweb: bool
) -> tuple[Texts, str, str]:
    r"""(texts, "", "") without the lines that are no prose, or ([], reason, detail) where the page is dropped whole.

    Args:
        texts: of a page, by position; None at an image. Positions stay: a text that loses all its lines becomes "".
        c4: which variant of C4's rules, if any.
        refinedweb: whether to apply RefinedWeb's.

    >>> apply(["Menu\nThe barn was built by hand in 1890.", None, "It stands. It is red. It is old."], "paper", False)
    ([], 'c4_too_few_sentences', '4 sentences')
    >>> apply(["Menu\nThe barn was built by hand. It stands to this day. So it is.", None, "Home"], "code", False)
    (['The barn was built by hand. It stands to this day. So it is.', None, ''], '', '')
    """
    made = [None if text is None else text.split("\n") for text in texts]
    left, reason, detail = apply_to_lines(made, c4, refinedweb)
    if reason:
        return [], reason, detail
    return [text if lines is was else joined(lines) for text, lines, was in zip(texts, left, made, strict=True)], "", ""


def joined(lines: Sequence[str | None] | None) -> str | None:
    """The text that these lines leave; None for those of an image."""
    return None if lines is None else "\n".join(line for line in lines if line is not None).strip("\n")


def apply_to_lines(
    texts: Sequence[Sequence[str] | None], c4: Literal["off", "code", "paper", "fineweb"], refinedweb: bool
) -> tuple[list[Lines | None], str, str]:
    """`apply` to texts by their lines: each line stays at its place, as what is left of it or None for nothing."""
    made: list[Lines | None] = list(texts)
    if refinedweb:
        made, removed = _refinedweb(texts)
        if removed > MAX_REMOVED:
            return [], "refinedweb_lines", f"{removed:.3f} of the words are in lines that are no prose"
    if c4 != "off":
        made, reason, detail = _c4(made, C4_RULES[c4])
        if reason:
            return [], reason, detail
    return made, "", ""


class _Dropped(Exception):
    """A page that goes whole: reason, detail."""


def _c4(texts: Sequence[Lines | None], rules: C4) -> tuple[list[Lines | None], str, str]:
    sentences = 0
    made: list[Lines | None] = []
    try:
        for lines in texts:
            if lines is None:
                made.append(None)
                continue
            left: list[str | None] = []
            for line in lines:
                # A form feed and the like part lines too.
                kept = [said for part in (line or "").splitlines() if (said := _sentence_line(part, rules))]
                sentences += sum(_sentences(said, rules) for said in kept)
                left.append("\n".join(kept) if kept else None)
            made.append(left)
    except _Dropped as dropped:
        return [], *dropped.args
    if sentences < rules.sentences:
        return [], "c4_too_few_sentences", f"{sentences} sentences"
    return made, "", ""


def _sentence_line(line: str, rules: C4) -> str:
    """What C4's rules leave of a line, "" for nothing."""
    line = line.strip()
    words = line.split()
    if any(len(word) > MAX_WORD for word in words):
        return ""
    line = _CITATION.sub("", line)
    words = words if rules.datatrove else line.split()
    if (rules.marks and (not line.endswith(rules.marks) or line.endswith("..."))) or len(words) < rules.words:
        return ""
    low = line.lower()
    if "lorem ipsum" in low:
        raise _Dropped("c4_lorem_ipsum", line[:100])
    if "javascript" in low:
        return ""
    if "{" in line:
        raise _Dropped("c4_curly_bracket", line[:100])
    return "" if any(phrase in low for phrase in _POLICY) else line


def _sentences(line: str, rules: C4) -> int:
    return tokens.sentences(tokens.words(line)) if rules.datatrove else max(len(_SENTENCE.findall(line)), 1)


def _refinedweb(texts: Sequence[Sequence[str] | None]) -> tuple[list[Lines | None], float]:
    """The texts without the lines, and the share of words that these had."""
    made: list[Lines | None] = []
    words = lost = 0
    for lines in texts:
        left: list[str | None] = []
        for line in lines or ():
            cut = _prose(line)
            words += dclm_rules.count(line)
            lost += dclm_rules.count(line) - dclm_rules.count(cut)
            left.append(cut if cut or not line else None)
        made.append(None if lines is None else lines if left == list(lines) else left)
    return made, lost / words if words else 0.0


def _prose(line: str) -> str:
    """What RefinedWeb's rules leave of a line: all, a part, or ""."""
    if not line:
        return line
    if sum(map(str.isupper, line)) > MAX_UPPER * len(line) or len(line.split()) < 2 or _COUNTER.fullmatch(line.lower()):
        return ""
    for cut in _BOILERPLATE:
        if len(line.split()) <= SHORT:
            line = cut.sub("", line)
    return line if line.strip() else ""
