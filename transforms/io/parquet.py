"""Tables as Parquet: written whole, sorted and under deterministic names; read as rows.

Rows → files. `write_table` is for a work unit that owns its file; `WriteTable` gathers rows from everywhere by a
hash of their key, so that the same rows give the same files whatever the runner, the parallelism or the order.
Beam's own fileio.WriteToFiles is not used: in 2.77 a failed rename is logged at DEBUG and counted as success.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from typing import Any

import apache_beam as beam
import pyarrow as pa
import pyarrow.parquet as pq

from weft.schemas.records import hash_bucket
from weft.schemas.tables import to_table
from weft.transforms.io import files

ROW_GROUP_ROWS = 2_000  # documents hold long texts: small groups keep a reader's memory small
_END = "\x00end"  # makes every bucket exist, so that an empty table is a table all the same


def write_table(path: str, rows: Iterable[Sequence[Any]], schema: pa.Schema) -> int:
    """Write rows to one Parquet file, atomically, in the order given. Returns their number."""
    table = to_table(rows, schema)

    def write(stream: Any) -> None:
        pq.write_table(table, stream, compression="zstd", row_group_size=ROW_GROUP_ROWS)

    files.write_atomic(path, write)
    return table.num_rows


class TableWriter:
    """Rows to one Parquet file as they come, a row group at a time; the file appears whole when the block ends."""

    def __init__(self, path: str, schema: pa.Schema) -> None:
        self._path, self._schema = path, schema
        self._rows: list[Sequence[Any]] = []

    def __enter__(self) -> TableWriter:
        self._stack = ExitStack()
        stream = self._stack.enter_context(files.atomic(self._path))
        self._writer = self._stack.enter_context(pq.ParquetWriter(stream, self._schema, compression="zstd"))
        return self

    def __exit__(self, *error: Any) -> None:
        if error[0] is None:
            self._flush(0)
        self._stack.__exit__(*error)

    def write(self, row: Sequence[Any]) -> None:
        """Take one row, in the order of the schema."""
        self._rows.append(row)
        self._flush(ROW_GROUP_ROWS - 1)

    def _flush(self, above: int) -> None:
        if len(self._rows) > above:
            self._writer.write_table(to_table(self._rows, self._schema))
            self._rows = []


def read_rows(path: str, columns: Sequence[str] | None = None) -> Iterator[dict[str, Any]]:
    """Rows of one Parquet file as dicts, a row group at a time; timestamps are integers of microseconds."""
    with files.open_read(path) as stream:
        parquet = pq.ParquetFile(pa.PythonFile(stream, "r") if not files.is_local(path) else stream)
        for group in range(parquet.num_row_groups):
            table = parquet.read_row_group(group, columns=list(columns) if columns else None)
            for index, field in enumerate(table.schema):
                if pa.types.is_timestamp(field.type):
                    table = table.set_column(index, field.name, table.column(index).cast(pa.int64()))
            yield from table.to_pylist()


def count_rows(pattern: str) -> int:
    """Rows of all files that match, from their footers alone."""
    total = 0
    for path, _ in files.listing(pattern):
        with files.open_read(path) as stream:
            total += pq.ParquetFile(stream).metadata.num_rows
    return total


def part_name(bucket: int, buckets: int) -> str:
    """File name of one bucket of a table."""
    return f"part-{bucket:05d}-of-{buckets:05d}.parquet"


def _write_bucket(
    item: tuple[str, Iterable[Any]], directory: str, schema: pa.Schema, buckets: int
) -> Iterator[tuple[str, int]]:
    bucket, values = item
    rows = sorted(set(value for value in values if value != _END), key=repr)
    name = part_name(int(bucket), buckets)
    yield name, write_table(files.join(directory, name), rows, schema)


@dataclasses.dataclass
class WriteTable(beam.PTransform):
    """Rows (NamedTuples in the order of `schema`) → `directory`/part-NNNNN-of-NNNNN.parquet.

    Rows are distinct and sorted inside a file; every part exists, even when empty. Output: (part name, rows).
    Meant for narrow rows: a bucket is sorted in memory.

    Args:
        directory: where the parts go.
        schema: Arrow schema of a row.
        key: what a row is bucketed by; its first column when None.
        buckets: number of files, from the configuration and never from the runner.
    """

    directory: str
    schema: pa.Schema
    buckets: int
    key: Callable[[Any], str] | None = None

    def expand(self, rows: beam.PCollection[Any]) -> beam.PCollection[tuple[str, int]]:
        buckets, key = self.buckets, self.key
        keyed = rows | "Bucket" >> beam.Map(
            lambda row: (str(hash_bucket(key(row) if key else row[0], buckets, "table")), row)
        ).with_output_types(tuple[str, Any])
        ends = rows.pipeline | "AllBuckets" >> beam.Create([(str(b), _END) for b in range(buckets)]).with_output_types(
            tuple[str, Any]
        )
        return (
            (keyed, ends)
            | "Flatten" >> beam.Flatten()
            | "Gather" >> beam.GroupByKey()
            | "Write" >> beam.FlatMap(_write_bucket, self.directory, self.schema, buckets)
        )


@dataclasses.dataclass
class Files(beam.PTransform):
    """PBegin → paths, spread over the workers.

    Args:
        paths: a list, or better a pattern that a worker expands: the graph of a large crawl must not hold the names of
            a hundred thousand files (Dataflow takes 10 MB of graph).
    """

    paths: Sequence[str] | str

    def expand(self, begin: beam.pvalue.PBegin) -> beam.PCollection[str]:
        if isinstance(self.paths, str):
            pattern = begin | "Pattern" >> beam.Create([self.paths])
            found = pattern | "List" >> beam.FlatMap(_matches).with_output_types(str)
        else:
            found = begin | "Paths" >> beam.Create(list(self.paths)).with_output_types(str)
        return found | "Spread" >> beam.Reshuffle()


def _matches(pattern: str) -> Iterator[str]:
    for path, _ in files.listing(pattern):
        yield path


@dataclasses.dataclass
class ReadTable(beam.PTransform):
    """PBegin → rows (dicts) of every file of a list or pattern, one element a file."""

    paths: Sequence[str] | str
    columns: Sequence[str] | None = None

    def expand(self, begin: beam.pvalue.PBegin) -> beam.PCollection[dict[str, Any]]:
        return begin | "Files" >> Files(self.paths) | "Read" >> beam.FlatMap(read_rows, self.columns)
