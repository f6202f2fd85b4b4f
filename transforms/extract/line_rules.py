"""Rules on single lines, C4's and RefinedWeb's: texts of a page → the same texts without the lines that are no prose.

C4 (arXiv 1910.10683, 2.2; tensorflow_datasets/text/c4_utils.py): a line stays if it ends as a sentence does and has
enough words; lines about JavaScript or cookies are dropped. A page with "lorem ipsum", a curly bracket or too few
sentences is dropped whole. The paper asks for 3 words and 5 sentences, the code that made the data for 5 words and 3
sentences: both are here by name, and so is FineWeb's variant (arXiv 2406.17557), which asks for no end of sentence.
"paper" and "fineweb" count as datatrove does (tokens.py); "code" counts end marks, where C4 itself used NLTK's punkt,
which knows abbreviations. A line is a sentence at least.

RefinedWeb (arXiv 2306.01116, in the form of DCLM's code): lines in capitals, of numbers, of a counter ("3 likes") or
of one word are dropped, and "read more" and the like are cut out of short lines. A page that loses more than 5 % of its
words is dropped whole.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal, NamedTuple

from weft.transforms.extract import tokens

Texts = list[str | None]


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
    r"\W*\d[\d,.kKmM]*\s+(?:likes|shares|comments|retweets|reposts|quotes|bookmarks|upvotes|downvotes|downloads|views"
    r"|followers)\W*",
    re.IGNORECASE,
)
_BOILERPLATE = re.compile(r"^\W*sign[ -]in\b|\bread more\W*$|\bitems in cart\b", re.IGNORECASE)


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
    made: Texts = list(texts)
    if refinedweb:
        made, removed = _refinedweb(made)
        if removed > MAX_REMOVED:
            return [], "refinedweb_lines", f"{removed:.3f} of the words are in lines that are no prose"
    if c4 != "off":
        made, reason, detail = _c4(made, C4_RULES[c4])
        if reason:
            return [], reason, detail
    return made, "", ""


def _c4(texts: Texts, rules: C4) -> tuple[Texts, str, str]:
    made: Texts = []
    sentences = 0
    for text in texts:
        kept = []
        for line in [] if text is None else text.splitlines():
            line = line.strip()
            words = line.split()
            if any(len(word) > MAX_WORD for word in words):
                continue
            line = _CITATION.sub("", line)
            words = words if rules.datatrove else line.split()
            if rules.marks and (not line.endswith(rules.marks) or line.endswith("...")):
                continue
            if len(words) < rules.words:
                continue
            low = line.lower()
            if "lorem ipsum" in low:
                return [], "c4_lorem_ipsum", line[:100]
            if "javascript" in low:
                continue
            if "{" in line:
                return [], "c4_curly_bracket", line[:100]
            if any(phrase in low for phrase in _POLICY):
                continue
            sentences += _sentences(line, rules)
            kept.append(line)
        made.append(None if text is None else "\n".join(kept))
    if sentences < rules.sentences:
        return [], "c4_too_few_sentences", f"{sentences} sentences"
    return made, "", ""


def _sentences(line: str, rules: C4) -> int:
    return tokens.sentences(tokens.words(line)) if rules.datatrove else max(len(_SENTENCE.findall(line)), 1)


def _refinedweb(texts: Texts) -> tuple[Texts, float]:
    """The texts without the lines, and the share of words that these had."""
    made: Texts = []
    words = lost = 0
    for text in texts:
        kept = []
        for line in [] if text is None else text.split("\n"):
            count = len(line.split())
            cut = _prose(line, count)
            words += count
            lost += count - len(cut.split())
            if cut.strip() or not line.strip():
                kept.append(cut)
        made.append(None if text is None else "\n".join(kept).strip("\n") if lost else text)
    return made, lost / words if words else 0.0


def _prose(line: str, words: int) -> str:
    """What RefinedWeb's rules leave of a line that has so many words: all, a part, or ""."""
    stripped = line.strip()
    if not stripped:
        return line
    if sum(map(str.isupper, stripped)) > MAX_UPPER * len(stripped):
        return ""
    if words == 1 or all(map(str.isdigit, stripped.split())) or _COUNTER.fullmatch(stripped):
        return ""
    return _BOILERPLATE.sub("", line) if words <= SHORT else line
