"""What a page leads to: links that may be followed, its images, and the words that forbid its use; and sitemaps."""

from __future__ import annotations

import gzip
import io
import re
import zlib
from collections.abc import Collection
from contextlib import suppress
from html import unescape
from typing import NamedTuple

from weft.transforms.consent import responses
from weft.transforms.extract import cpu_budget, html
from weft.transforms.extract.html.tag_values import ATTRIBUTE, plain
from weft.transforms.io.streams import GZIP
from weft.transforms.urls import resolve

MAX_LINKS = 10_000  # of one page
MAX_SITEMAP = 50_000  # addresses of one sitemap, and 50 MB, as sitemaps.org has it
MAX_SITEMAP_BYTES = 50 << 20
_NO_FOLLOW = ("nofollow", "none")
_LOCATION = re.compile(  # whatever the prefix of its namespace, but not of a picture on the page (<image:loc>)
    r"<(?:(?!image:)\w{1,20}:)?loc>([^<]{1,4096}|\s{0,64}<!\[CDATA\[[^\]]{1,4096}\]\]>\s{0,64})</"
)
_INDEX = re.compile(r"<(?:\w{1,20}:)?sitemapindex[\s>]")


class Leads(NamedTuple):
    """Where a page leads."""

    links: list[str]  # in page order, absolute, each once
    images: list[str]  # of its main content, likewise
    opt_out: str  # the words that forbid its use, "" where none do


def of_page(
    body: bytes,
    content_type: str,
    url: str,
    headers: list[tuple[str, str]],
    main_content: bool,
    counted: Collection[str],
    follow: bool = True,
) -> Leads:
    """What an HTML page leads to; nothing where it cannot be parsed, or not in the time that a page has.

    Links of rel=nofollow, and all of a page whose robots element or X-Robots-Tag says so, are not given; nor are images
    that it forbids.

    Args:
        body: decoded, as served.
        content_type: its header.
        url: the page's address.
        headers: (name in lower case, value) of the response.
        main_content: False takes the images of boilerplate too.
        counted: the opt-outs that count, of `fetch.opt_out`; none where they are not honoured.
        follow: False where nobody follows links: none are given.
    """
    wish = responses.read(headers, (), counted)
    links: list[str] = []
    images: list[str] = []
    with suppress(html.TooComplex, ValueError, RuntimeError, RecursionError, MemoryError, cpu_budget.TooSlow):
        page = cpu_budget.within(
            cpu_budget.CPU_S, lambda: html.extract(html.to_text(body, content_type), url, main_content)
        )
        wish = responses.read(headers, page.meta, counted)
        if not wish.images:
            images = list(dict.fromkeys(image for image in page.images if image is not None))
        if follow and not wish.page and not _no_follow(headers, page.meta):
            links = _links(page)
    return Leads(links, images, wish.page)


def _no_follow(headers: list[tuple[str, str]], meta: list[tuple[str, str]]) -> bool:
    said = [value for name, value in headers if name == "x-robots-tag"]
    said += [value for name, value in meta if name == "robots"]
    return any(word in _NO_FOLLOW for value in said for word in responses.directives(value))


def _links(page: html.Page) -> list[str]:
    found: dict[str, None] = {}
    for tag in page.links:
        said = {name: plain(value) for name, value in ATTRIBUTE.findall(tag)}
        free = "nofollow" not in said.get("rel", "").lower().split()
        link = resolve(page.base, said["href"]) if free and said.get("href") else ""
        if link:
            found[link] = None
        if len(found) >= MAX_LINKS:
            break
    return list(found)


def of_sitemap(body: bytes, url: str) -> tuple[list[str], bool]:
    """(addresses, whether they are of further sitemaps) of a sitemap: XML or one address a line, plain or gzipped."""
    if body.startswith(GZIP):
        try:
            body = zlib.decompressobj(31).decompress(body, MAX_SITEMAP_BYTES)
        except (zlib.error, gzip.BadGzipFile):
            return [], False
    text = body.decode("utf-8", "replace").lstrip("\ufeff \t\r\n")
    if text.startswith("<"):
        said = (
            unescape(found[1].strip().removeprefix("<![CDATA[").removesuffix("]]>"))
            for found in _LOCATION.finditer(text)
        )
    else:
        said = (line.strip() for line in io.StringIO(text, newline=None) if line.strip())
    addresses: dict[str, None] = {}
    for one in said:
        if address := resolve(url, one):
            addresses[address] = None
        if len(addresses) >= MAX_SITEMAP:
            break
    return list(addresses), bool(_INDEX.search(text[:4096]))
