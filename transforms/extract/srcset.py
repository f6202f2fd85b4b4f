"""Which URL an image element means: what a browser knows of srcset, picture and lazy loading.

An element → its URL, or the reason it has none. Lazy loaders leave a placeholder in `src` and the picture in one of a
dozen attributes; responsive images list sizes. Of several sizes the page's own choice is taken where it is known to be
wide enough, else the smallest that is SENSIBLE_WIDTH wide: more than a corpus stores, half of what the largest costs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

from weft.transforms.urls import resolve

SENSIBLE_WIDTH = 1024
ENOUGH_WIDTH = (
    512  # of an image's own src, where its srcset says how wide that is: what a corpus stores (fetch.max_side)
)
MAX_NAME = 255  # a file name's longest; what is searched stays short on hostile pages
# Attributes in which lazy loaders of real pages keep the picture, commonest first.
LAZY = (
    "data-src", "data-original", "data-lazy-src", "data-lazy", "data-lazyload", "data-img-src", "data-hi-res-src",
    "data-full-src", "data-large-file", "data-orig-file", "data-image", "data-url", "data-echo", "data-gt-lazy-src",
    "data-lateloadsrc", "data-src-fg", "data-scroll-image", "data-pin-media", "data-bgset", "src2",
)  # fmt: skip
_SRCSETS = ("data-srcset", "data-lazy-srcset", "srcset")
_PLACEHOLDER = re.compile(
    r"(?:^|[_.-])(?:placeholder|spacer|blank|transparent|1x1|pixel|grey|loading|lazy).*\.\w{3,4}$", re.I | re.S
)
_URL = re.compile(r"[^\s,]\S*")
_SIZE = re.compile(r"\s([0-9]{1,6}(?:\.[0-9]{1,6})?)([wx])\b")
MAX_URL, MAX_SRCSET = 4_096, 65_536  # characters; longer ones are no addresses that a server takes


def choose(get: Callable[[str], str | None], picture: Iterable[str], base: str) -> tuple[str, str]:
    """(absolute URL, "") of an image element, or ("", reason).

    Args:
        get: attribute of the element by name, None where it has none.
        picture: srcset values of the <source> elements of the picture around it, in order.
        base: what relative URLs are relative to.
    """
    found, reason = candidates(get, picture, base)
    return (found[0], "") if found else ("", reason)


def candidates(get: Callable[[str], str | None], picture: Iterable[str], base: str) -> tuple[list[str], str]:
    """All absolute URLs of an image element, best first and distinct, and the reason where there is none.

    The others matter to who reads from an archive: a crawler has often saved another size than the best one.
    """
    found: dict[str, None] = {}
    data = seen = False
    for value in _in_order(get, picture):
        seen = True
        if found and is_placeholder(value):
            continue  # what is shown before the picture is no other size of it
        if value.lstrip()[:5].lower() == "data:":
            data = True
            continue
        url = resolve(base, value) if len(value) <= MAX_URL else ""
        if url:
            found[url] = None
    return list(found), "" if found else "data_uri" if data else "bad_url" if seen else "no_source"


def _in_order(get: Callable[[str], str | None], picture: Iterable[str]) -> Iterable[str]:
    source = (get("src") or "").strip()
    sizes = get("srcset")
    if source and sizes and _width_in(sizes, source) >= ENOUGH_WIDTH:
        yield source
    for name in _SRCSETS:
        found = largest(get(name) or "")
        if found and not is_placeholder(found):
            yield found
    for name in LAZY:
        value = (get(name) or "").strip()
        if value and not value.startswith(("{", "[")) and not is_placeholder(value):
            yield value
    # A picture's own src before its sources: every decoder reads it and crawlers save it, and where it is a
    # stand-in for small screens, the larger ones are still among the alternates.
    if source and not is_placeholder(source):
        yield source
    for srcset in picture:
        found = largest(srcset)
        if found and not is_placeholder(found):
            yield found
    if source:
        yield source


def is_placeholder(url: str) -> bool:
    """Whether a URL is what lazy loaders show before the picture."""
    name = url.split("?")[0].rpartition("/")[2][-MAX_NAME:]
    return url[:5].lower() == "data:" or bool(_PLACEHOLDER.search(name))


def largest(srcset: str) -> str:
    """The sensible candidate of a srcset: the smallest at least SENSIBLE_WIDTH wide, else the widest. "" for none."""
    best, best_rank = "", (0, 0.0)
    for url, wide in _entries(srcset[:MAX_SRCSET]):
        rank = (1, -wide) if wide >= SENSIBLE_WIDTH else (0, wide)
        if not best or rank > best_rank:
            best, best_rank = url, rank
    return best


def _width_in(srcset: str, url: str) -> float:
    """Width of a URL by the srcset that lists it, 0 where it does not."""
    return max((wide for found, wide in _entries(srcset[:MAX_SRCSET]) if found == url), default=0.0)


def _entries(srcset: str) -> Iterator[tuple[str, float]]:
    """(URL, width) of each candidate, as the HTML standard splits them: a URL may hold commas but not end in one."""
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
