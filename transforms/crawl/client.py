"""fetch's client as a crawler needs it: each request by itself, with all that was said on both sides.

A redirect is an answer like any other: what it leads to is an address of its own, with a record and a fate of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import aiohttp

from weft.schemas.parameters import CrawlRules, Manners
from weft.transforms.archives import write
from weft.transforms.archives.write import Exchange
from weft.transforms.consent import responses
from weft.transforms.consent.site_files import MAX_BYTES as MAX_RULES
from weft.transforms.fetch import client
from weft.transforms.fetch.client import Answer, Client, Response
from weft.transforms.fetch.rate_limit import host_of
from weft.transforms.urls import resolve

PAGE, IMAGE, SITEMAP, ROBOTS = "page", "image", "sitemap", "robots"
REDIRECT = "redirect"  # the reason of an answer that leads elsewhere; `detail` is where to
_ACCEPT = {
    PAGE: "text/html,application/xhtml+xml;q=0.9,*/*;q=0.1",
    IMAGE: "image/*,*/*;q=0.5",
    SITEMAP: "application/xml,text/xml,text/plain;q=0.8,*/*;q=0.5",
    ROBOTS: "text/plain,*/*;q=0.5",
}
_HTML = ("", "text/html", "application/xhtml+xml")
_NOT_IMAGES = ("text/html", "application/xhtml+xml", "application/json")
_REDIRECT_BYTES = 64 << 10  # of a redirect's body that are kept


class _Heard(aiohttp.ClientResponse):
    """An answer that knows who gave it; a short one has let go of its connection before it can be asked."""

    peer = ""

    async def start(self, connection: Any) -> aiohttp.ClientResponse:
        name = connection.transport.get_extra_info("peername") if connection.transport else None
        self.peer = str(name[0]) if name else ""
        return await super().start(connection)


class CrawlClient(Client):
    """Asks for what a crawl wants; robots.txt and the like that it met on the way are in `rules_seen`."""

    _answers = _Heard

    def __init__(
        self,
        manners: Manners,
        rules: CrawlRules,
        kind: Callable[[str], str],
        conditions: Callable[[str], Mapping[str, str]] = lambda url: {},
    ) -> None:
        """Make a client that keeps to `manners`.

        Args:
            manners: how hosts are asked.
            rules: how long a page, a sitemap or an image may be.
            kind: URL → PAGE, IMAGE or SITEMAP.
            conditions: URL → If-None-Match and the like, where an earlier crawl has it.

        Raises:
            ConfigError: as Client.
        """
        super().__init__(manners)
        self._kind, self._conditions = kind, conditions
        self._most = {PAGE: rules.max_page_bytes, IMAGE: rules.max_image_bytes, SITEMAP: 50 << 20, ROBOTS: MAX_RULES}
        self._met: set[str] = set()
        self.rules_seen: list[Exchange] = []

    async def get(self, url: str, last: bool = False, tries: int = 0) -> Response:
        """One GET, no redirect followed; an answer that is kept has its `exchange`."""
        host = host_of(url)
        new = host not in self._met
        self._met.add(host)
        if new:
            self.hosts.begin(host)
        problem = await self._refused(url)
        if new:  # what robots.txt says of delays is known now
            self.hosts.begin(host)
        if problem.reason:
            return Response(problem.status, b"", problem.reason, problem.detail, url=url)
        (found, target), _ = await self._in_turn(url, self._manners.timeout_s, tries=tries)
        if not target:
            return found._replace(url=url)
        to = resolve(url, target)
        return found._replace(reason=REDIRECT if to else "bad_redirect", detail=to or target[:200], url=url)

    async def _ask(self, url: str, host: str, rules: bool, last: bool) -> Answer:
        kind = ROBOTS if rules else self._kind(url)
        asked, headers = await self._request(url, host)
        headers |= {"Accept": _ACCEPT[kind], "Accept-Encoding": "gzip"}
        headers |= {} if rules else self._conditions(url)
        date = write.now()
        async with self._session.get(asked, headers=headers, allow_redirects=False) as answer:
            status, location = answer.status, answer.headers.get("Location", "")
            leads = status in client.REDIRECTS and bool(location)
            reason, detail = ("", "") if leads or rules else self._unwanted(kind, answer)
            if reason:
                answer.close()  # what is not kept is not read
                return Answer(Response(status, b"", reason, detail, client.wait_of(answer.headers), url))
            most = _REDIRECT_BYTES if leads else self._most[kind]
            body = await client.whole_body(answer, most)
            truncated = len(body) > most
            if truncated:
                answer.close()
                if not leads and not rules:
                    return Answer(Response(status, b"", "too_many_bytes", f"over {most} bytes", url=url))
                body = body[:most]
            version = answer.version or aiohttp.HttpVersion11
            first = f"HTTP/{version.major}.{version.minor} {status} {answer.reason or ''}"
            sent = [(name.encode(), value.encode()) for name, value in answer.request_info.headers.items()]
            one = Exchange(
                url, date, getattr(answer, "peer", ""), write.head(f"GET {asked.raw_path_qs} HTTP/1.1", sent), status,
                write.head(first, answer.raw_headers, len(body)), body, truncated,
            )  # fmt: skip
        if rules:
            self.rules_seen.append(one)
            if leads:
                return Answer(Response(status, b"", "http_error", f"HTTP {status}"), client.as_utf8(location))
            if not 200 <= status < 300:
                return Answer(Response(status, b"", "http_error", f"HTTP {status}", client.wait_of(answer.headers)))
            return Answer(client.rules_of(answer, body))
        return Answer(Response(status, b"", "", "", url=url, exchange=one), client.as_utf8(location) if leads else "")

    def _unwanted(self, kind: str, answer: aiohttp.ClientResponse) -> tuple[str, str]:
        """(reason, detail) of an answer that is not kept; both "" for one that is."""
        status = answer.status
        if status == 304:
            return "", ""
        if not 200 <= status < 300 or status == 206:
            return "http_error", f"HTTP {status}"
        headers = [(name.lower(), value) for name, value in answer.headers.items()]
        counted = self._manners.honoured
        words = responses.read_image(headers, counted) if kind == IMAGE else responses.read(headers, (), counted).page
        if words:
            return "opt_out", words
        mime = answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if kind == PAGE and mime not in _HTML:
            return "not_html", mime[:80]
        if kind == IMAGE and mime in _NOT_IMAGES:
            return "not_an_image", mime
        if (answer.content_length or 0) > self._most[kind]:
            return "too_many_bytes", f"over {self._most[kind]} bytes"
        return "", ""
