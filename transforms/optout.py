"""Opt-outs from use in training: what a response or page says, and what that forbids.

Read are X-Robots-Tag headers (several directives, per-crawler forms), meta robots of any name, and the TDM
Reservation Protocol (tdm-reservation header and meta element). `noai` and a reservation forbid the page,
`noimageai` its images. On an image's own response `noindex` counts too, as img2dataset has it; on a page it only
speaks to search engines.
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
    """What is forbidden, and by which words ("" where nothing is)."""

    page: str
    images: str


def directives(header: str) -> set[str]:
    """Directives of an X-Robots-Tag value that concern everyone or any crawler, in lower case.

    A crawler's name stands before a colon and holds for what follows; a reservation made to one crawler is read as
    made to all, because a corpus builder cannot claim to be none of them. Semicolons and mere spaces, which some sites
    write for commas, separate too.
    """
    found: set[str] = set()
    for part in _SEPARATOR.split(header.lower()):
        valued = _WITH_VALUE.search(part)
        found.update([valued.group(1)] if valued else part.rpartition(":")[2].split())
    return found


def read(headers: Iterable[tuple[str, str]], meta: Iterable[tuple[str, str]] = ()) -> OptOut:
    """What the HTTP headers (names in lower case) and meta elements of a page forbid."""
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
    """Which words of an image's own HTTP headers (names in lower case) forbid its use, "" where none do.

    `unavailable_after` counts whatever its date: what is in a corpus stays there beyond any.

    Args:
        headers: of the response.
        counted: the directives that count, of IMAGE_RESPONSE.
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
    """Raise ConfigError for a directive that nobody knows."""
    for word in counted:
        if word not in IMAGE_RESPONSE:
            close = difflib.get_close_matches(word, IMAGE_RESPONSE, n=1)
            raise ConfigError(f"fetch.opt_out: no directive {word!r}" + (f"; {close[0]!r}?" if close else ""))
