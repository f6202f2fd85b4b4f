"""Rules on a page's whole text: Gopher's (MassiveText, arXiv 2112.11446, A1.1) and FineWeb's (arXiv 2406.17557).

Published programs share the thresholds and differ in how they count. Here it is as in datatrove (0.10.1), rule by rule
and in its order: a repeated line counts from its second time on, shares are of all characters, and words are tokens,
punctuation among them (tokens.py). benchmarks/parity.py compares the two on real texts.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from weft.schemas.parameters import TextRules
from weft.transforms.extract import tokens

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

_PARAGRAPHS, _LINES = re.compile(r"\n{2,}"), re.compile(r"\n+")
_ENDS = tuple(tokens.END_MARKS)
_PUNCTUATION = (
    frozenset(  # datatrove's, and marks that end a sentence
        "!/—”:％１〈&(、━\\【#%「」，】；+^]~“《„';’{|∶´[=-`*．（–？！：$～«〉,><》)?）。…@_.\"}►»"
    )
    | {chr(n) for n in (*range(9), *range(11, 32), *range(127, 160))}
    | tokens.END_MARKS
)


def judge(text: str, language: str, rules: TextRules) -> tuple[str, str]:
    """(reason, detail) of the first of Gopher's rules that is asked for and that the text fails, or ("", "")."""
    reason, detail = gopher_repetition(text) if rules.gopher_repetition else ("", "")
    if not reason and rules.gopher_quality:
        reason, detail = gopher_quality(text, language, rules.min_words, rules.max_words)
    return reason, detail


def gopher_quality(text: str, language: str, least: int = 0, most: int = 0) -> tuple[str, str]:
    r"""(reason, detail) of the first quality rule that fails, ("", "") where none does.

    Args:
        text: a whole page.
        language: ISO 639-1; stop words are asked of English alone.
        least: words that are no mere punctuation, as are ...
        most: ... 0 for no limit.

    >>> gopher_quality("- barn\n- tower\n- bridge", "de")
    ('gopher_bullets', '1.00 of the lines')
    """
    words = tokens.words(text)
    said = [word for word in words if not all(character in _PUNCTUATION for character in word)]
    if len(said) < least:
        return "too_short", f"{len(said)} words"
    if most and len(said) > most:
        return "too_long", f"{len(said)} words"
    if not words:
        return "", ""  # how long a text has to be is another rule
    mean = sum(map(len, said)) / max(len(said), 1)
    if not MEAN_WORD[0] <= mean <= MEAN_WORD[1]:
        return "gopher_word_length", f"{mean:.2f} characters a word"
    hashes = text.count("#") / len(words)
    ellipses = (text.count("...") + text.count("…")) / len(words)
    if max(hashes, ellipses) > MOST_SYMBOLS:
        return "gopher_symbols", f"{max(hashes, ellipses):.3f} a word"
    lines = text.splitlines()
    bullets = sum(line.lstrip().startswith(("•", "-")) for line in lines) / len(lines)
    if bullets > MOST_BULLETS:
        return "gopher_bullets", f"{bullets:.2f} of the lines"
    ends = sum(line.rstrip().endswith(("...", "…")) for line in lines) / len(lines)
    if ends > MOST_ELLIPSES:
        return "gopher_ellipses", f"{ends:.2f} of the lines"
    alphabetic = sum(any(map(str.isalpha, word)) for word in words) / len(words)
    if alphabetic < LEAST_ALPHABETIC:
        return "gopher_alphabetic", f"{alphabetic:.2f} of the words"
    if language == "en":
        found = STOP_WORDS.intersection(words)
        if len(found) < LEAST_STOP_WORDS:
            return "gopher_stop_words", ", ".join(sorted(found)) or "none"
    return "", ""


def gopher_repetition(text: str) -> tuple[str, str]:
    r"""(reason, detail) of the first repetition rule that fails, ("", "") where none does.

    >>> gopher_repetition("Menu\nMenu\nThe barn is red.")
    ('repetition_lines', '0.33 of the lines')
    """
    if not text:
        return "", ""
    for name, parts in (("paragraphs", _PARAGRAPHS.split(text.strip())), ("lines", _LINES.split(text))):
        again = _repeated(parts)
        share, chars = len(again) / len(parts), sum(map(len, again)) / len(text)
        if share > MOST_LINES:
            return f"repetition_{name}", f"{share:.2f} of the {name}"
        if chars > MOST_LINE_CHARS:
            return f"repetition_{name}", f"{chars:.2f} of the characters"
    words = tokens.words(text)
    for n, most in TOP_NGRAMS:
        share = _top(words, n) / len(text)
        if share > most:
            return "repetition_top_ngram", f"{share:.2f} of the characters in one run of {n} words"
    for n, most in REPEATED_NGRAMS:
        share = _again(words, n) / len(text)
        if share > most:
            return "repetition_ngrams", f"{share:.2f} of the characters in runs of {n} words"
    return "", ""


def fineweb(text: str) -> tuple[str, str]:
    """(reason, detail) of the first of FineWeb's own rules that fails, ("", "") where none does."""
    lines = [line for line in text.split("\n") if line.strip()]
    punctuated = sum(line.endswith(_ENDS) for line in lines) / max(len(lines), 1)
    if punctuated < LEAST_PUNCTUATED:
        return "fineweb_punctuation", f"{punctuated:.2f} of the lines"
    short = sum(len(line) <= SHORT_LINE for line in lines) / len(lines)
    if short > MOST_SHORT:
        return "fineweb_short_lines", f"{short:.2f} of the lines"
    repeated = sum(map(len, _repeated(lines))) / len(text.replace("\n", ""))
    if repeated > MOST_REPEATED_CHARS:
        return "fineweb_repeated", f"{repeated:.3f} of the characters"
    newlines = text.count("\n") / max(len(tokens.words(text)), 1)
    if newlines > MOST_NEWLINES:
        return "fineweb_newlines", f"{newlines:.2f} a word"
    return "", ""


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
    """Characters of the commonest run of n words, all its occurrences together; of equally common ones the first."""
    counts = Counter(zip(*(words[k:] for k in range(n))))
    if not counts:
        return 0
    run, count = counts.most_common(1)[0]
    return len(" ".join(run)) * count


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
