"""Rules on a page's whole text: Gopher's (MassiveText, arXiv 2112.11446, A1.1) and FineWeb's (arXiv 2406.17557).

Published programs share the thresholds and differ in how they count. Here it is as in datatrove: a repeated line
counts from its second time on, and shares are of all characters. Words are what stands between spaces.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from weft.schemas.parameters import TextRules

# Gopher, A1.1: quality
MEAN_WORD = (3.0, 10.0)  # characters
MOST_SYMBOLS = 0.1  # "#" or ellipses per word
MOST_BULLETS = 0.9  # of lines begin with one
MOST_ELLIPSES = 0.3  # of lines end in one
LEAST_ALPHABETIC = 0.8  # of words have a letter
LEAST_STOP_WORDS = 2  # different ones of STOP_WORDS, in an English text
STOP_WORDS = frozenset(("the", "be", "to", "of", "and", "that", "have", "with"))
# Gopher, table A1: repetition
MOST_LINES, MOST_LINE_CHARS = 0.30, 0.20  # repeated lines of all, their characters of all; paragraphs the same
TOP_NGRAMS = ((2, 0.20), (3, 0.18), (4, 0.16))  # characters of the commonest run of so many words
REPEATED_NGRAMS = ((5, 0.15), (6, 0.14), (7, 0.13), (8, 0.12), (9, 0.11), (10, 0.10))  # and of all repeated ones
# FineWeb
LEAST_PUNCTUATED = 0.12  # of lines end as a sentence does
MOST_SHORT, SHORT_LINE = 0.67, 30  # of lines have at most so many characters
MOST_REPEATED_CHARS = 0.01  # in lines that stood before
MOST_NEWLINES = 0.3  # per word

_PARAGRAPHS = re.compile(r"\n{2,}")
_WORDLESS = re.compile(r"^[\W_]+$")
_ENDS = (".", "?", "!", '"', "'", "”", "’", "…", "。", "？", "！")


def judge(text: str, language: str, rules: TextRules) -> tuple[str, str]:
    """(reason, detail) of the first rule that `rules` asks for and that the text fails, ("", "") where none does."""
    reason, detail = gopher_repetition(text) if rules.gopher_repetition else ("", "")
    if not reason and rules.gopher_quality:
        reason, detail = gopher_quality(text, language)
    if not reason and rules.fineweb_quality:
        reason, detail = fineweb(text)
    return reason, detail


def gopher_quality(text: str, language: str) -> tuple[str, str]:
    r"""(reason, detail) of the first quality rule that fails, ("", "") where none does.

    >>> gopher_quality("- barn\n- tower\n- bridge", "de")
    ('gopher_bullets', '1.00 of the lines')
    """
    words = text.split()
    if not words:
        return "", ""  # how long a text has to be is another rule
    said = [word for word in words if not _WORDLESS.match(word)]
    mean = sum(map(len, said)) / max(len(said), 1)
    if not MEAN_WORD[0] <= mean <= MEAN_WORD[1]:
        return "gopher_word_length", f"{mean:.2f} characters a word"
    hashes = text.count("#") / len(words)
    ellipses = (text.count("...") + text.count("…")) / len(words)
    if max(hashes, ellipses) > MOST_SYMBOLS:
        return "gopher_symbols", f"{max(hashes, ellipses):.3f} a word"
    lines = _lines(text)
    bullets = sum(line.startswith(("•", "-")) for line in lines) / len(lines)
    if bullets > MOST_BULLETS:
        return "gopher_bullets", f"{bullets:.2f} of the lines"
    ends = sum(line.endswith(("...", "…")) for line in lines) / len(lines)
    if ends > MOST_ELLIPSES:
        return "gopher_ellipses", f"{ends:.2f} of the lines"
    alphabetic = sum(any(map(str.isalpha, word)) for word in words) / len(words)
    if alphabetic < LEAST_ALPHABETIC:
        return "gopher_alphabetic", f"{alphabetic:.2f} of the words"
    if language == "en":
        found = STOP_WORDS.intersection(map(str.lower, words))
        if len(found) < LEAST_STOP_WORDS:
            return "gopher_stop_words", ", ".join(sorted(found)) or "none"
    return "", ""


def gopher_repetition(text: str) -> tuple[str, str]:
    r"""(reason, detail) of the first repetition rule that fails, ("", "") where none does.

    >>> gopher_repetition("Menu\nMenu\nThe barn is red.")
    ('repetition_lines', '0.33 of the lines')
    """
    for name, parts in (("lines", _lines(text)), ("paragraphs", _parts(_PARAGRAPHS.split(text)))):
        again = _repeated(parts)
        share, chars = len(again) / max(len(parts), 1), sum(map(len, again)) / max(len(text), 1)
        if share > MOST_LINES:
            return f"repetition_{name}", f"{share:.2f} of the {name}"
        if chars > MOST_LINE_CHARS:
            return f"repetition_{name}", f"{chars:.2f} of the characters"
    words = text.split()
    for n, most in TOP_NGRAMS:
        share = _top(words, n) / max(len(text), 1)
        if share > most:
            return "repetition_top_ngram", f"{share:.2f} of the characters in one run of {n} words"
    for n, most in REPEATED_NGRAMS:
        share = _again(words, n) / max(len(text), 1)
        if share > most:
            return "repetition_ngrams", f"{share:.2f} of the characters in runs of {n} words"
    return "", ""


def fineweb(text: str) -> tuple[str, str]:
    """(reason, detail) of the first of FineWeb's own rules that fails, ("", "") where none does."""
    lines = _lines(text)
    punctuated = sum(line.endswith(_ENDS) for line in lines) / max(len(lines), 1)
    if punctuated < LEAST_PUNCTUATED:
        return "fineweb_punctuation", f"{punctuated:.2f} of the lines"
    short = sum(len(line) <= SHORT_LINE for line in lines) / max(len(lines), 1)
    if short > MOST_SHORT:
        return "fineweb_short_lines", f"{short:.2f} of the lines"
    repeated = sum(map(len, _repeated(lines))) / max(sum(map(len, lines)), 1)
    if repeated > MOST_REPEATED_CHARS:
        return "fineweb_repeated", f"{repeated:.3f} of the characters"
    newlines = (len(lines) - 1) / max(len(text.split()), 1)
    if newlines > MOST_NEWLINES:
        return "fineweb_newlines", f"{newlines:.2f} a word"
    return "", ""


def _lines(text: str) -> list[str]:
    return _parts(text.split("\n"))


def _parts(found: Iterable[str]) -> list[str]:
    return [part for part in map(str.strip, found) if part]


def _repeated(parts: Sequence[str]) -> list[str]:
    """The parts that repeat an earlier one."""
    seen: set[str] = set()
    again = []
    for part in parts:
        if part in seen:
            again.append(part)
        seen.add(part)
    return again


def _top(words: Sequence[str], n: int) -> int:
    """Characters of the commonest run of n words, all its occurrences together; 0 where none comes twice."""
    counts = Counter(zip(*(words[k:] for k in range(n))))
    if not counts:
        return 0
    most = max(counts.values())
    return max(len(" ".join(run)) for run, count in counts.items() if count == most) * most if most > 1 else 0


def _again(words: Sequence[str], n: int) -> int:
    """Characters of the runs of n words that repeat an earlier one, each character counted once."""
    seen: set[tuple[str, ...]] = set()
    at = total = 0
    while at + n <= len(words):
        run = tuple(words[at : at + n])
        if run in seen:
            total += sum(map(len, run))
            at += n
        else:
            seen.add(run)
            at += 1
    return total
