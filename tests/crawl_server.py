"""A loopback server of a folder, as data.commoncrawl.org serves its own: ranges, ETag, If-Range; and as it is on bad days.

`moods` are gone through request by request, over and over:

    ok      as it should be
    slow    a pause in the middle of the body
    break   the connection is cut in the middle of the body
    reset   no answer at all
    N       that status, without a body
    N+      that status with Retry-After: 1; who comes back earlier is written down in `too_early`

Also the layout: `lay_out` puts archives where a snapshot has them, `index` the columnar index of their records. And the
index's API, as index.commoncrawl.org answers: `captures` of the server, at /ID-index?url=….
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import shutil
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

import pyarrow as pa
import pyarrow.parquet as pq

from weft.transforms.archives.read import read_archive
from weft.transforms.archives.record import Record

SEGMENTS = 3
BLOCK = 7  # captures; of Common Crawl's 3,000


def lay_out(root: Path, snapshot: str, archives: Sequence[Path]) -> list[str]:
    """Archives in segments, and their list; returns their paths below `root`."""
    paths = []
    for number, archive in enumerate(archives):
        path = f"crawl-data/{snapshot}/segments/170794{number % SEGMENTS:07d}.{number % SEGMENTS}/warc/{archive.name}"
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(archive, root / path)
        paths.append(path)
    listed = "".join(path + "\n" for path in paths).encode()
    (root / f"crawl-data/{snapshot}/warc.paths.gz").write_bytes(gzip.compress(listed, mtime=0))
    return paths


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: CrawlServer

    def do_HEAD(self) -> None:
        self._serve()

    def do_GET(self) -> None:
        self._serve()

    def _serve(self) -> None:
        mood = self.server.enter(self.command, self.path, self.headers.get("Range", ""))
        with suppress(OSError):
            if mood == "reset":
                self._cut()
            elif mood[0].isdigit():
                self.send_response(int(mood.rstrip("+")))
                if mood.endswith("+"):
                    self.send_header("Retry-After", "1")
                self.send_header("Content-Length", "0")
                self.end_headers()
            else:
                self._file(mood)

    def _answer(self, status: int, data: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "text/x-ndjson")
        self.send_header("Content-Length", str(len(data.encode())))
        self.end_headers()
        self.wfile.write(data.encode())

    def _captures(self) -> None:
        """pywb over a ZipNum index: blocks of BLOCK lines, a page is `pageSize` of the blocks that hold an answer."""
        asked = dict(parse_qsl(self.path.partition("?")[2]))
        url, size = asked["url"], int(asked.get("pageSize", 5))
        if url.startswith("*."):
            start = ",".join(reversed(url[2:].split(".")))
            begins: tuple[str, ...] = (f"{start},",) if "," not in start else (f"{start})", f"{start},")
        else:
            host, _, path = url.rstrip("*").partition("/")
            begins = (",".join(reversed(host.removeprefix("www.").split("."))) + f")/{path}",)
        lines = sorted(self.server.captures, key=lambda one: one["urlkey"])
        hits = [number for number, one in enumerate(lines) if one["urlkey"].startswith(begins)]
        blocks = sorted({number // BLOCK for number in hits})
        pages = -(-len(blocks) // size)
        if "showNumPages" in asked and hits:
            self._answer(200, json.dumps({"pages": pages, "pageSize": size, "blocks": len(blocks)}))
            return
        page = int(asked.get("page", 0))
        mine = [lines[n] for n in hits if n // BLOCK in blocks[page * size : (page + 1) * size]]
        if hits and page >= pages:
            self._answer(
                400, json.dumps({"message": f"Page {page} invalid: First Page is 0, Last Page is {pages - 1}"})
            )
        elif not mine:
            self._answer(404, json.dumps({"message": f"No Captures found for: {url}"}))
        else:
            wanted = asked["fl"].split(",")
            told = [{key: one[key] for key in wanted if key in one} for one in mine]
            self._answer(200, "".join(json.dumps(one) + "\n" for one in told))

    def _file(self, mood: str) -> None:
        if self.path.partition("?")[0] == self.server.api:
            self._captures()
            return
        path = self.server.root / self.path.lstrip("/")
        if not path.is_file():
            self.send_response(404)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        data = path.read_bytes()
        etag = f'"{hashlib.md5(data).hexdigest()}"'
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if not self.server.ranges or self.headers.get("If-Range", etag) != etag:
            asked = None
        first, last = (int(asked[1]), int(asked[2] or len(data))) if asked else (0, len(data))
        part = data[first : last + 1]
        if asked and not part:
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(data)}")
            part = b""
        else:
            self.send_response(206 if asked else 200)
            if asked:
                self.send_header("Content-Range", f"bytes {first}-{first + len(part) - 1}/{len(data)}")
        self.send_header("ETag", etag)
        self.send_header("Last-Modified", "Tue, 05 Mar 2024 10:00:00 GMT")
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str(len(part)))
        self.end_headers()
        if self.command == "HEAD":
            return
        half = len(part) // 2
        self.wfile.write(part[:half])
        self.wfile.flush()
        if mood == "break":
            self._cut()
            return
        if mood == "slow":
            time.sleep(0.2)
        self.wfile.write(part[half:])

    def _cut(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""


class CrawlServer(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, root: Path, moods: Sequence[str], ranges: bool) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.root, self.moods, self.ranges = root, list(moods), ranges
        self.lock = threading.Lock()
        self.seen: list[tuple[str, str, str]] = []  # method, path, Range
        self.had: Counter[str] = Counter()  # mood → how often
        self.not_before: dict[str, float] = {}
        self.too_early: list[str] = []
        self.api, self.captures = "", list[dict[str, str]]()  # path, and lines of JSON
        self.fails_after: int | None = None  # requests, of which all that come later get 503

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/"

    def enter(self, method: str, path: str, asked: str) -> str:
        """Write a request down; the mood in which it is answered."""
        with self.lock:
            if time.monotonic() < self.not_before.pop(path, 0.0):
                self.too_early.append(path)
            mood = self.moods[len(self.seen) % len(self.moods)]
            if self.fails_after is not None and len(self.seen) >= self.fails_after:
                mood = "503"
            self.seen.append((method, path, asked))
            self.had[mood] += 1
            if mood.endswith("+"):
                self.not_before[path] = time.monotonic() + 1.0
            return mood

    def handle_error(self, request: object, client_address: object) -> None:
        """Quiet: clients may leave."""


@contextmanager
def crawl_server(root: Path, moods: Sequence[str] = ("ok",), ranges: bool = True) -> Iterator[CrawlServer]:
    server = CrawlServer(root, moods, ranges)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class Indexed(NamedTuple):
    """A row of the columnar index, as far as anything here looks at it."""

    url_surtkey: str
    url: str
    url_host_name: str
    fetch_status: int
    content_mime_type: str | None
    content_mime_detected: str | None
    content_languages: str | None
    warc_filename: str
    warc_record_offset: int
    warc_record_length: int
    warc_segment: str


def index(root: Path, snapshot: str, paths: Sequence[str], parts: int = 2, group: int = 40) -> list[Indexed]:
    """The columnar index of WARC files below `root`, sorted and laid out as Common Crawl's; returns its rows.

    Hosts that begin with "intl" count as German and English, others as English.
    """
    found = []
    for path in paths:
        if not path.endswith((".warc.gz", ".warc")):
            continue
        records = [one for one in read_archive(str(root / path)) if isinstance(one, Record)]
        ends = [one.offset for one in records[1:]] + [(root / path).stat().st_size]
        for one, end in zip(records, ends, strict=True):
            if one.kind == "response" and not one.problem:
                parts_of = urlsplit(one.url)
                host = parts_of.hostname or ""
                surt = ",".join(reversed(host.removeprefix("www.").split("."))) + ")" + parts_of.path.lower()
                mime = one.header("content-type").split(";")[0]
                language = ("deu,eng" if host.startswith("intl") else "eng") if mime == "text/html" else None
                found.append(
                    Indexed(
                        surt, one.url, host, one.status, mime or None, mime or None, language, path, one.offset,
                        end - one.offset, path.split("/")[3],
                    )
                )  # fmt: skip
    found.sort()
    listed = []
    share = -(-len(found) // parts)
    for number in range(parts):
        name = f"cc-index/table/cc-main/warc/crawl={snapshot}/subset=warc/part-{number:05d}-x.c000.gz.parquet"
        listed.append(name)
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        mine = found[number * share : (number + 1) * share]
        table = pa.table({key: [getattr(one, key) for one in mine] for key in Indexed._fields})
        small = {"fetch_status": pa.int16(), "warc_record_offset": pa.int32(), "warc_record_length": pa.int32()}
        table = table.cast(pa.schema([(n, small.get(n, pa.string())) for n in table.column_names]))
        pq.write_table(table, root / name, compression="gzip", row_group_size=group)
    listed.append(listed[0].replace("subset=warc", "subset=robotstxt"))
    text = "".join(name + "\n" for name in listed).encode()
    (root / f"crawl-data/{snapshot}/cc-index-table.paths.gz").write_bytes(gzip.compress(text, mtime=0))
    return found


def captures(rows: Sequence[Indexed]) -> list[dict[str, str]]:
    """The lines that the API answers with for these rows, and for what else a snapshot has of their hosts."""
    found = []
    for row in rows:
        line = {
            "urlkey": row.url_surtkey, "timestamp": "20240301000000", "url": row.url, "digest": "x",
            "mime": row.content_mime_type or "unk", "mime-detected": row.content_mime_detected,
            "status": str(row.fetch_status), "length": str(row.warc_record_length),
            "offset": str(row.warc_record_offset), "filename": row.warc_filename, "languages": row.content_languages,
        }  # fmt: skip
        found.append({key: value for key, value in line.items() if value is not None})
        found.append({**found[-1], "filename": row.warc_filename.replace("/warc/", "/robotstxt/")})
    return found
