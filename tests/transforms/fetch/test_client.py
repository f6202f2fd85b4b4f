"""One GET against real servers on the loopback address: every way to answer badly is bounded and named."""

import asyncio
import contextlib
import dataclasses
import gzip
import json
import socket
import ssl
import threading
import time
import tracemalloc
from collections.abc import Iterator
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from patience import PATIENT
from tls import server_context

from weft.schemas.parameters import ConfigError, CrawlRules, FetchRules
from weft.transforms.crawl.client import PAGE, CrawlClient
from weft.transforms.fetch.client import Client, Response
from weft.transforms.fetch.guard import Guard

BODY = b"\xff\xd8\xff" + bytes(range(256)) * 40
DRIPS_S = 60  # how long a slow answer takes

OPEN: list["Asking"] = []


class Asking:
    """A client whose event loop stays open between requests, as it does in a run."""

    def __init__(self, config: FetchRules, client: type[Client] = Client) -> None:
        OPEN.append(self)
        self.runner, self.client = asyncio.Runner(), client(config, config.max_bytes)
        self.runner.run(self.client.__aenter__())

    def get(self, url: str, last: bool = False) -> Response:
        return self.runner.run(self.client.get(url, last))

    def together(self, urls: list[str]) -> list[Response]:
        async def all_of_them() -> list[Response]:
            return await asyncio.gather(*map(self.client.get, urls))

        return self.runner.run(all_of_them())

    def close(self) -> None:
        self.runner.run(self.client.__aexit__(None, None, None))
        self.runner.close()


def ask(config: FetchRules, url: str, client: type[Client] = Client) -> Response:
    """One request of a client of its own."""
    return Asking(config, client).get(url)


@contextlib.contextmanager
def closed_port() -> Iterator[int]:
    """A port that nobody listens at, nor can meanwhile."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    """Whatever a test opened is closed after it."""
    yield
    while OPEN:
        OPEN.pop().close()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Any

    def do_GET(self) -> None:
        self.server.seen.append((self.headers["Host"], self.path, self.headers["User-Agent"]))
        name = self.path.lstrip("/").split("/")[0].split("?")[0]
        getattr(self, f"on_{name}", self.on_missing)()

    def answer(self, status: int = 200, body: bytes = BODY, **headers: str) -> None:
        self.send_response(status)
        for field, value in headers.items():
            self.send_header(field.replace("_", "-"), value)
        if "Content_Length" not in headers and "Transfer_Encoding" not in headers:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(body)

    def on_ok(self) -> None:
        self.answer()

    def on_missing(self) -> None:
        self.answer(404, b"gone")

    def on_later(self) -> None:
        self.answer(429, b"", Retry_After="7")

    def on_later_date(self) -> None:
        self.answer(503, b"", Retry_After=formatdate(time.time() + 3_600, usegmt=True))

    def on_slow(self) -> None:
        with self.server.lock:
            self.server.at_once += 1
            self.server.most_at_once = max(self.server.most_at_once, self.server.at_once)
        time.sleep(0.1)
        with self.server.lock:
            self.server.at_once -= 1
        self.answer()

    def on_trickle(self) -> None:
        self.answer(body=b"", Content_Length="100000")
        self._drip()

    def on_trickle_headers(self) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
        self._drip()

    def _drip(self) -> None:
        with contextlib.suppress(OSError):
            for _ in range(20 * DRIPS_S):
                self.wfile.write(b"x")
                time.sleep(0.05)

    def on_huge(self) -> None:
        self.answer(body=b"", Content_Length="999999999")

    def on_endless(self) -> None:
        self.answer(body=b"", Transfer_Encoding="chunked")
        with contextlib.suppress(OSError):
            while True:
                self.wfile.write(b"4000\r\n" + bytes(0x4000) + b"\r\n")

    def on_short(self) -> None:
        self.answer(body=BODY[:100], Content_Length=str(len(BODY)))
        self.close_connection = True

    def on_to(self) -> None:
        """/to/<where>: a redirect, the target as it is in the path."""
        self.answer(302, b"", Location=self.path.removeprefix("/to/").replace("%5B", "[").replace("%5D", "]"))

    def on_loop(self) -> None:
        self.answer(301, b"", Location="/loop")

    def on_nowhere(self) -> None:
        self.answer(302, b"")

    def on_robots(self) -> None:
        self.answer(X_Robots_Tag=self.path.removeprefix("/robots/").replace("_", " "))

    def on_reserved(self) -> None:
        self.answer(TDM_Reservation="1")

    def on_gzip(self) -> None:
        self.answer(body=gzip.compress(BODY), Content_Encoding="gzip")

    def on_bomb(self) -> None:
        self.answer(body=gzip.compress(bytes(5_000_000)), Content_Encoding="gzip")

    def on_unknown_coding(self) -> None:
        self.answer(Content_Encoding="zstd")

    def on_garbage(self) -> None:
        self.wfile.write(b"this is not HTTP\r\n\r\n")
        self.close_connection = True

    def on_bilder(self) -> None:
        self.answer(body=self.path.encode())

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""


class Server(ThreadingHTTPServer):
    daemon_threads = True
    seen: list[tuple[str, str, str]]
    at_once = most_at_once = 0
    lock = threading.Lock()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is no news."""


@contextlib.contextmanager
def serving(tls: ssl.SSLContext | None = None) -> Iterator[Server]:
    server = Server(("127.0.0.1", 0), Handler)
    server.seen = []
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving() as one:
        yield one


def config(server: Server, **section: Any) -> FetchRules:
    base = FetchRules(
        connect_to=(f"web.test=127.0.0.1:{server.server_address[1]}",), robots=False, tdm_file=False, **PATIENT
    )
    return dataclasses.replace(base, **section)


def get(server: Server, path: str, **section: Any) -> Response:
    url = path if path.startswith("http") else f"http://img.web.test/{path}"
    return ask(config(server, **section), url)


def test_a_whole_answer(server: Server) -> None:
    assert get(server, "ok", user_agent="weft-test/1") == Response(200, BODY, "", "", url="http://img.web.test/ok")
    assert server.seen[-1] == ("img.web.test", "/ok", "weft-test/1")
    assert get(server, "https://web.test:8443/ok?a=b").body == BODY
    assert server.seen[-1][:2] == ("web.test:8443", "/ok?a=b")


def test_errors_are_told_with_their_status(server: Server) -> None:
    assert get(server, "none")[:4] == (404, b"", "http_error", "HTTP 404")
    assert get(server, "nowhere")[:3] == (302, b"", "http_error")
    assert get(server, "later").retry_after == 7.0
    wait = get(server, "later_date").retry_after
    assert wait is not None and 3_000 < wait <= 3_600
    assert get(server, "garbage").reason == "connection_failed"


@pytest.mark.parametrize("path", ["trickle", "trickle_headers"])
def test_a_trickling_server_is_left_in_time(server: Server, path: str) -> None:
    begun = time.monotonic()
    assert get(server, path, timeout_s=0.4).reason == "timeout"
    assert time.monotonic() - begun < DRIPS_S / 2


def test_a_server_that_never_answers_is_left_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        found = ask(FetchRules(timeout_s=0.3, connect_to=(f"web.test=127.0.0.1:{port}",)), "http://web.test/a")
    assert found.reason == "timeout"


def test_a_closed_port_is_a_failed_connection() -> None:
    with closed_port() as port:
        found = ask(FetchRules(connect_to=(f"web.test=127.0.0.1:{port}",)), "http://web.test/a")
    assert found.reason == "connection_failed" and "Connect call failed" in found.detail


def test_no_more_is_read_than_allowed(server: Server) -> None:
    assert get(server, "huge", max_bytes=50_000).reason == "too_many_bytes"
    assert get(server, "endless", max_bytes=50_000).reason == "too_many_bytes"
    assert get(server, "ok", max_bytes=len(BODY)).reason == ""
    assert get(server, "ok", max_bytes=len(BODY) - 1).reason == "too_many_bytes"


def test_a_body_that_ends_early_is_not_taken_for_whole(server: Server) -> None:
    assert get(server, "short")[:3] == (200, b"", "incomplete")


def test_redirects_are_followed_a_few_times(server: Server) -> None:
    assert get(server, "to//ok").body == BODY
    assert get(server, "to/http://other.web.test/ok").body == BODY
    assert server.seen[-1][0] == "other.web.test"
    before = len(server.seen)
    assert get(server, "loop").reason == "too_many_redirects"
    assert len(server.seen) - before == 6
    assert get(server, "to/file:///etc/passwd").reason == "bad_redirect"
    assert get(server, "to/data:image/gif;base64,R0lGODlhAQABAA==").reason == "bad_redirect"


def test_names_beyond_ascii_are_asked_for_in_utf8(server: Server) -> None:
    assert get(server, "to//bilder/m%C3%BCnze.jpg").body == b"/bilder/m%C3%BCnze.jpg"
    with socket.create_server(("127.0.0.1", 0)) as raw:
        port = raw.getsockname()[1]

        def once() -> None:
            link, _ = raw.accept()
            link.recv(4096)
            head = "HTTP/1.1 302 Found\r\nLocation: http://web.test/bilder/münze 1.jpg\r\nContent-Length: 0\r\n\r\n"
            link.sendall(head.encode())
            link.close()

        thread = threading.Thread(target=once, daemon=True)
        thread.start()
        routes = (f"raw.test=127.0.0.1:{port}", *config(server).connect_to)
        assert (
            ask(FetchRules(connect_to=routes, **QUIET, **PATIENT), "http://raw.test/").body
            == b"/bilder/m%C3%BCnze%201.jpg"
        )
        thread.join()


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:{port}/ok",
        "http://localhost:{port}/ok",
        "http://[::1]:{port}/ok",
        "http://2130706433:{port}/ok",
        "http://0.0.0.0:{port}/ok",
        "http://169.254.169.254/latest/meta-data/",
        "http://10.0.0.1/",
        "http://[::ffff:127.0.0.1]:{port}/ok",
    ],
)
def test_private_addresses_are_refused_first_and_after_redirects(server: Server, url: str) -> None:
    url = url.format(port=server.server_address[1])
    before = len(server.seen)
    assert get(server, url).reason == "private_address"
    assert len(server.seen) == before
    assert get(server, f"to/{url}").reason == "private_address"
    assert len(server.seen) == before + 1  # the redirect alone


@pytest.mark.parametrize(
    "url", ["ftp://web.test/a", "file:///etc/passwd", "http:///a", "http://web.test:99999/a", "http://[/", "x", ""]
)
def test_what_cannot_be_asked_for_is_a_bad_url(server: Server, url: str) -> None:
    assert ask(config(server), url).reason == "bad_url"


def test_opt_outs_on_the_response_itself(server: Server) -> None:
    assert get(server, "robots/noimageai")[:4] == (200, b"", "opt_out", "X-Robots-Tag: noimageai")
    assert get(server, "robots/noai,_googlebot:_noindex").reason == "opt_out"
    assert get(server, "robots/unavailable_after:_25_Jun_2030,_noai").reason == "opt_out"
    assert get(server, "reserved").reason == "opt_out"
    assert get(server, "robots/all").body == BODY
    free = get(server, "robots/noimageai", honour_opt_out=False)
    assert free.body == BODY and free.opt_out == "X-Robots-Tag: noimageai", "on record all the same"
    assert get(server, "robots/noindex,_noai", opt_out=("noai",)).detail == "X-Robots-Tag: noai"
    assert get(server, "robots/noindex", opt_out=("noai",)).body == BODY
    with pytest.raises(ConfigError, match=r"no signal 'noia' .did you mean 'noai'"):
        Client(FetchRules(opt_out=("noia",)))


def test_private_networks_can_be_named(server: Server) -> None:
    port = server.server_address[1]
    named = FetchRules(allow_networks=("127.0.0.0/8",), **QUIET, **PATIENT)
    assert ask(named, f"http://127.0.0.1:{port}/ok").body == BODY
    assert ask(named, "http://10.0.0.1/").reason == "private_address"
    with pytest.raises(ConfigError, match="allow_networks"):
        Client(FetchRules(allow_networks=("everything",)))


def test_codings_nobody_asked_for(server: Server) -> None:
    assert get(server, "gzip").body == BODY
    assert get(server, "bomb", max_bytes=1_000_000).reason == "too_many_bytes"
    assert get(server, "unknown_coding").reason == "bad_encoding"


def test_one_host_is_not_asked_too_often_at_once(server: Server) -> None:
    """Many sites that redirect to one host share its connections."""
    client = Asking(config(server, per_host=1))
    server.most_at_once = 0
    found = client.together([f"http://site{n}.web.test/to/http://cdn.web.test/slow" for n in range(4)])
    assert [one.body for one in found] == [BODY] * 4
    assert server.most_at_once == 1


@pytest.mark.parametrize(
    "entry", ["web.test", "web.test=127.0.0.1", "web.test=127.0.0.1:http", "=127.0.0.1:1", "a=:1", "a=b:70000", "a=b:²"]
)
def test_a_wrong_connect_to_is_the_users_to_mend(entry: str) -> None:
    with pytest.raises(ConfigError, match="connect_to"):
        Client(FetchRules(connect_to=(entry,)))


def test_connect_to_holds_for_whole_labels(server: Server) -> None:
    assert get(server, "http://WEB.test/ok").body == BODY
    assert get(server, "http://a.b.web.test/ok").body == BODY
    before = len(server.seen)
    assert get(server, "http://notweb.test/ok", timeout_s=2.0).reason in ("connection_failed", "timeout")
    assert len(server.seen) == before


QUIET: Any = {"robots": False, "tdm_file": False}


class Loopback(Guard):
    """Takes every host to be here, so that TLS can be spoken to a server of the test's own."""

    async def addresses(self, host: str) -> list[str]:
        return ["127.0.0.1"]


class LoopbackClient(Client):
    """With that guard."""

    def __init__(self, manners: FetchRules, max_bytes: int) -> None:
        super().__init__(manners, max_bytes)
        self._guard = Loopback()
        self.tls = ssl.create_default_context()  # of its own: it is told of a certificate


def test_certificates_are_checked_and_encrypted_trickles_end_too(tmp_path: Path) -> None:
    with serving(server_context(tmp_path)) as server:
        port = server.server_address[1]
        client = Asking(FetchRules(**QUIET, **PATIENT), LoopbackClient)
        unknown = client.get(f"https://tls.test:{port}/ok")
        assert unknown.reason == "connection_failed" and "CERTIFICATE_VERIFY_FAILED" in unknown.detail
        client.client.tls.load_verify_locations(tmp_path / "cert.pem")
        assert client.get(f"https://tls.test:{port}/ok").body == BODY
        assert "mismatch" in client.get(f"https://other.test:{port}/ok").detail
        hasty = Asking(FetchRules(timeout_s=0.4, **QUIET), LoopbackClient)
        hasty.client.tls.load_verify_locations(tmp_path / "cert.pem")
        begun = time.monotonic()
        assert hasty.get(f"https://tls.test:{port}/trickle").reason == "timeout"
        assert time.monotonic() - begun < DRIPS_S / 2


def test_a_handshake_that_stalls_is_left_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        found = ask(FetchRules(timeout_s=0.3, **QUIET), f"https://tls.test:{silent.getsockname()[1]}/a", LoopbackClient)
    assert found.reason == "timeout"


class Counting(Server):
    """Counts connections."""

    connections = 0

    def get_request(self) -> Any:
        self.connections += 1
        return super().get_request()


def client_of(port: int, **section: Any) -> Asking:
    routes = (f"web.test=127.0.0.1:{port}", f"other.test=127.0.0.1:{port}")
    return Asking(FetchRules(**{"connect_to": routes, "tdm_file": False, **PATIENT, **section}))


@pytest.fixture
def counting() -> Iterator[Counting]:
    with Counting(("127.0.0.1", 0), Handler) as made:
        made.seen = []
        threading.Thread(target=made.serve_forever, daemon=True).start()
        yield made
        made.shutdown()


def test_a_connection_is_used_again(counting: Counting) -> None:
    client = client_of(counting.server_address[1], robots=False)
    for n in range(20):
        assert client.get(f"http://web.test/ok/{n}").body == BODY
        assert client.get(f"http://web.test/missing/{n}").status == 404  # its body is read, so that this goes on
    assert counting.connections == 1 and len(counting.seen) == 40
    assert client.get("http://other.test/ok").body == BODY  # a mirror serves all its hosts over it
    assert counting.connections == 1


class Keeping(Handler):
    """Keeps connections open that it was told to close."""

    def parse_request(self) -> bool:
        good = super().parse_request()
        self.close_connection = False
        return good


def test_a_connection_that_was_to_be_closed_is_not_used_again(counting: Counting) -> None:
    """RFC 9112, 9.6: whoever asks for that sends nothing more on it; a server may have closed it by then."""
    counting.RequestHandlerClass = Keeping
    client = client_of(counting.server_address[1], robots=False)
    assert client.get("http://web.test/to/http://web.test/ok", last=True).body == BODY
    assert counting.connections == 2


def test_a_connection_that_was_closed_meanwhile_is_opened_again() -> None:
    """The server closes after each answer without saying so, as servers do when they have waited enough."""
    asked: list[bytes] = []

    def serve(listening: socket.socket) -> None:
        for _ in range(3):
            link, _ = listening.accept()
            asked.append(link.recv(4096))
            link.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
            link.close()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=serve, args=(listening,), daemon=True).start()
        client = client_of(listening.getsockname()[1], robots=False)
        for _ in range(3):
            assert client.get("http://web.test/a").body == b"hi"
            time.sleep(0.05)
    assert len(asked) == 3


def test_what_is_left_of_an_answer_is_not_taken_for_the_next(counting: Counting) -> None:
    client = client_of(counting.server_address[1], robots=False, max_bytes=len(BODY) - 1)
    assert client.get("http://web.test/ok").reason == "too_many_bytes"
    assert client.get("http://web.test/missing").status == 404


ROBOTS = b"""User-agent: *
Disallow: /private
Crawl-delay: 7
User-agent: weft
Disallow: /*.gif$
Allow: /private/ok.gif
Crawl-delay: 2
"""


class Ruled(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Any

    def do_GET(self) -> None:
        self.server.seen.append((self.headers["Host"], self.path))
        status, body = 200, b"image"
        if self.path in ("/robots.txt", "/.well-known/tdmrep.json"):
            status, body = self.server.rules
        self.send_response(status)
        if self.path in ("/robots.txt", "/.well-known/tdmrep.json") and body.startswith(b"\x1f\x8b"):
            self.send_header("Content-Encoding", "gzip")
        self.send_header("X-Robots-Tag", "noai" if status == 404 or self.path == "/robots.txt" else "all")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""


@pytest.fixture
def ruled() -> Iterator[Any]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Ruled) as made:
        made.seen, made.rules = [], (200, ROBOTS)  # type: ignore[attr-defined]
        threading.Thread(target=made.serve_forever, daemon=True).start()
        yield made
        made.shutdown()


def test_robots_txt_is_kept_to_and_asked_for_once(ruled: Any) -> None:
    client = client_of(ruled.server_address[1])
    told = {path: client.get(f"http://web.test{path}").reason for path in ("/a.jpg", "/b.gif", "/private/x.jpg")}
    assert told == {"/a.jpg": "", "/b.gif": "robots_disallowed", "/private/x.jpg": ""}  # weft's own group counts alone
    assert client.get("http://web.test/private/ok.gif").reason == ""  # the longest rule decides
    assert client.get("http://web.test/x/../b.gif").reason == "robots_disallowed"
    assert [path for _, path in ruled.seen].count("/robots.txt") == 1
    assert client.client.hosts.delay("web.test") == 2.0 and client.client.hosts.delay("other.test") == 0.0
    anybody = client_of(ruled.server_address[1], user_agent="Mozilla/5.0 somebody")
    assert anybody.get("http://web.test/private/x.jpg").reason == "robots_disallowed"
    assert anybody.client.hosts.delay("web.test") == 7.0
    rude = client_of(ruled.server_address[1], robots=False)
    assert rude.get("http://web.test/b.gif").reason == "" and rude.client.hosts.delay("web.test") == 0.0


def test_a_tdm_file_is_asked_for_where_it_counts(ruled: Any) -> None:
    ruled.rules = (200, json.dumps([{"location": "/art", "tdm-reservation": 1}]).encode())
    client = client_of(ruled.server_address[1], robots=False, tdm_file=True)
    assert client.get("http://web.test/a.jpg").reason == ""
    found = client.get("http://web.test/art/a.jpg")
    assert (found.reason, found.detail) == ("opt_out", 'tdmrep.json: "location": "/art" is reserved')
    assert [path for _, path in ruled.seen].count("/.well-known/tdmrep.json") == 1
    for section in ({"honour_opt_out": False}, {"tdm_file": False}, {"opt_out": ("noai",)}):
        deaf = client_of(ruled.server_address[1], **{"robots": False, "tdm_file": True, **section})
        assert deaf.get("http://web.test/art/a.jpg").reason == ""


def test_a_bomb_in_a_sites_file_takes_little_memory_and_its_beginning_counts(ruled: Any) -> None:
    """What comes before 500 KiB of robots.txt is read; JSON that never ends says nothing, and the image is asked for."""
    rules = b"User-agent: *\nDisallow: /b\n", json.dumps([{"location": "/b", "tdm-reservation": 1}])[:-1].encode()
    reasons = []
    for begins in rules:
        ruled.rules = (200, gzip.compress(begins + b" " * (90 << 20), 1))
        assert len(ruled.rules[1]) < 500 << 10  # all of it is sent
        client = client_of(ruled.server_address[1], robots=begins is rules[0], tdm_file=begins is rules[1])
        tracemalloc.start()
        reasons.append(client.get("http://web.test/b.jpg").reason)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 150 << 20
    assert reasons == ["robots_disallowed", ""]


def test_redirects_ask_the_robots_txt_of_where_they_lead(ruled: Any, counting: Counting) -> None:
    routes = (f"web.test=127.0.0.1:{counting.server_address[1]}", f"ruled.test=127.0.0.1:{ruled.server_address[1]}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            Handler, "on_away", lambda self: self.answer(302, b"", Location="http://ruled.test/b.gif"), raising=False
        )
        found = ask(FetchRules(connect_to=routes, **PATIENT), "http://web.test/away")
    assert found.reason == "robots_disallowed" and ("ruled.test", "/b.gif") not in ruled.seen


def test_a_site_that_does_not_answer_is_told_as_it_is() -> None:
    with closed_port() as port:
        assert client_of(port).get("http://web.test/a").reason == "connection_failed"
    assert ask(FetchRules(), "http://127.0.0.1/a").reason == "private_address"


@pytest.mark.parametrize("client", [Client, lambda manners, _: CrawlClient(manners, CrawlRules(), lambda url: PAGE)])
def test_a_robots_txt_that_breaks_off_lets_nobody_in(
    server: Server, monkeypatch: pytest.MonkeyPatch, client: Any
) -> None:
    monkeypatch.setattr(Handler, "on_robots.txt", Handler.on_short, raising=False)
    found = ask(config(server, robots=True), "http://img.web.test/ok", client)
    assert (found.status, found.reason) == (0, "incomplete")


@pytest.mark.parametrize("target", ["https://", "mailto:a@b.test", "http://[/robots.txt", "file:///robots.txt"])
def test_a_robots_txt_that_is_redirected_to_no_address_is_none(
    server: Server, monkeypatch: pytest.MonkeyPatch, target: str
) -> None:
    monkeypatch.setattr(Handler, "on_robots.txt", lambda self: self.answer(301, b"", Location=target), raising=False)
    assert get(server, "ok", robots=True).body == BODY
