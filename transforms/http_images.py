"""One polite HTTP GET: bounded in time, bytes and redirects, and never into a private network.

The address of every hop is resolved here, checked to be public, and connected to itself, so that a name cannot mean
something else a moment later. `connect_to` entries lead a host to a given address instead, as curl's --connect-to does;
that is how a mirror, a cache or a test server is used.
"""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
import threading
import time
from collections import Counter
from typing import NamedTuple
from urllib.parse import urljoin, urlsplit

from schemas.config import ConfigError, Fetch
from transforms import optout

MAX_REDIRECTS = 5
MAX_WAIT_S = 20.0  # longest Retry-After that is waited for
DEAD_AFTER = 3  # failed connections to a host before the rest of its images are given up
_RETRY = (429, 500, 502, 503, 504)
_CHUNK = 1 << 16


class Response(NamedTuple):
    """What a GET gave: `reason` is "" exactly when `body` is a whole 2xx answer."""

    status: int
    body: bytes
    reason: str
    detail: str


class Client:
    """Fetches for one work unit; remembers which hosts are dead and limits connections to each host."""

    def __init__(self, config: Fetch) -> None:
        """Raises ConfigError for a connect_to entry that is not host=address:port."""
        self._config = config
        self._routes = dict(_route(entry) for entry in config.connect_to)
        self._failures: Counter[str] = Counter()
        self._hosts: dict[str, threading.Semaphore] = {}
        self._lock = threading.Lock()
        self._tls = ssl.create_default_context()

    def get(self, url: str) -> Response:
        """GET with retries; every failure is a reason, nothing is raised."""
        host = urlsplit(url).hostname or ""
        with self._lock:
            gate = self._hosts.setdefault(host, threading.Semaphore(self._config.per_host))
        with gate:
            for attempt in range(self._config.retries + 1):
                if self._failures[host] >= DEAD_AFTER:
                    return Response(0, b"", "host_unreachable", f"{DEAD_AFTER} connections to {host} failed")
                found, wait = self._follow(url)
                if found.reason == "connection_failed":
                    self._failures[host] += 1
                elif found.status:
                    self._failures[host] = 0
                again = found.status in _RETRY or found.reason in ("connection_failed", "timeout")
                if not again or attempt == self._config.retries:
                    return found
                time.sleep(min(wait if wait is not None else 0.3 * 2**attempt, MAX_WAIT_S))
        raise AssertionError("unreachable")

    def _follow(self, url: str) -> tuple[Response, float | None]:
        deadline = time.monotonic() + self._config.timeout_s
        for _ in range(MAX_REDIRECTS + 1):
            found, headers = self._once(url, deadline)
            target = headers.get("location")
            if found.status in (301, 302, 303, 307, 308) and target:
                url = urljoin(url, target)
                continue
            after = headers.get("retry-after", "")
            return found, float(after) if after.isdigit() else None
        return Response(0, b"", "too_many_redirects", url), None

    def _once(self, url: str, deadline: float) -> tuple[Response, dict[str, str]]:
        parts = urlsplit(url)
        host = parts.hostname or ""
        if parts.scheme not in ("http", "https") or not host:
            return Response(0, b"", "bad_url", url[:200]), {}
        try:
            port = parts.port or (443 if parts.scheme == "https" else 80)
            address, port, secure = self._address(host, port, parts.scheme == "https")
        except PermissionError as error:
            return Response(0, b"", "private_address", str(error)), {}
        except (OSError, UnicodeError, ValueError) as error:
            return Response(0, b"", "connection_failed", f"{host}: {error}"), {}
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        try:
            return self._exchange(address, port, secure, parts.netloc.rpartition("@")[2], path, deadline)
        except TimeoutError:
            return Response(0, b"", "timeout", f"{self._config.timeout_s} s"), {}
        except (OSError, http.client.HTTPException, ValueError) as error:
            late = time.monotonic() >= deadline
            return Response(0, b"", "timeout" if late else "connection_failed", f"{type(error).__name__}: {error}"), {}

    def _exchange(
        self, address: str, port: int, secure: bool, host: str, path: str, deadline: float
    ) -> tuple[Response, dict[str, str]]:
        left = max(deadline - time.monotonic(), 0.05)
        link = socket.create_connection((address, port), timeout=left)
        # A server that trickles keeps every single read short of its timeout: the clock closes the line instead.
        clock = threading.Timer(left, _hang_up, (link,))
        clock.daemon = True
        clock.start()
        try:
            if secure:
                link = self._tls.wrap_socket(link, server_hostname=host.rpartition(":")[0] or host)
            line = http.client.HTTPConnection(host)
            line.sock = link
            line.request(
                "GET",
                path,
                headers={"Host": host, "User-Agent": self._config.user_agent, "Accept": "image/*,*/*;q=0.5"},
            )
            answer = line.getresponse()
            headers = [(name.lower(), value) for name, value in answer.getheaders()]
            said = dict(headers)
            if not 200 <= answer.status < 300:
                return Response(answer.status, b"", "http_error", f"HTTP {answer.status}"), said
            wish = optout.read_image(headers)
            if wish and self._config.honour_opt_out:
                return Response(answer.status, b"", "opt_out", wish), said
            body = bytearray()
            while chunk := answer.read(_CHUNK):
                body += chunk
                if len(body) > self._config.max_bytes:
                    return Response(answer.status, b"", "too_many_bytes", f"over {self._config.max_bytes}"), said
            if time.monotonic() >= deadline:
                return Response(0, b"", "timeout", f"{self._config.timeout_s} s"), said
            return Response(answer.status, bytes(body), "", ""), said
        finally:
            clock.cancel()
            link.close()

    def _address(self, host: str, port: int, secure: bool) -> tuple[str, int, bool]:
        """Where to connect for a host; PermissionError where that is not on the public internet."""
        labels = host.lower().split(".")
        for start in range(len(labels)):
            route = self._routes.get(".".join(labels[start:]))
            if route:
                return route[0], route[1], False
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        addresses = [str(entry[4][0]) for entry in found]
        for address in addresses:
            if not _public(address):
                raise PermissionError(f"{host} is {address}")
        return addresses[0], port, secure


def _public(address: str) -> bool:
    found = ipaddress.ip_address(address.split("%")[0])
    mapped = getattr(found, "ipv4_mapped", None)
    found = mapped or found
    return found.is_global and not found.is_multicast


def _route(entry: str) -> tuple[str, tuple[str, int]]:
    host, equals, target = entry.partition("=")
    address, colon, port = target.rpartition(":")
    if not equals or not colon or not port.isdigit():
        raise ConfigError(f"fetch.connect_to takes host=address:port, not {entry!r}")
    return host.lower(), (address, int(port))


def _hang_up(link: socket.socket) -> None:
    try:
        link.shutdown(socket.SHUT_RDWR)
    except OSError:
        return
