"""One polite HTTP GET: bounded in time, bytes, headers and redirects, and never into a private network.

URL → a whole answer, or the reason there is none. aiohttp speaks HTTP/1.1 over connections that are kept open and used
again. Redirects are followed here and not by aiohttp, because each one has to pass the guard and the rules of its own
site; one that leads to a host which another worker asks is not followed but returned (MOVED).

`connect_to` entries send requests for a host and its subdomains to a given address, past the guard, much as curl's
--connect-to does: for a mirror, a cache or a test server. It is spoken to in plain HTTP even for https URLs.

When a host may be asked is rate_limit.py's to say, which image is asked for next scheduler.py's.
"""

from __future__ import annotations

import asyncio
import email.utils
import functools
import ssl
import time
import zlib
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import aiohttp
from multidict import CIMultiDictProxy
from yarl import URL

from weft.schemas.parameters import ConfigError, ImageLimits, Manners
from weft.transforms.archives import http_message
from weft.transforms.archives.record import whole_number
from weft.transforms.archives.write import Exchange
from weft.transforms.consent import responses
from weft.transforms.consent.site_files import MAX_BYTES as MAX_RULES
from weft.transforms.fetch.guard import Guard
from weft.transforms.fetch.rate_limit import HostLimits, bare_host, host_of
from weft.transforms.fetch.robots import OPT_OUT, Problem, Reservations, Robots
from weft.transforms.urls import domains, resolve

MAX_REDIRECTS = 5
REDIRECTS = (301, 302, 303, 307, 308)
UNANSWERED = ("connection_failed", "timeout", "incomplete")
MOVED = "moved"  # to another host; `detail` is where to
IDLE_S = 10.0  # how long an open connection waits for its next use; servers close theirs after 5 to 75 s
_BUFFER = 1 << 18  # bytes of an answer that may wait to be read
_DRAINED = 1 << 16  # bytes of an answer nobody wants that are read so that its connection can be used again
MAX_LINE, MAX_HEADERS = 16_384, 256  # bytes of a header, and how many: twice what browsers are known to need


_sent: ContextVar[Callable[[], None]] = ContextVar("sent")  # of the turn that this task has


async def _tell(*_: object) -> None:
    """The headers of a request are on their way."""
    _sent.get()()


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
    exchange: Exchange | None = None  # of a crawl: all that was said, as an archive keeps it


class Answer(NamedTuple):
    """What one request gave: a response, or where it redirects to."""

    response: Response
    target: str = ""


class _Ended(aiohttp.ClientResponse):
    """Lets go of its connection for good where the request said so; aiohttp goes by the answer alone."""

    async def start(self, connection: Any) -> aiohttp.ClientResponse:
        if self.request_info.headers.get("Connection") == "close":
            connection.protocol.force_close()  # before the answer is read: a short one has let go of it by then
        return await super().start(connection)


class Client:
    """Fetches images from one event loop; an asynchronous context manager."""

    _answers: type[aiohttp.ClientResponse] = _Ended

    def __init__(self, manners: Manners, max_bytes: int = ImageLimits.max_bytes, leave_host: bool = True) -> None:
        """Keep what is said of how to ask; the loop's connections are made on entering.

        Args:
            manners: how long to wait, and what is honoured.
            max_bytes: of an image; a longer one is not read to its end.
            leave_host: follow redirects to other hosts; else they end as MOVED.

        Raises:
            ConfigError: `manners` has an entry in `connect_to`, `allow_networks` or `opt_out` that means nothing, or a
                user agent without a name.
        """
        self._manners, self._max_bytes, self._leave_host = manners, max_bytes, leave_host
        self._routes = dict(_route(entry) for entry in manners.connect_to)
        self._guard = Guard(manners.allow_networks)
        self.hosts = HostLimits(manners.per_host, manners.interval_s)
        self.tls = _trusted()
        responses.check(manners.opt_out)
        signals = manners.honoured & responses.SITE_SIGNALS
        self._robots = Robots(manners.user_agent, self._rules_file, signals, manners.ai_agents)
        self._reservations = Reservations(self._rules_file)

    async def __aenter__(self) -> Client:
        tracing = aiohttp.TraceConfig()
        tracing.on_request_headers_sent.append(_tell)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                resolver=self._guard, use_dns_cache=False, ssl=self.tls, limit=0, keepalive_timeout=IDLE_S
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            headers={"User-Agent": self._manners.user_agent, "Accept": "image/*,*/*;q=0.5"},
            skip_auto_headers=("Accept-Encoding",),
            timeout=aiohttp.ClientTimeout(total=None, sock_read=self._manners.stall_s or None),
            read_bufsize=_BUFFER,
            max_line_size=MAX_LINE,
            max_field_size=MAX_LINE,
            max_headers=MAX_HEADERS,
            response_class=self._answers,
            trace_configs=[tracing],
        )
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._session.close()
        await self._guard.close()

    async def get(self, url: str, last: bool = False, tries: int = 0) -> Response:
        """One GET, redirects followed; every failure is a reason, nothing is raised.

        Args:
            url: what to ask for.
            last: whether its host will not be asked again soon, so that its connection is not kept.
            tries: how often this was asked for before; a host that wants to be left alone is so for longer each time.
        """
        url, given = resolve(url, url), url
        if not url:
            return Response(0, b"", "bad_url", given[:200])
        left = self._manners.timeout_s  # what asking for the rules of sites takes is not the image's
        for _ in range(MAX_REDIRECTS + 1):
            problem = await self._refused(url)
            if problem.reason:
                return Response(problem.status, b"", problem.reason, problem.detail, url=url)
            (found, target), left = await self._in_turn(url, left, last=last, tries=tries)
            if not target:
                return found
            before, url = url, resolve(url, target)
            if not url:
                return Response(found.status, b"", "bad_redirect", target[:200])
            if not self._leave_host and bare_host(before) != bare_host(url):
                return Response(found.status, b"", MOVED, url)
        return Response(found.status, b"", "too_many_redirects", url[:200])

    async def _refused(self, url: str) -> Problem:
        """What the site's own files say against asking for this; their Crawl-delay is noted."""
        if self._manners.robots:
            problem = await self._robots.verdict(url)
            self.hosts.crawl_delay(host_of(url), self._robots.delay(url))
            if problem.reason:
                return problem
        if (
            self._manners.tdm_file
            and "tdm" in self._manners.honoured
            and (words := await self._reservations.reserved(url))
        ):
            return Problem(OPT_OUT, words)
        return Problem("", "")

    async def _rules_file(self, url: str) -> tuple[int, bytes, Problem]:
        """(status, body, problem) of a site's robots.txt or the like, redirects followed; it has a time of its own."""
        left = self._manners.timeout_s
        for _ in range(MAX_REDIRECTS + 1):
            (found, target), left = await self._in_turn(url, left, rules=True)
            if not target:
                return found.status, found.body, Problem(found.reason, found.detail)
            url = resolve(url, target)
            if not url:
                break
        # RFC 9309, 2.3.1.2: more than five redirects may be taken for unavailable; so is one that leads nowhere.
        return 404, b"", Problem("", "")

    async def _in_turn(
        self, url: str, seconds: float, rules: bool = False, last: bool = False, tries: int = 0
    ) -> tuple[Answer, float]:
        """(what one request gave, seconds that are left); waiting for the host's turn does not count.

        Args:
            rules: it is a site's robots.txt or tdmrep.json, and no image.
        """
        host = host_of(url)
        async with self.hosts.turn(host, image=not rules) as sent:
            _sent.set(sent)
            begun = time.monotonic()
            answer = await self._once(url, host, seconds, rules, last)
            self.hosts.answered(host, answer.response.status, answer.response.retry_after, tries, url)
            return answer, seconds - (time.monotonic() - begun)

    async def _once(self, url: str, host: str, seconds: float, rules: bool, last: bool) -> Answer:
        """One request, each way to fail as a response with its reason."""
        try:
            host.encode("idna")  # labels that are too long for a name
            async with asyncio.timeout(max(seconds, 0.0)):
                return await self._ask(url, host, rules, last)
        except PermissionError as error:
            failed = Response(0, b"", "private_address", str(error))
        except (aiohttp.InvalidURL, UnicodeError) as error:
            failed = Response(0, b"", "bad_url", str(error)[:200])
        except aiohttp.SocketTimeoutError:
            failed = Response(0, b"", "timeout", f"nothing came for {self._manners.stall_s:g} s")
        except TimeoutError:
            failed = Response(0, b"", "timeout", f"no whole answer in {self._manners.timeout_s:g} s")
        except aiohttp.ClientPayloadError as error:
            failed = Response(0, b"", "incomplete", one_line(error))
        except (OSError, aiohttp.ClientError, ValueError) as error:
            failed = Response(0, b"", "connection_failed", f"{host}: {one_line(error)}")
        return Answer(failed)

    async def _ask(self, url: str, host: str, rules: bool, last: bool) -> Answer:
        asked, headers = await self._request(url, host)
        if last:
            headers["Connection"] = "close"
        async with self._session.get(asked, headers=headers, allow_redirects=False) as answer:
            status, location = answer.status, answer.headers.get("Location")
            if status in REDIRECTS and location:
                await drain(answer)
                return Answer(Response(status, b"", "http_error", f"HTTP {status}"), as_utf8(location))
            if not 200 <= status < 300 or status == 206:  # a part that nobody asked for is no image
                await drain(answer)
                return Answer(Response(status, b"", "http_error", f"HTTP {status}", wait_of(answer.headers), url))
            if not rules:
                return Answer(await self._read_image(answer, url))
            body = await whole_body(answer, MAX_RULES)
            if len(body) > MAX_RULES:
                answer.close()
            return Answer(rules_of(answer, body))

    async def _request(self, url: str, host: str) -> tuple[URL, dict[str, str]]:
        """What to connect to for a URL, and the headers that go with it.

        Raises:
            PermissionError: its host is not public.
        """
        route = self._routed(host)
        if route:
            parts = urlsplit(url)
            path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            return URL(f"http://{route}{path}", encoded=True), {"Host": parts.netloc.rpartition("@")[2]}
        await self._guard.addresses(host)  # a literal address never reaches aiohttp's resolver
        return URL(url, encoded=True).with_user(None), {}

    async def _read_image(self, answer: aiohttp.ClientResponse, url: str) -> Response:
        status, headers = answer.status, [(name.lower(), value) for name, value in answer.headers.items()]
        words = responses.read_image(headers, self._manners.honoured)
        if words:
            await drain(answer)
            return Response(status, b"", OPT_OUT, words, url=url, opt_out=words)
        body: bytes | None = None
        if (answer.content_length or 0) <= self._max_bytes:
            try:
                body = await whole_body(answer, self._max_bytes)
            except aiohttp.ClientPayloadError as error:
                return Response(status, b"", "incomplete", one_line(error), url=url)
        if body is None or len(body) > self._max_bytes:
            answer.close()  # what is left is not read, so that its connection is of no more use
            return Response(status, b"", "too_many_bytes", f"over {self._max_bytes} bytes", url=url)
        found = unpacked(status, body, answer.headers.get("Content-Encoding", ""), self._max_bytes)
        words = responses.read_image(headers)  # not honoured, but on record
        return found._replace(url=url, opt_out=words, declared=answer.headers.get("Content-Type", "")[:80])

    def _routed(self, host: str) -> str | None:
        above = domains(host.lower().rstrip("."))
        return next((self._routes[domain] for domain in above if domain in self._routes), None)


@functools.cache
def _trusted() -> ssl.SSLContext:
    """The system's authorities: to load them takes 20 ms, and a process has a client for each unit of hosts."""
    return ssl.create_default_context()


def rules_of(answer: aiohttp.ClientResponse, body: bytes) -> Response:
    """A site's file, of a good answer with this body: read as from an archive, and of a long one the beginning."""
    plain, problem = http_message.decode(body[:MAX_RULES], answer.headers.get("Content-Encoding", ""))
    return Response(answer.status, plain[:MAX_RULES], problem, "")


async def whole_body(answer: aiohttp.ClientResponse, most: int) -> bytes:
    """The body; where it is longer than `most` bytes, somewhat more than those."""
    body = bytearray()
    async for chunk in answer.content.iter_any():
        body += chunk
        if len(body) > most:
            break
    return bytes(body)


async def drain(answer: aiohttp.ClientResponse) -> None:
    """Read what is left of a short answer, so that its connection can be used again."""
    length = answer.content_length
    if length is None or length > _DRAINED:
        answer.close()
    else:
        await answer.read()


def one_line(error: BaseException) -> str:
    """An exception in a line."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:200]


def wait_of(headers: CIMultiDictProxy[str]) -> float | None:
    """Seconds that a Retry-After header names, in either of its forms."""
    header = headers.get("Retry-After", "").strip()
    if header.isascii() and header.isdigit():
        return float(header[:12])
    try:
        return max(0.0, email.utils.parsedate_to_datetime(header).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return None


def unpacked(status: int, body: bytes, coding: str, most: int) -> Response:
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


def as_utf8(header: str) -> str:
    """A header as its bytes were meant: UTF-8, else Latin-1 (aiohttp keeps what is not UTF-8 as surrogates)."""
    try:
        header.encode("utf-8")
        return header
    except UnicodeEncodeError:
        return header.encode("utf-8", "surrogateescape").decode("latin-1")


def _route(entry: str) -> tuple[str, str]:
    host, equals, target = entry.partition("=")
    address, colon, port = target.rpartition(":")
    if not host or not equals or not address or not colon or (number := whole_number(port)) is None or number > 65_535:
        raise ConfigError(f"fetch.connect_to takes host=address:port, not {entry!r}")
    return host.lower().rstrip("."), target
