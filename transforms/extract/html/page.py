"""HTML → texts and images in reading order.

characters → items (scan.py) → numbers (features.py) → logits (model.py) → those to keep (choose.py) → merged texts, and
images with their address, captions and other sizes. Every image of the page is returned as an occurrence, kept or with
the reason it was dropped. The method is told at length in docs/extraction.md.
"""

from __future__ import annotations

import functools
import math
import re
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from weft.schemas.records import ImageMeta
from weft.transforms.extract import srcset
from weft.transforms.extract.html import about, repair
from weft.transforms.extract.html.choose import choose
from weft.transforms.extract.html.features import features
from weft.transforms.extract.html.model import shipped
from weft.transforms.extract.html.scan import ATTRIBUTE, BLOCKS, IMAGE, KIND, Image, Scan, Scanner, plain
from weft.transforms.urls import resolve

MAX_ALTERNATES = 6  # URLs of one picture, the best one included
MAX_TAGS = 1_000_000  # of one page; a browser gives up before
MAX_ATTRIBUTES = 5_000  # of one tag; the parser takes quadratic time in them
MAX_UNCLOSED = 10_000  # formatting elements left open: likewise
MAX_QUICK = 500_000  # characters; what a shorter page can hold takes the parser seconds at most
MAX_DETAIL = 200  # characters of a dropped image's address that its fate has
TWIN_REACH = 4  # items back from a noscript image to the one it stands for
_TIGHT = frozenset(KIND[tag] for tag in ("li", "tr", "td", "th", "dt", "dd", "caption"))  # one line break between two
_FURNITURE = frozenset(KIND[tag] for tag in ("nav", "aside", "footer"))
_ARTICLE = frozenset(KIND[tag] for tag in ("figure", "article", "main"))
_LI, _FIGCAPTION = KIND["li"], KIND["figcaption"]
_NAMED = re.compile(r"[a-zA-Z][\w:-]*\s")
_QUOTED = re.compile(r"\"[^\"]*\"|'[^']*'")
_OPENING = re.compile(r"<(?:a|b|big|code|em|font|i|nobr|s|small|strike|strong|tt|u)[\s>]", re.I)
_CLOSING = re.compile(r"</(?:a|b|big|code|em|font|i|nobr|s|small|strike|strong|tt|u)[\s>]", re.I)
_PIXELS = re.compile(r"\s*(\d{1,5})(?:\.\d+)?\s*(?:px)?\s*$")
# Short lines that ask the reader for something; they stand inside main content with nothing that tells them apart.
_ASKING = re.compile(
    r"^(?:share (?:this|on|via|with|to)\b|(?:click|tap) (?:here )?to share|read (?:more|also|next)\b|"
    r"(?:follow|join) us\b|advertisement\b|sponsored\b|sign up (?:for|to)\b|subscribe (?:to|now|for)\b|"
    r"accept (?:all )?cookies|"
    r"(?:tweet|pin it|email|print|copy link)$|skip to (?:main )?content)",
    re.IGNORECASE,
)
_ASKING_WORDS = 12  # a longer block is a sentence that happens to begin so


class Occurrence(NamedTuple):
    """An image element of the page and what became of it."""

    url: str  # absolute, "" where it has none
    reason: str  # "" when kept
    detail: str


class Page(NamedTuple):
    """A page's main content in reading order, and what else it says."""

    title: str
    texts: list[str | None]
    images: list[str | None]
    image_meta: list[ImageMeta | None]
    occurrences: list[Occurrence]  # every image element, in page order
    meta: list[tuple[str, str]]  # (name, content) of the meta elements, names in lower case
    base: str
    alternates: list[list[str] | None]  # parallel to images: other URLs of the same picture, best first
    about: about.About  # author, date, licence


class TooComplex(ValueError):
    """A page that would take the parser more time than any page is worth."""


class _Picture:
    """What is known of an image that has a place in the document."""

    def __init__(self, image: Image, base: str) -> None:
        get = {name: plain(value) for name, value in ATTRIBUTE.findall(image.tag)}.get
        self.urls, self.reason = srcset.candidates(get, image.picture, base)
        if not self.reason and image.tag[:4] == "back" and get("role") != "img":
            self.reason = "background"
        self.detail = _flat(get("src"))[:80] if self.reason else ""
        self.meta = ImageMeta(
            _flat(get("alt")), "", _flat(get("title")), _pixels(get("width")), _pixels(get("height")),
            _flat(get("aria-label")), "",
        )  # fmt: skip


@functools.cache
def _scanner() -> Scanner:
    return Scanner(shipped().names)


def extract(html: str, url: str, main_content: bool = True) -> Page:
    """A page's content in reading order.

    Args:
        html: the page as characters.
        url: its address, which relative links are relative to.
        main_content: False keeps every block and every image that has a source.

    Raises:
        TooComplex: the page is beyond the bounds above.
        ValueError: the parser gives no document.
    """
    _check(html)
    page = _scanner().scan(html)
    base = (resolve(url, page.base) if page.base else "") or url
    kept = _kept(page, url) if main_content else [True] * len(page.texts)
    pictures = _pictures(page, kept, base)
    _bind_captions(page, pictures, kept)
    return _assembled(page, pictures, kept, base)


def explain(html: str, url: str) -> list[tuple[bool, float, str, str]]:
    """(kept, probability of being content, kind, text or image tag) of every item of a page, in reading order."""
    page = _scanner().scan(html)
    if not page.texts:
        return []
    model = shipped()
    texts, images = model(features(page, url, model.names, model.words))
    found = []
    for at, (kept, kind) in enumerate(zip(_kept(page, url), page.kinds, strict=True)):
        name = "image" if kind == IMAGE else BLOCKS[kind] if kind < len(BLOCKS) else "custom"
        said = page.images[at].tag if kind == IMAGE else _flat(page.texts[at])
        found.append((kept, 1 / (1 + math.exp(-float(images[at] if kind == IMAGE else texts[at]))), name, said))
    return found


def _inside(page: Scan, kinds: frozenset[int]) -> NDArray[np.bool_]:
    """(N,) which items stand in an element of one of these kinds."""
    inside = [False] * (len(page.parents) + 1)  # the last is that of no container, which -1 finds
    for at, (parent, tag) in enumerate(zip(page.parents, page.tags, strict=True)):
        inside[at] = inside[parent] or tag[1] in kinds
    return np.array([inside[at] for at in page.containers], bool)


def _pictures(page: Scan, kept: list[bool], base: str) -> dict[int, _Picture]:
    """The kept images with their addresses; `kept` is put right for those that have none, or that are twins.

    A <noscript> image beside the one it stands for is the same image; an unfinished one takes its address.
    """
    found: dict[int, _Picture] = {}
    before = -1
    for at, image in page.images.items():
        twin = image.noscript and before >= 0 and at - before <= TWIN_REACH
        if not image.noscript:
            before = at
        if not (kept[at] or (twin and kept[before])):
            continue
        picture = found[at] = _Picture(image, base)
        if twin:
            other = found.get(before) or _Picture(page.images[before], base)
            empty = other.reason in ("no_source", "data_uri", "bad_url") and picture.urls
            if empty:
                other.urls, other.reason, other.detail = picture.urls, "", ""
            if empty or set(map(_bare, picture.urls)) & set(map(_bare, other.urls)):
                picture.reason = "noscript_twin"
                found[before] = other
                kept[before] = not other.reason
        if picture.reason:
            kept[at] = False
    return found


def _check(html: str) -> None:
    if len(html) <= MAX_QUICK:
        return
    tags = html.count("<")
    if tags > MAX_TAGS:
        raise TooComplex(f"{tags} tags")
    parts = html.split("<")
    if max(map(len, parts)) > MAX_ATTRIBUTES:
        named = (
            part for part in parts if len(part) > MAX_ATTRIBUTES and _NAMED.match(part)
        )  # not what scripts compare
        attributes = max((_QUOTED.sub("", part).partition(">")[0].count("=") for part in named), default=0)
        if attributes > MAX_ATTRIBUTES:
            raise TooComplex(f"a tag of {attributes} attributes")
    if tags - 2 * html.count("</") > MAX_UNCLOSED:
        unclosed = sum(1 for _ in _OPENING.finditer(html)) - sum(1 for _ in _CLOSING.finditer(html))
        if unclosed > MAX_UNCLOSED:
            raise TooComplex(f"{unclosed} formatting elements left open")


def _kept(page: Scan, url: str) -> list[bool]:
    if not page.texts:
        return []
    model = shipped()
    found = features(page, url, model.names, model.words)
    furniture = _inside(page, _FURNITURE)
    article = _inside(page, _ARTICLE) & ~furniture
    around = found.low, found.high
    kept = choose(*model(found), found.words, found.kinds == IMAGE, furniture, article, around).tolist()
    for at, text in enumerate(page.texts):
        if kept[at] and text and _ASKING.match(text) and text.count(" ") < _ASKING_WORDS:
            kept[at] = False
    return list(kept)


def _bare(url: str) -> str:
    return url.split("?")[0]


def _bind_captions(page: Scan, pictures: dict[int, _Picture], kept: list[bool]) -> None:
    """Give images their captions: those of their figure, else a caption right after or before them."""
    captions: dict[int, list[str]] = {}
    of_figure: dict[int, list[_Picture]] = {}
    for at, kind in enumerate(page.kinds):
        figure = page.figures[at]
        if kind == IMAGE:
            if figure and kept[at]:
                of_figure.setdefault(figure, []).append(pictures[at])
        elif kind == _FIGCAPTION:
            if figure:
                captions.setdefault(figure, []).append(_flat(page.texts[at]))
                continue
            for near in (at - 1, at + 1):
                if near in pictures and kept[near] and not pictures[near].meta.caption:
                    meta = pictures[near].meta
                    pictures[near].meta = meta._replace(caption=_flat(page.texts[at]), caption_source="caption")
                    kept[at] = True
                    break
    for figure, found in of_figure.items():
        said = captions.get(figure)
        if said:
            paired = said if len(said) == len(found) else [" ".join(said)] * len(found)
            for picture, caption in zip(found, paired, strict=True):
                picture.meta = picture.meta._replace(caption=caption, caption_source="figcaption")
    for at, kind in enumerate(page.kinds):
        if kind == _FIGCAPTION and page.figures[at] in of_figure:
            kept[at] = True


def _assembled(page: Scan, pictures: dict[int, _Picture], kept: list[bool], base: str) -> Page:
    texts: list[str | None] = []
    images: list[str | None] = []
    metas: list[ImageMeta | None] = []
    others: list[list[str] | None] = []
    pieces: list[str] = []
    last = -1

    def close() -> None:
        said = repair.text("".join(pieces))
        pieces.clear()
        if said.strip():  # a text of characters that show nothing is none
            texts.append(said)
            images.append(None)
            metas.append(None)
            others.append(None)

    for at in np.flatnonzero(kept).tolist():
        kind = page.kinds[at]
        if kind == IMAGE:
            close()
            picture = pictures[at]
            texts.append(None)
            images.append(picture.urls[0])
            metas.append(picture.meta)
            others.append(picture.urls[1:MAX_ALTERNATES])
            continue
        if pieces:
            pieces.append("\n" if kind in _TIGHT and last in _TIGHT else "\n\n")
        if kind == _LI:
            pieces.append("- ")
        pieces.append(page.texts[at])
        last = kind
    close()
    return Page(
        repair.text(page.title or dict(page.meta).get("og:title", "")), texts, images, metas,
        _occurrences(page, pictures, kept, base), page.meta, base, others, about.read(page, base),
    )  # fmt: skip


def _occurrences(page: Scan, pictures: dict[int, _Picture], kept: list[bool], base: str) -> list[Occurrence]:
    found = [(at, 0, Occurrence("", "svg_inline", "")) for at in page.drawings]
    for at, image in page.images.items():
        picture = pictures.get(at)
        if picture is None or not (kept[at] or picture.reason):
            start = image.tag.find(' src="') + 6
            source = plain(image.tag[start : image.tag.find('"', start)][:MAX_DETAIL]) if start > 5 else ""
            found.append(
                (
                    at,
                    1,
                    Occurrence(
                        resolve(base, source) if source else "",
                        "boilerplate",
                        "" if source[:5] != "data:" else source[:80],
                    ),
                )
            )
        else:
            found.append((at, 1, Occurrence(picture.urls[0] if picture.urls else "", picture.reason, picture.detail)))
    return [occurrence for _, _, occurrence in sorted(found, key=lambda entry: entry[:2])]


def _flat(value: str | None) -> str:
    return " ".join((value or "").split())


def _pixels(value: str | None) -> int | None:
    found = _PIXELS.match(value) if value else None
    return int(found.group(1)) if found else None
