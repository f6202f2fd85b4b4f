"""What a page says of itself: who wrote it, on which day it was published, by whom, under which licence.

It is read from schema.org's JSON-LD, else from meta elements, else from what the page shows its readers (visible.py); a
licence from rel="license" before all. Nothing is guessed: what the page does not say is "".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from weft.transforms.extract.html import repair, visible
from weft.transforms.extract.html.dates import day
from weft.transforms.extract.html.scan import Scan
from weft.transforms.io import json_values
from weft.transforms.urls import resolve

_DATES = (
    "article:published_time", "og:article:published_time", "article:published", "datepublished", "date", "dc.date",
    "dc.date.issued", "dcterms.created", "dcterms.issued", "dcterms.date", "citation_publication_date", "citation_date",
    "citation_online_date", "parsely-pub-date", "sailthru.date", "cxenseparse:publishtime", "pubdate", "publishdate",
    "publish_date", "og:publish_date", "published", "datecreated",
)  # fmt: skip
_AUTHORS = (
    "author", "article:author", "og:author", "parsely-author", "sailthru.author", "cxenseparse:author", "dc.creator",
    "dcterms.creator", "creator", "citation_author", "byl", "shareaholic:article_author_name",
)  # fmt: skip
_PUBLISHERS = "og:site_name citation_publisher dc.publisher dcterms.publisher publisher application-name".split()
_LICENCES = ("dc.rights.license", "dcterms.license", "dc.rights", "license")
# Ends of the names of schema.org types that are what a page is about; others (a video, a product) have authors and days
# of their own.
_MAIN = tuple("Article Posting Report Question Recipe HowTo Review Book Course CreativeWork Chapter".split())
_PAGES = tuple("WebPage AboutPage ItemPage FAQPage ProfilePage QAPage".split())
_SHOPS = tuple("Product ProductGroup CollectionPage SearchResultsPage".split())
_WRITTEN_BY = "written by,author,geschrieben von,verfasst von,écrit par,escrito por,scritto da".split(",")
_TELLING = ("datePublished", "dateCreated", "author", "creator", "license", "publisher")
_IN_ADDRESS = re.compile(r"/((?:19|20)\d\d)[/-](\d\d)[/-](\d\d)(?!\d)")
MAX_DATA = 200_000  # characters of one JSON-LD block that are read
MAX_NODES = 2_000  # of its objects
MAX_FIELD = 300  # characters of an author, publisher or licence
MAX_NAMES = 10  # authors


class About(NamedTuple):
    """A page's author, date, licence and publisher, each "" where the page does not say it."""

    author: str = ""
    published: str = ""  # a day in UTC, ISO 8601
    licence: str = ""  # an address where there is one
    publisher: str = ""


def read(page: Scan, base: str, latest: str = "") -> About:
    """Author, date, licence and publisher of a scanned page.

    Args:
        page: what its scan found.
        base: the absolute URL against which a licence's is resolved.
        latest: the day on which it was captured, ISO 8601; none after it is that of its publication. "" for unknown.
    """
    meta: dict[str, list[str]] = {}
    for key, content in page.meta:
        if content.strip():
            meta.setdefault(key, []).append(" ".join(content.split()))
    data = _Data(page.json_ld)

    def said(keys: Iterable[str]) -> Iterator[str]:
        return (value for key in keys for value in meta.get(key, ()))

    publisher = next(filter(None, map(data.name, data.values("publisher"))), "") or next(said(_PUBLISHERS), "")
    author = _author(page, data, meta, publisher)
    dates = [*data.values("datePublished"), *data.values("dateCreated"), *said(_DATES)]
    published = next(filter(None, (day(value, latest) for value in dates if isinstance(value, str))), "")
    published = published or next(visible.days(page, latest), "") or _of_address(base, latest)
    licences = (page.licence, *data.values("license"))
    licence = next(filter(None, (_address(value, base) for value in licences)), "") or next(said(_LICENCES), "")
    licence = licence or _address(visible.licence(page), base)
    author, publisher = map(repair.text, (author, publisher))
    return About(author[:MAX_FIELD], published, licence[:MAX_FIELD], publisher[:MAX_FIELD])


def _author(page: Scan, data: _Data, meta: dict[str, list[str]], publisher: str) -> str:
    """Who wrote it: a person where one is told, else whoever publishes it where they say that they wrote it."""
    told = [data.name(value) for key in ("author", "creator") for value in data.values(key)]
    told += [_several(map(visible.named, meta[key][:MAX_NAMES])) for key in _AUTHORS if key in meta]
    told += [visible.named(value) for value in _labelled(meta)]
    told = [one for one in told if one]
    own = publisher.casefold()
    person = next((one for one in told if one.casefold() != own), "")
    shop = data.shop or "".join(meta.get("og:type", ())).startswith("product")
    shown = "" if person or shop else next(visible.authors(page), "")
    return person or shown or next(iter(told), "")


def _several(names: Iterable[str]) -> str:
    """Names as one text, each once."""
    each = list(dict.fromkeys(filter(None, names)))
    return ("; " if any("," in one for one in each) else ", ").join(each)


def _labelled(meta: dict[str, list[str]]) -> Iterator[str]:
    """The author in the two pairs of a Twitter card."""
    for number in "12":
        label = "".join(meta.get(f"twitter:label{number}", ())).casefold()
        if label in _WRITTEN_BY:
            yield from meta.get(f"twitter:data{number}", ())


def _of_address(url: str, latest: str) -> str:
    """The day in a page's address, as blogs and newspapers have it."""
    found = _IN_ADDRESS.search(url)
    return day("-".join(found.groups()), latest) if found else ""


class _Data:
    """Objects in the page's JSON-LD that say what it is, the most telling first."""

    def __init__(self, blocks: list[str]) -> None:
        self.known: dict[str, dict[str, Any]] = {}  # by @id, those that have a name
        self.shop = False  # it is of things or a list of pages, and names that it shows are of reviews and other pages
        main: list[dict[str, Any]] = []
        pages: list[dict[str, Any]] = []
        for node in _nodes(blocks):
            if isinstance(node.get("@id"), str) and node.get("name"):
                self.known.setdefault(node["@id"], node)
            kinds = node.get("@type")
            kinds = [kind for kind in (kinds if isinstance(kinds, list) else [kinds]) if isinstance(kind, str)]
            self.shop |= any(kind.endswith(_SHOPS) for kind in kinds)
            if any(kind.endswith(_MAIN) for kind in kinds) or not kinds:
                main.append(node)
            elif any(kind.endswith(_PAGES) for kind in kinds):
                pages.append(node)
        self.nodes = main + pages

    def values(self, key: str) -> list[Any]:
        """What they say of `key`."""
        return [node[key] for node in self.nodes if key in node]

    def name(self, value: object) -> str:
        """The name of a person or an organisation, or of several."""
        if isinstance(value, list):
            return _several(self.name(one) for one in value[:MAX_NAMES] if not isinstance(one, list))
        if isinstance(value, dict):
            value = value.get("name") or self.known.get(str(value.get("@id")), {}).get("name")
        return visible.named(value) if isinstance(value, str) else ""


def _nodes(blocks: list[str]) -> Iterator[dict[str, Any]]:
    """Objects in the page's JSON-LD, outermost first. A block that is no JSON, or too long, is passed over."""
    for block in blocks:
        if len(block) > MAX_DATA or not any(key in block for key in _TELLING):
            continue  # parsing it would cost as much as the whole page
        try:
            waiting = [json_values.parse(block, strict=False)]
        except (ValueError, RecursionError):
            continue
        at = 0
        while at < min(len(waiting), MAX_NODES):
            node = waiting[at]
            at += 1
            if isinstance(node, dict):
                yield node
                waiting += [child for key, child in node.items() if key in ("@graph", "mainEntity", "mainEntityOfPage")]
            elif isinstance(node, list):
                waiting += node


def _address(value: object, base: str) -> str:
    if isinstance(value, list):
        value = value[0] if value else ""
    if isinstance(value, dict):
        value = value.get("url") or value.get("@id")
    return (resolve(base, value) or value) if isinstance(value, str) and value else ""
