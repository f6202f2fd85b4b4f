"""One polite HTTP GET: bounded in time, bytes, headers and redirects, and never into a private network.

URL → a whole answer, or the reason there is none. aiohttp speaks HTTP/1.1 over connections that are kept open and used
again; redirects are followed here, because each hop has to pass the guard and the rules of its own site. Where the host
of their target is another worker's to ask, they are not followed but told. `connect_to`
entries lead a host and its subdomains to a given address without the guard, much as curl's --connect-to; that is how a
mirror, a cache or a test server is used, and it is spoken to in plain HTTP even for https URLs.

When to ask again, and whom to leave alone, is transforms/fetch/scheduler.py's.
"""

from __future__ import annotations

import asyncio
import email.utils
import ssl
import time
import zlib
from typing import NamedTuple
from urllib.parse import urlsplit

import aiohttp
from multidict import CIMultiDictProxy
from yarl import URL

from weft.schemas.config import Fetch
from weft.schemas.parameters import ConfigError
from weft.transforms import optout
from weft.transforms.fetch.guard import Guard
from weft.transforms.fetch.rate_limit import FIRST_WAIT_S, MAX_WAIT_S, THROTTLED, Gate
from weft.transforms.fetch.robots import MAX_BYTES as MAX_RULES
from weft.transforms.fetch.robots import Problem, Reservations, Robots
from weft.transforms.urls import resolve

MAX_REDIRECTS = 5
_REDIRECTS = (301, 302, 303, 307, 308)
UNANSWERED = ("connection_failed", "timeout", "incomplete")
MOVED = "moved"  # to another host; `detail` is where to
MAX_DELAY_S = 30.0  # the longest Crawl-delay that is kept to; longer ones would stand still for days
IDLE_S = 10.0  # how long an open connection waits for its next use; servers close theirs after 5 to 75 s
_BUFFER = 1 << 18  # bytes of an answer that may wait to be read
_DRAINED = 1 << 16  # bytes of an answer nobody wants that are read so that its connection can be used again
MAX_LINE, MAX_HEADERS = 16_384, 256  # bytes of a header, and how many: twice what browsers are known to need


class Response(NamedTuple):
    """What a GET gave: `reason` is "" exactly when `body` is a whole 2xx answer that may be used."""

    status: int
    body: bytes
    reason: str
    detail: str
    retry_after: float | None = None  # seconds, where the server named a time
    url: str = ""  # where redirects ended
    opt_out: str = ""  # the words that forbid its use, honoured or not
    declared: str = ""  # Content-Type


class Client:
    """Fetches images from one event loop; an asynchronous context manager."""

    def __init__(self, config: Fetch, leave_host: bool = True) -> None:
        """
        Args:
            config: limits, and what is honoured.
            leave_host: follow redirects to other hosts; else they end as MOVED.

        Raises:
            ConfigError: a connect_to entry or a network that is none.
        """
        self._config, self._leave_host = config, leave_host
        self._routes = dict(_route(entry) for entry in config.connect_to)
        self._guard = Guard(config.allow_networks)
        self._gates: dict[str, Gate] = {}  # by host: redirects of many sites may lead to one
        self.tls = ssl.create_default_context()
        self._robots = Robots(config.user_agent, self._rules_file)
        self._reservations = Reservations(self._rules_file)
        optout.check(config.opt_out)
        self._forbidden = frozenset(config.opt_out if config.honour_opt_out else ())

    async def __aenter__(self) -> Client:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                resolver=self._guard, use_dns_cache=False, ssl=self.tls, limit=0, keepalive_timeout=IDLE_S
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            headers={"User-Agent": self._config.user_agent, "Accept": "image/*,*/*;q=0.5"},
            skip_auto_headers=("Accept-Encoding",),
            timeout=aiohttp.ClientTimeout(total=None, sock_read=self._config.stall_s or None),
            read_bufsize=_BUFFER,
            max_line_size=MAX_LINE,
            max_field_size=MAX_LINE,
            max_headers=MAX_HEADERS,
        )
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._session.close()
        await self._guard.close()

    async def get(self, url: str, last: bool = False) -> Response:
        """One GET, redirects followed; every failure is a reason, nothing is raised.

        Args:
            url: what to ask for.
            last: whether its host will not be asked again soon, so that its connection is not kept.
        """
        url, told = resolve(url, url), url
        if not url:
            return Response(0, b"", "bad_url", told[:200])
        left = self._config.timeout_s  # what asking for the rules of sites takes is not the image's
        for _ in range(MAX_REDIRECTS + 1):
            problem = await self._refused(url)
            if problem.reason:
                return Response(problem.status, b"", problem.reason, problem.detail, url=url)
            found, target, left = await self._in_turn(url, left, last=last)
            if not target:
                return found
            before, url = url, resolve(url, target)
            if not url:
                return Response(found.status, b"", "bad_redirect", target[:200])
            if not self._leave_host and house(before) != house(url):
                return Response(found.status, b"", MOVED, url)
        return Response(found.status, b"", "too_many_redirects", url[:200])

    def delay(self, url: str) -> float:
        """Seconds to leave between two requests to the host of this URL."""
        try:
            asked = self._robots.delay(url) if self._config.robots else 0.0
        except ValueError:
            asked = 0.0
        return max(min(asked, MAX_DELAY_S), self._config.interval_s)

    async def _refused(self, url: str) -> Problem:
        """What the site's own files say against asking for this."""
        if self._config.robots:
            problem = await self._robots.verdict(url)
            if problem.reason:
                return problem
        if self._config.tdm_file and "tdm" in self._forbidden and await self._reservations.reserved(url):
            return Problem("opt_out", "tdmrep.json: reserved")
        return Problem("", "")

    async def _rules_file(self, url: str) -> tuple[int, bytes, Problem]:
        """(status, body, problem) of a site's robots.txt or the like, redirects followed; it has a time of its own."""
        left = self._config.timeout_s
        for _ in range(MAX_REDIRECTS + 1):
            found, target, left = await self._in_turn(url, left, plain=True)
            if not target:
                return found.status, found.body, Problem(found.reason, found.detail)
            url = resolve(url, target)
        return 404, b"", Problem("", "")  # RFC 9309, 2.3.1.2: more than five redirects may be taken for unavailable

    async def _in_turn(
        self, url: str, seconds: float, plain: bool = False, last: bool = False
    ) -> tuple[Response, str, float]:
        """(answer, where it leads on to, seconds that are left); waiting for one's turn does not count."""
        host = urlsplit(url).hostname or ""
        gate = self._gates.get(host)
        if gate is None:
            gate = self._gates[host] = Gate(self._config.per_host, self._config.interval_s)
        async with gate.turn(None if plain else self.delay(url)):
            begun = time.monotonic()
            found, target = await self._once(url, host, seconds, plain, last)
            if found.status in THROTTLED or found.retry_after is not None:
                gate.rest(min(FIRST_WAIT_S if found.retry_after is None else found.retry_after, MAX_WAIT_S))
            return found, target, seconds - (time.monotonic() - begun)

    async def _once(self, url: str, host: str, seconds: float, plain: bool, last: bool) -> tuple[Response, str]:
        """(answer, where it leads on to); opt-outs of images mean nothing where it is `plain` text."""
        try:
            host.encode("idna")  # labels that are too long for a name
            async with asyncio.timeout(max(seconds, 0.0)):
                return await self._ask(url, host, plain, last)
        except PermissionError as error:
            return Response(0, b"", "private_address", str(error)), ""
        except (aiohttp.InvalidURL, UnicodeError) as error:
            return Response(0, b"", "bad_url", str(error)[:200]), ""
        except aiohttp.SocketTimeoutError:
            return Response(0, b"", "timeout", f"nothing came for {self._config.stall_s:g} s"), ""
        except TimeoutError:
            return Response(0, b"", "timeout", f"no whole answer in {self._config.timeout_s:g} s"), ""
        except aiohttp.ClientPayloadError as error:
            return Response(0, b"", "incomplete", _one_line(error)), ""
        except (OSError, aiohttp.ClientError, ValueError) as error:
            return Response(0, b"", "connection_failed", f"{host}: {_one_line(error)}"), ""

    async def _ask(self, url: str, host: str, plain: bool, last: bool) -> tuple[Response, str]:
        headers = {"Connection": "close"} if last else {}
        route = self._routed(host)
        if route:
            parts = urlsplit(url)
            headers["Host"] = parts.netloc.rpartition("@")[2]
            path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            asked = URL(f"http://{route}{path}", encoded=True)
        else:
            await self._guard.addresses(host)  # a literal address never reaches aiohttp's resolver
            asked = URL(url, encoded=True).with_user(None)
        async with self._session.get(asked, headers=headers, allow_redirects=False) as answer:
            return await self._read(answer, url, plain)

    async def _read(self, answer: aiohttp.ClientResponse, url: str, plain: bool) -> tuple[Response, str]:
        said, status = answer.headers, answer.status
        if status in _REDIRECTS and said.get("Location"):
            await _drain(answer)
            return Response(status, b"", "http_error", f"HTTP {status}"), _as_utf8(said["Location"])
        if not 200 <= status < 300 or status == 206:  # a part that nobody asked for is no image
            await _drain(answer)
            return Response(status, b"", "http_error", f"HTTP {status}", _wait(said), url), ""
        wish = "" if plain else optout.read_image(_plain(said), self._forbidden)
        if wish:
            await _drain(answer)
            return Response(status, b"", "opt_out", wish, url=url, opt_out=wish), ""
        most = MAX_RULES if plain else self._config.max_bytes
        body = bytearray()
        too_long = (answer.content_length or 0) > most and not plain
        if not too_long:
            try:
                async for chunk in answer.content.iter_any():
                    body += chunk
                    if too_long := len(body) > most:
                        break
            except aiohttp.ClientPayloadError as error:
                return Response(status, b"", "incomplete", _one_line(error), url=url), ""
        if too_long:
            answer.close()  # what is left is not read, so that its connection is of no more use
            if plain:
                return Response(status, bytes(body[:most]), "", ""), ""
            return Response(status, b"", "too_many_bytes", f"over {most} bytes", url=url), ""
        found = _unpacked(status, bytes(body), said.get("Content-Encoding", ""), most)
        wish = optout.read_image(_plain(said))  # not honoured, but on record
        return found._replace(url=url, opt_out=wish, declared=said.get("Content-Type", "")[:80]), ""

    def _routed(self, host: str) -> str | None:
        labels = host.lower().rstrip(".").split(".")
        suffixes = (".".join(labels[start:]) for start in range(len(labels)))
        return next((self._routes[suffix] for suffix in suffixes if suffix in self._routes), None)


def house(url: str) -> str:
    """Host of a URL without `www.`, "" where it has none: the two redirect to each other, and one worker asks both."""
    try:
        return (urlsplit(url).hostname or "").removeprefix("www.")
    except ValueError:
        return ""


async def _drain(answer: aiohttp.ClientResponse) -> None:
    """Read what is left of a short answer, so that its connection can be used again."""
    length = answer.content_length
    if length is None or length > _DRAINED:
        answer.close()
    else:
        await answer.read()


def _plain(headers: CIMultiDictProxy[str]) -> list[tuple[str, str]]:
    return [(name.lower(), value) for name, value in headers.items()]


def _one_line(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:200]


def _wait(headers: CIMultiDictProxy[str]) -> float | None:
    """Seconds that a Retry-After header names, in either of its forms."""
    header = headers.get("Retry-After", "").strip()
    if header.isascii() and header.isdigit():
        return float(header[:12])
    try:
        return max(0.0, email.utils.parsedate_to_datetime(header).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return None


def _unpacked(status: int, body: bytes, coding: str, most: int) -> Response:
    """No coding is asked for, but some servers compress all the same."""
    if coding.strip().lower() in ("gzip", "x-gzip", "deflate"):
        try:
            engine = zlib.decompressobj(47)  # gzip or zlib, as it comes
            body = engine.decompress(body, most + 1)
        except zlib.error as error:
            return Response(status, b"", "bad_encoding", str(error))
        if len(body) > most:
            return Response(status, b"", "too_many_bytes", f"over {most} bytes, unpacked")
    elif coding.strip().lower() not in ("", "identity", "none"):
        return Response(status, b"", "bad_encoding", coding[:40])
    return Response(status, body, "", "")


def _as_utf8(header: str) -> str:
    """A header as its bytes were meant: UTF-8, else Latin-1 (aiohttp keeps what is not UTF-8 as surrogates)."""
    try:
        header.encode("utf-8")
        return header
    except UnicodeEncodeError:
        return header.encode("utf-8", "surrogateescape").decode("latin-1")


def _route(entry: str) -> tuple[str, str]:
    host, equals, target = entry.partition("=")
    address, colon, port = target.rpartition(":")
    if not host or not equals or not address or not colon or not port.isdigit() or int(port) > 65_535:
        raise ConfigError(f"fetch.connect_to takes host=address:port, not {entry!r}")
    return host.lower().rstrip("."), target
