"""FetchImages in somebody else's pipeline: addresses in, rows out, bytes where the rows say."""

import functools
import io
import json
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from pathlib import Path

import apache_beam as beam
import pytest
from patience import PATIENT
from PIL import Image
from recording_web import RecordingWeb, picture, recording_web

from weft.schemas.parameters import ConfigError, FetchRules
from weft.schemas.records import Capture, ImageRow
from weft.transforms.fetch import fetch_images
from weft.transforms.fetch.fetch_images import FetchImages, ImageAddresses
from weft.transforms.io import files

HOST = "http://a.web.test"


@pytest.fixture
def web() -> Iterator[RecordingWeb]:
    with recording_web(takes=0.0) as made:
        yield made


def fetched(
    images: list[str | ImageAddresses], transform: FetchImages, captures: list[Capture] | None = None
) -> list[ImageRow]:
    """Rows of a pipeline with this transform, sorted."""
    with tempfile.TemporaryDirectory() as home:
        with beam.Pipeline() as p:
            if captures is not None:
                transform.captures = p | "Captures" >> beam.Create(captures)
            rows = p | "Images" >> beam.Create(images) | transform
            _ = rows | beam.Map(json.dumps) | beam.io.WriteToText(f"{home}/rows")
        lines = [line for path in Path(home).iterdir() for line in path.read_text().splitlines()]
    return sorted(ImageRow(*json.loads(line)) for line in lines)


def test_addresses_become_rows_and_each_is_asked_for_once(tmp_path: Path, web: RecordingWeb) -> None:
    rules = FetchRules(connect_to=(web.route,), max_side=32, retries=0, **PATIENT)
    urls = [f"{HOST}/ok/1", f"{HOST}/ok/2", f"{HOST}/ok/1#top", f"{HOST}/gone/3", f"{HOST}/to/b.web.test/4"]
    rows = fetched([*urls, ImageAddresses(f"{HOST}/ok/5", (f"{HOST}/ok/never",))], FetchImages(str(tmp_path), rules))
    assert {row.image_url.removeprefix(HOST): row.status for row in rows} == {
        "/ok/1": "ok", "/ok/2": "ok", "/gone/3": "http_error", "/to/b.web.test/4": "ok", "/ok/5": "ok",
    }  # fmt: skip
    for row in rows:
        if row.status == "ok":
            image = Image.open(io.BytesIO(files.read_range(str(tmp_path / row.blob), row.offset, row.length)))
            assert image.size == (row.stored_width, row.stored_height) == (32, 24) and row.width == 64
    asked = {url: count for url, count in web.counts().items() if "robots" not in url and "well-known" not in url}
    assert asked == dict.fromkeys([urls[0], urls[1], *urls[3:], f"{HOST}/ok/5", "http://b.web.test/ok/4"], 1)

    before = len(web.seen)
    again = fetched([*urls, f"{HOST}/ok/5"], FetchImages(str(tmp_path), rules))
    assert again == rows and len(web.seen) == before, "run again it goes on, and here nothing is left to do"


@pytest.mark.parametrize("http", [False, True])
def test_captures_are_read_and_not_asked_for(tmp_path: Path, web: RecordingWeb, http: bool) -> None:
    """Alternates count where nothing can be asked for; the newest capture of an address does."""
    captures, archive = [], b""
    for name, body, date in (("ok/1", "old", 1), ("ok/1", "new", 2), ("ok/small", "small", 1)):
        image = picture(body)
        http_part = b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n\r\n" + image
        captures.append(Capture(f"{HOST}/{name}", str(tmp_path / "a.warc"), len(archive), "image/png", date))
        archive += (
            f"WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: {HOST}/{name}\r\nWARC-Date: 2024-05-0{date}T00:00:00Z\r\n"
            f"WARC-Record-ID: <urn:uuid:{len(archive)}>\r\nContent-Type: application/http; msgtype=response\r\n"
            f"Content-Length: {len(http_part)}\r\n\r\n"
        ).encode() + http_part + b"\r\n\r\n"  # fmt: skip
    (tmp_path / "a.warc").write_bytes(archive)
    rules = FetchRules(http=http, connect_to=(web.route,), robots=False, tdm_file=False)
    images = [f"{HOST}/ok/1", ImageAddresses(f"{HOST}/ok/large", (f"{HOST}/ok/small",)), f"{HOST}/ok/9"]
    rows = fetched([*images], FetchImages(str(tmp_path / "out"), rules), captures)
    assert [(row.status, row.origin) for row in rows] == (
        [("ok", "warc"), ("ok", "http"), ("ok", "http")]
        if http
        else [("ok", "warc"), ("not_in_warc", "http"), ("ok", "warc")]
    )
    assert rows[0].fetched_at == 2
    assert len(web.seen) == (2 if http else 0)


def test_what_means_nothing_is_said_before_anything_runs(tmp_path: Path) -> None:
    for transform, told in (
        (FetchImages(str(tmp_path), FetchRules(connect_to=("nonsense",))), "connect_to"),
        (FetchImages(str(tmp_path), earlier=[str(tmp_path / "none")]), "no finished fetch"),
    ):
        with pytest.raises(ConfigError, match=told):
            fetched([f"{HOST}/a"], transform)
    assert not list(tmp_path.iterdir())


def test_a_process_is_set_up_where_images_are_prepared_and_not_by_importing(tmp_path: Path) -> None:
    program = """
        import json, sys, warnings
        import apache_beam as beam, cv2
        from PIL import AvifImagePlugin
        def state():
            return [cv2.getNumThreads(), AvifImagePlugin.DEFAULT_MAX_THREADS, warnings.filters[:]]
        cv2.setNumThreads(2)
        before = state()
        from weft.schemas.parameters import FetchRules
        from weft.transforms.fetch import decode, memory
        from weft.transforms.fetch.fetch_images import FetchImages
        calls, keep_freed = [], memory.keep_freed
        memory.keep_freed = lambda: calls.append(keep_freed())
        imported = state() == before
        with beam.Pipeline() as p:
            p | beam.Create(["http://a.test/1.jpg"]) | FetchImages(sys.argv[1], FetchRules(http=False))
        threads, avif, filters = state()
        named = [str(one[2].__name__) for one in filters if one not in before[2]]
        print(json.dumps([imported, threads, avif, len(calls), "DecompressionBombWarning" in named]))
    """
    command = [sys.executable, "-c", textwrap.dedent(program), str(tmp_path)]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(ran.stdout.splitlines()[-1]) == [True, 1, 1, 1, True]


def test_where_archives_lie_does_not_decide_which_capture_counts() -> None:
    for one, other in (("in/b/1.warc.gz", "in/a/2.warc.gz"), ("in/a/1.warc.gz", "in/b/2.warc.gz")):
        places = [fetch_images._Place(7, one, 9), fetch_images._Place(7, other, 3), fetch_images._Place(5, "0", 0)]
        assert functools.reduce(fetch_images._newer, places) == functools.reduce(fetch_images._newer, places[::-1])
        assert functools.reduce(fetch_images._newer, places) == places[0]
