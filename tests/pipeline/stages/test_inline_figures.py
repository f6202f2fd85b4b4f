"""Figures that are drawn in their pages, from the archive to the shards: nobody is asked, and one fate each."""

import gzip
import json
import tarfile
import uuid
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from faults import power
from small_pages import article, p

import weft.schemas.config as configuration
from weft.pipeline.run import inputs, manifest
from weft.pipeline.run.run import Run
from weft.schemas.parameters import ConfigError
from weft.transforms.extract.html import figures_of
from weft.transforms.urls import image_key

CIRCLES = "".join(f"<circle cx={20 + 40 * n} cy=60 r={5 + n} fill=green></circle>" for n in range(6))
FIGURE = f"<svg width=240 height=120 role=img aria-label='Six hills'>{CIRCLES}</svg>"
BROKEN = FIGURE.replace("role=img", "role=img data-x=''").replace("</circle>", "</circle>\x0c", 1)
PAGES = {
    f"http://a.test/{n}": article(p(9), f"<p>Page {n} is its own. {n * 7}</p>", FIGURE if n < 2 else BROKEN, p(8))
    for n in range(3)
}


def archive(path: Path, one_member: bool = False) -> Path:
    """A WARC file of the pages; in one gzip member all have one offset."""
    made = []
    for url, html in PAGES.items():
        http = b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n\r\n" + html.encode()
        head = (
            f"WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: {url}\r\nWARC-Date: 2024-01-02T03:04:05Z\r\n"
            f"WARC-Record-ID: <urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, url)}>\r\n"
            f"Content-Type: application/http;msgtype=response\r\nContent-Length: {len(http)}\r\n\r\n"
        )
        made.append(head.encode() + http + b"\r\n\r\n")
    parts = [b"".join(made)] if one_member else made
    path.write_bytes(b"".join(gzip.compress(part, mtime=0) for part in parts))
    return path


def run(output: Path, source: Path, *sets: str, stages=power.STAGES) -> Path:
    asked = [one for one in power.SMALL if not one.startswith("fetch.http")]
    config = configuration.load(
        overrides=(*asked, "extract.inline_svg=true", "fetch.svg=true", "fetch.retries=0", "dedup.near=false",
                   "dedup.exact=false", "pack.one_image_drop=0.0", "pack.one_image_drop=0.0", *sets)
    )  # fmt: skip
    found = tuple(inputs.marked(inputs.expand([str(source)])))
    ready = lambda: manifest.write_run(str(output), config, found)  # noqa: E731
    Run(str(output), found, config, ("--direct_num_workers=1",), quiet=True).go(stages, ready)
    return output


def rows(output: Path, table: str) -> list[dict]:
    return pq.read_table(output / table).to_pylist()


@pytest.fixture(autouse=True)
def nobody(monkeypatch):
    """No name is resolved, and nothing is connected to."""
    asked: list[object] = []
    for name in ("getaddrinfo", "create_connection"):
        monkeypatch.setattr(f"socket.{name}", lambda *told, **_: asked.append(told) or (_ for _ in ()).throw(OSError()))
    monkeypatch.setattr("socket.socket.connect", lambda _, place: asked.append(place))
    yield
    assert asked == []


@pytest.mark.parametrize("one_member", [False, True])
def test_they_are_drawn_from_their_pages_in_the_archive_and_stand_in_the_shards(
    tmp_path: Path, one_member: bool
) -> None:
    output = run(tmp_path / "out", archive(tmp_path / "a.warc.gz", one_member))
    (file,) = figures_of(PAGES["http://a.test/0"]).values()
    index = {row["image_url"]: row for row in rows(output, "images/index")}
    documents = rows(output, "documents")
    shown = {row["url"]: [image for image in row["images"] if image] for row in documents}
    assert set(index) == {image_key(image) for images in shown.values() for image in images} and len(index) == 3
    for n in range(2):
        (image,) = shown[f"http://a.test/{n}"]
        row = index[image_key(image)]
        assert (row["status"], row["mime"], row["origin"], row["final_url"]) == ("ok", "image/svg+xml", "warc", "")
        assert (row["width"], row["height"]) == (240, 120) and image.endswith(f"#svg={row['image_id']}")
    assert "#svg=" + row["image_id"] in {image[-69:] for image in shown["http://a.test/0"]} and "<circle" in file
    (image,) = shown["http://a.test/2"]
    assert index[image_key(image)]["status"] == "undecodable"
    fates = [row for row in rows(output, "fates/fetch") if row["kind"] == "image"]
    assert sorted(row["reason"] for row in fates) == ["", "", "undecodable"]
    told = []
    for path in (output / "shards/interleaved").rglob("*.tar"):
        with tarfile.open(path) as tar:
            for info in tar:
                told += json.load(tar.extractfile(info))["images"] if info.name.endswith(".json") else []
    assert {one["url"] for one in told} == {image for n in range(2) for image in shown[f"http://a.test/{n}"]}


def test_without_their_archive_they_are_not_asked_for(tmp_path: Path) -> None:
    folder = tmp_path / "pages/a.test"
    folder.mkdir(parents=True)
    (folder / "0.html").write_text(PAGES["http://a.test/0"])
    output = run(tmp_path / "out", tmp_path / "pages", stages=power.STAGES[:3])
    (row,) = rows(output, "images/index")
    assert row["status"] == "not_in_warc" and rows(output, "captures") == []


def test_one_that_nobody_draws_is_told_before_anything_runs(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"extract.inline_svg = true needs fetch.svg = true"):
        run(tmp_path / "out", archive(tmp_path / "a.warc.gz"), "fetch.svg=false")
    assert not (tmp_path / "out/documents").exists()
