"""Rows sorted and distinct in bounded memory: sorted runs on the local disk, merged.

A row's place is that of its `repr`: total, the same on every machine, and there for every kind of row.
"""

from __future__ import annotations

import heapq
import pickle
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from typing import IO, Any, TypeVar

RUN_CHARS = 16_000_000  # of `repr` held at once: about 100 MB with the rows that they are of

Row = TypeVar("Row")
_Ranked = tuple[str, Any]


def distinct(rows: Iterable[Row], run_chars: int = RUN_CHARS) -> Iterator[Row]:
    """Each different row once, in the order of their `repr`.

    Args:
        run_chars: characters of `repr` that are held at once; what is more goes to files that are gone in the end.
    """
    with ExitStack() as stack:
        runs: list[IO[bytes]] = []
        held: dict[str, Row] = {}
        chars = 0
        for row in rows:
            name = repr(row)
            if name not in held:
                held[name] = row
                chars += len(name)
            if chars > run_chars:
                runs.append(_spill(held, stack.enter_context(tempfile.TemporaryFile(prefix="weft-sort-"))))
                held, chars = {}, 0
        last = ((name, held[name]) for name in sorted(held))
        before = None
        for name, row in heapq.merge(*map(_load, runs), last, key=_rank) if runs else last:
            if name != before:
                yield row
            before = name


def _rank(ranked: _Ranked) -> str:
    return ranked[0]


def _spill(held: dict[str, Any], file: IO[bytes]) -> IO[bytes]:
    for name in sorted(held):
        pickle.dump((name, held[name]), file, pickle.HIGHEST_PROTOCOL)
    file.seek(0)
    return file


def _load(file: IO[bytes]) -> Iterator[_Ranked]:
    while True:
        try:
            yield pickle.load(file)
        except EOFError:
            return
