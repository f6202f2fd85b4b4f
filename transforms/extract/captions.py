"""Caption pairs: the texts that stand for an image on its page, and which of them say something.

Candidates are an image's caption, alt text, aria-label and title, in this order; a text that repeats an earlier one of
the same image is no second pair, and one that the page gives to many images describes none of them. Bounds are LAION's
(alt texts under 5 or over 2,000 characters were dropped).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from weft.schemas.config import Extract
from weft.schemas.records import ImageMeta

_FILE_NAME = re.compile(r"^[\w\s()%.-]*\.(?:jpe?g|png|gif|webp|bmp|svg|tiff?|avif)$", re.IGNORECASE)
_CAMERA = re.compile(r"^(?:img|dsc|dscn|dscf|p|pict|picture|image|photo|screenshot|untitled)[\s_-]*\d*$", re.IGNORECASE)
MANY = 3
_LETTER = re.compile(r"[^\W\d_]")
_URL = re.compile(r"^(?:https?://|www\.)\S+$", re.IGNORECASE)


def candidates(meta: ImageMeta) -> Iterator[tuple[str, str]]:
    """(source, text) of every text that the page gives an image."""
    seen = set()
    told = (
        (meta.caption_source or "figcaption", meta.caption), ("alt", meta.alt), ("aria_label", meta.aria_label),
        ("title", meta.title),
    )  # fmt: skip
    for source, text in told:
        flat = " ".join(text.split())
        if flat and flat not in seen:
            seen.add(flat)
            yield source, flat


def shared(urls: Sequence[str | None], metas: Sequence[ImageMeta | None]) -> set[str]:
    """Texts that a page gives to MANY different images or more: site names, search phrases, "product photo"."""
    images: dict[str, set[str]] = {}
    for url, meta in zip(urls, metas, strict=True):
        if url is not None and meta is not None:
            for source, text in candidates(meta):
                if source != "figcaption":  # a figure of several has one caption
                    images.setdefault(text, set()).add(url)
    return {text for text, urls_of in images.items() if len(urls_of) >= MANY}


def judge(text: str, config: Extract) -> str:
    """The reason to drop a caption, "" to keep it."""
    if len(text) < config.min_pair_chars:
        return "too_short"
    if len(text.split()) < config.min_pair_words:
        return "too_few_words"
    if len(text) > config.max_pair_chars:
        return "too_long"
    if len(text.split()) > config.max_pair_words > 0:
        return "too_many_words"
    if any(tag in text for tag in config.pair_forbidden):
        return "forbidden_tag"
    if config.gibberish:
        if _FILE_NAME.match(text) or _CAMERA.match(text):
            return "file_name"
        if _URL.match(text):
            return "url"
        if not _LETTER.search(text):
            return "no_letter"
    return ""
