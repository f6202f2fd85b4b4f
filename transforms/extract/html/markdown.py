"""The kept texts of a page → their Markdown, by a second pass over the page's source.

The scan says where in the source each item stands; this pass goes over the tags between and around them and keeps what
the scan had no need of: lists and their numbers, levels of headings, quotations, code and its language, tables,
emphasis. What is kept, and the plain text of it, is the scan's alone.

Emphasis is marked inside prose and not where a whole block has it. Code of which each line is an element is one piece
of code, and line numbers beside it are none of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from weft.transforms.extract.html.grids import Cell, Grid
from weft.transforms.extract.html.marked import CODE, ROW, TEXT, Block
from weft.transforms.extract.html.scan import IMAGE, TAG, Scan, apart
from weft.transforms.extract.html.source import RAW
from weft.transforms.extract.html.tag_values import plain
from weft.transforms.urls import resolve

MAX_CLASSES = 1_000  # characters of the classes on an element: those in it look at them again
DEEPEST = 8  # lists or quotations in each other that are told apart
_STYLES = {"b": "bold", "strong": "bold", "i": "italic", "em": "italic"} | dict.fromkeys(
    ("code", "tt", "samp", "kbd"), "code"
)
_LINES = frozenset(("div", "li", "p", "tr"))  # elements that are a line of code each
_NO_END = {*"img br hr meta link base source input wbr col area embed param track".split(), *RAW}
_CLASS = re.compile(r' class="([^"]*+)"')
_NAMED = re.compile(r' data-(?:code-)?lang(?:uage)?="([^"]*+)"')
_NUMBER = re.compile(r' (?:start|value)="\s*+(-?\d{1,9})"')
_HREF = re.compile(r' href="([^"]*+)"')
_LANGUAGE = re.compile(
    r"\b(?:language|lang|highlight-source|highlight-text|highlight|brush|code)[-:] ?([a-zA-Z][\w+#.-]*+)|"
    r"\b(?:sourceCode|hljs|prettyprint|highlight|code|chroma|src|rust|wp-block-code) ([a-z][\w+#]*+)(?=[ ;]|\Z)|"
    r"^(python\d?|java|javascript|js|c|cpp|csharp|ruby|rust|go|php|bash|shell|sh|sql|json|yaml|xml|html|css|perl|scala|"
    r"kotlin|swift|haskell|lua|r|matlab|typescript|toml|ini|diff|console|text)\Z"
)
_NO_LANGUAGE = frozenset(
    "default notranslate none plain plaintext text nohighlight block wrap snippet example container box area toolbar "
    "highlight highlighted code source line lines linenums rust-example-rendered playground editable switcher "
    "tabs".split()
)
_CODE_BOX = re.compile(r"\b(?:crayon-pre|CodeMirror-code|js-file-line-container|blob-wrapper)\b")  # without a pre
_BESIDE = re.compile(  # line numbers
    r"\b(?:linenos?|line-?numbers?-rows|line-?number|gutter(?!:)|gl|blob-num|hljs-ln-numbers|rouge-gutter|crayon-nums?)"
    r"(?=[ \"]|\Z)"
)
_MARK = re.compile(r"#{1,6}\s|```|~~~")  # at the beginning of a line: it would frame what follows
_DIGITS = re.compile(r"[\d\s]++\Z")


class _Item:
    """A list item."""

    def __init__(self, marker: str, indent: int) -> None:
        self.marker, self.indent, self.begun = marker, indent, False


class _List:
    """A list."""

    def __init__(self, ordered: bool, number: int) -> None:
        self.ordered, self.number = ordered, number


class _In(NamedTuple):
    """What surrounds a place in the page."""

    quotes: int = 0
    of_list: _List | None = None
    item: _Item | None = None
    lists: int = 0
    outermost: int = 0  # number of the outermost list, 0 outside
    heading: int = 0
    code: Block | None = None
    beside: bool = False  # line numbers
    cell: Cell | None = None
    grid: Grid | None = None
    names: tuple[str, ...] = ()  # classes of the elements around it, innermost first


class _Run(NamedTuple):
    """A stretch of text with one style."""

    text: str
    bold: bool = False
    italic: bool = False
    code: bool = False
    link: str = ""  # the tag of the link around it
    cell: Cell | None = None


Marked = list[tuple[str | None, Block]]  # for each line of an item's plain text


def markdown_of(
    page: Scan, kept: Sequence[bool], cells: dict[int, tuple[Grid, Cell]], base: str, links: bool = False
) -> dict[int, Marked]:
    """The Markdown of each kept text, line by line, by item.

    Args:
        page: as scanned.
        kept: which of its items are kept; a table is cut at an image that is.
        cells: of its tables, as `grids` gives them.
        base: absolute address against which links are resolved.
        links: write links as links; else as their text.
    """
    return _Walk(page, kept, cells, base if links else "").walk()


class _Walk:
    """One pass over a page's source."""

    def __init__(self, page: Scan, kept: Sequence[bool], cells: dict[int, tuple[Grid, Cell]], base: str) -> None:
        self.page, self.cells, self.base = page, cells, base
        self.found: dict[int, Marked] = {}
        self.position: list[int] = []  # kept images before each item
        images = 0
        for at, is_kept in enumerate(kept):
            images += is_kept and page.kinds[at] == IMAGE
            self.position.append(images)
        self.texts = iter([at for at, is_kept in enumerate(kept) if is_kept and page.kinds[at] != IMAGE])
        self.rows: dict[tuple[int, int, int], tuple[Grid, Block, int]] = {}  # by table, row, position: last, first item
        self.here, self.stack = _In(), list[tuple[str, _In]]()
        self.styles = {"bold": 0, "italic": 0, "code": 0}
        self.link: list[str] = []
        self.numbers: list[bool] = []  # of the spans around: whether they hold a number of a line
        self.lists = 0
        # Of the item being read.
        self.item = -1
        self.runs: list[_Run] = []
        self.about: _In | None = None  # what surrounds its first character
        self.shut = False  # an inline element ended just here
        self.blank, self.lined = 0, True  # empty lines of code before it; whether the line being read holds anything

    def walk(self) -> dict[int, Marked]:
        spans = self.page.spans
        self.item = next(self.texts, -1)
        for found in TAG.finditer(self.page.source):
            tag, text = found.groups()
            while self.item >= 0 and found.start() >= spans[self.item][1]:
                self._end()
                self.item = next(self.texts, -1)
            if self.item < 0:
                break
            start, end = spans[self.item]
            self._tag(tag, text, found.start(), start <= found.start() < end)
            if text and start <= found.end(1) + 1 < end:
                self._text(text)
        if self.item >= 0:
            self._end()
        self._rows()
        return self.found

    def _tag(self, tag: str, text: str, at: int, inside: bool) -> None:
        name = tag.partition(" ")[0]
        closing = name[:1] == "/"
        bare = name[1:] if closing else name
        if bare in ("span", "a"):
            self._span(tag, text, bare, closing, inside)
            return
        self.shut = False
        if bare in _STYLES:
            self.styles[_STYLES[bare]] += -1 if closing else 1
            if self.here.code is not None and not self.here.code.info and not closing:
                self.here.code.info = _language([_classes(tag)])
        elif closing:
            if self.here.code is not None and bare in _LINES:
                self.blank += not self.lined
                self.lined = True
            if self.stack and self.stack[-1][0] == bare:
                self.here = self.stack.pop()[1]
        elif bare == "br":
            if inside:
                self.runs.append(_Run("\x00", cell=self.here.cell))
        elif bare not in _NO_END:
            self.stack.append((bare, self.here))
            self.here = self._opened(bare, tag, at)
            if self.here.code is not None and bare in _LINES:
                self.lined = False

    def _span(self, tag: str, text: str, bare: str, closing: bool, inside: bool) -> None:
        if not closing:
            if self.shut and inside and self.here.code is None and apart(self.runs[-1].text if self.runs else "", text):
                self.runs.append(_Run(" ", cell=self.here.cell))
            self.shut = False
            if bare == "a":
                self.link.append(tag)
            else:
                self.numbers.append("class=" in tag and _BESIDE.search(tag) is not None)
        else:
            self.shut = True
            of = self.link if bare == "a" else self.numbers
            if of:
                of.pop()

    def _text(self, text: str) -> None:
        here, styles = self.here, self.styles
        self.shut = False
        empty = text.isspace()
        if not empty:
            self.lined = True
            self.about = self.about or here
        link = self.link[-1] if self.link else ""
        if here.code is not None and any(self.numbers):
            return
        self.runs.append(
            _Run(
                text, styles["bold"] > 0, styles["italic"] > 0, styles["code"] > 0, link if self.base else "", here.cell
            )
        )

    def _opened(self, name: str, tag: str, at: int) -> _In:
        """What surrounds what an element holds."""
        here = self.here
        classes = _classes(tag) if len(tag) > len(name) else ""
        if classes:
            here = here._replace(names=(classes, *here.names[:3]))
            if name != "pre" and _BESIDE.search(classes):
                here = here._replace(beside=True)
        make = _MAKERS.get(name)
        if make is not None:
            return make(self, here, tag, at)
        if here.code is None and classes and _CODE_BOX.search(classes):
            return here._replace(code=self._code(here))
        return here

    def _code(self, here: _In) -> Block:
        self.blank, self.lined = 0, True
        return Block(CODE, info=_language(here.names))

    def _pre(self, here: _In, tag: str, at: int) -> _In:
        return here if here.code is not None or here.cell is not None else here._replace(code=self._code(here))

    def _list(self, here: _In, tag: str, at: int) -> _In:
        number = _NUMBER.search(tag)
        self.lists += 1
        made = _List(tag[:2] == "ol", int(number[1]) if number else 1)
        return here._replace(of_list=made, lists=here.lists + 1, outermost=here.outermost or self.lists)

    def _list_item(self, here: _In, tag: str, at: int) -> _In:
        of = here.of_list
        if of is None or here.code is not None:
            return here
        number = _NUMBER.search(tag)
        of.number = int(number[1]) if number else of.number
        marker = f"{of.number}. " if of.ordered else "- "
        of.number += 1
        indent = here.item.indent if here.item is not None else 0
        return here._replace(item=_Item(marker, indent + len(marker) if here.lists <= DEEPEST else indent))

    def _quote(self, here: _In, tag: str, at: int) -> _In:
        return here._replace(quotes=min(here.quotes + 1, DEEPEST))

    def _heading(self, here: _In, tag: str, at: int) -> _In:
        return here._replace(heading=int(tag[1]))

    def _cell(self, here: _In, tag: str, at: int) -> _In:
        grid, cell = self.cells.get(at, (None, None))
        if grid is not None:
            return here._replace(grid=grid, cell=cell)
        if "syntaxhighlighter" in " ".join(here.names[1:]) and here.names[:1] == ("code",):
            return here._replace(code=self._code(here))
        return here

    def _end(self) -> None:
        """The item that has been read is whole."""
        at, runs, about = self.item, self.runs, self.about or self.here
        self.runs, self.about = [], None
        said = self.page.texts[at].split("\n")
        if (
            about.code is None
            and len(said) > 1
            and all(run.code or run.text.isspace() or run.text == "\x00" for run in runs)
        ):
            about = about._replace(code=self._code(about))
        if about.beside:
            self.found[at] = [(None, Block())] * len(said)
        elif about.code is not None:
            self.found[at] = self._code_lines(about, runs, len(said))
        elif about.cell is not None and about.grid is not None:
            self.found[at] = self._row(at, about.grid, about.cell, runs, len(said))
        else:
            self.found[at] = self._prose(about, runs, said)

    def _placed(self, block: Block, about: _In) -> Block:
        block.quotes, block.list = about.quotes, about.outermost
        if about.item is not None:
            block.indent = about.item.indent
            if not about.item.begun:
                block.marker, about.item.begun = about.item.marker, True
        return block

    def _code_lines(self, about: _In, runs: list[_Run], count: int) -> Marked:
        block = about.code
        assert block is not None
        if not block.begun:
            self._placed(block, about)
            self.blank = 0
        text = plain("".join(run.text for run in runs)).replace("\x00", "\n").strip("\n").rstrip()
        if not text.strip() or (_DIGITS.match(text) and "\n" in text):
            return [(None, Block())] * count
        block.begun = True
        text = "\n" * self.blank + text
        self.blank = 0
        return _aligned(text, count, block)

    def _row(self, at: int, grid: Grid, cell: Cell, runs: list[_Run], count: int) -> Marked:
        position = self.position[at]
        new = grid, Block(ROW, grid.number), at
        _, block, first = self.rows.setdefault((grid.number, cell.row, position), new)
        block.size += count
        by_cell: dict[int, tuple[Cell, list[_Run]]] = {}
        for run in runs:
            of = run.cell or cell
            by_cell.setdefault(id(of), (of, []))[1].append(run)
        for of, held in by_cell.values():
            said = " ".join(filter(None, _inline(held, self.base, of.header)))
            if said:
                of.text.append(said.replace("|", "\\|"))
        return [("", block) if first == at else (None, block), *[(None, block)] * (count - 1)]

    def _rows(self) -> None:
        """Write the rows of tables, now that each of their cells is known."""
        for (_, row, _), (grid, block, first) in self.rows.items():
            columns, places = grid.filled
            block.columns = len(columns)
            cells = [places.get((row, column), "") for column in columns]
            if len(columns) < 2:
                block.form = TEXT
            said = "| " + " | ".join(cells) + " |" if len(columns) > 1 else " ".join(cells)
            self.found[first][0] = (said, block)

    def _prose(self, about: _In, runs: list[_Run], said: list[str]) -> Marked:
        block = self._placed(Block(), about)
        if any(run.bold or run.italic or run.code or run.link for run in runs):
            lines = _inline(runs, self.base, about.heading > 0)
        else:
            lines = said
        if about.heading:
            return _aligned("#" * about.heading + " " + " ".join(lines), len(said), block)
        lines = [f"\\{line}" if _MARK.match(line) else line for line in lines]
        return _aligned("\n".join(lines), len(said), block)


def _aligned(text: str, count: int, block: Block) -> Marked:
    """The lines of a block's Markdown beside so many of plain text: all beside the first where they are others."""
    lines = text.split("\n")
    if len(lines) == count:
        return [(line, block) for line in lines]
    if block.form != CODE:
        block.size = count
    return [(text, block), *[(None, block)] * (count - 1)]


def _inline(runs: Sequence[_Run], base: str, bare: bool) -> list[str]:
    """Lines of text with its emphasis, code and links marked.

    Args:
        runs: the text in stretches of one style.
        base: address against which links are resolved; "" writes none.
        bare: mark no emphasis, as in headings.
    """
    spoken = [run for run in runs if run.text.strip("\x00 \n\t\xa0")]
    bold = not bare and not all(run.bold for run in spoken)
    italic = not bare and not all(run.italic for run in spoken)
    lines: list[str] = []
    parts: list[tuple[str, tuple[bool, bool, bool, str], bool]] = []  # text, style, whether a space is before it
    space = False
    for run in [*runs, _Run("\x00")]:
        for number, piece in enumerate(run.text.split("\x00")):
            if number:
                lines.append(_line(parts, base))
                parts, space = [], False
            piece = plain(piece)
            words = " ".join(piece.split())
            if not words:
                space = space or bool(piece)
                continue
            space = (space or piece[:1].isspace()) and bool(parts)
            style = (run.bold and bold, run.italic and italic, run.code, run.link)
            if parts and parts[-1][1] == style:
                parts[-1] = (f"{parts[-1][0]} {words}" if space else parts[-1][0] + words, style, parts[-1][2])
            else:
                parts.append((words, style, space))
            space = piece[-1:].isspace()
    return [line for line in lines if line]


def _line(parts: Sequence[tuple[str, tuple[bool, bool, bool, str], bool]], base: str) -> str:
    made = []
    for words, (bold, italic, code, link), space in parts:
        if code:
            ticks = "``" if "`" in words else "`"
            words = f"{ticks} {words} {ticks}" if "`" in words else f"`{words}`"
        stars = "*" * (2 * bold + italic) if any(map(str.isalnum, words)) else ""
        words = f"{stars}{words}{stars}"
        href = _HREF.search(link) if link and base else None
        if href and href[1][:1] not in ("", "#"):
            address = resolve(base, plain(href[1]))
            words = f"[{words}]({address})" if address and not set(address) & set("() ") else words
        made.append(f" {words}" if space else words)
    return "".join(made)


def _classes(tag: str) -> str:
    """The classes of a tag, and the language that it says outside of them."""
    said = " ".join([*_CLASS.findall(tag), *(f"language-{name}" for name in _NAMED.findall(tag) if name)])
    return said[:MAX_CLASSES]


def _language(names: Sequence[str]) -> str:
    """The language that one of these classes names, the innermost first."""
    for said in names:
        for found in _LANGUAGE.finditer(said):
            name = next(filter(None, found.groups())).lower().removesuffix("-repl")
            if name not in _NO_LANGUAGE:
                return name
    return ""


_MAKERS: dict[str, Callable[[_Walk, _In, str, int], _In]] = {
    "pre": _Walk._pre,
    "listing": _Walk._pre,
    "li": _Walk._list_item,
    "blockquote": _Walk._quote,
    "td": _Walk._cell,
    "th": _Walk._cell,
    **dict.fromkeys(("ul", "ol", "menu", "dir"), _Walk._list),
    **dict.fromkeys(("h1", "h2", "h3", "h4", "h5", "h6"), _Walk._heading),
}
