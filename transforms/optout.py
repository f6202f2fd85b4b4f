"""Opt-outs from use in training: what a response or a page says, and what that forbids.

Three things are read: the X-Robots-Tag header, meta elements named robots or after a crawler, and the TDM Reservation
Protocol (tdm-reservation, as header or meta element). `noai`, `noml` and a reservation forbid the page; `noimageai` and
`noimageindex` its images. On an image's own response `noindex` and others count too, as in img2dataset; on a page
`noindex` speaks to search engines alone.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable
from typing import NamedTuple

from weft.schemas.parameters import ConfigError

_PAGE = frozenset(("noai", "noml"))
_IMAGES = frozenset(("noimageai", "noimageindex"))
IMAGE_RESPONSE = _PAGE | _IMAGES | {"noindex", "none", "unavailable_after", "tdm"}  # what fetch.opt_out may name
_SEPARATOR = re.compile("[,;]")
_WITH_VALUE = re.compile(r"\b(unavailable_after|max-snippet|max-image-preview|max-video-preview)\s*:")
_META_NAMES = re.compile(r"^(robots|googlebot.*|bingbot|ai|.*bot)$")


class OptOut(NamedTuple):
    """The words that forbid the use of a page, and of its images; "" where none do."""

    page: str
    images: str  # the same words where the whole page is forbidden


def directives(header: str) -> set[str]:
    """Directives of an X-Robots-Tag value that concern everyone or any crawler, in lower case.

    A directive to one crawler ("googlebot: noai") counts as one to all, because a corpus builder cannot claim to be
    none of them. Directives are separated by commas, or by the semicolons and spaces that some sites write instead.

    >>> sorted(directives("googlebot: noindex, NoAI; unavailable_after: 25 Jun 2030"))
    ['noai', 'noindex', 'unavailable_after']
    """
    found: set[str] = set()
    for part in _SEPARATOR.split(header.lower()):
        valued = _WITH_VALUE.search(part)
        found.update([valued.group(1)] if valued else part.rpartition(":")[2].split())
    return found


def read(headers: Iterable[tuple[str, str]], meta: Iterable[tuple[str, str]] = ()) -> OptOut:
    """What the HTTP headers and meta elements of a page forbid.

    Args:
        headers: (name in lower case, value) of the response.
        meta: (name in lower case, content) of the page's meta elements.

    >>> read([("x-robots-tag", "noimageai")], [("tdm-reservation", "1")])
    OptOut(page='meta tdm-reservation: 1', images='meta tdm-reservation: 1')
    >>> read([("x-robots-tag", "noimageai, noindex")])
    OptOut(page='', images='X-Robots-Tag: noimageai')
    """
    said: dict[str, str] = {}
    for name, value in headers:
        if name == "x-robots-tag":
            said.update((word, f"X-Robots-Tag: {word}") for word in directives(value))
        elif name == "tdm-reservation" and value.strip() == "1":
            said["tdm"] = "tdm-reservation: 1"
    for name, value in meta:
        if name == "tdm-reservation" and value.strip() == "1":
            said["tdm"] = "meta tdm-reservation: 1"
        elif _META_NAMES.match(name):
            said.update((word, f"meta {name}: {word}") for word in directives(value))
    page = next((said[word] for word in sorted(said) if word in _PAGE or word == "tdm"), "")
    images = page or next((said[word] for word in sorted(said) if word in _IMAGES), "")
    return OptOut(page, images)


def read_image(headers: Iterable[tuple[str, str]], counted: Collection[str] = IMAGE_RESPONSE) -> str:
    """The words of an image's own response that forbid its use, "" where none do.

    `unavailable_after` counts whatever its date, because a corpus outlives every date.

    Args:
        headers: (name in lower case, value) of the response.
        counted: the directives that count: some of IMAGE_RESPONSE, or all.
    """
    for name, value in headers:
        if name == "x-robots-tag":
            word = next((word for word in sorted(directives(value)) if word in counted), "")
            if word:
                return f"X-Robots-Tag: {word}"
        elif name == "tdm-reservation" and value.strip() == "1" and "tdm" in counted:
            return "tdm-reservation: 1"
    return ""


def check(counted: Collection[str]) -> None:
    """Raise ConfigError, which names the nearest directive, for one that is not in IMAGE_RESPONSE."""
    for word in counted:
        if word not in IMAGE_RESPONSE:
            close = difflib.get_close_matches(word, IMAGE_RESPONSE, n=1)
            raise ConfigError(f"fetch.opt_out: no directive {word!r}" + (f"; {close[0]!r}?" if close else ""))
