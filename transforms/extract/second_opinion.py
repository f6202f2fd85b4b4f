"""trafilatura's reading of a page, with its images: what `extractor = "trafilatura"` asks for."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from weft.schemas.records import ImageMeta
from weft.transforms.extract import html
from weft.transforms.extract.html import limits
from weft.transforms.urls import resolve

_IMAGE = re.compile(  # no other one begins inside it, so that what only begins like one costs little
    r"!\[((?:(?!!\[)[^\]\n])*+)\]\(((?:(?!!\[)[^)\s])++)(?:(?!!\[)[^)\n])*+\)"
)
_MARKS = re.compile(r"[\s|-]*+")


class _Placed(NamedTuple):
    """An image of trafilatura's, and how many lines of the text stand before it."""

    lines: int
    alt: str
    source: str


def _bare(line: str) -> str:
    return " ".join(line.replace("|", " ").split())


def _images(shown: str, lines: Sequence[str]) -> Iterator[_Placed]:
    """Where the images of trafilatura's text with images stand between the lines of its text without them.

    The two differ round images, in captions, lists and tables. A line that is in both says where it is; an image stands
    behind the last such line before it.
    """
    places: dict[str, list[int]] = {}
    for n, line in enumerate(lines):
        places.setdefault(_bare(line), []).append(n)
    at = 0
    for line in shown.split("\n"):
        said = _bare(_IMAGE.sub(" ", line))
        known = places.get(said, []) if not _MARKS.fullmatch(said) else []
        next_one = bisect_left(known, at)
        before = at
        if next_one < len(known):
            before, at = known[next_one], known[next_one] + 1
        for found in _IMAGE.finditer(line):
            yield _Placed(at if _bare(line[: found.start()]) else before, found[1], found[2])


def read(characters: str, url: str, captured: str = "") -> html.Page:
    """A page with the texts and images that trafilatura finds.

    Texts are those that it gives without images, as datatrove has them: asked for images too it gives another text of
    some pages. Its images are placed between them.

    What trafilatura does not say, of the page (its metadata) and of an image (caption, size, title), is taken from
    weft's own reading.

    Args:
        characters: the page's HTML.
        url: its address.
        captured: the day of its capture, "" for unknown.

    Returns:
        The page; every image that trafilatura leaves out is an occurrence with the reason "boilerplate".

    Raises:
        TooComplex: the page is beyond what weft or trafilatura should be given.
        ValueError: the parser gives no document.
    """
    page = html.extract(characters, url, main_content=False, captured=captured)
    limits.check_foreign(characters)
    import trafilatura
    from trafilatura.deduplication import LRUCache

    # As datatrove asks for it. What a text repeats is remembered for this page alone: trafilatura's own memory would
    # make a page depend on those that a process read before.
    def reading(images: bool) -> str:
        options = {"include_images": images, "include_comments": False, "favor_precision": True}
        return trafilatura.extract(characters, url=url, deduplicate=LRUCache(), **options) or ""

    lines = reading(False).split("\n")
    known: dict[str, ImageMeta] = {}
    for image, meta in zip(page.images, page.image_meta, strict=True):
        if image is not None and meta is not None:
            known.setdefault(image, meta)
    texts: list[str | None] = []
    images: list[str | None] = []
    metas: list[ImageMeta | None] = []
    at = 0
    for found in [*(_images(reading(True), lines) if page.occurrences else ()), _Placed(len(lines), "", "")]:
        before = "\n".join(lines[at : found.lines])
        if before.strip():
            texts.append(before)
            images.append(None)
            metas.append(None)
            at = found.lines
        source = resolve(page.base, found.source) if found.source else ""
        if source:
            texts.append(None)
            images.append(source)
            metas.append(known.get(source, ImageMeta(found.alt, "", "", None, None)))
    wanted = Counter(image for image in images if image is not None)
    occurrences = []
    for o in page.occurrences:
        taken = not o.reason and wanted[o.url] > 0
        if taken:
            wanted[o.url] -= 1
        occurrences.append(o if o.reason or taken else o._replace(reason="boilerplate"))
    occurrences += [html.Occurrence(image, "", "") for image in wanted.elements()]
    none: list[list[str] | None] = [None] * len(texts)
    return page._replace(texts=texts, images=images, image_meta=metas, occurrences=occurrences, alternates=none)
