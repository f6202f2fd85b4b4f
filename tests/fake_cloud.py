"""Google's side of a Dataflow submission on loopback: takes uploads and jobs, keeps them, says that each job is done.

What weft and Beam send is real, over HTTP; only the other end is not. Beam sends to it by two of its own settings: the
option dataflow_endpoint, and STORAGE_EMULATOR_HOST of Google's storage client.
"""

from __future__ import annotations

import base64
import contextlib
import email
import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import google_crc32c


class Cloud(ThreadingHTTPServer):
    """What was sent: objects by name, and jobs in their order."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.objects: dict[str, bytes] = {}
        self.jobs: list[dict[str, Any]] = []
        self.sessions: dict[str, tuple[str, bytearray]] = {}

    @property
    def address(self) -> str:
        return f"http://localhost:{self.server_address[1]}"


@contextlib.contextmanager
def serve() -> Iterator[Cloud]:
    cloud = Cloud()
    thread = threading.Thread(target=cloud.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield cloud
    finally:
        cloud.shutdown()
        cloud.server_close()
        thread.join()


def _described(name: str, body: bytes) -> dict[str, str]:
    checksum = google_crc32c.value(body).to_bytes(4, "big")
    return {"name": name, "bucket": "bucket", "size": str(len(body)), "crc32c": base64.b64encode(checksum).decode()}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Cloud

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        if job := re.search(r"/jobs/job-(\d+)$", path):
            number = int(job[1])
            return self._answer({**self.server.jobs[number], "id": f"job-{number}", "currentState": "JOB_STATE_DONE"})
        if re.search(r"/jobs/job-\d+/(messages|metrics)$", path):
            return self._answer({})
        if bucket := re.fullmatch(r"/storage/v1/b/([^/]+)", path):
            return self._answer({"name": bucket[1], "location": "US-CENTRAL1", "projectNumber": "1"})
        return self._answer({"error": {"code": 404, "message": f"no {path}"}}, 404)

    def do_POST(self) -> None:
        split = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if split.path.endswith("/jobs"):
            job = json.loads(body)
            self.server.jobs.append(job)
            return self._answer({**job, "id": f"job-{len(self.server.jobs) - 1}"})
        if "/upload/storage/v1/b/" in split.path:
            asked = parse_qs(split.query)
            if asked["uploadType"] == ["resumable"]:
                name = asked.get("name") or [json.loads(body or b"{}").get("name", "")]
                session = str(len(self.server.sessions))
                self.server.sessions[session] = (name[0], bytearray())
                return self._answer({}, headers={"Location": f"{self.server.address}/session/{session}"})
            parts = email.message_from_bytes(
                b"Content-Type: " + self.headers["Content-Type"].encode() + b"\r\n\r\n" + body
            ).get_payload()
            name = json.loads(parts[0].get_payload())["name"]
            self.server.objects[unquote(name)] = parts[1].get_payload(decode=True)
            return self._answer(_described(name, self.server.objects[unquote(name)]))
        return self._answer({"error": {"code": 404, "message": f"no {split.path}"}}, 404)

    def do_PUT(self) -> None:
        name, body = self.server.sessions[self.path.rsplit("/", 1)[1]]
        body += self.rfile.read(int(self.headers.get("Content-Length") or 0))
        stated = re.match(r"bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)", self.headers.get("Content-Range", ""))
        if stated and stated[3] != "*" and len(body) >= int(stated[3]):
            self.server.objects[unquote(name)] = bytes(body)
            return self._answer(_described(name, bytes(body)))
        return self._answer({}, 308, {"Range": f"bytes=0-{len(body) - 1}"})

    def _answer(self, value: dict[str, Any], status: int = 200, headers: dict[str, str] | None = None) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        for name, text in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, text)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""
