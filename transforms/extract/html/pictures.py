"""The images that have a place in a page's document: addresses and what else the page says of them."""

from __future__ import annotations

import re

from weft.schemas.records import ImageMeta
from weft.transforms.extract import srcset
from weft.transforms.extract.html import inline, repair
from weft.transforms.extract.html.scan import Scan
from weft.transforms.extract.html.tag_values import ATTRIBUTE, Image, plain

ICON = 64  # pixels; a picture that declares less in each side is a sign, such as "enlarge": fetch.min_side's default
_SIDE = re.compile(r' (?:width|height)="\s*+(\d{1,5})')
TWIN_REACH = 4  # items back from a noscript image to the one it stands for
_PIXELS = re.compile(r"\s*+(\d{1,5})(?:\.\d++)?\s*+(?:px)?\s*+$")


class Picture:
    """What is known of an image: its addresses, best first, or the reason it has none, and what the page says of it."""

    def __init__(self, image: Image, base: str, page: str) -> None:
        told = {name: plain(value) for name, value in ATTRIBUTE.findall(image.tag)}
        get = told.get
        drawn = inline.named(image.tag)
        if drawn:  # in a link it is a mark that leads somewhere
            self.urls, self.reason = ([], "svg_inline") if image.link else ([inline.address(page, drawn)], "")
        else:
            self.urls, self.reason = srcset.candidates(told, image.picture, base)
        if not self.reason and image.tag[:4] == "back" and get("role") != "img":
            self.reason = "background"
        self.detail = flat(get("src"))[:80] if self.reason else ""
        self.meta = ImageMeta(
            said(get("alt")), "", said(get("title")), _pixels(get("width")), _pixels(get("height")),
            said(get("aria-label")), "",
        )  # fmt: skip

    def say(self, caption: str, source: str) -> None:
        """Give it a caption, told by a figure ("figcaption") or otherwise ("caption")."""
        text = said(caption)
        self.meta = self.meta._replace(caption=text, caption_source=source if text else "")


def pictures_of(page: Scan, kept: list[bool], base: str, url: str) -> dict[int, Picture]:
    """The pictures of the kept images, by item; `kept` becomes False for those without an address and for twins.

    A <noscript> image right after the one that it stands in for is that one's twin: the same image, dropped for the
    reason "noscript_twin". Where the other has no address, it takes its twin's. A tracker's pixel is no twin.

    Args:
        base: against which addresses are resolved.
        url: the page's own, of which drawings in it are parts.
    """
    found: dict[int, Picture] = {}
    before = -1
    for at, image in page.images.items():
        twin = image.noscript and before >= 0 and at - before <= TWIN_REACH
        twin = twin and (not is_icon(image) or is_icon(page.images[before]))
        if not image.noscript:
            before = at
        if not (kept[at] or (twin and kept[before])):
            continue
        picture = found[at] = Picture(image, base, url)
        if twin:
            other = found.get(before) or Picture(page.images[before], base, url)
            empty = other.reason in ("no_source", "data_uri", "bad_url") and picture.urls
            if empty:
                other.urls, other.reason, other.detail = picture.urls, "", ""
            if empty or set(map(_without_query, picture.urls)) & set(map(_without_query, other.urls)):
                picture.reason = "noscript_twin"
                found[before] = other
                kept[before] = not other.reason
        if picture.reason:
            kept[at] = False
    return found


def is_icon(image: Image) -> bool:
    """Whether an image declares sides that are all smaller than ICON."""
    sides = _SIDE.findall(image.tag)
    return bool(sides) and max(map(int, sides)) < ICON


def _without_query(url: str) -> str:
    return url.split("?")[0]


def said(value: str | None) -> str:
    """Text as it was meant, with its white space collapsed; "" for None."""
    return flat(repair.text(value)) if value else ""


def flat(value: str | None) -> str:
    """Text with its white space collapsed; "" for None."""
    return " ".join((value or "").split())


def _pixels(value: str | None) -> int | None:
    found = _PIXELS.match(value) if value else None
    return int(found.group(1)) if found else None
