"""Rules on a page's whole text: Gopher's (MassiveText, arXiv 2112.11446, A1.1) and FineWeb's (arXiv 2406.17557).

Published programs share the thresholds and differ in how they count. Here it is as in datatrove (0.10.1), rule by rule
and in its order: a repeated line counts from its second time on, shares are of all characters, and words are tokens,
punctuation among them (tokens.py). benchmarks/parity.py compares the two on real texts.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from weft.schemas.parameters import TextRules
from weft.transforms.extract import tokens


class Limits(NamedTuple):
    """What whole texts are judged by: English ones as in Gopher and FineWeb. Names are datatrove's.

    Shares are from 0 to 1: of lines or paragraphs, of words, or ("char") of characters. 0 turns off dup_para_frac,
    dup_line_frac and the same of characters, and short_line_thr.
    """

    # Gopher, table A1: repetition
    dup_para_frac: float = 0.30
    dup_para_char_frac: float = 0.20
    dup_line_frac: float = 0.30
    dup_line_char_frac: float = 0.20
    top_n_grams: tuple[float, ...] = (0.20, 0.18, 0.16)  # characters of the commonest run of 2, 3 and 4 words
    dup_n_grams: tuple[float, ...] = (0.15, 0.14, 0.13, 0.12, 0.11, 0.10)  # of all repeated runs of 5 to 10
    # Gopher, A1.1: quality
    min_avg_word_length: float = 3.0
    max_avg_word_length: float = 10.0
    max_symbol_word_ratio: float = 0.1  # "#" or ellipses per word
    max_bullet_lines_ratio: float = 0.9  # begin with one
    max_ellipsis_lines_ratio: float = 0.3  # end in one
    max_non_alpha_words_ratio: float = 0.8  # in spite of its name: the least share of words with a letter
    stopwords: frozenset[str] = frozenset(("the", "be", "to", "of", "and", "that", "have", "with"))  # two are asked for
    # FineWeb
    line_punct_thr: float = 0.12  # end as a sentence does
    short_line_thr: float = 0.67  # have at most SHORT_LINE characters
    char_duplicates_ratio: float = 0.01  # in lines that stood before
    new_line_ratio: float = 0.3  # per word
    # FineWeb 2
    language_score: float = 0.0  # of the page's language


ENGLISH = Limits()
LEAST_STOP_WORDS = 2  # different ones
SHORT_LINE = 30
TOP, REPEATED = (2, 3, 4), (5, 6, 7, 8, 9, 10)  # words of the runs that limits are on

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
        limits = ENGLISH if language == "en" else ENGLISH._replace(stopwords=frozenset())
        reason, detail = gopher_quality(text, rules.min_words, rules.max_words, limits)
    return reason, detail


def judge_by_language(text: str, language: str, limits: Limits, rules: TextRules) -> tuple[str, str]:
    """`judge`, and FineWeb's rules, in FineWeb 2's order and by the limits of the text's language."""
    reason, detail = gopher_repetition(text, limits, language) if rules.gopher_repetition else ("", "")
    if not reason and rules.fineweb_quality:
        reason, detail = fineweb(text, limits, language)
    if not reason and rules.gopher_quality:
        reason, detail = gopher_quality(text, rules.min_words, rules.max_words, limits, language)
    return reason, detail


def gopher_quality(
    text: str, least: int = 0, most: int = 0, limits: Limits = ENGLISH, language: str = "en"
) -> tuple[str, str]:
    r"""(reason, detail) of the first quality rule that fails, ("", "") where none does.

    Args:
        text: a whole page.
        least: words that are no mere punctuation, as are ...
        most: ... 0 for no limit.
        limits: without stop words, none are asked for.
        language: by whose rules the text is taken apart into words.

    >>> gopher_quality("- barn\n- tower\n- bridge")
    ('gopher_bullets', '1.00 of the lines')
    """
    words = tokens.words(text, language)
    said = [word for word in words if not all(character in _PUNCTUATION for character in word)]
    if len(said) < least:
        return "too_short", f"{len(said)} words"
    if most and len(said) > most:
        return "too_long", f"{len(said)} words"
    if not words:
        return "", ""  # how long a text has to be is another rule
    mean = sum(map(len, said)) / max(len(said), 1)
    if not limits.min_avg_word_length <= mean <= limits.max_avg_word_length:
        return "gopher_word_length", f"{mean:.2f} characters a word"
    hashes = text.count("#") / len(words)
    ellipses = (text.count("...") + text.count("…")) / len(words)
    if max(hashes, ellipses) > limits.max_symbol_word_ratio:
        return "gopher_symbols", f"{max(hashes, ellipses):.3f} a word"
    lines = text.splitlines()
    bullets = sum(line.lstrip().startswith(("•", "-")) for line in lines) / len(lines)
    if bullets > limits.max_bullet_lines_ratio:
        return "gopher_bullets", f"{bullets:.2f} of the lines"
    ends = sum(line.rstrip().endswith(("...", "…")) for line in lines) / len(lines)
    if ends > limits.max_ellipsis_lines_ratio:
        return "gopher_ellipses", f"{ends:.2f} of the lines"
    alphabetic = sum(any(map(str.isalpha, word)) for word in words) / len(words)
    if alphabetic < limits.max_non_alpha_words_ratio:
        return "gopher_alphabetic", f"{alphabetic:.2f} of the words"
    if limits.stopwords:
        found = limits.stopwords.intersection(words)
        if len(found) < LEAST_STOP_WORDS:
            return "gopher_stop_words", ", ".join(sorted(found)) or "none"
    return "", ""


def gopher_repetition(text: str, limits: Limits = ENGLISH, language: str = "en") -> tuple[str, str]:
    r"""(reason, detail) of the first repetition rule that fails, ("", "") where none does.

    >>> gopher_repetition("Menu\nMenu\nThe barn is red.")
    ('repetition_lines', '0.33 of the lines')
    """
    if not text:
        return "", ""
    for name, parts, most, most_chars in (
        ("paragraphs", _PARAGRAPHS.split(text.strip()), limits.dup_para_frac, limits.dup_para_char_frac),
        ("lines", _LINES.split(text), limits.dup_line_frac, limits.dup_line_char_frac),
    ):
        again = _repeated(parts)
        share, chars = len(again) / len(parts), sum(map(len, again)) / len(text)
        if share > most > 0:
            return f"repetition_{name}", f"{share:.2f} of the {name}"
        if chars > most_chars > 0:
            return f"repetition_{name}", f"{chars:.2f} of the characters"
    words = tokens.words(text, language)
    for n, most in zip(TOP, limits.top_n_grams, strict=True):
        share = _top(words, n) / len(text)
        if share > most:
            return "repetition_top_ngram", f"{share:.2f} of the characters in one run of {n} words"
    for n, most in zip(REPEATED, limits.dup_n_grams, strict=True):
        share = _again(words, n) / len(text)
        if share > most:
            return "repetition_ngrams", f"{share:.2f} of the characters in runs of {n} words"
    return "", ""


def fineweb(text: str, limits: Limits = ENGLISH, language: str = "en") -> tuple[str, str]:
    """(reason, detail) of the first of FineWeb's own rules that fails, ("", "") where none does."""
    lines = [line for line in text.split("\n") if line.strip()]
    punctuated = sum(line.endswith(_ENDS) for line in lines) / max(len(lines), 1)
    if not lines or punctuated < limits.line_punct_thr:
        return "fineweb_punctuation", f"{punctuated:.2f} of the lines"
    short = sum(len(line) <= SHORT_LINE for line in lines) / len(lines)
    if short > limits.short_line_thr > 0:
        return "fineweb_short_lines", f"{short:.2f} of the lines"
    repeated = sum(map(len, _repeated(lines))) / len(text.replace("\n", ""))
    if repeated > limits.char_duplicates_ratio:
        return "fineweb_repeated", f"{repeated:.3f} of the characters"
    newlines = text.count("\n") / max(len(tokens.words(text, language)), 1)
    if newlines > limits.new_line_ratio:
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
