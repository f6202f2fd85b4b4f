"""DCLM's rules on texts as its mappers state them, written down once more and apart from weft's, for parity.py.

Text → the name of the first mapper that drops it, "" where all keep it. In the order of dclm_baseline_refinedweb.yaml,
from page_length_filter on (mlfoundations/dclm, baselines/mappers/filters/content_filters.py, modifiers.py). Words are
fastText's and uniseg's, as there.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable

from uniseg.wordbreak import words as uniseg_words

STOP_WORDS = {"the", "be", "to", "of", "and", "that", "have", "with"}
COUNTER = re.compile(
    r"^\W*\d(?:,|\.|\d)*(?:K|k|M|m|B|b)?\s+(?:likes|shares|comments|retweets|reposts|quotes|bookmarks|upvotes|downvotes"
    r"|downloads|views|followers)\W*$"
)
CUTS = (r"\s?(?:items in cart)", r"\s?(?:read more...)$", r"^(?:sign-in)\s?")  # banlist, suffix, prefix


def quality(text: str) -> str:
    """The filters from page_length_filter to stop_word_filter."""
    said = [word for word in re.split(r"[ \n\r\t\v\f\0]+", text) if word and word[0].isalnum()]
    words, lines = text.split(), segments(text, "\n")
    if len(said) < 50:
        return "page_length_filter: few"
    if len(said) > 100_000:
        return "page_length_filter: many"
    if not words or not 3 <= sum(len(word) for word in words) / len(words) <= 10:
        return "word_length_filter"
    if sum(text.count(symbol) for symbol in ("#", "...", ". . .", "\u2026")) / len(words) > 0.1:
        return "symbol_ratio_filter"
    if sum(any(line.startswith(bullet) for bullet in "●•*-") for line in lines) > 0.9 * len(lines):
        return "bullet_count_filter"
    if sum(any(line.endswith(mark) for mark in ("...", ". . .", "\u2026")) for line in lines) > 0.3 * len(lines):
        return "ellipsis_count_filter"
    if sum(not any(char.isalpha() for char in word) for word in words) / len(words) > 0.2:
        return "alphabetic_word_ratio_filter"
    if sum(word.lower() in STOP_WORDS for word in words) < 2:
        return "stop_word_filter"
    return ""


def repetition(text: str) -> str:
    """massive_web_repetition_filters."""
    words = [word for word in uniseg_words(text) if word[0].isalnum()]
    for name, apart, most, characters in (
        ("line", "\n", 0.3, False),
        ("paragraph", "\n\n", 0.3, False),
        ("line", "\n", 0.2, True),
        ("paragraph", "\n\n", 0.2, True),
    ):
        if repeated(segments(text, apart), characters) > most:
            return f"repetition_filter: {name}"
    for size, most in zip(range(2, 11), (0.2, 0.18, 0.16, 0.15, 0.14, 0.13, 0.12, 0.11, 0.10), strict=True):
        share = most_common(words, size) if size < 5 else all_repeated(words, size)
        if share > most:
            return f"repetition_filter: {'top' if size < 5 else 'all'}"
    return ""


def lines(text: str) -> str:
    """The line modifiers, and word_removal_ratio_filter after them; a text that one of them empties is dropped."""
    rules: tuple[Callable[[str], bool], ...] = (
        lambda line: sum(char.isupper() for char in line) / len(line) > 0.5,
        lambda line: sum(char.isdigit() for char in line) / len(line) > 0.999999,
        lambda line: COUNTER.search(line.lower()) is not None,
        lambda line: len(line.split()) < 2,
    )
    left = text
    for drops in rules:
        left = "\n".join(line for line in left.split("\n") if not line or not drops(line)).strip()
    for cut in CUTS:
        left = "\n".join(said for line in left.split("\n") if (said := without(line, cut)) is not None).strip()
    before, after = fasttext_words(text), fasttext_words(left)
    return "word_removal_ratio_filter" if not left or not before or (before - after) / before > 0.05 else ""


def without(line: str, cut: str) -> str | None:
    """substring_line_modifier of one line of at most 10 words; None where nothing is left of it."""
    if len(line.split()) > 10:
        return line
    said = re.sub(cut, "", line, flags=re.IGNORECASE)
    return None if line and not said.strip() else said


def fasttext_words(text: str) -> int:
    """word_counter_enricher: split_words by fastText, without punctuation."""
    return sum(word[0].isalnum() for word in re.split(r"[ \n\r\t\v\f\0]+", text) if word)


def segments(text: str, apart: str) -> list[str]:
    """split_paragraphs."""
    return [said for one in text.split(apart) if (said := one.strip())]


def repeated(parts: list[str], characters: bool) -> float:
    """Share of the segments, or of their characters, that are there more than once, each time counted."""
    if len(parts) < 2:
        return 0.0 if parts else 1.0
    counts = Counter(parts)
    again = [part for part in parts if counts[part] > 1]
    return sum(map(len, again)) / sum(map(len, parts)) if characters else len(again) / len(parts)


def most_common(words: list[str], size: int) -> float:
    """Share of the characters in the commonest run of words; of equally common ones the longest."""
    counts = Counter(tuple(words[n : n + size]) for n in range(len(words) - size + 1))
    most = max(counts.values(), default=1)
    if most == 1:
        return 0.0
    return most * max(len("".join(run)) for run, times in counts.items() if times == most) / sum(map(len, words))


def all_repeated(words: list[str], size: int) -> float:
    """Share of the characters of words that stand in a run which is there more than once."""
    runs = [tuple(words[n : n + size]) for n in range(len(words) - size + 1)]
    counts = Counter(runs)
    places = {k for n, run in enumerate(runs) if counts[run] > 1 for k in range(n, n + size)}
    return sum(len(words[k]) for k in places) / sum(map(len, words)) if places else 0.0
