"""The books: every thing that enters a stage leaves it with exactly one fate, or the run fails.

Counts come from two sides. What entered is counted by the stage where it reads; what became of it is counted here,
from the fates on disk. The two must agree per kind, and no key may have two fates.

    fates/<stage>/*.parquet ─┬─► rows by (kind, fate, reason)
                             └─► hashes of (kind, key) ─► how many stand there more than once

Here that takes 32 bytes of memory a fate, and above HELD fates 16 bytes of disk. On a cluster, above IN_DRIVER, it is a
job of its own, and what comes back is a few numbers.
"""

from __future__ import annotations

import json
import operator
import os
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import chain, pairwise
from pathlib import Path
from typing import Any, TypedDict

import apache_beam as beam
import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq
import xxhash

from weft.pipeline.explain import reasons
from weft.pipeline.run.registry import BY_NAME
from weft.pipeline.runners.local import scratch
from weft.schemas.records import KEPT
from weft.transforms.beam.folds import Fold
from weft.transforms.io import files, parquet

IN_DRIVER = 500_000  # fates that the driver of a cluster looks at itself: some 100 MB
HELD = 2_000_000  # fates of which hashes are in memory
_HASH = np.dtype("S16")
_COLUMNS = ["kind", "key", "fate", "reason"]

_Tally = Counter[tuple[str, str, str]]  # (kind, fate, reason) → how many


class UnknownReason(UserWarning):
    """A stage gave a reason that docs/fates.md does not know: a fault of weft, for which nobody's run is ended."""


class Account(TypedDict):
    """One kind's line in the books of one stage."""

    entered: int
    kept: int
    dropped: dict[str, int]


Books = dict[str, Account]


class BooksError(RuntimeError):
    """Something entered a stage and has no fate, or two; says which stage to do again."""

    def __init__(self, said: str, stage: str) -> None:
        again = f"`weft {stage} --redo`" if stage in BY_NAME else f"`weft {stage}` with another --output"
        super().__init__(f"{said}; {again} does it again, and if it says the same, this is a fault of weft")


def audit(
    output: str,
    stage: str,
    entered: dict[str, int],
    per_file: bool = False,
    job: Callable[[], beam.Pipeline] | None = None,
) -> Books:
    """The books of a finished stage.

    Args:
        entered: kind → how many, as counted by the stage where it reads.
        per_file: keys are unique within a file of fates, not over all: one record may stand in two archives.
        job: a pipeline on the cluster that the stage ran on, for fates too many for one machine.

    Raises:
        BooksError: a kind does not balance, a key has two fates, or a drop has no reason.
    """
    pattern = files.join(output, "fates", stage, "*.parquet")
    if job is not None and parquet.count_rows(pattern) > IN_DRIVER:
        tally, repeated = _count_there(pattern, per_file, job, files.join(output, stage, "books.json"))
    else:
        tally, repeated = _count_here(pattern, per_file)
    if repeated:
        raise BooksError(f"{stage}: {repeated} of {tally.total()} fates are second fates of the same thing", stage)
    books: Books = {}
    for kind in sorted(set(entered) | {kind for kind, _, _ in tally}):
        kept = sum(n for (k, fate, _), n in tally.items() if k == kind and fate == KEPT)
        dropped = {reason: n for (k, fate, reason), n in sorted(tally.items()) if k == kind and fate != KEPT}
        books[kind] = Account(entered=entered.get(kind, 0), kept=kept, dropped=dropped)
        for reason in dropped:
            if reason and reasons.meaning(stage, kind, reason) is None:
                warnings.warn(f"{stage}: a {kind} was dropped as {reason!r}, which means nothing", UnknownReason, 2)
        if "" in dropped:
            raise BooksError(f"{stage}: {dropped['']} things of kind {kind} were dropped without a reason", stage)
        if books[kind]["entered"] != kept + sum(dropped.values()):
            raise BooksError(
                f"{stage}: {books[kind]['entered']} of kind {kind} entered, but {kept} were kept and "
                f"{sum(dropped.values())} dropped",
                stage,
            )
    return books


def carry_on(before: Books, after: Books, kinds: tuple[str, str], stages: tuple[str, str]) -> None:
    """Raise BooksError unless one stage kept as many of the first kind as entered the next one of the second."""
    if kinds[0] not in before or kinds[1] not in after:
        return
    kept, entered = before[kinds[0]]["kept"], after[kinds[1]]["entered"]
    if kept != entered:
        raise BooksError(
            f"{stages[0]} kept {kept} of kind {kinds[0]}, but {entered} of kind {kinds[1]} entered {stages[1]}: "
            f"what {stages[0]} wrote is not whole any more",
            stages[0],
        )


def summary(books: Books) -> str:
    """What a stage kept, in a line: "images 1,825 of 2,000, pairs 312"."""
    parts = []
    for kind in sorted(books):
        kept, entered = books[kind]["kept"], books[kind]["entered"]
        parts.append(f"{kind}s {kept:,}" + (f" of {entered:,}" if entered != kept else ""))
    return ", ".join(parts)


def _count_here(pattern: str, per_file: bool) -> tuple[_Tally, int]:
    tally: _Tally = Counter()
    held, repeated = bytearray(), 0
    with scratch.folder(scratch.BOOKS) as folder:
        for path, _ in files.listing(pattern):
            for counts, keys in _groups(path, per_file):
                tally.update(counts)
                held += b"".join(keys)
                if len(held) > HELD * _HASH.itemsize:
                    _lay_aside(_sorted(held), folder)
                    held = bytearray()
        if laid := [name for name in os.listdir(folder) if name.isdigit()]:
            _lay_aside(_sorted(held), folder)
            held = bytearray()
        for part in chain([bytes(held)], (Path(folder, name).read_bytes() for name in laid)):
            every = _sorted(part)
            repeated += int((every[1:] == every[:-1]).sum())
    return tally, repeated


def _sorted(hashes: bytes | bytearray) -> npt.NDArray[np.bytes_]:
    return np.sort(np.frombuffer(hashes, _HASH))


def _lay_aside(hashes: npt.NDArray[np.bytes_], folder: str) -> None:
    """Append sorted hashes to files by their first byte: equal ones are in one."""
    edges = np.searchsorted(hashes.view(np.uint8)[:: _HASH.itemsize], np.arange(257))
    for first, (begin, end) in enumerate(pairwise(edges.tolist())):
        with Path(folder, str(first)).open("ab") as file:
            file.write(hashes[begin:end].tobytes())


def _count_there(pattern: str, per_file: bool, job: Callable[[], beam.Pipeline], found: str) -> tuple[_Tally, int]:
    files.write_atomic(found, json.dumps({"tally": [], "repeated": 0}))
    with job() as p:
        groups = p | "Fates" >> parquet.Files(pattern) | "Groups" >> beam.FlatMap(lambda path: _groups(path, per_file))
        tally = (
            groups
            | "Counts" >> beam.FlatMap(_counts).with_output_types(tuple[str, int])
            | "Sum" >> Fold(operator.add)
            | "Tally" >> beam.combiners.ToList()
        )
        repeated = (
            groups
            | "Keys" >> beam.FlatMap(lambda group: [(key, 1) for key in group[1]]).with_output_types(tuple[bytes, int])
            | "Often" >> Fold(operator.add)
            | "More" >> beam.Map(lambda item: item[1] - 1)
            | "Repeated" >> beam.CombineGlobally(sum)
        )
        _ = tally | "Write" >> beam.Map(
            lambda rows, more: files.write_atomic(found, json.dumps({"tally": sorted(rows), "repeated": more})),
            beam.pvalue.AsSingleton(repeated),
        )
    read = json.loads(files.read_bytes(found))
    return Counter({tuple(json.loads(key)): n for key, n in read["tally"]}), read["repeated"]


def _counts(group: tuple[_Tally, list[bytes]]) -> list[tuple[str, int]]:
    return [(json.dumps(key), number) for key, number in group[0].items()]


def _groups(path: str, per_file: bool) -> Iterator[tuple[_Tally, list[bytes]]]:
    """For each row group of a file of fates, counts and 16 bytes of hash a key."""
    scope = path if per_file else ""
    with files.open_read(path) as stream:
        table = pq.ParquetFile(stream)
        for number in range(table.num_row_groups):
            group = table.read_row_group(number, columns=_COLUMNS)
            kind, key, fate, reason = (group.column(name).to_pylist() for name in _COLUMNS)
            yield Counter(zip(kind, fate, reason, strict=True)), [_hash(scope, *one) for one in zip(kind, key)]


def _hash(*parts: Any) -> bytes:
    return xxhash.xxh3_128_digest("\x1f".join(parts).encode("utf-8", "surrogatepass"))
