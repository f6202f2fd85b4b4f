"""Gopher's rules on a whole text as DCLM counts (mlfoundations/dclm, baselines/mappers/filters/content_filters.py).

The limits are Gopher's, as in document_rules.py. What differs: words are what spaces part; in runs of words they are
those between Unicode's word boundaries (UAX 29) that begin with a letter or digit. A repeated line counts from its
first time on, shares are of the characters of lines or words alone, and one line is no repetition. Stop words count
each time, in any case. Runs of equal number count by the longest.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence

from weft.schemas.parameters import TextRules
from weft.transforms.extract.document_rules import ENGLISH, REPEATED, TOP, Limits

LEAST_STOP_WORDS = 2  # occurrences
MOST_SILENT = 0.2  # of words have no letter; Gopher's 0.8 the other way round
_SPACES = re.compile(r"[ \n\r\t\v\f\0]+")  # fastText's
_BULLETS, _ENDS, _SYMBOLS = ("●", "•", "*", "-"), ("...", ". . .", "…"), ("#", "...", ". . .", "…")
# What stands on or in a letter, vowels of Indic scripts among it
_MARKS = "".join(
    chr(code) for code in (*range(0x300, 0x3100), *range(0xA66F, 0xAC00)) if unicodedata.category(chr(code))[0] == "M"
)
_MARKS = f"[\u00ad\u200c-\u200f\ufe00-\ufe0f\ufe20-\ufe2f{_MARKS}]*"
# Scripts and numbers that UAX 29 takes by the character
_SINGLE = "\u00b2\u00b3\u00b9\u00bc-\u00be\u2070-\u209c\u2150-\u215f\u2460-\u249b"
_SINGLE += "\u0e01-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u2fdf\u3005-\u3007\u3041-\u309f\u3400-\u9fff\uf900-\ufaff"
_LETTER = rf"[^\W\d_{_SINGLE}]"
_WORD = re.compile(
    rf"(?:{_LETTER}|[\d_]){_MARKS}(?:(?:{_LETTER}|[\d_]){_MARKS}"
    rf"|(?<={_LETTER})['.:·‘’․‧]{_MARKS}(?={_LETTER})|(?<=\d)['.,;‘’․]{_MARKS}(?=\d))*|\w{_MARKS}"
)


def judge(text: str, language: str, rules: TextRules) -> tuple[str, str]:
    """(reason, detail) of the first rule that is asked for and fails, in dclm_baseline_refinedweb.yaml's order.

    ("", "") where none does. Stop words are asked of English alone: DCLM drops all else before.
    """
    reason, detail = "", ""
    if rules.gopher_quality:
        limits = ENGLISH if language == "en" else ENGLISH._replace(stopwords=frozenset())
        reason, detail = quality(text, rules.min_words, rules.max_words, limits)
    if not reason and rules.gopher_repetition:
        reason, detail = repetition(text)
    return reason, detail


def count(text: str) -> int:
    """Words: what fastText's spaces part and begins with a letter or digit."""
    return sum(word[0].isalnum() for word in _SPACES.split(text) if word)


def quality(text: str, least: int = 0, most: int = 0, limits: Limits = ENGLISH) -> tuple[str, str]:
    """(reason, detail) of the first quality rule that fails, ("", "") where none does.

    Args:
        text: a whole page.
        least: words by `count`, as are ...
        most: ... 0 for no limit.
        limits: Gopher's.

    >>> quality("To the barn, to the tower: 1890", 0)
    ('', '')
    """
    words, said = text.split(), count(text)
    if not words or said < least:
        return "too_short", f"{said} words"
    if most and said > most:
        return "too_long", f"{said} words"
    mean = sum(map(len, words)) / len(words)
    if not limits.min_avg_word_length <= mean <= limits.max_avg_word_length:
        return "gopher_word_length", f"{mean:.2f} characters a word"
    symbols = sum(map(text.count, _SYMBOLS)) / len(words)
    if symbols > limits.max_symbol_word_ratio:
        return "gopher_symbols", f"{symbols:.3f} a word"
    lines = _parts(text, "\n")
    bullets = sum(line.startswith(_BULLETS) for line in lines)
    if bullets > limits.max_bullet_lines_ratio * len(lines):
        return "gopher_bullets", f"{bullets / len(lines):.2f} of the lines"
    ends = sum(line.endswith(_ENDS) for line in lines)
    if ends > limits.max_ellipsis_lines_ratio * len(lines):
        return "gopher_ellipses", f"{ends / len(lines):.2f} of the lines"
    silent = sum(not any(map(str.isalpha, word)) for word in words) / len(words)
    if silent > MOST_SILENT:
        return "gopher_alphabetic", f"{1 - silent:.2f} of the words"
    stops = sum(word.lower() in limits.stopwords for word in words)
    if limits.stopwords and stops < LEAST_STOP_WORDS:
        return "gopher_stop_words", f"{stops}"
    return "", ""


def repetition(text: str, limits: Limits = ENGLISH) -> tuple[str, str]:
    r"""(reason, detail) of the first repetition rule that fails, ("", "") where none does.

    >>> repetition("Menu\nMenu\nThe barn is red.\nThe tower is old.")
    ('repetition_lines', '0.50 of the lines')
    """
    parts = {"lines": _parts(text, "\n"), "paragraphs": _parts(text, "\n\n")}
    again = {name: _repeated(found) for name, found in parts.items()}
    for name, most in (("lines", limits.dup_line_frac), ("paragraphs", limits.dup_para_frac)):
        share = len(again[name]) / (len(parts[name]) or 1)
        if share > most:
            return f"repetition_{name}", f"{share:.2f} of the {name}"
    for name, most in (("lines", limits.dup_line_char_frac), ("paragraphs", limits.dup_para_char_frac)):
        share = sum(map(len, again[name])) / (sum(map(len, parts[name])) or 1)
        if share > most:
            return f"repetition_{name}", f"{share:.2f} of the characters"
    words = [word for word in _WORD.findall(text) if word[0].isalnum()]
    chars = sum(map(len, words)) or 1
    for n, most in zip(TOP, limits.top_n_grams, strict=True):
        share = _top(words, n) / chars
        if share > most:
            return "repetition_top_ngram", f"{share:.2f} of the characters in one run of {n} words"
    for n, most in zip(REPEATED, limits.dup_n_grams, strict=True):
        share = _in_repeated(words, n) / chars
        if share > most:
            return "repetition_ngrams", f"{share:.2f} of the characters in runs of {n} words"
    return "", ""


def _repeated(parts: Sequence[str]) -> list[str]:
    """The parts that are there more than once, each time that they are."""
    counts = Counter(parts)
    return [part for part in parts if counts[part] > 1]


def _top(words: Sequence[str], n: int) -> int:
    """Characters of the commonest run of n words, all its occurrences together; of equally common ones the longest."""
    counts = Counter(zip(*(words[k:] for k in range(n))))
    most = max(counts.values(), default=1)
    if most == 1:
        return 0
    return most * max(sum(map(len, run)) for run, times in counts.items() if times == most)


def _in_repeated(words: Sequence[str], n: int) -> int:
    """Characters of the words that stand in a run of n that is there more than once."""
    runs = list(zip(*(words[k:] for k in range(n))))
    counts = Counter(runs)
    total = until = 0
    for at, run in enumerate(runs):
        if counts[run] > 1:
            total += sum(map(len, words[max(at, until) : at + n]))
            until = at + n
    return total


def _parts(text: str, between: str) -> list[str]:
    return [part for one in text.split(between) if (part := one.strip())]
