"""What a page says of itself: who wrote it, when it was published, under which licence.

It is read from schema.org's JSON-LD, else from meta elements; a licence from rel="license" before both. Nothing is
guessed from the text: what the page does not say is "".
"""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Iterator
from typing import Any, NamedTuple

from weft.transforms.extract.html.scan import Scan
from weft.transforms.urls import resolve

_DATE = re.compile(r"^\s*(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2}(?::\d{2})?)(?:\.\d+)?\s*(Z|[+-]\d{2}:?\d{2})?)?")
_DATES = (
    "article:published_time", "og:article:published_time", "datepublished", "date", "dc.date", "dc.date.issued",
    "dcterms.created", "dcterms.issued", "citation_publication_date", "parsely-pub-date", "sailthru.date", "pubdate",
)  # fmt: skip
_AUTHORS = ("author", "article:author", "dc.creator", "dcterms.creator", "citation_author", "parsely-author", "byl")
_LICENCES = ("dc.rights.license", "dcterms.license", "dc.rights", "license")
MAX_DATA = 200_000  # characters of one JSON-LD block that are read
MAX_NODES = 2_000  # of its objects
MAX_FIELD = 300  # characters of an author or licence


class About(NamedTuple):
    """A page's author, date and licence, each "" where the page does not say it."""

    author: str
    published: str  # ISO 8601: a day, with time and zone where the page has them
    licence: str  # an address where there is one


def read(page: Scan, base: str) -> About:
    """Author, date and licence of a scanned page; `base` is the absolute URL against which a licence's is resolved."""
    meta: dict[str, str] = {}
    for name, content in page.meta:
        if content.strip():
            meta.setdefault(name, " ".join(content.split()))
    author = published = licence = ""
    for node in _nodes(page.json_ld):
        published = published or _date(node.get("datePublished"))
        author = author or _name(node.get("author"))
        licence = licence or _address(node.get("license"), base)
    published = published or next(filter(None, (_date(meta.get(name)) for name in _DATES)), "")
    author = author or next(
        (meta[name] for name in _AUTHORS if meta.get(name) and not meta[name].startswith("http")), ""
    )
    linked = _address(page.licence, base)
    licence = linked or licence or next((meta[name] for name in _LICENCES if meta.get(name)), "")
    return About(author[:MAX_FIELD], published, licence[:MAX_FIELD])


def _nodes(blocks: list[str]) -> Iterator[dict[str, Any]]:
    """Objects in the page's JSON-LD, outermost first. A block that is no JSON, or too long, is passed over."""
    for block in blocks:
        if len(block) > MAX_DATA:
            continue
        if "datePublished" not in block and "author" not in block and "license" not in block:
            continue  # parsing it would cost as much as the whole page
        try:
            waiting = deque([json.loads(block, strict=False)])
        except (ValueError, RecursionError):
            continue
        for _ in range(MAX_NODES):
            if not waiting:
                break
            node = waiting.popleft()
            if isinstance(node, dict):
                yield node
                waiting += [child for key, child in node.items() if key in ("@graph", "mainEntity", "mainEntityOfPage")]
            elif isinstance(node, list):
                waiting += node


def _date(value: object) -> str:
    found = _DATE.match(value) if isinstance(value, str) else None
    if not found:
        return ""
    day, time, zone = found.groups()
    return f"{day}T{time}{zone or ''}" if time else str(day)


def _name(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(filter(None, map(_name, value[:10])))
    if isinstance(value, dict):
        value = value.get("name")
    return " ".join(value.split()) if isinstance(value, str) and not value.startswith("http") else ""


def _address(value: object, base: str) -> str:
    if isinstance(value, dict):
        value = value.get("url") or value.get("@id")
    if isinstance(value, list):
        value = value[0] if value else ""
    return (resolve(base, value) or value) if isinstance(value, str) and value else ""
