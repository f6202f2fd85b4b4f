"""Stored bytes: each is where its row says, once, in blobs of bounded size that appear whole or not at all."""

from pathlib import Path

import pytest

from weft.schemas.records import ImageRow
from weft.transforms.fetch.blobs import BlobWriter, Outcome, in_order, index_row
from weft.transforms.fetch.decode import Prepared, Refused
from weft.transforms.io import files


def prepared(data: bytes, name: str = "") -> Prepared:
    return Prepared(data, f"id{name}", "image/png", 40, 30, 20, 15, "0123456789abcdef", False)


def test_each_image_is_where_its_row_says(tmp_path: Path) -> None:
    bodies = [bytes([n]) * (n + 1) for n in range(40)]
    with BlobWriter(str(tmp_path), "unit", blob_bytes=100) as blobs:
        rows = [index_row(Outcome(f"k{n:02}", prepared(b), 200, 7), "http", blobs) for n, b in enumerate(bodies)]
    for row, body in zip(rows, bodies, strict=True):
        assert files.read_range(str(tmp_path / row.blob), row.offset, row.length) == body
    sizes = {path.name: path.stat().st_size for path in (tmp_path / "images/blobs").iterdir()}
    assert max(sizes.values()) <= 100 and sum(sizes.values()) == sum(map(len, bodies))
    assert sorted(sizes) == [f"unit-{n:03}.bin" for n in range(len(sizes))]
    assert rows[3] == ImageRow("k03", "id", "ok", 200, "image/png", 40, 30, 20, 15, "0123456789abcdef",
                               "images/blobs/unit-000.bin", 6, 4, 7, "http", False)  # fmt: skip


def test_equal_bytes_are_stored_once(tmp_path: Path) -> None:
    with BlobWriter(str(tmp_path), "unit", blob_bytes=10) as blobs:
        places = [blobs.store(data) for data in (b"aaaa", b"bbbb", b"aaaa", b"cccccccc", b"bbbb")]
    assert places[0] == places[2] and places[1] == places[4]
    assert [path.stat().st_size for path in sorted((tmp_path / "images/blobs").iterdir())] == [8, 8]


def test_an_image_larger_than_a_blob_has_one_of_its_own(tmp_path: Path) -> None:
    with BlobWriter(str(tmp_path), "unit", blob_bytes=5) as blobs:
        assert [blobs.store(data)[0][-7:] for data in (b"x" * 20, b"y")] == ["000.bin", "001.bin"]


def test_what_was_refused_has_a_row_and_no_bytes(tmp_path: Path) -> None:
    with BlobWriter(str(tmp_path), "unit") as blobs:
        row = index_row(Outcome("key", Refused("svg", "a detail"), 200, 7), "warc", blobs)
    assert (row.status, row.http_status, row.blob, row.length, row.origin) == ("svg", 200, "", 0, "warc")
    assert not (tmp_path / "images").exists()


def test_a_failure_leaves_no_half_blob(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="disk"), BlobWriter(str(tmp_path), "unit") as blobs:
        blobs.store(b"half")
        raise OSError("disk full")
    assert list((tmp_path / "images/blobs").iterdir()) == []


def test_answers_are_put_in_the_order_of_their_keys() -> None:
    found = [
        Outcome("c", prepared(b"third", "c"), 200, 1),
        Outcome("a", Refused("http_error", "404"), 404, 2),
        Outcome("b", prepared(b"", "b"), 200, 3),
        Outcome("d", prepared(b"fourth", "d"), 200, 4),
    ]
    assert list(in_order(iter(found))) == [found[1], found[2], found[0], found[3]]
