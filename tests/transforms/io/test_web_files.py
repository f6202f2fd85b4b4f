"""A file behind a busy, breaking server is the same file; one that is not the same any more is an error."""

import io
import random
import sys

import pytest
from crawl_server import crawl_server

from weft.transforms.io import files, object_files, web_files
from weft.transforms.io.files import Unavailable

DATA = random.Random(7).randbytes(3_000_000)
BAD_DAY = ("503+", "ok", "break", "reset", "ok", "403", "500", "break", "ok", "slow", "429", "ok", "break")


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(web_files, "BACKOFF_S", 0.01)
    monkeypatch.setattr(web_files, "JITTER_S", 0.01)
    monkeypatch.setattr(web_files, "FIRST_WINDOW", 50_000)
    monkeypatch.setattr(web_files, "LAST_WINDOW", 400_000)


@pytest.fixture
def root(tmp_path):
    (tmp_path / "a.bin").write_bytes(DATA)
    (tmp_path / "empty").write_bytes(b"")
    return tmp_path


def test_bytes_are_the_same_on_a_bad_day_and_no_byte_is_asked_for_twice_without_need(root):
    with crawl_server(root, BAD_DAY) as server:
        with files.open_read(server.url + "a.bin") as stream:
            assert stream.read() == DATA
        assert set(server.had) == set(BAD_DAY)
        assert not server.too_early
        starts = [int(asked.removeprefix("bytes=").split("-")[0]) for _, _, asked in server.seen]
        assert starts == sorted(starts)  # it goes on where it broke, never before
        assert len(server.seen) < 60


def test_places_are_read_by_range(root):
    with crawl_server(root) as server:
        with files.open_read(server.url + "a.bin") as stream:
            for at in (2_999_990, 5, 1_500_000, 1_500_100):
                stream.seek(at)
                assert stream.read(100) == DATA[at : at + 100]
            assert stream.seek(-10, io.SEEK_END) == len(DATA) - 10
            assert stream.read() == DATA[-10:] and stream.read() == b""
        assert files.read_range(server.url + "a.bin", 7, 9) == DATA[7:16]
        asked = [one[2].removeprefix("bytes=").split("-") for one in server.seen]
        assert sum(int(last) - int(first) + 1 for first, last in asked) < 500_000


def test_a_server_without_ranges_serves_too(root):
    with (
        crawl_server(root, ("break", "ok"), ranges=False) as server,
        files.open_read(server.url + "a.bin") as stream,
    ):
        stream.seek(2_000_000)
        assert stream.read() == DATA[2_000_000:]
        stream.seek(0)
        assert stream.read(10) == DATA[:10]
        assert len(server.seen) == 2


@pytest.mark.parametrize("ranges", [True, False])
def test_an_empty_file_is_empty(root, ranges):
    with crawl_server(root, ranges=ranges) as server:
        assert files.read_bytes(server.url + "empty") == b""
        assert files.listing(server.url + "empty") == [(server.url + "empty", 0)]


@pytest.mark.parametrize("now", [DATA[::-1], DATA[:1_000_000], DATA + b"more"], ids=["other", "shorter", "longer"])
def test_a_file_that_changes_while_it_is_read_is_an_error(root, now):
    with crawl_server(root) as server, files.open_read(server.url + "a.bin") as stream:
        assert stream.read(40_000) == DATA[:40_000]
        (root / "a.bin").write_bytes(now)
        with pytest.raises(Unavailable, match="changed while it was read"):
            stream.read()


@pytest.mark.parametrize("mood", ["503", "break", "reset", "403"])
def test_patience_ends(root, mood):
    with (
        crawl_server(root, (mood,)) as server,
        pytest.raises(Unavailable, match=r"again|no answer") as raised,
    ):
        files.read_bytes(server.url + "a.bin")
    assert "\n" not in str(raised.value) and "a.bin" in str(raised.value)


def test_what_is_not_there_is_not_asked_for_again(root):
    with crawl_server(root) as server:
        for call in (files.read_bytes, files.listing):
            with pytest.raises(FileNotFoundError, match="404"):
                call(server.url + "none")
        assert len(server.seen) == 2


def test_nobody_there(monkeypatch):
    monkeypatch.setattr(web_files, "CONNECT_TRIES", 1)
    with pytest.raises(Unavailable, match=r"no answer from 127.0.0.1:9 for \S+: Failed.* refused"):
        files.read_bytes("http://127.0.0.1:9/x")


def test_sizes_of_many_are_known_at_once_and_silence_is_none(root):
    with crawl_server(root) as server:
        paths = [server.url + "a.bin"] * 20 + [server.url + "none"]
        assert files.sizes(paths) == [len(DATA)] * 20 + [None]
        assert {method for method, *_ in server.seen} == {"HEAD"}
    with crawl_server(root, ("503", "reset", "ok")) as server:
        assert files.sizes([server.url + "a.bin"]) == [len(DATA)]


@pytest.mark.parametrize(
    ("scheme", "extra"),
    [
        ("s3", "apache-beam[aws]"),
        ("hdfs", "apache-beam[hadoop]"),
        ("nix", "no file system"),
    ],
)
def test_a_store_that_is_not_installed_names_its_extra(scheme, extra, monkeypatch):
    monkeypatch.setitem(sys.modules, "boto3", None)  # as where the extra is not installed
    monkeypatch.setattr(object_files, "_stores", {})
    for call in (files.read_bytes, files.listing, files.exists):
        with pytest.raises(ValueError, match=extra.replace("[", r"\[")) as raised:
            call(f"{scheme}://bucket/a")
        assert "\n" not in str(raised.value)


def test_a_range_is_one_request_and_outlives_bad_days(root):
    with crawl_server(root) as server:
        assert files.read_range(server.url + "a.bin", 7, 9) == DATA[7:16]
        assert [span for _, _, span in server.seen] == ["bytes=7-15"]
        assert files.read_range(server.url + "a.bin", len(DATA) - 5, 300) == DATA[-5:]
        assert files.read_range(server.url + "a.bin", len(DATA) + 5, 300) == b""
        with pytest.raises(FileNotFoundError):
            files.read_range(server.url + "none", 0, 5)
    with crawl_server(root, moods=("break", "503", "ok")) as server:
        assert files.read_range(server.url + "a.bin", 100, 60_000) == DATA[100:60_100]
    with crawl_server(root, ranges=False) as server:
        assert files.read_range(server.url + "a.bin", 100, 50) == DATA[100:150]
