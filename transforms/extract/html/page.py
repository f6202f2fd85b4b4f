"""HTML → texts and images in reading order.

characters → items (scan.py) → numbers (features.py) → logits (model.py) → which to keep (choose.py) → merged texts, and
images with their addresses (pictures.py) and captions (picture_captions.py). Every image of the page is an occurrence,
kept or dropped for a reason. docs/extraction.md tells the method at length.
"""

from __future__ import annotations

import collections
import functools
import math
import re
import threading
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from weft.schemas.records import ImageMeta
from weft.transforms.extract.html import about, repair
from weft.transforms.extract.html.choose import choose
from weft.transforms.extract.html.features import Features, Floats, Ints, features, repeated
from weft.transforms.extract.html.grids import Cell, Grid, grids
from weft.transforms.extract.html.markdown import Marked, markdown_of
from weft.transforms.extract.html.marked import Block, Line
from weft.transforms.extract.html.model import shipped, summed_around
from weft.transforms.extract.html.picture_captions import bind_captions
from weft.transforms.extract.html.pictures import Picture, flat, pictures_of
from weft.transforms.extract.html.scan import BLOCKS, CUSTOM, IMAGE, KIND, KINDS, Scan, Scanner
from weft.transforms.extract.html.tag_values import Image, plain
from weft.transforms.urls import resolve

MAX_ALTERNATES = 6  # URLs of one picture, the best one included
MAX_DETAIL = 200  # characters of a dropped image's address that its fate has
_TIGHT = frozenset(KIND[tag] for tag in ("li", "tr", "td", "th", "dt", "dd", "caption"))  # one line break between two
_FURNITURE = frozenset(KIND[tag] for tag in ("nav", "aside", "footer"))
_ARTICLE = frozenset(KIND[tag] for tag in ("figure", "article", "main"))
_HEADER = frozenset((KIND["header"],))  # furniture outside of these
_PICTURED = frozenset((IMAGE, KIND["figcaption"]))
_LI, _SECTION = KIND["li"], KIND["section"]
_AGAIN = frozenset(KIND[tag] for tag in ("pre", "td", "th", "tr", "li", "dd", "h1", "h2", "h3", "h4", "h5", "h6"))
_GROUPS = np.array(
    [[kind in group for group in (_FURNITURE, _ARTICLE, _AGAIN, _HEADER)] for kind in range(KINDS)], np.float64
)
# A menu before the prose: so many labels of so few words, of which so much is linked. Chosen on the labelled pages.
_RUN, _LABEL, _LINKED = 3, 8, 0.9
_PROSE = 20  # words of a text that is prose
_MOSTLY = 0.7  # share of such texts in the words of a page of prose; elsewhere links are content
_HEADINGS = frozenset(KIND[f"h{level}"] for level in range(1, 7))
_SAID = 6  # words of a text that is not said again; a shorter one is a label
_TEX, _TEX_ENDS = ("\\(", "\\[", "$"), ("\\)", "\\]", "$")
# Short lines that ask the reader for something. They stand in main content; only their words tell them apart.
_ASKING = re.compile(
    r"^(?:share (?:this|on|via|with|to)\b|(?:click|tap) (?:here )?to share|read (?:more|also|next)\b|"
    r"(?:follow|join) us\b|advertisement\b|sponsored\b|sign up (?:for|to)\b|subscribe (?:to|now|for)\b|"
    r"accept (?:all )?cookies|like this:?$|like loading|leave a (?:comment|reply)$|"
    r"your email address will not be published|back to top$|"
    r"related (?:posts|articles|stories|content|reading):?$|you (?:may|might) also like:?$|"
    r"(?:see also|related(?: (?:posts?|articles?|stor(?:y|ies)|content|reading))?): |"
    r"(?:tweet|pin it|email|print|copy link)$|skip to (?:main )?content|"
    r"main articles?: |further information: |(?:for|see) other uses,? see |jump to: ?navigation)",
    re.IGNORECASE,
)
_ASKING_WORDS = 12  # a longer block is a sentence that happens to begin so
# Buttons, which are headings, terms and entries of lists elsewhere. On 432 labelled pages 89 of such texts were kept,
# of nine pages, and none was content.
_BUTTON = re.compile(
    r"(?:share|follow|reply|quote|copy(?: link)?|close|(?:show|see|view|load) (?:more|less|all)|buy now|"
    r"add to (?:cart|basket|bag|wish ?list)|opens? in (?:a )?new (?:tab|window))\W*\Z",
    re.IGNORECASE,
)
_PRESSED = frozenset(KIND[tag] for tag in ("button", "div", "p", "label", "summary", "form")) | {CUSTOM}


class Occurrence(NamedTuple):
    """An image element of the page and what became of it."""

    url: str  # absolute, "" where it has none
    reason: str  # "" when kept
    detail: str  # the beginning of an address that is none


class Page(NamedTuple):
    """A page's main content in reading order, and what else it says.

    texts, images, image_meta and alternates are parallel: at each position either the text or the image is not None.
    """

    title: str
    texts: list[str | None]
    images: list[str | None]  # absolute URLs
    image_meta: list[ImageMeta | None]
    occurrences: list[Occurrence]  # every image element, in page order
    meta: list[tuple[str, str]]  # (name, content) of the meta elements, names in lower case
    base: str  # absolute URL against which its links are resolved
    alternates: list[list[str] | None]  # other URLs of the same picture, best first
    about: about.About  # author, date, licence, publisher
    # Parallel to texts: of each its lines with their Markdown; empty where none was asked for.
    marked: Sequence[list[Line]] = ()
    links: Sequence[str] = ()  # every link's tag as the parser writes it, without its brackets, in page order


_own = threading.local()


def _scanner() -> Scanner:
    """This thread's: when one forgets what it has learned, pages that others read must not change."""
    if not hasattr(_own, "scanner"):
        _own.scanner = Scanner(shipped().names)
    scanner: Scanner = _own.scanner
    return scanner


def extract(
    html: str,
    url: str,
    main_content: bool = True,
    markup: bool = False,
    links: bool = False,
    captured: str = "",
    figures: bool = False,
) -> Page:
    """A page's content in reading order.

    Args:
        html: the page as characters.
        url: its absolute address, against which relative links are resolved.
        main_content: False keeps every block and every image that has a source.
        markup: say of each line what its Markdown is.
        links: with links in it.
        captured: the day of its capture, ISO 8601, after which it was not published; "" for unknown.
        figures: drawings in it that are figures are images too, of addresses that `inline.address` gives.

    Raises:
        TooComplex: the page is beyond the bounds in limits.py.
        ValueError: the parser gives no document.
    """
    page = _scanner().scan(html, figures)
    base = (resolve(url, page.base) if page.base else "") or url
    cells = grids(page.source, told=not markup) if main_content or markup else {}
    kept = _kept(page, url, cells) if main_content else [True] * len(page.texts)
    pictures = pictures_of(page, kept, base, url)
    bind_captions(page, pictures, kept)
    said = about.read(page, base, captured)
    lines = markdown_of(page, kept, cells, base, links) if markup else None
    return _assembled(page, pictures, kept, base, said, lines)


def explain(html: str, url: str) -> list[tuple[bool, float, str, str]]:
    """(kept, probability of being content, kind, text or image tag) of every item of a page, in reading order.

    Raises:
        TooComplex: as `extract`.
        ValueError: likewise.
    """
    page = _scanner().scan(html)
    if not page.texts:
        return []
    model = shipped()
    texts, images = model(features(page, url, model.names, model.words))
    found = []
    for at, (kept, kind) in enumerate(zip(_kept(page, url, grids(page.source, told=True)), page.kinds, strict=True)):
        name = "image" if kind == IMAGE else BLOCKS[kind] if kind < len(BLOCKS) else "custom"
        said = page.images[at].tag if kind == IMAGE else flat(page.texts[at])
        found.append((kept, 1 / (1 + math.exp(-float(images[at] if kind == IMAGE else texts[at]))), name, said))
    return found


def _inside(found: Features, table: Floats) -> NDArray[np.bool_]:
    """(G, N) which items stand in an element of each group of kinds, of which `table` (KINDS, G) has 1 where one is."""
    own = np.vstack([table[found.container_kinds], np.zeros((1, table.shape[1]))])
    return np.asarray(summed_around(own, found)[found.container].T > 0)


def _kept(page: Scan, url: str, cells: dict[int, tuple[Grid, Cell]]) -> list[bool]:
    """Which items are main content."""
    if not page.texts:
        return []
    model = shipped()
    found = features(page, url, model.names, model.words)
    furniture, article, again, header = _inside(found, _GROUPS)
    furniture |= header & ~article
    article &= ~furniture
    around = found.low, found.high
    tables = _tables(page, cells)
    again |= (_GROUPS[found.kinds, 2] > 0) | (tables >= 0)
    copies = _equal(page.texts, (found.words < _SAID) | again), found.alike
    built = functools.partial(_built, page)
    logits = model(found)
    kept = choose(
        *logits, found.words, found.kinds == IMAGE, furniture, article, around, tables, copies, built, found.alike
    ).tolist()
    for at in [*_listed(page, kept, found.words), *_headless(page, kept, found.words)]:
        kept[at] = False
    return [is_kept and not _asks(page, at) for at, is_kept in enumerate(kept)]


def _asks(page: Scan, at: int) -> bool:
    """Whether a text asks the reader for something."""
    text = page.texts[at]
    if not text or text.count(" ") >= _ASKING_WORDS:
        return False
    return bool(_ASKING.match(text) or (page.kinds[at] in _PRESSED and _BUTTON.match(text)))


def _prose(page: Scan, said: Ints, words: Floats) -> list[int]:
    """Of a page that is mostly prose the kept texts that are; of another none."""
    prose = [at for at in said[words[said] >= _PROSE].tolist() if 2 * page.linked[at] < len(page.texts[at])]
    return prose if prose and words[prose].sum() >= _MOSTLY * words[said].sum() else []


def _headless(page: Scan, kept: list[bool], words: Floats) -> list[int]:
    """Kept headings behind a page's prose that head nothing: of lists that were left out, or of other pages."""
    said = np.flatnonzero(np.array(kept) & (words > 0))
    if all(page.kinds[at] in _HEADINGS for at in _prose(page, said, words)):
        return []
    last = len(said)
    while page.kinds[said[last - 1]] in _HEADINGS and words[said[last - 1]] < _PROSE:
        last -= 1
    return list(said[last:].tolist())


def _listed(page: Scan, kept: list[bool], words: Floats) -> list[int]:
    """Kept texts that are menus of a page of prose: runs of links before it, and its table of contents."""
    said = np.flatnonzero(np.array(kept) & (words > 0))
    prose = _prose(page, said, words)
    if not prose:
        return []
    gone: list[int] = []
    run: list[int] = []
    labels = 0
    places = np.flatnonzero(np.array(page.linked)[said] > 0).tolist()  # of texts with links among the kept ones
    last = -1  # place of the last of the run
    for place in [*places, len(said)]:
        at = int(said[place]) if place < len(said) else -1
        listed = at >= 0 and (at < prose[0] or _is_inner(page, at)) and _is_label(page, at, words)
        if not (listed and place == last + 1):
            gone += run if labels >= _RUN else []
            run, labels = [], 0
        if listed:
            run.append(at)
            labels += page.texts[at].count(" | ") + 1
            last = place
    return gone


def _is_label(page: Scan, at: int, words: Floats) -> bool:
    """Whether a text is a link of few words, or a row of such."""
    text = page.texts[at]
    short = words[at] <= _LABEL * (text.count(" | ") + 1) and page.kinds[at] not in _HEADINGS
    return bool(short and page.linked[at] >= _LINKED * (len(text) - text.count(" ")))


def _is_inner(page: Scan, at: int) -> bool:
    """Whether the links of a text lead to places of the page itself."""
    start, end = page.spans[at]
    inner = page.source.count(' href="#', start, end)
    return inner > 0 and inner == page.source.count(" href=", start, end)


def _tables(page: Scan, cells: dict[int, tuple[Grid, Cell]]) -> Ints:
    """(N,) number of the table that each item stands in, of those that say that they are data; -1 outside."""
    found = sorted({grid.span for grid, _ in cells.values() if grid.headed})
    if not found:
        return np.full(len(page.texts), -1)
    starts, ends = np.array(found).T
    places = np.array(page.spans)[:, 0]
    at = np.searchsorted(starts, places) - 1  # tables of data hold no tables
    return np.where((at >= 0) & (places < ends[at]), at, -1)


def _built(page: Scan) -> Ints:
    """(N,) number of the tags that a text stands in, all the way up; -1 for images and captions.

    All sections are one tag: what is their ids' is not their structure's.
    """
    found = repeated(page, [-1 if tag.kind == _SECTION else tag.number for tag in page.tags])
    each = zip(page.kinds, page.containers, strict=True)
    return np.array([-1 if kind in _PICTURED else found[container] for kind, container in each])


def _equal(texts: list[str], free: NDArray[np.bool_]) -> Ints:
    """(N,) number that equal texts share; -1 for those that are free to be said again, as formulas and numbers are."""
    known: dict[str, int] = {}
    each = zip(texts, free.tolist(), strict=True)
    found = [-1 if may else known.setdefault(text, len(known)) for text, may in each]
    if len(known) + found.count(-1) < len(found):  # some are equal
        said = collections.Counter(found)
        several = {number for text, number in known.items() if said[number] > 1 and _is_formula(text)}
        found = [-1 if number in several else number for number in found]
    return np.array(found)


def _is_formula(text: str) -> bool:
    """Whether a text is a formula between its marks, or has letters in less than half of its characters."""
    marked = text.startswith(_TEX) and text.rstrip(" .,;").endswith(_TEX_ENDS)
    return marked or 2 * sum(map(str.isalpha, text)) < len(text) - text.count(" ")


def _assembled(
    page: Scan,
    pictures: dict[int, Picture],
    kept: list[bool],
    base: str,
    said: about.About,
    markdown: dict[int, Marked] | None = None,
) -> Page:
    texts: list[str | None] = []
    images: list[str | None] = []
    metas: list[ImageMeta | None] = []
    others: list[list[str] | None] = []
    lines: list[list[Line]] = []
    pieces: list[str] = []
    read: list[tuple[str | None, Block | None]] = []  # of the lines in them
    last = -1
    begun: set[int] = set()  # list items that have their mark: what follows an image in one has none

    def close() -> None:
        said = repair.text("".join(pieces))
        pieces.clear()
        if said.strip():  # a text of characters that show nothing is none
            texts.append(said)
            images.append(None)
            metas.append(None)
            others.append(None)
            lines.append(_lines(said, read) if markdown is not None else [])
        read.clear()

    for at in np.flatnonzero(kept).tolist():
        kind = page.kinds[at]
        if kind == IMAGE:
            close()
            picture = pictures[at]
            texts.append(None)
            images.append(picture.urls[0])
            metas.append(picture.meta)
            others.append(picture.urls[1:MAX_ALTERNATES])
            lines.append([])
            continue
        if pieces:
            tight = kind in _TIGHT and last in _TIGHT
            pieces.append("\n" if tight else "\n\n")
            read += [] if tight else [(None, None)]
        if kind == _LI and page.containers[at] not in begun:
            begun.add(page.containers[at])
            pieces.append("- ")
        pieces.append(page.texts[at])
        read += markdown[at] if markdown is not None else ()
        last = kind
    close()
    return Page(
        repair.text(page.title or dict(page.meta).get("og:title", "")), texts, images, metas,
        _occurrences(page, pictures, kept, base), page.meta, base, others, said,
        lines if markdown is not None else (), page.links,
    )  # fmt: skip


def _lines(said: str, read: list[tuple[str | None, Block | None]]) -> list[Line]:
    """The lines of a text, each with its Markdown."""
    plain_lines = said.split("\n")
    if len(plain_lines) != len(read):  # mending took a line
        return [Line(line, line, Block()) for line in plain_lines]
    return [
        Line(line, repair.text(of) if of else of, block) for line, (of, block) in zip(plain_lines, read, strict=True)
    ]


def _occurrences(page: Scan, pictures: dict[int, Picture], kept: list[bool], base: str) -> list[Occurrence]:
    found = []
    for number, at in enumerate(page.drawings):
        of_formula = page.drawn[number] if number < len(page.drawn) else ""
        if of_formula:
            found.append((at, 0, Occurrence(resolve(base, of_formula), "formula", of_formula[:80])))
        else:
            found.append((at, 0, Occurrence("", "svg_inline", "")))
    for at, image in page.images.items():
        picture = pictures.get(at)
        if picture is None or not (kept[at] or picture.reason):
            found.append((at, 1, _boilerplate(image, base)))
        else:
            found.append((at, 1, Occurrence(picture.urls[0] if picture.urls else "", picture.reason, picture.detail)))
    return [occurrence for _, _, occurrence in sorted(found, key=lambda entry: entry[:2])]


def _boilerplate(image: Image, base: str) -> Occurrence:
    start = image.tag.find(' src="') + 6
    source = plain(image.tag[start : image.tag.find('"', start)][:MAX_DETAIL]) if start > 5 else ""
    detail = source[:80] if source.startswith("data:") else ""
    return Occurrence(resolve(base, source) if source else "", "boilerplate", detail)
