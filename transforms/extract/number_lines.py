"""Numbers that are no prose: marks of a book's pages, and dumps of numbers → the same texts without them.

Marks are lines of nothing but a number in square brackets or after a word ("[12]", "(Pg 12)", "Page 12"), and "[Pg 12]"
inside lines, that count up over the page. They are marks where there are many, each a book's page apart, and few are
missing: notes stand nearer. A bare number or one in round brackets is none: rankings and headings have those, as far
apart. A dump is a run of lines without a letter.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from weft.schemas.parameters import TextRules

Lines = Sequence[str | None]  # of one text; None where a line has gone
PAGE_WORDS = 100  # between two marks on average, at least: a printed page has 200 to 500
MOST_MISSING = 3  # the last number is at most so many times as far from the first as there are marks
_LONGEST = 16  # characters of a line that is a mark
_ALONE = re.compile(r"(?:\[|[\[({]?p(?:g|age)?\b\.? ?)(\d{1,4})[\])}]?", re.IGNORECASE)
# With the blank after it where one stands before it too, or nothing: else the words on either side would become one.
_INSIDE = re.compile(r"((?<!\S))?\[(?:pg|page|p)\.? ?(\d{1,4})\](?(1) ?)", re.IGNORECASE)
_LETTER = re.compile(r"[^\W\d_]")


class _Mark(NamedTuple):
    text: int
    line: int
    start: int
    end: int
    number: int
    words: int  # before it


def apply_to_lines(texts: Sequence[Sequence[str] | None], rules: TextRules) -> tuple[list[Lines | None], str]:
    """(texts without numbers that are no prose, what was taken out); each line stays at its place.

    Args:
        texts: of a page, by position, as lines; None at an image.
        rules: page_marks and number_run, 0 of which turns either off.

    >>> apply_to_lines([["So it was:", "1 2 3 4", "5 6"], None], TextRules(number_run=6))
    ([['So it was:', None, None], None], '6 numbers in a run')
    """
    made: list[Lines | None] = list(texts)
    told = []
    marks = _marks(texts) if rules.page_marks else []
    if len(marks) >= max(rules.page_marks, 1):
        for text, of_text in groupby(marks, lambda mark: mark.text):
            made[text] = _without_marks(texts[text] or (), of_text)
        told.append(f"{len(marks)} page marks")
    if rules.number_run:
        runs = sum(_without_runs(made, n, rules.number_run) for n in range(len(made)))
        told += [f"{runs} numbers in a run"] if runs else []
    return [lines if lines is was else _closed(lines or ()) for lines, was in zip(made, texts, strict=True)], ", ".join(
        told
    )


def _without_marks(lines: Sequence[str], marks: Iterator[_Mark]) -> Lines:
    """The lines of a text without its marks, which are in order; None where nothing is left."""
    made: list[str | None] = list(lines)
    for n, of_line in groupby(marks, lambda mark: mark.line):
        parts, place = [], 0
        for mark in of_line:
            parts.append(lines[n][place : mark.start])
            place = mark.end
        left = "".join([*parts, lines[n][place:]])
        made[n] = left if left.strip() else None
    return made


def _closed(lines: Lines) -> Lines:
    """Lines without the second of two blank ones that a line between them has left."""
    made: list[str | None] = []
    blank = gone = False
    for line in lines:
        second = line is not None and not line.strip() and blank and gone
        made.append(None if second else line)
        if line is None:
            gone = True
        elif not second:
            blank, gone = not line.strip(), False
    return made


def _marks(texts: Sequence[Sequence[str] | None]) -> list[_Mark]:
    """The marks that count up over the page, in order; none where they are too near for pages, or too few of them."""
    found = list(_candidates(texts))
    ends: list[int] = []  # the smallest number that a row of n + 1 ends with ...
    last: list[int] = []  # ... and which candidate that is
    before: list[int] = []  # the candidate before each, -1 for none
    for n, mark in enumerate(found):
        at = bisect_left(ends, mark.number)
        ends[at : at + 1], before[n:] = [mark.number], [last[at - 1] if at else -1]
        last[at : at + 1] = [n]
    row: list[_Mark] = []
    at = last[-1] if last else -1
    while at >= 0:
        row.append(found[at])
        at = before[at]
    row.reverse()
    if len(row) < 2:
        return []
    apart, span = row[-1].words - row[0].words, row[-1].number - row[0].number
    return row if apart >= PAGE_WORDS * (len(row) - 1) and span <= MOST_MISSING * len(row) else []


def _candidates(texts: Sequence[Sequence[str] | None]) -> Iterator[_Mark]:
    words = 0
    for text, lines in enumerate(texts):
        for n, line in enumerate(lines or ()):
            if len(line) <= _LONGEST and (alone := _ALONE.fullmatch(line.strip())):
                yield _Mark(text, n, 0, len(line), int(alone[1]), words)
            elif "[p" in line or "[P" in line:
                place, before = 0, words
                for inside in _INSIDE.finditer(line):
                    before += line.count(" ", place, inside.start())
                    place = inside.start()
                    yield _Mark(text, n, *inside.span(), int(inside[2]), before)
            words += len(line.split())


def _has_digit(word: str) -> bool:
    return any(map(str.isdigit, word))


def _without_runs(made: list[Lines | None], n: int, least: int) -> int:
    """Take out the runs of a text that have `least` numbers or more; returns how many those had.

    Blank lines round a run stay: they part what is before it from what is after.
    """
    lines = made[n] or ()
    run: list[int] = []
    size = taken = 0
    gone: set[int] = set()
    for at, line in enumerate([*lines, "end"]):
        if line and _LETTER.search(line):
            if size >= least:
                numbers = [number for number in run if (lines[number] or "").strip()]
                gone.update(range(numbers[0], numbers[-1] + 1))
                taken += size
            run, size = [], 0
        else:
            run.append(at)
            size += sum(map(_has_digit, (line or "").split()))
    if gone:
        made[n] = [None if at in gone else line for at, line in enumerate(lines)]
    return taken
