"""Tables: the same rows give the same files in any order, and come back as they were."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import apache_beam as beam
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from weft.pipeline.runners import beam_options
from weft.schemas.records import Capture, Document, Fate, ImageMeta, hash_bucket
from weft.schemas.tables import CAPTURES, DOCUMENTS, FATES
from weft.transforms.io import parquet
from weft.transforms.io.parquet import (
    Read,
    TableWriter,
    WriteTable,
    count_rows,
    part_name,
    read,
    write_table,
)


class Key(NamedTuple):
    key: str


ROWS = [Fate("s", "image", f"key{n:03}", "kept", "", "") for n in range(60)]


def written(rows: Sequence[Fate], folder: Path, buckets: int = 4) -> dict[str, bytes]:
    with beam_options.pipeline((), 1) as p:
        made = p | beam.Create(list(rows)).with_output_types(Fate)
        _ = made | WriteTable(str(folder), FATES, buckets, key=lambda row: row[2])
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_order_and_repeats_decide_no_byte(tmp_path: Path) -> None:
    first = written(ROWS, tmp_path / "a")
    assert written([*reversed(ROWS), *ROWS[10:20]], tmp_path / "b") == first
    assert count_rows(str(tmp_path / "a" / "*.parquet")) == 60
    for bucket in range(4):
        keys = [row.key for row in read(str(tmp_path / "a" / part_name(bucket, 4)), Fate)]
        assert keys == [row.key for row in ROWS if hash_bucket(row.key, 4, "table") == bucket]


def test_every_part_exists_even_of_an_empty_table(tmp_path: Path) -> None:
    assert list(written([], tmp_path / "a", 3)) == [part_name(bucket, 3) for bucket in range(3)]
    for path in (tmp_path / "a").iterdir():
        assert pq.read_schema(path).names == FATES.names
    assert count_rows(str(tmp_path / "a" / "*.parquet")) == 0


def test_rows_come_back_with_timestamps_as_microseconds(tmp_path: Path) -> None:
    path = str(tmp_path / "a.parquet")
    rows = [Capture("http://a.test/", "a.warc", n, "image/png", 1_700_000_000_123_456 + n) for n in range(3)]
    assert write_table(path, rows, CAPTURES) == 3
    assert list(read(path, Capture)) == rows


def test_a_row_that_does_not_fit_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises((pa.ArrowInvalid, pa.ArrowTypeError)):
        write_table(str(tmp_path / "a.parquet"), [("u", "w", "no number", "m", 0)], CAPTURES)
    assert list(tmp_path.iterdir()) == []


def test_a_table_grows_by_row_groups_and_appears_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    count = 2 * parquet.ROW_GROUP_ROWS + 5
    with TableWriter(str(path), FATES) as writer:
        for number in range(count):
            writer.write(Fate("s", "image", str(number), "kept", "", ""))
        assert not path.exists()
    assert pq.ParquetFile(path).metadata.num_row_groups == 3
    assert [row.key for row in read(str(path), Fate)] == [str(number) for number in range(count)]


def test_a_table_whose_writer_fails_does_not_appear(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="broke off"), TableWriter(str(tmp_path / "a.parquet"), FATES) as writer:
        writer.write(ROWS[0])
        raise RuntimeError("broke off")
    assert list(tmp_path.iterdir()) == []


def test_an_empty_table_by_rows_is_a_table(tmp_path: Path) -> None:
    with TableWriter(str(tmp_path / "a.parquet"), FATES):
        pass
    assert pq.read_table(tmp_path / "a.parquet").schema.names == FATES.names


def test_read_table_reads_every_file_once(tmp_path: Path) -> None:
    paths = [str(tmp_path / f"{n}.parquet") for n in range(3)]
    for n, path in enumerate(paths):
        write_table(path, ROWS[n * 20 : n * 20 + 20], FATES)
    out = tmp_path / "out"

    def keep(keys: list[str]) -> None:
        out.write_text("\n".join(sorted(keys)))

    with beam_options.pipeline((), 1) as p:
        keys = p | Read(paths, Key) | beam.Map(lambda row: row.key)
        _ = keys | beam.combiners.ToList() | "Keep" >> beam.Map(keep)
    assert out.read_text().split("\n") == [row.key for row in ROWS]


def test_rows_are_read_as_what_is_asked_for(tmp_path: Path) -> None:
    """Nested records, lists with gaps and times come back as they were; fewer columns are a narrower record."""
    meta = ImageMeta("alt", "caption", "", 3, None, "", "figcaption")
    whole = Document(
        "id", "u", 7, "w", 1, "r", "en", 0.5, "t", ["a", None], [None, "i"], [None, meta], [None, ["j"]], "by", "", ""
    )
    write_table(str(tmp_path / "d"), [whole], DOCUMENTS)
    assert list(parquet.read(str(tmp_path / "d"), Document)) == [whole]

    class Narrow(NamedTuple):
        url: str
        newer: str = "default"  # a column that older tables lack

    assert list(parquet.read(str(tmp_path / "d"), Narrow)) == [Narrow("u")]

    class Missing(NamedTuple):
        nothere: str

    with pytest.raises(KeyError):
        list(parquet.read(str(tmp_path / "d"), Missing))
