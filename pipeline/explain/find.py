"""Rows of a finished run's tables by the value of a column, without reading what cannot hold them.

Footers say the least and the largest value of each row group. Of groups that may hold the value its column alone is
read, of those that do the rows. A table that is sorted by the column answers from a few kilobytes, one that is not
from one column: of 1,000,000 documents 32 MB of ids.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar, cast

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from weft.transforms.io import files

Row = TypeVar("Row")
_AT_ONCE = 8  # files


def rows(output: str, table: str, record: type[Row], name: str = "*", **wanted: str | Collection[str]) -> list[Row]:
    """Rows of a table as `record`s where each column of `wanted` has the value, or one of the values.

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
    return _of_all(paths, lambda path: _of_file(path, record, values))


def holding(output: str, table: str, record: type[Row], **part: str) -> list[Row]:
    """Rows of a table as `record`s where a text of the list of texts in the column of `part` holds its value.

    Case is not looked at. Of other rows nothing but that column is read.
    """
    ((column, value),) = part.items()
    return _of_all(_listed(output, table, "*"), lambda path: _holding(path, record, column, value))


def _listed(output: str, table: str, name: str) -> list[str]:
    return [path for path, _ in files.listing(files.join(output, *table.split("/"), f"{name}.parquet"))]


def _of_all(paths: Sequence[str], read: Callable[[str], list[Row]]) -> list[Row]:
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return [row for found in pool.map(read, paths) for row in found]


def _holding(path: str, record: type[Row], column: str, value: str) -> list[Row]:
    found: list[Row] = []
    with _opened(path) as parquet:
        for group in range(parquet.num_row_groups):
            lists = parquet.read_row_group(group, columns=[column])[column].combine_chunks()
            hits = pc.match_substring(pc.list_flatten(lists), value, ignore_case=True)
            numbers = pc.unique(pc.list_parent_indices(lists).filter(hits))
            if len(numbers):
                rows = parquet.read_row_group(group, columns=list(cast(Any, record)._fields)).take(numbers)
                found += [cast(Any, record)(**row) for row in rows.to_pylist()]
    return found


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
        for group in range(parquet.num_row_groups):
            if not _may_hold(parquet.metadata.row_group(group), wanted):
                continue
            looked = parquet.read_row_group(group, columns=list(wanted))
            mask = None
            for name, values in wanted.items():
                hits = pc.is_in(looked[name], value_set=pa.array(values, looked[name].type))
                mask = hits if mask is None else pc.and_(mask, hits)
            if not pc.any(mask).as_py():
                continue
            for row in parquet.read_row_group(group, columns=columns).filter(mask).to_pylist():
                found.append(cast(Any, record)(**missing, **row))
    return found


def _may_hold(group: Any, wanted: dict[str, list[str]]) -> bool:
    for number in range(group.num_columns):
        column = group.column(number)
        values = wanted.get(column.path_in_schema)
        told = column.statistics
        if (
            values
            and told is not None
            and told.has_min_max
            and not any(told.min <= value <= told.max for value in values)
        ):
            return False
    return True
