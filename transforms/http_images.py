"""One polite HTTP GET: bounded in time, bytes and redirects, and never into a private network.

URL → a whole answer, or the reason there is none. Connections are kept open and used again; robots.txt is asked for
once per site. The address of every hop is resolved here, checked to be public and then connected to itself, so that
a name cannot mean something else a moment later. `connect_to` entries lead a host and
its subdomains to a given address without these checks, much as curl's --connect-to; that is how a mirror, a cache or a
test server is used, and it is spoken to in plain HTTP even for https URLs.

When to ask again, and whom to leave alone, is transforms/hosts.py's.
"""

from __future__ import annotations

import email.utils
import http.client
import io
import ipaddress
import queue
import socket
import ssl
import threading
import time
import zlib
from typing import Any, NamedTuple
from urllib.parse import SplitResult, urlsplit

from schemas.config import ConfigError, Fetch
from transforms import optout
from transforms.robots import Problem, Robots
from transforms.urls import resolve

MAX_REDIRECTS = 5
ADDRESSES_TRIED = 3  # of a host with several
_ADDRESS_LIFE_S = 300.0  # how long a checked address is used before its name is asked for again
_REDIRECTS = (301, 302, 303, 307, 308)
_CHUNK = 1 << 16
_GLOBAL_V6 = ipaddress.IPv6Network("2000::/3")  # all that is assigned for global unicast (RFC 4291)
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052: an IPv4 address in the last 32 bits
UNANSWERED = ("connection_failed", "timeout", "incomplete")
MAX_DELAY_S = 30.0  # the longest Crawl-delay that is kept to; longer ones would stand still for days
IDLE_S = 15.0  # how long an open connection waits for its next use; servers close theirs after 5 to 75 s
_DRAINED = 1 << 16  # bytes of an answer nobody wants that are read so that its connection can be used again
_STALE = (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError, ConnectionAbortedError)


_Place = tuple[str, str, int | None]  # scheme, host, port


class Response(NamedTuple):
    """What a GET gave: `reason` is "" exactly when `body` is a whole 2xx answer that may be used."""

    status: int
    body: bytes
    reason: str
    detail: str
    retry_after: float | None = None  # seconds, where the server named a time


class Client:
    """Fetches images; safe to share among threads."""

    def __init__(self, config: Fetch) -> None:
        """Raises ConfigError for a connect_to entry that is not host=address:port."""
        self._config = config
        self._routes = dict(_route(entry) for entry in config.connect_to)
        self._known: dict[str, tuple[float, list[str]]] = {}
        self._gates: dict[str, threading.Semaphore] = {}  # by host: redirects of many sites may lead to one
        self._tls = ssl.create_default_context()
        self._idle = _Idle(config.concurrency)
        self._robots = Robots(config.user_agent, self._robots_txt)

    def get(self, url: str) -> Response:
        """One GET, redirects followed; every failure is a reason, nothing is raised."""
        deadline = time.monotonic() + self._config.timeout_s
        for _ in range(MAX_REDIRECTS + 1):
            reason, detail = self._refused(url)
            if reason:
                return Response(0, b"", reason, detail)
            found, target = self._once(url, deadline)
            if not target:
                return found
            url = resolve(url, _as_utf8(target))
            if not url:
                return Response(found.status, b"", "bad_redirect", target[:200])
        return Response(found.status, b"", "too_many_redirects", url[:200])

    def delay(self, url: str) -> float:
        """Seconds to leave between two requests to the host of this URL."""
        asked = self._robots.delay(url) if self._config.robots else 0.0
        return max(min(asked, MAX_DELAY_S), self._config.interval_s)

    def close(self) -> None:
        """Close what is open."""
        self._idle.close()

    def _refused(self, url: str) -> Problem:
        if not self._config.robots or not url.startswith(("http://", "https://")):
            return "", ""
        try:
            return self._robots.verdict(url)
        except ValueError:
            return "", ""  # no URL at all: `_once` says so

    def _robots_txt(self, url: str) -> tuple[int, bytes, Problem]:
        """(status, body, problem) of a robots.txt, redirects followed; it has a time of its own."""
        deadline = time.monotonic() + self._config.timeout_s
        for _ in range(MAX_REDIRECTS + 1):
            found, target = self._once(url, deadline, plain=True)
            if not target:
                return found.status, found.body, (found.reason, found.detail)
            url = resolve(url, _as_utf8(target))
        return 404, b"", ("", "")  # RFC 9309, 2.3.1.2: more than five redirects may be taken for unavailable

    def _once(self, url: str, deadline: float, plain: bool = False) -> tuple[Response, str]:
        """(answer, where it leads on to); opt-outs of images mean nothing where it is `plain` text."""
        try:
            parts = urlsplit(url)
            host = parts.hostname or ""
            host.encode("idna")
            _ = parts.port  # raises where it is no number
        except ValueError:
            return Response(0, b"", "bad_url", url[:200]), ""
        if parts.scheme not in ("http", "https") or not host:
            return Response(0, b"", "bad_url", url[:200]), ""
        gate = self._gates.setdefault(host, threading.Semaphore(self._config.per_host))
        if not gate.acquire(timeout=max(deadline - time.monotonic(), 0)):
            return Response(0, b"", "timeout", f"{host} had all its connections busy"), ""
        try:
            return self._ask(parts, deadline, plain)
        except PermissionError as error:
            return Response(0, b"", "private_address", str(error)), ""
        except (http.client.InvalidURL, UnicodeError) as error:
            return Response(0, b"", "bad_url", str(error)[:200]), ""
        except (OSError, http.client.HTTPException, ValueError) as error:
            if isinstance(error, TimeoutError) or time.monotonic() >= deadline:
                return Response(0, b"", "timeout", f"no whole answer in {self._config.timeout_s:g} s"), ""
            return Response(0, b"", "connection_failed", f"{host}: {type(error).__name__}: {error}"[:200]), ""
        finally:
            gate.release()

    def _ask(self, parts: SplitResult, deadline: float, plain: bool) -> tuple[Response, str]:
        """The exchange over a connection that is open, or over a new one."""
        host, port, secure = parts.hostname or "", parts.port, parts.scheme == "https"
        place = (parts.scheme, host, port)
        link, used = self._idle.take(place), True
        while True:
            if link is None:
                link, used = self._connect(host, port, secure, deadline), False
            again = False
            try:
                found, target, again = self._exchange(link, parts, deadline, plain)
                return found, target
            except _STALE:
                if not used:  # else the server closed it while it waited, and a new one tells
                    raise
            finally:
                if again:
                    self._idle.put(place, link)
                else:
                    link.close()
            link = None

    def _exchange(
        self, link: socket.socket, parts: SplitResult, deadline: float, plain: bool
    ) -> tuple[Response, str, bool]:
        """(answer, where it leads on to, whether the connection can be used again)."""
        line = http.client.HTTPConnection(parts.hostname or "")
        line.sock = _Timed(link, deadline)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        asked = {
            "Host": parts.netloc.rpartition("@")[2],
            "User-Agent": self._config.user_agent,
            "Accept": "image/*,*/*;q=0.5",
        }
        line.request("GET", path, headers=asked)
        answer = line.getresponse()
        headers = [(name.lower(), value) for name, value in answer.getheaders()]
        said = dict(headers)
        status, most = answer.status, self._config.max_bytes
        if status in _REDIRECTS and said.get("location"):
            return Response(status, b"", "http_error", f"HTTP {status}"), said["location"], _drained(answer)
        if not 200 <= status < 300:
            wait = _wait(said.get("retry-after", ""))
            return Response(status, b"", "http_error", f"HTTP {status}", wait), "", _drained(answer)
        wish = optout.read_image(headers) if self._config.honour_opt_out and not plain else ""
        if wish:
            return Response(status, b"", "opt_out", wish), "", _drained(answer)
        body = bytearray()
        too_long = (answer.length or 0) > most
        while not too_long and (chunk := answer.read(_CHUNK)):
            body += chunk
            too_long = len(body) > most
        if too_long:
            return Response(status, b"", "too_many_bytes", f"over {most} bytes"), "", False
        if answer.length:  # http.client passes over a body that ends early
            return Response(status, b"", "incomplete", f"{answer.length} bytes missing"), "", False
        again = not answer.will_close and answer.isclosed()
        return _unpacked(status, bytes(body), said.get("content-encoding", ""), most), "", again

    def _connect(self, host: str, port: int | None, secure: bool, deadline: float) -> socket.socket:
        """An open connection, encrypted where asked; PermissionError for a host that is not public."""
        route = self._routed(host)
        if route:
            return socket.create_connection(route, timeout=_left(deadline))
        addresses = self._addresses(host, deadline)[:ADDRESSES_TRIED]
        for number, address in enumerate(addresses, 1):
            share = _left(deadline) / (len(addresses) - number + 1)
            try:
                link = socket.create_connection((address, port or (443 if secure else 80)), timeout=share)
                break
            except OSError:
                if number == len(addresses):
                    raise
        if not secure:
            return link
        try:
            link.settimeout(_left(deadline))  # the handshake as a whole
            return self._tls.wrap_socket(link, server_hostname=host)
        except BaseException:
            link.close()
            raise

    def _routed(self, host: str) -> tuple[str, int] | None:
        labels = host.lower().rstrip(".").split(".")
        suffixes = (".".join(labels[start:]) for start in range(len(labels)))
        return next((self._routes[suffix] for suffix in suffixes if suffix in self._routes), None)

    def _addresses(self, host: str, deadline: float) -> list[str]:
        """Checked addresses of a host; asking for them counts against the deadline too."""
        now = time.monotonic()
        until, addresses = self._known.get(host, (0.0, []))
        if now >= until:
            addresses = _look_up(host, _left(deadline))
            self._known[host] = (now + _ADDRESS_LIFE_S, addresses)
        private = next((address for address in addresses if not is_public(address)), "")
        if private:
            raise PermissionError(f"{host} is {private}")
        return addresses


class _Idle:
    """Open connections that wait for their next use, the longest waiting closed first where there are too many."""

    def __init__(self, most: int) -> None:
        self._most, self._lock = most, threading.Lock()
        self._waiting: list[tuple[float, _Place, socket.socket]] = []  # by the time they were put back

    def take(self, place: _Place) -> socket.socket | None:
        """A connection to this place that is fresh enough, the youngest there is."""
        now = time.monotonic()
        with self._lock:
            while self._waiting and now - self._waiting[0][0] > IDLE_S:
                self._waiting.pop(0)[2].close()
            for index in range(len(self._waiting) - 1, -1, -1):
                if self._waiting[index][1] == place:
                    return self._waiting.pop(index)[2]
        return None

    def put(self, place: _Place, link: socket.socket) -> None:
        with self._lock:
            self._waiting.append((time.monotonic(), place, link))
            if len(self._waiting) > self._most:
                self._waiting.pop(0)[2].close()

    def close(self) -> None:
        with self._lock:
            while self._waiting:
                self._waiting.pop()[2].close()


class _Timed:
    """A connection whose every single operation ends with the whole request's time, however little it trickles."""

    def __init__(self, link: socket.socket, deadline: float) -> None:
        self._link, self._deadline = link, deadline

    def sendall(self, data: bytes) -> None:
        self._link.settimeout(_left(self._deadline))
        self._link.sendall(data)

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(_TimedReader(self._link, self._deadline), _CHUNK)

    def close(self) -> None:
        """The owner of the connection closes it."""


class _TimedReader(io.RawIOBase):
    def __init__(self, link: socket.socket, deadline: float) -> None:
        self._link, self._deadline = link, deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._link.settimeout(_left(self._deadline))
        return self._link.recv_into(buffer)


def is_public(address: str) -> bool:
    """Whether an address is global unicast, and so is any IPv4 address that it wraps."""
    found = ipaddress.ip_address(address.split("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped or found.sixtofour or found in _NAT64:
            inner = found.ipv4_mapped or found.sixtofour or ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
            return is_public(str(inner))
        if found not in _GLOBAL_V6:
            return False
    return found.is_global and not found.is_multicast and not found.is_reserved


def _look_up(host: str, seconds: float) -> list[str]:
    """Addresses by DNS, in the system's order of preference. The resolver knows no deadline, so a thread asks it."""
    answers: queue.SimpleQueue[list[str] | OSError | UnicodeError] = queue.SimpleQueue()

    def ask() -> None:
        try:
            found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
            answers.put(list(dict.fromkeys(str(entry[4][0]) for entry in found)))
        except (OSError, UnicodeError) as error:
            answers.put(error)

    threading.Thread(target=ask, daemon=True).start()
    try:
        answer = answers.get(timeout=seconds)
    except queue.Empty:
        raise TimeoutError(f"no address of {host} in time") from None
    if isinstance(answer, Exception):
        raise answer
    return answer


def _drained(answer: http.client.HTTPResponse) -> bool:
    """Read what is left of a short answer; whether its connection can be used again."""
    if answer.will_close or (answer.length or 0) > _DRAINED:
        return False
    answer.read(_DRAINED)
    return answer.isclosed()


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _wait(header: str) -> float | None:
    """Seconds that a Retry-After header names, in either of its forms."""
    if header.strip().isdigit():
        return float(header)
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
    """A header as its bytes were meant: http.client reads Latin-1, servers write UTF-8."""
    try:
        return header.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return header


def _route(entry: str) -> tuple[str, tuple[str, int]]:
    host, equals, target = entry.partition("=")
    address, colon, port = target.rpartition(":")
    if not host or not equals or not address or not colon or not port.isdigit() or int(port) > 65_535:
        raise ConfigError(f"fetch.connect_to takes host=address:port, not {entry!r}")
    return host.lower().rstrip("."), (address.strip("[]"), int(port))
