"""Rows of a finished run's tables by the value of a column, without reading what cannot hold them.

Footers say the least and the largest value of each row group. Of groups that may hold the value its column alone is
read, of those that do the rows. A table that is sorted by the column answers from a few kilobytes, one that is not
from one column: of 1,000,000 documents 32 MB of ids.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar, cast

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from weft.transforms.io import files

Row = TypeVar("Row")
_AT_ONCE = 8  # files
_GROUPS = 50  # row groups of a file whose column is read at once: 100,000 rows, 10 MB of hashes


def rows(output: str, table: str, record: type[Row], name: str = "*", **wanted: str | Collection[str]) -> list[Row]:
    """Rows of a table as `record`s where each column of `wanted` has the value, or one of the values; a list holds one.

    Args:
        record: a NamedTuple of columns; one that an older run's table lacks takes its default, or None.
        name: of the table's files, without suffix; may be a pattern. Where no file is called so, all are looked at: a
            record that an index has chosen, or a page of a folder, stands in the files of that input.
    """
    unit, dot, part = name.partition(".")
    paths = _listed(output, table, name) or (_listed(output, table, f"*{dot}{part}") if "*" not in unit else [])
    values = {key: [value] if isinstance(value, str) else sorted(value) for key, value in wanted.items()}
    if not all(values.values()):
        return []
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return [row for found in pool.map(lambda path: _of_file(path, record, values), paths) for row in found]


def _listed(output: str, table: str, name: str) -> list[str]:
    return [path for path, _ in files.listing(files.join(output, *table.split("/"), f"{name}.parquet"))]


@contextmanager
def _opened(path: str) -> Iterator[Any]:
    with files.open_read(path) as stream:
        yield pq.ParquetFile(pa.PythonFile(stream, "r") if not files.is_local(path) else stream)


def _of_file(path: str, record: type[Row], wanted: dict[str, list[str]]) -> list[Row]:
    found: list[Row] = []
    with _opened(path) as parquet:
        fields, defaults = cast(Any, record)._fields, cast(Any, record)._field_defaults
        columns = [name for name in fields if name in parquet.schema_arrow.names]
        missing = {name: defaults.get(name) for name in fields if name not in columns}
        if not all(name in parquet.schema_arrow.names for name in wanted):
            return []
        groups = _may_hold(parquet.metadata, wanted)
        for at in range(0, len(groups), _GROUPS):
            block = groups[at : at + _GROUPS]
            looked = parquet.read_row_groups(block, columns=list(wanted), use_threads=False)
            hits = _rows(looked, wanted)
            first = 0
            for group in block if len(hits) else ():
                rows = parquet.metadata.row_group(group).num_rows
                mine = [hit - first for hit in hits if first <= hit < first + rows]
                first += rows
                if mine:
                    for row in parquet.read_row_group(group, columns=columns).take(mine).to_pylist():
                        found.append(cast(Any, record)(**missing, **row))
    return found


def _rows(table: Any, wanted: dict[str, list[str]]) -> list[int]:
    """Numbers of the rows that hold one of the values in each column, or in the list there."""
    numbers: set[int] | None = None
    for name, values in wanted.items():
        column, first, mine = table[name], 0, set[int]()
        for chunk in column.chunks:
            flat = pc.list_flatten(chunk) if pa.types.is_list(chunk.type) else chunk
            hits = pc.indices_nonzero(pc.is_in(flat, value_set=pa.array(values, flat.type)))
            if len(hits) and flat is not chunk:
                hits = pc.list_parent_indices(chunk).take(hits)
            mine.update(first + hit for hit in hits.to_pylist())
            first += len(chunk)
        numbers = mine if numbers is None else numbers & mine
    return sorted(numbers or ())


def _may_hold(metadata: Any, wanted: dict[str, list[str]]) -> list[int]:
    """Numbers of the row groups whose least and largest values leave room for one."""
    if not metadata.num_row_groups:
        return []
    first = metadata.row_group(0)
    paths = {first.column(n).path_in_schema: n for n in range(first.num_columns)}
    looked = [(paths[name], values) for name, values in wanted.items() if name in paths]

    def may(group: Any) -> bool:
        for number, values in looked:
            told = group.column(number).statistics
            if told is not None and told.has_min_max:
                least, most = told.min, told.max
                if not any(least <= value <= most for value in values):
                    return False
        return True

    return [n for n in range(metadata.num_row_groups) if may(metadata.row_group(n))]
