"""What an answer itself says against use in training: its headers and its meta elements.

Read are the X-Robots-Tag header and meta elements named robots or after a crawler, the TDM Reservation Protocol
(tdm-reservation, as header or meta element), and preferences (Content-Usage, Content-Signal) in headers. `noai`,
`noml`, a reservation and a preference against training forbid the page; `noimageai` and `noimageindex` its images. On
an image's own response `noindex` and others count too, as in img2dataset; on a page it speaks to search engines alone.

Whatever forbids wins over whatever allows: several voices are never weighed against each other.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from typing import NamedTuple, get_args

from weft.schemas.parameters import ConfigError, ImageSignal, PageSignal, nearest
from weft.transforms.consent import agents, preferences

PAGE_SIGNALS, IMAGE_SIGNALS = frozenset(get_args(PageSignal)), frozenset(get_args(ImageSignal))
SITE_SIGNALS = frozenset(("ai-agents", "content-signal", "content-usage", "ai-txt", "tdm"))  # of files of a site
_PAGE = frozenset(("noai", "noml", "tdm", "content-usage", "content-signal"))
_IMAGES = frozenset(("noimageai", "noimageindex"))
_WITH_VALUE = re.compile(r"\b(unavailable_after|max-snippet|max-image-preview|max-video-preview)\s*:\s*([\w-]*)")
_WORD = re.compile(r"(?<![^\s:,;])[^\s:,;]++(?!\s*:)")  # but the name of a crawler, and all of a date that has a colon


class OptOut(NamedTuple):
    """The words that forbid the use of a page, and of its images; "" where none do."""

    page: str
    images: str  # the same words where the whole page is forbidden


def directives(header: str) -> set[str]:
    """Directives of an X-Robots-Tag value that concern everyone or any crawler, in lower case.

    A directive to one crawler ("googlebot: noai") counts as one to all, because a corpus builder cannot claim to be
    none of them. Directives are separated by commas, or by the semicolons and spaces that some sites write instead.
    A preview of none is the directive `max-image-preview`; a preview of some size is none. Words of a date come too.

    >>> sorted(directives("googlebot: noindex, NoAI; unavailable_after: 25 Jun 2030"))
    ['2030', 'jun', 'noai', 'noindex', 'unavailable_after']
    """
    header = header.lower()
    found = set(_WORD.findall(_WITH_VALUE.sub(" ", header)))
    for name, value in _WITH_VALUE.findall(header):
        if name == "unavailable_after" or (name == "max-image-preview" and value == "none"):
            found.add(name)
    return found


def read(
    headers: Iterable[tuple[str, str]],
    meta: Iterable[tuple[str, str]] = (),
    counted: Collection[str] = PAGE_SIGNALS - {"max-image-preview"},
) -> OptOut:
    """What the HTTP headers and meta elements of a page forbid.

    Args:
        headers: (name in lower case, value) of the response.
        meta: (name in lower case, content) of the page's meta elements.
        counted: the signals that count: some of PAGE_SIGNALS.

    >>> read([("x-robots-tag", "noimageai")], [("tdm-reservation", "1")])
    OptOut(page='meta tdm-reservation: 1', images='meta tdm-reservation: 1')
    >>> read([("x-robots-tag", "noimageai, noindex")])
    OptOut(page='', images='X-Robots-Tag: noimageai')
    """
    said = _said(headers, counted)
    for name, value in meta:
        if name == "tdm-reservation" and value.strip() == "1" and "tdm" in counted:
            said["tdm"] = "meta tdm-reservation: 1"
        elif _is_robots(name):
            said.update((word, f"meta {name}: {word}") for word in directives(value) if word in counted)
    page = next((said[word] for word in sorted(said) if word in _PAGE), "")
    images = page or next((said[word] for word in sorted(said) if word in _IMAGES | {"max-image-preview"}), "")
    return OptOut(page, images)


def read_image(headers: Iterable[tuple[str, str]], counted: Collection[str] = IMAGE_SIGNALS) -> str:
    """The words of the headers of an image's own response that forbid its use, "" where none do.

    `unavailable_after` counts whatever its date, because a corpus outlives every date.

    Args:
        headers: (name in lower case, value) of the response.
        counted: the signals that count: some of IMAGE_SIGNALS, or all.
    """
    said = _said(headers, counted)
    return next((said[word] for word in sorted(said)), "")


def check(counted: Collection[str]) -> None:
    """Raise ConfigError, which names the nearest signal, for one that is not among IMAGE_SIGNALS."""
    for word in counted:
        if word not in IMAGE_SIGNALS:
            raise ConfigError(f"fetch.opt_out: no signal {word!r}{nearest(word, IMAGE_SIGNALS)}")


def _said(headers: Iterable[tuple[str, str]], counted: Collection[str]) -> dict[str, str]:
    """Signal → words, of those that headers give. A preference that several headers make up is read as one."""
    said: dict[str, str] = {}
    usages: list[str] = []
    for name, value in headers:
        if name == "x-robots-tag":
            said.update((word, f"X-Robots-Tag: {word}") for word in directives(value) if word in counted)
        elif name == "tdm-reservation" and value.strip() == "1" and "tdm" in counted:
            said["tdm"] = "tdm-reservation: 1"
        elif name == "content-usage" and "content-usage" in counted:
            usages.append(value)
        elif name == "content-signal" and "content-signal" in counted and preferences.signal(value) == "n":
            said["content-signal"] = f"Content-Signal: {value.strip()[:200]}"
    usage = ", ".join(usages)
    if preferences.usage(usage) == "n":
        said["content-usage"] = f"Content-Usage: {usage.strip()[:200]}"
    return said


def _is_robots(name: str) -> bool:
    return name in ("robots", "ai") or "bot" in name or name in agents.known()
