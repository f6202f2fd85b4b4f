"""Tables as Parquet: written whole, sorted and under deterministic names; read as rows.

Rows → files. `write_table` is for a work unit that owns its file; `WriteTable` gathers rows from everywhere by a
hash of their key, so that the same rows give the same files whatever the runner, the parallelism or the order.
Beam's own fileio.WriteToFiles is not used: in 2.77 a failed rename is logged at DEBUG and counted as success.
"""

from __future__ import annotations

import dataclasses
import io
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from functools import cache
from typing import Any, TypeVar, cast, get_args, get_type_hints

import apache_beam as beam
import pyarrow as pa
import pyarrow.parquet as pq
from apache_beam.typehints import typehints
from apache_beam.typehints.native_type_compatibility import convert_to_beam_type

from weft.schemas.records import hash_bucket
from weft.schemas.tables import to_table
from weft.transforms.beam import coders
from weft.transforms.beam.joins import Gather
from weft.transforms.io import files, sorting, state

ROW_GROUP_ROWS = 2_000  # documents hold long texts: small groups keep a reader's memory small
_GROUPS_A_BLOCK = 50  # row groups that are one piece of work where what is known of a file's rows is held: 100,000 rows
Row = TypeVar("Row")  # a NamedTuple whose fields are columns of the table: what is read is what is asked for


def write_table(path: str, rows: Iterable[Sequence[Any]], schema: pa.Schema) -> int:
    """Write rows to one Parquet file, atomically, in the order given, a row group at a time. Returns their number."""
    count = 0
    with TableWriter(path, schema) as writer:
        for row in rows:
            writer.write(row)
            count += 1
        if not count:
            writer.group()
    return count


class TableWriter:
    """Rows to one Parquet file as they come, a row group at a time; the file appears whole when the block ends."""

    def __init__(self, path: str, schema: pa.Schema) -> None:
        self._path, self._schema = path, schema
        self._rows: list[Sequence[Any]] = []

    def __enter__(self) -> TableWriter:
        self._stack = ExitStack()
        self._stream = self._stack.enter_context(files.atomic(self._path))
        self._stream.rows = 0
        self._writer: pq.ParquetWriter | None = None
        return self

    def __exit__(self, *error: Any) -> None:
        if error[0] is None and (self._rows or not self._writer):
            try:
                if self._rows:
                    self.group()
                else:
                    self._stream.write(_without_rows(self._schema))
            except BaseException:
                self._stack.__exit__(*sys.exc_info())
                raise
        self._stack.__exit__(*error)

    def write(self, row: Sequence[Any]) -> None:
        """Take one row, in the order of the schema."""
        self._rows.append(row)
        if len(self._rows) == ROW_GROUP_ROWS:
            self.group()

    def group(self) -> None:
        """End a row group here, even one without rows."""
        if not self._writer:
            self._writer = self._stack.enter_context(_writer(self._stream, self._schema))
        self._writer.write_table(to_table(self._rows, self._schema))
        self._stream.rows = (self._stream.rows or 0) + len(self._rows)
        self._rows = []


def _writer(stream: Any, schema: pa.Schema) -> pq.ParquetWriter:
    return pq.ParquetWriter(stream, schema, compression="zstd")


_bare: dict[pa.Schema, bytes] = {}


def _without_rows(schema: pa.Schema) -> bytes:
    """A file without a row group, the same each time: of the tables of small inputs most are that."""
    if schema not in _bare:
        made = io.BytesIO()
        _writer(made, schema).close()
        _bare[schema] = made.getvalue()
    return _bare[schema]


def read(path: str, record: type[Row], block: int | None = None) -> Iterator[Row]:
    """Rows of one Parquet file as `record`s, a row group at a time.

    Args:
        record: a NamedTuple; its fields name the columns that are read, and a field of structs the NamedTuple that
            these become. Timestamps are integers of microseconds. A column that the file lacks takes its default.
        block: the rows of this one of the file's blocks alone, as `by_block` numbers them.

    Raises:
        KeyError: the file lacks a column that has no default.
    """
    for _, rows in _groups(path, record, block):
        yield from rows


def by_block(path: str, record: type[Row]) -> Iterator[tuple[int, Row]]:
    """What `read` gives, each row with the number of its block: of 100,000 rows, as weft writes them."""
    for block, rows in _groups(path, record):
        for row in rows:
            yield block, row


def _groups(path: str, record: type[Row], block: int | None = None) -> Iterator[tuple[int, Iterator[Row]]]:
    """(number of its block, rows) of each row group of a file, or of one block."""
    names, makers = _fields(cast(Any, record))
    defaults: dict[str, Any] = getattr(record, "_field_defaults", {})
    with files.open_read(path) as stream:
        parquet = pq.ParquetFile(stream if files.is_local(path) else pa.PythonFile(stream, "r"))
        there = [name for name in names if name in parquet.schema_arrow.names]
        groups = range(parquet.num_row_groups)
        if block is not None:
            groups = groups[block * _GROUPS_A_BLOCK : (block + 1) * _GROUPS_A_BLOCK]
        for group in groups:
            table = parquet.read_row_group(group, columns=there)
            columns = []
            for name, make in zip(names, makers, strict=True):
                if name not in there:
                    columns.append([defaults[name]] * table.num_rows)
                    continue
                column = table.column(name)
                if pa.types.is_timestamp(column.type):
                    column = column.cast(pa.int64())
                values = column.to_pylist()
                columns.append([make(value) for value in values] if make else values)
            rows = map(record._make, zip(*columns, strict=True))  # type: ignore[attr-defined]
            yield group // _GROUPS_A_BLOCK, rows


@cache
def _fields(record: Any) -> tuple[tuple[str, ...], tuple[Callable[[Any], Any] | None, ...]]:
    """Names of a record's fields, and what makes each field's value of what Parquet gives (None: it is right)."""
    hints = get_type_hints(record)
    return tuple(hints), tuple(_maker(hint) for hint in hints.values())


def _maker(hint: Any) -> Callable[[Any], Any] | None:
    if hasattr(hint, "_make"):
        return lambda value: None if value is None else hint(**value)
    origin = getattr(hint, "__origin__", None)
    inner = next((made for made in map(_maker, get_args(hint)) if made), None)
    if origin is tuple:  # Parquet gives lists, and tuples for the entries of maps
        return lambda value: None if value is None else tuple(map(inner, value) if inner else value)
    if origin is list and inner:
        return lambda value: None if value is None else [inner(one) for one in value]
    return inner


def read_table(directory: str, record: type[Row]) -> Iterator[Row]:
    """Rows of a table of a finished run, file after file in the order of their names.

        for document in weft.read_table("out/documents", weft.Document): …

    Args:
        directory: of the table, local or remote.
        record: a NamedTuple of the columns that are wanted, as in `read`.

    Raises:
        FileNotFoundError: there is no table.
    """
    found = files.listing(files.join(directory, "*.parquet"))
    if not found:
        raise FileNotFoundError(f"no table at {directory}")
    for path, _ in found:
        yield from read(path, record)


def count_rows(pattern: str) -> int:
    """Rows of all files that match, from their footers alone."""

    def rows(path: str) -> int:
        with files.open_read(path) as stream:
            return int(pq.ParquetFile(stream).metadata.num_rows)

    return sum(files.each(rows, [path for path, _ in files.listing(pattern)], not files.is_local(pattern)))


def part_name(bucket: int, buckets: int) -> str:
    """File name of one bucket of a table."""
    return f"part-{bucket:05d}-of-{buckets:05d}.parquet"


def _write_bucket(
    item: tuple[str, Iterable[tuple[int, Any]]], directory: str, schema: pa.Schema, buckets: int, slips: str
) -> Iterator[tuple[str, int]]:
    bucket, values = item
    rows = sorting.distinct(value for number, value in values if not number)
    name = part_name(int(bucket), buckets)
    with state.slip(slips, files.join(directory, name)):
        count = write_table(files.join(directory, name), rows, schema)
    yield name, count


@dataclasses.dataclass
class WriteTable(beam.PTransform):
    """Rows (NamedTuples in the order of `schema`) → `directory`/part-NNNNN-of-NNNNN.parquet.

    Rows are distinct and sorted inside a file; every part exists, even when empty. Output: (part name, rows).
    A bucket is sorted in bounded memory (sorting.py).

    Args:
        directory: where the parts go.
        schema: Arrow schema of a row.
        key: what a row is bucketed by; its first column when None.
        buckets: number of files, from the configuration or the input and never from the runner.
        slips: where a note of each file goes (`state.slip`); "" writes none.

    Raises:
        TypeError: when the graph is built: rows of a type that Beam would pickle.
    """

    directory: str
    schema: pa.Schema
    buckets: int
    key: Callable[[Any], str] | None = None
    slips: str = ""

    def expand(self, rows: beam.PCollection[Any]) -> beam.PCollection[tuple[str, int]]:
        buckets, key = self.buckets, self.key
        keyed = rows | "Bucket" >> beam.Map(
            lambda row: (str(hash_bucket(key(row) if key else row[0], buckets, "table")), row)
        ).with_output_types(typehints.Tuple[str, convert_to_beam_type(rows.element_type)])
        every = (  # so that an empty table is a table all the same
            rows.pipeline
            | "AllBuckets" >> beam.Create([buckets])
            | "Bucket number"
            >> beam.FlatMap(lambda n: [(str(bucket), True) for bucket in range(n)]).with_output_types(tuple[str, bool])
        )
        return (
            {"rows": keyed, "every": every}
            | "Gather" >> Gather()
            | "Write" >> beam.FlatMap(_write_bucket, self.directory, self.schema, buckets, self.slips)
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
class Read(beam.PTransform):
    """PBegin → rows of every file of a list or pattern as `record`s (see `read`), one element a file."""

    paths: Sequence[str] | str
    record: type

    def expand(self, begin: beam.pvalue.PBegin) -> beam.PCollection[Any]:
        coders.register(self.record)
        return (
            begin
            | "Files" >> Files(self.paths)
            | "Read" >> beam.FlatMap(read, self.record).with_output_types(self.record)
        )
