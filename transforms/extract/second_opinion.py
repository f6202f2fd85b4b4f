"""trafilatura's reading of a page, with its images: what `extractor = "trafilatura"` asks for."""

from __future__ import annotations

import re
from collections import Counter

from weft.schemas.records import ImageMeta
from weft.transforms.extract import html
from weft.transforms.extract.html import limits
from weft.transforms.urls import resolve

_IMAGE = re.compile(  # no other one begins inside it, so that what only begins like one costs little
    r"!\[((?:(?!!\[)[^\]\n])*+)\]\(((?:(?!!\[)[^)\s])++)(?:(?!!\[)[^)\n])*+\)"
)
_MARKS = re.compile(r"[\s|-]*+")


def _without_marks(text: str, after: bool, before: bool) -> str:
    """A text beside images without the marks of the table cell or list item that an image stood in alone."""
    lines = text.strip().split("\n")
    while after and lines and _MARKS.fullmatch(lines[0]):
        lines.pop(0)
    while before and lines and _MARKS.fullmatch(lines[-1]):
        lines.pop()
    return "\n".join(lines).strip()


def read(characters: str, url: str, captured: str = "") -> html.Page:
    """A page with the texts and images that trafilatura finds.

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
    read = trafilatura.extract(
        characters,
        url=url,
        include_images=True,
        include_comments=False,
        favor_precision=True,
        deduplicate=LRUCache(),
    )
    known: dict[str, ImageMeta] = {}
    for image, meta in zip(page.images, page.image_meta, strict=True):
        if image is not None and meta is not None:
            known.setdefault(image, meta)
    texts: list[str | None] = []
    images: list[str | None] = []
    metas: list[ImageMeta | None] = []
    at = 0
    for found in [*_IMAGE.finditer(read or ""), None]:
        before = _without_marks((read or "")[at : found.start() if found else None], bool(at), bool(found))
        if before:
            texts.append(before)
            images.append(None)
            metas.append(None)
        if found:
            at = found.end()
            source = resolve(page.base, found.group(2))
            if source:
                texts.append(None)
                images.append(source)
                metas.append(known.get(source, ImageMeta(found.group(1), "", "", None, None)))
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
