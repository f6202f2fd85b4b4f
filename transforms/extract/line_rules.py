"""Rules on single lines of a page: C4's and RefinedWeb's. Texts of a page → the texts without what is no prose.

C4 (arXiv 1910.10683, 2.2; tensorflow_datasets/text/c4_utils.py): a line stays if it ends as a sentence does and has
words enough; lines about JavaScript or cookies go; a page with "lorem ipsum", a curly bracket or too few sentences goes
whole. The paper says 3 words and 5 sentences, the code that made the data 5 and 3: both are here by name, and FineWeb's
use of the rules (arXiv 2406.17557), which asks for no end of sentence.

RefinedWeb (arXiv 2306.01116, as DCLM's code has it): lines in capitals, of a number, of a counter ("3 likes"), of
one word go, and "read more" and its like in short lines; a page that loses more than 5 % of its words goes whole.

Sentences are counted by their marks; C4 used NLTK's punkt, which knows abbreviations.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal, NamedTuple

Texts = list[str | None]


class C4(NamedTuple):
    """One reading of the rules."""

    words: int  # a line has so many
    sentences: int  # and a page so many
    marks: tuple[str, ...]  # what a line ends in; () for anything


_MARKS = (".", "?", "!", '"')
C4_RULES = {"code": C4(5, 3, _MARKS), "paper": C4(3, 5, _MARKS), "fineweb": C4(3, 5, ())}
MOST_WORD = 1_000  # characters of one word
_CITATION = re.compile(r"\[(?:\d*|edit|citation needed)\]")
_POLICY = ("terms of use", "privacy policy", "cookie policy", "uses cookies", "use of cookies", "use cookies")
_SENTENCE = re.compile(r"[.?!][\"')\]”’]*(?:\s|$)")

MOST_UPPER = 0.5  # of a line's characters
MOST_REMOVED = 0.05  # of a page's words
SHORT = 10  # words of a line in which boilerplate is looked for
_COUNTER = re.compile(
    r"\W*\d[\d,.kKmM]*\s+(?:likes|shares|comments|retweets|reposts|quotes|bookmarks|upvotes|downvotes|downloads|views"
    r"|followers)\W*",
    re.IGNORECASE,
)
_BOILERPLATE = re.compile(r"^\W*sign[ -]in\b|\bread more\W*$|\bitems in cart\b", re.IGNORECASE)


def apply(
    texts: Sequence[str | None], c4: Literal["off", "code", "paper", "fineweb"], refinedweb: bool
) -> tuple[Texts, str, str]:
    """(texts without the lines, "", "") or ([], reason, detail). A text that loses all is "", an image's stays None."""
    made: Texts = list(texts)
    if refinedweb:
        made, removed = _refinedweb(made)
        if removed > MOST_REMOVED:
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
        for line in [] if text is None else text.split("\n"):
            line = _CITATION.sub("", line).strip()
            low = line.lower()
            if rules.marks and (not line.endswith(rules.marks) or line.endswith("...")):
                continue
            words = line.split()
            if len(words) < rules.words or any(len(word) > MOST_WORD for word in words):
                continue
            if "lorem ipsum" in low:
                return [], "c4_lorem_ipsum", line[:100]
            if "javascript" in low or any(phrase in low for phrase in _POLICY):
                continue
            if "{" in line:
                return [], "c4_curly_bracket", line[:100]
            sentences += len(_SENTENCE.findall(line))
            kept.append(line)
        made.append(None if text is None else "\n".join(kept))
    if sentences < rules.sentences:
        return [], "c4_too_few_sentences", f"{sentences} sentences"
    return made, "", ""


def _refinedweb(texts: Texts) -> tuple[Texts, float]:
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
    """The line, what is left of it, or ""."""
    stripped = line.strip()
    if not stripped:
        return line
    if sum(map(str.isupper, stripped)) > MOST_UPPER * len(stripped):
        return ""
    if words == 1 or all(not c.isalpha() for c in stripped) or _COUNTER.fullmatch(stripped):
        return ""
    return _BOILERPLATE.sub("", line) if words <= SHORT else line
