"""Which tables of a page hold data, and where in their grid each of their cells stands.

Tables lay pages out as well. One that holds another table, or says that it is for presentation, or has no second row or
column, is layout; one with header cells, a caption or a class for it is data; of the others those whose rows are alike
and whose cells are short.
"""

from __future__ import annotations

import bisect
import functools
import re
from collections import Counter
from dataclasses import dataclass, field

from weft.transforms.extract.html.compiled import find

MOST_SPANNED = 8  # grid places for each cell that is there; a table beyond that and ROOM more has its spans ignored ...
ROOM = 1_000
ROOM_TO_SAY = 10_000  # the same of characters: a cell's text is said in each place that it spans
MEAN_CELL = 100  # characters of a cell of a table that nothing says is data
LONGEST_CELL = 2_000  # characters; no data has longer ones

_PART = re.compile(r"<(/?)(table|tr|td|th|thead|caption|pre|ul|ol|p|div|form|h[1-6]|article|section)(?=[ >])([^<>]*+)>")
_TAGS = re.compile(r"<[^<>]*+>")
_SPAN = re.compile(r' (colspan|rowspan)="\s*+(\d{1,9})')
_DATA = re.compile(
    r"\b(?:wikitable|data|datatable|dataframe|docutils|infobox|sortable|stats|specs?|grid|confluenceTable|table-bordered|"
    r"table-striped|longtable|ltx_tabular|gt_table)\b",
    re.IGNORECASE,
)
_LAYOUT = re.compile(r' role="(?:presentation|none)"|\b(?:highlighttable|rouge-table|linenotable|hljs-ln)\b|blob-')
_CODE = re.compile(r"linenos|lineno\b|line-?num|gutter|blob-num|ln-numbers")


@dataclass(slots=True)
class Cell:
    """A cell: where it stands in the grid, and how much of it it takes."""

    row: int
    column: int
    columns: int
    rows: int
    header: bool
    text: list[str] = field(default_factory=list)


@dataclass
class Grid:
    """A table."""

    number: int
    span: tuple[int, int] = (0, 0)  # of its tag and of what ends it, in the source
    rows: list[list[Cell]] = field(default_factory=list)
    data: bool = True
    headed: bool = False  # something says that it is data
    blocks: int = 0
    inside: list[tuple[int, int]] = field(default_factory=list)  # from where to where the source of each cell goes

    def holds(self, name: str) -> None:
        """It holds an element of this name."""
        if name == "tr":
            self.rows.append([])
        elif name in ("thead", "caption"):
            self.headed = True
        elif name in ("form", "article", "section"):
            self.data = False
        else:
            self.blocks += 1

    def settled(self, source: str, told: bool) -> bool:
        """Whether it is data, and says so where `told` asks for that, once it has ended."""
        counts = [len(row) for row in self.rows if row]
        cells = sum(counts)
        if not self.data or len(counts) < 2 or max(counts) < 2:
            return False
        if self.headed or told:
            return self.headed
        if self.blocks > cells or 2 * max(Counter(counts).values()) < len(counts):
            return False
        sizes = [len(" ".join(_TAGS.sub("", source[start:end]).split())) for start, end in self.inside]
        return max(sizes, default=0) <= LONGEST_CELL and sum(sizes) <= MEAN_CELL * cells

    def place(self) -> bool:
        """Give each cell its column; False for a grid that would be too large for the cells it has."""
        cells = sum(map(len, self.rows))
        room = MOST_SPANNED * cells + ROOM
        area = sum(cell.columns * min(cell.rows, len(self.rows)) for row in self.rows for cell in row)
        taken: dict[int, int] = {}  # columns that cells of rows above still take → rows that they do
        for row in self.rows:
            column = 0
            now: list[Cell] = []
            for cell in row:
                if area > room:
                    cell.columns = cell.rows = 1
                while column in taken:
                    column += 1
                cell.column = column
                column += cell.columns
                now.append(cell)
            taken = {at: left - 1 for at, left in taken.items() if left > 1}
            for cell in now:
                if cell.rows > 1:
                    taken.update((at, cell.rows - 1) for at in range(cell.column, cell.column + cell.columns))
        begun = {cell.column for row in self.rows for cell in row}
        return len(begun) * len(self.rows) <= room

    @functools.cached_property
    def filled(self) -> tuple[list[int], dict[tuple[int, int], str]]:
        """The columns in which something stands, and what, by row and column.

        A cell's text stands in all rows that it spans, and in all columns where it heads them; once where that would
        make a table many times as long. To be asked for once all texts of cells are there.
        """
        texts = [(cell, " ".join(cell.text)) for row in self.rows for cell in row if cell.text]
        columns = sorted({cell.column for cell, _ in texts})
        said: list[tuple[str, range, list[int]]] = []
        for cell, text in texts:
            last = cell.column + (cell.columns if cell.header else 1)
            across = columns[bisect.bisect_left(columns, cell.column) : bisect.bisect_left(columns, last)]
            across = across[:1] if len(across) == len(columns) else across  # a heading of the whole table
            said.append((text, range(cell.row, min(cell.row + cell.rows, len(self.rows))), across))
        room = MOST_SPANNED * sum(len(text) for _, text in texts) + ROOM_TO_SAY
        if sum(len(text) * len(down) * len(across) for text, down, across in said) > room:
            said = [(text, down[:1], across[:1]) for text, down, across in said]
        places = {(row, column): text for text, down, across in said for row in down for column in across}
        return columns, places


def grids(source: str, told: bool = False) -> dict[int, tuple[Grid, Cell]]:
    """The cells of tables of data, by where in the source their tags stand.

    Args:
        source: a page as the parser writes it.
        told: only of tables that say that they are data, which takes less time.
    """
    return _Reading(source, told).found


class _Reading:
    """One pass over the tags that matter to tables, from the beginning of each table to its end."""

    def __init__(self, source: str, told: bool) -> None:
        self.source = source
        self.told = told
        self.found: dict[int, tuple[Grid, Cell]] = {}
        self.stack: list[tuple[Grid, list[tuple[int, Cell]]]] = []
        self.number = 0
        self.begun = -1  # where the cell being read begins; -1 outside, and in one that has held a table
        at = find(source, "<table")
        while at >= 0:
            end = len(source)
            for part in _PART.finditer(source, at):
                self._part(part)
                if not self.stack:
                    end = part.end()
                    break
            at = find(source, "<table", end)

    def _part(self, part: re.Match[str]) -> None:
        closing, name, rest = part.groups()
        if name == "table":
            self._table(bool(closing), part.start(), rest)
        elif self.stack and name in ("td", "th"):
            if not closing:
                self._cell(part.start(), name == "th", rest)
                self.begun = part.end()
            elif self.begun >= 0:
                self.stack[-1][0].inside.append((self.begun, part.start()))
                self.begun = -1
        elif self.stack and not closing:
            self.stack[-1][0].holds(name)

    def _table(self, closing: bool, at: int, rest: str) -> None:
        if closing and self.stack:
            grid, cells = self.stack.pop()
            grid.span = grid.span[0], at
            self.begun = -1
            if grid.settled(self.source, self.told) and grid.place():
                self.found.update((start, (grid, cell)) for start, cell in cells)
        elif not closing:
            if self.stack:
                self.stack[-1][0].data = False
            self.number += 1
            data, headed = _LAYOUT.search(rest) is None, _DATA.search(rest) is not None
            self.stack.append((Grid(self.number, (at, at), data=data, headed=headed), []))

    def _cell(self, at: int, header: bool, rest: str) -> None:
        grid, cells = self.stack[-1]
        spans = {key: int(value) for key, value in _SPAN.findall(rest)} if "span=" in rest else {}
        columns, rows = min(spans.get("colspan", 1), ROOM), spans.get("rowspan", 1)
        cell = Cell(len(grid.rows) - 1, 0, max(1, columns), max(1, rows), header)
        grid.headed |= header
        if rest:
            grid.data &= _CODE.search(rest) is None
        if grid.rows:
            grid.rows[-1].append(cell)
            cells.append((at, cell))
