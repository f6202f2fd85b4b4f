"""A web of many hosts at one address that answers by path and writes down who was asked for what, when and how often.

    /ok/...           a picture that no other address has
    /once/STATUS/...  that status with Retry-After the first time, then as /ok
    /fail/STATUS/...  that status the first time, without a word of when to come back, then as /ok
    /to/HOST/...      redirect to /ok/... of that host
    /gone/...         404
    /robots.txt       allows everything; on hosts whose name begins with "busy" only at the second try

Also what fetch expects to find of the stages before it, for a list of addresses.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from PIL import Image

from weft.schemas.records import KeptRow, Pair
from weft.schemas.tables import CAPTURES, DOCUMENTS, KEPT, PAIRS
from weft.transforms.io.parquet import write_table

RETRY_AFTER_S = 1


def picture(name: str) -> bytes:
    small = Image.frombytes("RGB", (4, 4), (hashlib.sha256(name.encode()).digest() * 2)[:48])
    out = io.BytesIO()
    small.resize((64, 48), Image.Resampling.NEAREST).save(out, "PNG")
    return out.getvalue()


@dataclasses.dataclass
class Seen:
    """One request."""

    host: str
    path: str
    begun: float
    status: int = 0
    ended: float = 0.0  # before a byte of the answer is out
    answered: float = float("inf")  # after its last, if that went out


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: RecordingWeb

    def do_GET(self) -> None:
        seen = Seen(self.headers["Host"].split(":")[0], self.path, time.monotonic())
        nth = self.server.enter(seen)
        if self.server.held.is_set():
            self.server.let_go.wait()
        time.sleep(self.server.takes)
        seen.status, headers, body = self._answer(seen, nth)
        self.server.leave(seen)  # before the answer is out, or the next request may be here first
        with suppress(OSError):
            self.send_response(seen.status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            seen.answered = time.monotonic()

    def _answer(self, seen: Seen, nth: int) -> tuple[int, dict[str, str], bytes]:
        kind, _, rest = seen.path.strip("/").partition("/")
        wait = {"Retry-After": str(RETRY_AFTER_S)}
        if kind == "robots.txt":
            return (503, wait, b"") if seen.host.startswith("busy") and nth == 1 else (200, {}, b"User-agent: *\n")
        if kind in ("once", "fail") and nth == 1:
            return int(rest.partition("/")[0]), wait if kind == "once" else {}, b""
        if kind == "to":
            host, _, rest = rest.partition("/")
            return 302, {"Location": f"http://{host}/ok/{rest}"}, b""
        if kind == "gone":
            return 404, {}, b"gone"
        return 200, {"Content-Type": "image/png"}, picture(seen.host + seen.path)

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""


class RecordingWeb(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def __init__(self, takes: float, handler: type[Handler] = Handler) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self.takes = takes
        self.lock = threading.Lock()
        self.seen: list[Seen] = []
        self.at_once: Counter[str] = Counter()
        self.most: Counter[str] = Counter()
        self.holds_at: int | None = None  # requests, of which no later one is answered before it is `let_go`
        self.held, self.let_go = threading.Event(), threading.Event()

    def handle_error(self, request: object, client_address: object) -> None:
        """Quiet: clients may be killed."""

    @property
    def route(self) -> str:
        """For fetch.connect_to."""
        return f"web.test=127.0.0.1:{self.server_address[1]}"

    def enter(self, seen: Seen) -> int:
        """Write a request down; the how manieth for its address it is."""
        with self.lock:
            self.seen.append(seen)
            if len(self.seen) == self.holds_at:
                self.held.set()
            for name in (seen.host, "all"):
                self.at_once[name] += 1
                self.most[name] = max(self.most[name], self.at_once[name])
            return sum((one.host, one.path) == (seen.host, seen.path) for one in self.seen)

    def leave(self, seen: Seen) -> None:
        with self.lock:
            seen.ended = time.monotonic()
            for name in (seen.host, "all"):
                self.at_once[name] -= 1

    def by_host(self) -> dict[str, list[Seen]]:
        """Requests of each host in the order in which they came."""
        found: dict[str, list[Seen]] = defaultdict(list)
        for one in sorted(self.seen, key=lambda one: one.begun):
            found[one.host].append(one)
        return found

    def counts(self) -> Counter[str]:
        """Address → requests."""
        return Counter(f"http://{one.host}{one.path}" for one in self.seen)


def hurried(asked: Sequence[Seen], interval_s: float, since: float) -> bool:
    """Whether requests to a host, none of which was sent before `since`, came faster than it bears.

    One that was sent in time may be written down late on a busy machine, and the next then seems to come too soon. But
    none is written down before it was sent, so the last cannot be there before all intervals since `since` are over. That
    the interval holds between any two is shown by the limits' own tests, on a clock of theirs.
    """
    return bool(asked) and asked[-1].begun - since < 0.95 * interval_s * (len(asked) - 1)  # clocks may be set


@contextmanager
def recording_web(takes: float = 0.02, handler: type[Handler] = Handler) -> Iterator[RecordingWeb]:
    web = RecordingWeb(takes, handler)
    thread = threading.Thread(target=web.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield web
    finally:
        web.shutdown()
        web.server_close()
        thread.join()


def plant(output: str, urls: Sequence[str]) -> None:
    """What extract and dedup leave of pages that show these pictures."""
    pairs = [Pair(f"p{n}", "d", "http://page.test/", url, "words", "alt", "en", 0.9) for n, url in enumerate(urls)]
    write_table(f"{output}/pairs/0.parquet", pairs, PAIRS)
    write_table(f"{output}/documents/0.parquet", [], DOCUMENTS)
    write_table(f"{output}/captures/0.parquet", [], CAPTURES)
    write_table(f"{output}/kept/0.parquet", [KeptRow("pair", f"d:{p.pair_id}", "d", "", 0) for p in pairs], KEPT)
