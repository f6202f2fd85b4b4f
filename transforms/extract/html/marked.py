"""A text with its Markdown beside it, line by line, so that rules judge what is said and not how it is marked.

Each line of the plain text knows the Markdown that says the same, and the block that it is part of: a heading, a list
item, a paragraph, a table row, the lines of one piece of code. What frames several lines (fences, the line under a
table's header, blank lines between blocks) belongs to no line: it is written, in `written`, around the lines that are
left. A line that a rule has shortened is written as the plain text that the rule left.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

TEXT, CODE, ROW = "text", "code", "row"
_FENCES = re.compile(r"`{3,}+")


class Block:
    """What lines stand in; lines of one block have the same object."""

    def __init__(self, form: str = TEXT, group: int = 0, info: str = "") -> None:
        self.form = form  # TEXT, CODE or ROW
        self.group = group  # of rows: their table's number
        self.info = info  # of code: its language
        self.quotes = 0  # quotations that it stands in
        self.indent = 0  # columns, of the list items that it stands in
        self.marker = ""  # of the list item that it begins, "- " or "3. "
        self.size = 0  # lines that must all be there for it to be written; 0 where each stands for itself
        self.columns = 0  # of its table
        self.begun = False  # some of it has been read
        self.list = 0  # number of the outermost list that it stands in, 0 outside


class Line(NamedTuple):
    """A line of plain text and its Markdown."""

    plain: str
    marked: str | None = None  # without what frames its block; None where another line of the block says it
    block: Block | None = None  # None for the blank lines between blocks


def kept(lines: Sequence[Line], left: Sequence[str | None]) -> list[Line]:
    """The lines that rules have left, with what they have shortened.

    Args:
        lines: of a text.
        left: for each what is left of its plain text, None for nothing.
    """
    found = []
    for line, said in zip(lines, left, strict=True):
        if said is None:
            continue
        if said.strip() == line.plain.strip():
            found.append(line._replace(plain=said))
        else:
            row = line.block is not None and line.block.form == ROW
            found.append(line._replace(plain=said, marked=f"| {said} |" if row and line.marked is not None else said))
    return found


def written(lines: Iterable[Line]) -> str:
    """The Markdown of lines."""
    made: list[str] = []
    before: Block | None = None
    for block, said in _blocks(lines):
        text = _framed(block, said, before)
        if before is not None:
            made.append(_between(before, block))
        made.append(text)
        before = block
    return "".join(made)


def _blocks(lines: Iterable[Line]) -> list[tuple[Block, list[str]]]:
    """The blocks whose lines are left, with these."""
    found = []
    of_block = itertools.groupby((line for line in lines if line.block is not None), lambda line: id(line.block))
    for _, group in of_block:
        held = list(group)
        block = held[0].block
        said = [line.marked for line in held if line.marked is not None]
        if block is not None and len(held) >= block.size and said:
            found.append((block, said))
    return found


def _framed(block: Block, said: list[str], before: Block | None) -> str:
    lines = "\n".join(said).split("\n")
    if block.form == CODE:
        longest = max((len(run) for line in lines for run in _FENCES.findall(line)), default=2)
        fence = "`" * (longest + 1)
        lines = [fence + block.info, *lines, fence]
    elif block.form == ROW and not _same_table(before, block):
        lines.append("|" + " --- |" * block.columns)
    quotes = "> " * block.quotes
    first = quotes + " " * (block.indent - len(block.marker)) + block.marker
    rest = quotes + " " * block.indent
    return "\n".join(((rest if n else first) + line).rstrip() for n, line in enumerate(lines))


def _same_table(before: Block | None, block: Block) -> bool:
    return before is not None and before.form == block.form == ROW and before.group == block.group


def _between(before: Block, block: Block) -> str:
    same_list = block.marker and block.list == before.list and block.quotes == before.quotes
    if same_list or _same_table(before, block):
        return "\n"
    blank = "> " * min(before.quotes, block.quotes)
    return f"\n{blank.rstrip()}\n"
