"""Served pages of `weft view`, and a small run of hostile pages to show."""

from __future__ import annotations

import http.client
import io
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, NamedTuple

import uvicorn
from PIL import Image

import weft.schemas.config as configuration
from weft.pipeline.run import manifest
from weft.pipeline.view import app, serve
from weft.schemas import tables
from weft.schemas.records import Cluster, Document, Fate, ImageMeta, ImageRow, Pair, Score, stable_id
from weft.transforms.fetch.blobs import digest
from weft.transforms.io.parquet import write_table
from weft.transforms.io.work_units import unit_name

EVIL = "\"><script>alert(1)</script><img src=x onerror=alert(2)> \u202etxt.exe {{ 7919*7927 }} '; DROP TABLE pages; --"
ARCHIVE = "/archives/a.warc.gz"
KEPT, TWIN, GONE = (stable_id("view", name) for name in ("kept", "twin", "gone"))
PICTURE = "http://pictures.test/a.jpg"


def tiny_run(home: Path, stages: Sequence[str] = ("extract", "dedup", "fetch", "score", "pack")) -> Path:
    """Two documents that are alike, and a page that was dropped; what the stages named have written of them."""
    manifest.write_run(str(home), configuration.load(), [(ARCHIVE, 1)])
    for stage, table, rows in _rows(home):
        if stage in stages:
            name = unit_name(ARCHIVE) + (".pages" if table == "fates/extract" else "")
            write_table(str(home / table / f"{name}.parquet"), rows, _SCHEMAS.get(table, tables.FATES))
    return home


_SCHEMAS = {
    "documents": tables.DOCUMENTS,
    "pairs": tables.PAIRS,
    "clusters": tables.CLUSTERS,
    "images/index": tables.IMAGES,
    "scores": tables.SCORES,
}


def _rows(home: Path) -> Iterator[tuple[str, str, list[Any]]]:
    meta = ImageMeta(EVIL, "A picture", "", None, None)
    urls = {KEPT: "http://a.test/kept", TWIN: "javascript:alert(3)", GONE: "https://www.sub.a.test/gone"}
    texts = {KEPT: ["one two three", None, EVIL], TWIN: ["one two four", None, EVIL]}
    place = [None, PICTURE, None]
    documents = [
        Document(key, urls[key], 0, ARCHIVE, n, f"<{n}>", "en", 0.9, EVIL, texts[key], place, [None, meta, None])
        for n, key in enumerate(texts)
    ]
    yield "extract", "documents", documents
    pages = [Fate("extract", "page", key, "kept", "", "", urls[key], f"{ARCHIVE}:{n}") for n, key in enumerate(texts)]
    gone = Fate("extract", "page", GONE, "dropped", "too_short", "3 words", urls[GONE], f"{ARCHIVE}:9")
    yield "extract", "fates/extract", [*pages, gone]
    pairs = [Pair(stable_id(f"pair {n}"), KEPT, urls[KEPT], PICTURE, f"{EVIL} {n}", "alt", "en", 0.9) for n in range(4)]
    yield "extract", "pairs", pairs
    cluster = [
        Cluster(KEPT, min(KEPT, TWIN), 2, KEPT, 1.0, "near"),
        Cluster(TWIN, min(KEPT, TWIN), 2, KEPT, 0.5, "near"),
    ]
    yield "dedup", "clusters", cluster
    decided = [
        Fate("dedup", "document", KEPT, "kept", "", ""),
        Fate("dedup", "document", TWIN, "dropped", "duplicate_near", KEPT),
    ]
    yield "dedup", "fates/dedup", decided
    data = io.BytesIO()
    Image.new("RGB", (40, 30), "teal").save(data, "JPEG")
    blob = home / "images/blobs/a.bin"
    blob.parent.mkdir(parents=True, exist_ok=True)
    blob.write_bytes(b"no picture" + data.getvalue())
    stored = (40, 30, 40, 30, "0" * 16, "images/blobs/a.bin", 10, len(data.getvalue()), 0, "http", False, "", "")
    images = [ImageRow(PICTURE, "f" * 64, "ok", 200, "image/jpeg", *stored, digest(data.getvalue()))]
    images.append(ImageRow("http://b.test/gone.jpg", "", "timeout", 0, "", 0, 0, 0, 0, "", "", 0, 0, 0, "http", False))
    yield "fetch", "images/index", images
    scores = [Score("pair", pair.pair_id, 0, 0, PICTURE, n / 10) for n, pair in enumerate(pairs[:3])]
    yield "score", "scores", [*scores, Score("document", KEPT, 1, 2, PICTURE, 0.25)]
    packed = [Fate("pack", "document", KEPT, "kept", "", "interleaved/train/000000.tar")]
    packed += [Fate("pack", "pair", f"{KEPT}:{pair.pair_id}", "dropped", "low_similarity", "0.1") for pair in pairs[:1]]
    yield "pack", "fates/pack", packed


class Answer(NamedTuple):
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


class Site:
    """A served run."""

    def __init__(self, port: int) -> None:
        self.port = port

    def get(self, path: str, host: str = "") -> Answer:
        """GET over HTTP, of exactly this path."""
        link = http.client.HTTPConnection("127.0.0.1", self.port)
        link.putrequest("GET", path, skip_host=True)
        link.putheader("Host", host or f"127.0.0.1:{self.port}")
        link.endheaders()
        answer = link.getresponse()
        found = Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
        link.close()
        return found


@contextmanager
def served(output: Path) -> Iterator[Site]:
    """The pages of an output directory, on loopback."""
    taken = serve.listening(0)
    server = uvicorn.Server(serve.configured(app.make(str(output))))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [taken]})
    thread.start()
    try:
        yield Site(taken.getsockname()[1])
    finally:
        server.should_exit = True
        thread.join()


class Seen(HTMLParser):
    """The elements of a page."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(markup)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def all(self, tag: str, attribute: str) -> list[str]:
        """Values of an attribute of a kind of element."""
        return [value for name, found in self.tags if name == tag and (value := found.get(attribute)) is not None]
