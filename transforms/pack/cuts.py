"""Where a document that is too long for one sequence is cut.

    texts ──► Pieces, at whose beginnings it may be cut ──► stretches round pictures, each no longer than a sequence

Each stretch holds pictures, as many in a row as it has room for, each with the piece that follows it, and round them as
much text as fits: what stands before them at most half of the room that is left, where there is more to both sides. It
begins and ends at a paragraph's end where one is near, else at a sentence's. What lies between stretches is near no
picture.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate, pairwise
from typing import NamedTuple

INSIDE, SENTENCE, PARAGRAPH = 0, 1, 2  # what ends where a piece begins; a line counts as a sentence
LEAST = 64  # ids: a shorter passage between stretches joins a neighbour, or takes from one until it is as long
SHARE_OF_LEAST = 8  # of a short sequence it is this part instead
SHARE_OF_PIECE = 4  # a piece takes at most this part of a sequence; longer sentences are halved between words
_ENDS = frozenset(".?!…。？！\"')]”’»")
_SAID = re.compile(r"\S")
_CUT = re.compile(r"\n+|[.?!…][\"')\]”’»]{0,3}(?=\s)|[。？！]")


class Piece(NamedTuple):
    """A picture, or a part of a text that is never cut."""

    position: int  # in the document
    text: str | None  # None: a picture; else with the white space that stands before it
    start: int  # of the text at this position: the first character
    ids: tuple[int, ...]
    after: int  # what ends where it begins: INSIDE, SENTENCE or PARAGRAPH


class Stretch(NamedTuple):
    """A run of pieces, from the first to one before the last, and whether pictures are among them."""

    first: int
    last: int
    pictures: bool


def pieces(text: str, position: int, room: int, encode: Callable[[str], Sequence[int]]) -> Iterator[Piece]:
    """A text's pieces: its sentences and lines.

    Args:
        text: at `position` of a document.
        room: ids that a sequence holds.
        encode: text → ids.
    """
    places, said, begun = [(0, PARAGRAPH)], len(text.rstrip()), 0  # where the last place's own characters begin
    for found in _CUT.finditer(text):
        newline = found[0].startswith("\n")
        at = found.start() if newline else found.end()
        if at >= said:
            break
        if begun <= places[-1][0] and (first := _SAID.search(text, places[-1][0])):
            begun = first.start()
        blank = at <= begun  # since the last place
        # A heading belongs to what follows it.
        paragraph = newline and len(found[0]) > 1 and (blank or text[at - 1] in _ENDS)
        after = PARAGRAPH if paragraph else SENTENCE
        if blank:
            places[-1] = places[-1][0], max(after, places[-1][1])
        else:
            places.append((at, after))
    for (start, after), (end, _) in pairwise([*places, (len(text), PARAGRAPH)]):
        for at, part, ids in _halves(text[start:end], max(room // SHARE_OF_PIECE, 1), encode):
            yield Piece(position, part, start + at, ids, INSIDE if at else after)


def _halves(text: str, most: int, encode: Callable[[str], Sequence[int]]) -> Iterator[tuple[int, str, tuple[int, ...]]]:
    """(offset, part, ids) of a text, cut between words until no part has more ids than `most`."""
    ids = tuple(encode(text))
    if len(ids) <= most or len(text) < 2:
        yield 0, text, ids
        return
    at = max(text.rfind(" ", 1, len(text) // 2 + 1), 0) or len(text) // 2
    for start, part in ((0, text[:at]), (at, text[at:])):
        yield from ((start + more, said, found) for more, said, found in _halves(part, most, encode))


def stretches(made: Sequence[Piece], room: int, span: int) -> list[Stretch]:
    """Every piece in exactly one stretch, in order; those with pictures have at most `room` ids.

    Args:
        made: a document with at least one picture.
        room: ids that a sequence holds beside its ends.
        span: ids of a picture, at most `room`.
    """
    plan = _Plan(made, room, span)
    found = plan.found()
    edges = [0, *(edge for one in found for edge in one), len(made)]
    return [Stretch(first, last, bool(n % 2)) for n, (first, last) in enumerate(pairwise(edges)) if first < last]


class _Plan:
    def __init__(self, made: Sequence[Piece], room: int, span: int) -> None:
        self._made, self._room, self._span = made, room, span
        self._least = min(LEAST, room // SHARE_OF_LEAST)
        self._sums = [0, *accumulate(span if piece.text is None else len(piece.ids) for piece in made)]

    def found(self) -> list[list[int]]:
        """[first, last] of each stretch with pictures."""
        cores = self._cores()
        made = [list(core) for core in cores]
        for n, one in enumerate(made):
            begin = made[n - 1][1] if n else 0
            end = cores[n + 1][0] if n + 1 < len(cores) else len(self._made)
            free = self._room - self._ids(*one)
            one[0] = self._back(begin, one[0], max(free // 2, free - self._ids(one[1], end)))
            one[1] = self._forth(one[1], end, self._room - self._ids(*one))
        for n in range(len(made) + 1):
            left = made[n - 1] if n else None
            right = made[n] if n < len(made) else None
            self._no_tail(left, cores[n - 1][1], right, cores[n][0] if right else len(self._made))
        return made

    def _ids(self, first: int, last: int) -> int:
        return self._sums[last] - self._sums[first]

    def _cores(self) -> list[tuple[int, int]]:
        """Pictures in a row with all between them and the piece behind the last, as far as there is room."""
        made: list[tuple[int, int]] = []
        for n in (n for n, piece in enumerate(self._made) if piece.text is None):
            own = n + 1
            if own < len(self._made) and self._made[own].text is not None:
                own += self._span + len(self._made[own].ids) <= self._room
            if made and self._ids(made[-1][0], own) <= self._room:
                made[-1] = made[-1][0], own
            else:
                made.append((n, own))
        return made

    def _forth(self, first: int, end: int, most: int) -> int:
        """How far text from `first` on, before `end`, is taken that has at most so many ids."""
        at = first
        while at < end and self._ids(first, at + 1) <= most:
            at += 1
        return at if at == end else self._near(range(at, first - 1, -1), first, at)

    def _back(self, begin: int, last: int, most: int) -> int:
        """As `_forth`, towards the beginning."""
        at = last
        while at > begin and self._ids(at - 1, last) <= most:
            at -= 1
        return at if at == begin else self._near(range(at, last + 1), last, at)

    def _near(self, places: range, fixed: int, most: int) -> int:
        """The first place that ends a paragraph and takes half of what could be; else one that ends a sentence."""
        after = [self._made[at].after if at < len(self._made) else PARAGRAPH for at in places]
        for at, ends in zip(places, after, strict=True):
            if ends == PARAGRAPH and 2 * abs(self._sums[at] - self._sums[fixed]) >= abs(
                self._sums[most] - self._sums[fixed]
            ):
                return at
        return next((at for at, ends in zip(places, after, strict=True) if ends), most)

    def _no_tail(self, left: list[int] | None, before: int, right: list[int] | None, behind: int) -> None:
        """Leave no passage of less than `_least` ids between two stretches.

        Args:
            left: the stretch before it, of which pieces from `before` on may go.
            right: the stretch behind it, of which pieces up to `behind` may go.
        """
        begin, end = left[1] if left else 0, right[0] if right else len(self._made)
        rest = self._ids(begin, end)
        if not 0 < rest < self._least:
            return
        if left and self._ids(*left) + rest <= self._room:
            left[1] = end
        elif right and self._ids(*right) + rest <= self._room:
            right[0] = begin
        else:
            if left:
                left[1] = self._until(range(begin, before - 1, -1), end)
                begin = left[1]
            if right and self._ids(begin, end) < self._least:
                right[0] = self._until(range(end, behind + 1), begin)

    def _until(self, places: range, fixed: int) -> int:
        """Of the places that cut no sentence the first with `_least` ids between it and `fixed`; else the last."""
        found = places[0]
        for at in places:
            if at == len(self._made) or self._made[at].after:
                found = at
                if abs(self._sums[at] - self._sums[fixed]) >= self._least:
                    break
        return found
