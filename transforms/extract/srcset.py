"""Which URL an image element means, by its src, srcset, <picture> and the attributes of lazy loaders.

Lazy loaders put a placeholder into `src` and the picture's address into one of some twenty attributes; responsive
images list several sizes. Of several sizes `src` is taken where its srcset says that it is ENOUGH_WIDTH wide; else the
smallest that is SENSIBLE_WIDTH wide, which is more than a corpus stores and costs half of the largest.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from weft.transforms.urls import resolve

SENSIBLE_WIDTH = 1024  # pixels
ENOUGH_WIDTH = 512  # pixels: what a corpus stores (fetch.max_side)
MAX_NAME = 255  # characters of a file name that are searched, so that a hostile page costs no time
# Attributes in which lazy loaders of real pages keep the picture, commonest first.
LAZY = (
    "data-src", "data-original", "data-lazy-src", "data-lazy", "data-lazyload", "data-img-src", "data-hi-res-src",
    "data-full-src", "data-large-file", "data-orig-file", "data-image", "data-url", "data-echo", "data-gt-lazy-src",
    "data-lateloadsrc", "data-src-fg", "data-scroll-image", "data-pin-media", "data-bgset", "src2", "data-cfsrc",
    "data-ezsrc", "data-actualsrc", "data-original-src", "original-src", "data-large_image",
)  # fmt: skip
_SRCSETS = ("data-srcset", "data-lazy-srcset", "srcset")
_PLACEHOLDER = re.compile(r"(?:^|[_.-])(?:placeholder|spacer|1x1|(blank|transparent|pixel|grey|loading|lazy))", re.I)
# Of the words in brackets photographs are made too (grey-wolf.jpg): there nothing but a size stands beside them.
_PHOTOGRAPH = re.compile(
    r"\A(?!(?:blank|transparent|pixel|grey|loading|lazy)(?:[_.-]?(?:\d++|x|image|img|bg))*+\.\w++\Z)"
    r"(?!.*(?:placeholder|spacer|1x1)).*\.(?:jpe?g|webp|avif)\Z",
    re.I,
)
_SERVED = "_pagespeed_static/"  # where a server that loads pictures lazily by itself keeps what stands in for them
_EXTENSION = re.compile(r"\.\w{3,4}$")
_URL = re.compile(r"[^\s,]\S*")
_SIZE = re.compile(r"\s([0-9]{1,6}(?:\.[0-9]{1,6})?)([wx])\b")
_WIDTH = re.compile(r"\{width\}|%7Bwidth%7D", re.I)
_TEMPLATE = re.compile(r"\A[{\[]|\{[\w.$ ]*+\}|%7B[\w.$ ]*+%7D", re.I)  # JSON, and what a script has yet to fill in
_NUMBER = re.compile(r"\d{1,5}+")
MAX_URL = 4_096  # characters; no server takes a longer address
MAX_SRCSET = 65_536  # characters of one that are read


def choose(told: Mapping[str, str], picture: Iterable[str], base: str) -> tuple[str, str]:
    """(absolute URL, "") of an image element, or ("", reason).

    Args:
        told: the attributes of the element by name.
        picture: srcset values of the <source> elements of the <picture> around it, in order.
        base: absolute URL against which relative ones are resolved.

    >>> choose({"src": "blank.gif", "data-src": "cat.jpg"}, [], "https://a.test/d/")
    ('https://a.test/d/cat.jpg', '')
    >>> choose({"src": "data:image/gif;base64,R0"}, [], "https://a.test/")
    ('', 'data_uri')
    """
    found, reason = candidates(told, picture, base)
    return (found[0], "") if found else ("", reason)


def candidates(told: Mapping[str, str], picture: Iterable[str], base: str) -> tuple[list[str], str]:
    """(distinct absolute URLs of an image element, best first; "") or ([], reason). Arguments as in `choose`.

    The reason is "no_source", "data_uri" or "bad_url". URLs after the first are for reading images from an archive: the
    crawler has often saved another size than the best.
    """
    found: dict[str, None] = {}
    data = seen = False
    for value in _in_order(told, picture):
        seen = True
        if found and is_placeholder(value):
            continue  # a placeholder is no other size of the picture
        if value.lstrip()[:5].lower() == "data:":
            data = True
            continue
        url = resolve(base, value) if len(value) <= MAX_URL else ""
        if url:
            found[url] = None
    return list(found), "" if found else "data_uri" if data else "bad_url" if seen else "no_source"


def _in_order(told: Mapping[str, str], picture: Iterable[str]) -> Iterable[str]:
    """Addresses as the page has them, best first, some more than once."""
    source = told.get("src", "").strip()
    sizes = told.get("srcset")
    if source and sizes and _width_in(sizes, source) >= ENOUGH_WIDTH:
        yield source
    for name in _SRCSETS:
        found = best_of(told.get(name, ""))
        if found and not is_placeholder(found):
            yield found
    others = (name for name in told if "lazy" in name and name.endswith("src"))  # mod_pagespeed's, with `_` or `-`
    for name in (*filter(told.__contains__, LAZY), *others):
        value = _of_width(told[name].strip(), told.get("data-widths", ""))
        if value and not _TEMPLATE.search(value) and not is_placeholder(value):
            yield value
    # The element's own src goes before the sources of its <picture>: every decoder reads it and crawlers save it. Where
    # it is meant for small screens, the larger ones are still among the candidates.
    if source and not is_placeholder(source):
        yield source
    for srcset in picture:
        found = best_of(srcset)
        if found and not is_placeholder(found):
            yield found
    if source:
        yield source


def _of_width(address: str, widths: str) -> str:
    """The address that a script makes of one for any width (`barn_{width}x.jpg`), and of the widths that there are."""
    if "width" not in address:
        return address
    known = [int(width) for width in _NUMBER.findall(widths[:MAX_URL])]
    wide = min((width for width in known if width >= SENSIBLE_WIDTH), default=max(known, default=SENSIBLE_WIDTH))
    return _WIDTH.sub(str(wide), address)


def is_placeholder(url: str) -> bool:
    """Whether a URL is, by its name, what a lazy loader shows before the picture.

    >>> is_placeholder("/img/spacer.gif"), is_placeholder("/lazy/barn.jpg")
    (True, False)
    """
    name = url.split("?")[0].rpartition("/")[2][-MAX_NAME:]
    called = _PLACEHOLDER.search(name)
    if url[:5].lower() == "data:" or _SERVED in url:
        return True
    return bool(called and _EXTENSION.search(name, called.end()) and not (called[1] and _PHOTOGRAPH.search(name)))


def best_of(srcset: str) -> str:
    """The URL of a srcset that is at least SENSIBLE_WIDTH wide and the smallest such, else the widest; "" for none.

    >>> best_of("m.jpg 640w, l.jpg 1280w, xl.jpg 4000w"), best_of("a.jpg 1x, b.jpg 2x")
    ('l.jpg', 'b.jpg')
    """
    best, best_rank = "", (0, 0.0)
    for url, wide in _entries(srcset[:MAX_SRCSET]):
        rank = (1, -wide) if wide >= SENSIBLE_WIDTH else (0, wide)
        if not best or rank > best_rank:
            best, best_rank = url, rank
    return best


def _width_in(srcset: str, url: str) -> float:
    """Width of a URL by a srcset, 0 where it is not listed there."""
    return max((wide for found, wide in _entries(srcset[:MAX_SRCSET]) if found == url), default=0.0)


def _entries(srcset: str) -> Iterator[tuple[str, float]]:
    """(URL, width) of each candidate, split as the HTML standard has it: a URL may hold commas but not end in one.

    A density is a width too: 1x, or no size at all, stands for half of SENSIBLE_WIDTH.
    """
    at = 0
    while found := _URL.search(srcset, at):
        url, at = found.group(0), found.end()
        if url.endswith(","):
            yield url.rstrip(","), SENSIBLE_WIDTH / 2
            continue
        comma = srcset.find(",", at)
        size = _SIZE.search(srcset, at, comma if comma >= 0 else len(srcset))
        number = float(size.group(1)) if size else 1.0
        yield url, number if size and size.group(2) == "w" else number * SENSIBLE_WIDTH / 2
        at = comma + 1 if comma >= 0 else len(srcset)
