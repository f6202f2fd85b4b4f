"""The demo web's server: a directory of hosts over HTTP on the loopback address.

`www/<host>/<path>` is served under the Host header's name; `www/behaviour.json` says where an answer is more than a
file (status, headers). Every request is counted, so that a test can see who asked for what, and how often.
"""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

BEHAVIOUR = "behaviour.json"
requests: Counter[str] = Counter()  # "host/path" → GET requests since `serve` last began


def file_of(host: str, target: str) -> str:
    """Where the answer for a request target lies below `www`: one file name per target, however it is escaped."""
    return f"{host}/{quote(unquote(target.lstrip('/')), safe='/')}"


@contextmanager
def serve(directory: str) -> Iterator[int]:
    """Serve `directory`/www on a free port of 127.0.0.1 until the block ends; yields the port."""
    requests.clear()
    server = _Server(("127.0.0.1", 0), _Handler)
    server.www = Path(directory) / "www"
    server.behaviour = json.loads((server.www / BEHAVIOUR).read_text("utf-8"))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield int(server.server_address[1])
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64
    www: Path
    behaviour: dict[str, dict[str, Any]]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 30
    server: _Server

    def do_GET(self) -> None:
        name = file_of((self.headers.get("Host") or "").split(":")[0].lower(), self.path)
        with _COUNTING:
            requests[name] += 1
        told = self.server.behaviour.get(name, {})
        path = self.server.www / name
        is_there = ".." not in name.split("/") and path.is_file()
        body = path.read_bytes() if is_there else b""
        self.send_response(told.get("status", 200 if is_there else 404))
        for field, value in told.get("headers", {}).items():
            self.send_header(field, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""


_COUNTING = threading.Lock()
