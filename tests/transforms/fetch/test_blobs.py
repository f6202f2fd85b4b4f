"""Stored bytes: each is where its row says, once, in blobs of bounded size that appear whole or not at all."""

from pathlib import Path

import pytest

from weft.schemas.records import ImageRow
from weft.schemas.tables import IMAGES
from weft.transforms.fetch.blobs import (
    BlobWriter,
    Damaged,
    Outcome,
    StoredBytes,
    digest,
    in_order,
    index_row,
    read_stored,
    sweep,
)
from weft.transforms.fetch.decode import Prepared, Refused
from weft.transforms.io import files
from weft.transforms.io.parquet import write_table


def stored_bytes(output: Path, row: ImageRow) -> StoredBytes:
    return StoredBytes(str(output / row.blob), row.offset, row.length, row.digest, row.image_url)


def prepared(data: bytes, name: str = "") -> Prepared:
    return Prepared(data, f"id{name}", "image/png", 40, 30, 20, 15, "0123456789abcdef", False)


def test_each_image_is_where_its_row_says(tmp_path: Path) -> None:
    bodies = [bytes([n]) * (n + 1) for n in range(40)]
    with BlobWriter(str(tmp_path), "unit", blob_bytes=100) as blobs:
        rows = [index_row(Outcome(f"k{n:02}", prepared(b), 200, 7), "http", blobs) for n, b in enumerate(bodies)]
    rows = [blobs.named(row) for row in rows]
    for row, body in zip(rows, bodies, strict=True):
        assert files.read_range(str(tmp_path / row.blob), row.offset, row.length) == body
    sizes = {path.name: path.stat().st_size for path in (tmp_path / "images/blobs").iterdir()}
    assert max(sizes.values()) <= 100 and sum(sizes.values()) == sum(map(len, bodies))
    assert [name[:9] for name in sorted(sizes)] == [f"unit-{n:03}-" for n in range(len(sizes))]
    assert rows[3] == ImageRow("k03", "id", "ok", 200, "image/png", 40, 30, 20, 15, "0123456789abcdef",
                               f"images/blobs/{min(sizes)}", 6, 4, 7, "http", False, digest=digest(bodies[3]))  # fmt: skip
    assert list(read_stored([stored_bytes(tmp_path, row) for row in rows])) == bodies


def test_equal_bytes_are_stored_once(tmp_path: Path) -> None:
    with BlobWriter(str(tmp_path), "unit", blob_bytes=10) as blobs:
        places = [blobs.store(data) for data in (b"aaaa", b"bbbb", b"aaaa", b"cccccccc", b"bbbb")]
    assert places[0] == places[2] and places[1] == places[4]
    assert len({place[2] for place in places}) == 3
    assert [path.stat().st_size for path in sorted((tmp_path / "images/blobs").iterdir())] == [8, 8]


def test_an_image_larger_than_a_blob_has_one_of_its_own(tmp_path: Path) -> None:
    with BlobWriter(str(tmp_path), "unit", blob_bytes=5) as blobs:
        assert [blobs.store(data)[:2] for data in (b"x" * 20, b"y")] == [(0, 0), (1, 0)]


def test_what_was_refused_has_a_row_and_no_bytes(tmp_path: Path) -> None:
    with BlobWriter(str(tmp_path), "unit") as blobs:
        row = index_row(Outcome("key", Refused("svg", "a detail"), 200, 7), "warc", blobs)
    assert (row.status, row.http_status, row.blob, row.length, row.origin) == ("svg", 200, "", 0, "warc")
    assert not (tmp_path / "images").exists() and blobs.named(row) == row


def test_a_failure_leaves_no_half_blob(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="disk"), BlobWriter(str(tmp_path), "unit") as blobs:
        blobs.store(b"half")
        raise OSError("disk full")
    assert list((tmp_path / "images/blobs").iterdir()) == []


def attempt(output: Path, *bodies: bytes) -> tuple[BlobWriter, list[ImageRow]]:
    """A unit at work: everything is stored, nothing is published yet."""
    blobs = BlobWriter(str(output), "unit")
    return blobs, [index_row(Outcome(f"k{n}", prepared(b), 200, 7), "http", blobs) for n, b in enumerate(bodies)]


def test_the_late_attempt_of_two_changes_no_byte_of_the_other(tmp_path: Path) -> None:
    """Both are answered otherwise, in bodies of the same length; the first commits, the second publishes last."""
    one, rows = attempt(tmp_path, b"first", b"1111")
    late, others = attempt(tmp_path, b"other", b"2222")
    one.__exit__(None, None, None)
    rows = [one.named(row) for row in rows]
    index = str(tmp_path / "images/index/unit.parquet")
    write_table(index, rows, IMAGES)
    late.__exit__(None, None, None)
    assert list(read_stored([stored_bytes(tmp_path, row) for row in rows])) == [b"first", b"1111"]
    assert others[0].blob and len(list((tmp_path / "images/blobs").iterdir())) == 2
    files.write_atomic(str(tmp_path / "images/blobs/unit-1-000-0000000000000000.bin"), b"another unit's")
    assert sweep(index) == 1
    assert list(read_stored([stored_bytes(tmp_path, row) for row in rows])) == [b"first", b"1111"]
    assert len(list((tmp_path / "images/blobs").iterdir())) == 2


def test_equal_answers_give_equal_names(tmp_path: Path) -> None:
    for home in ("a", "b"):
        with attempt(tmp_path / home, b"first", b"1111")[0]:
            pass
    (one,), (other,) = (list((tmp_path / home / "images/blobs").iterdir()) for home in "ab")
    assert one.name == other.name and one.read_bytes() == other.read_bytes()


def test_bytes_that_are_not_what_was_stored_are_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    blobs, rows = attempt(tmp_path, b"first", b"1111")
    blobs.__exit__(None, None, None)
    path = tmp_path / blobs.named(rows[0]).blob
    path.write_bytes(b"first" + b"\0" * 4)
    wanted = [stored_bytes(tmp_path, blobs.named(row)) for row in rows]
    assert next(read_stored(wanted)) == b"first"
    with pytest.raises(Damaged) as caught:
        list(read_stored(wanted))
    assert str(caught.value) == (
        f"{path}: bytes 5 to 9 are not the image k1 that images/index says: remove fetch/units/unit.json and "
        "fetch/manifest.json, then run `weft fetch` again"
    )
    path.write_bytes(b"first11")
    with pytest.raises(Damaged):
        list(read_stored([one._replace(digest="") for one in wanted]))


def test_answers_are_put_in_the_order_of_their_keys() -> None:
    found = [
        Outcome("c", prepared(b"third", "c"), 200, 1),
        Outcome("a", Refused("http_error", "404"), 404, 2),
        Outcome("b", prepared(b"", "b"), 200, 3),
        Outcome("d", prepared(b"fourth", "d"), 200, 4),
    ]
    assert list(in_order(iter(found))) == [found[1], found[2], found[0], found[3]]


def test_what_may_pass_takes_the_place_of_nothing_that_stands() -> None:
    good, worse = Outcome("a", prepared(b"bytes", "a"), 200, 1), Outcome("a", Refused("timeout", ""), 0, 2)
    for found, stands in (([good, worse], good), ([worse, good], good), ([worse, worse._replace(fetched_at=3)], None)):
        assert list(in_order(found, lambda one: one.http_status == 0)) == [stands or found[-1]]
