"""The books: every thing that enters a stage leaves it with exactly one fate, or the run fails.

Counts come from two sides. What entered is counted by the stage where it reads; what became of it is counted here,
from the fates on disk. The two must agree per kind, and no key may have two fates.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import TypedDict

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from weft.schemas.records import KEPT
from weft.transforms.io import files


class Account(TypedDict):
    """One kind's line in the books of one stage."""

    entered: int
    kept: int
    dropped: dict[str, int]


Books = dict[str, Account]


class BooksError(RuntimeError):
    """Something entered a stage and has no fate, or two."""


def audit(output: str, stage: str, entered: dict[str, int], per_file: bool = False) -> Books:
    """The books of a finished stage.

    Args:
        entered: kind → how many, as counted by the stage where it reads.
        per_file: keys are unique within a file of fates, not over all: one record may stand in two archives.

    Raises:
        BooksError: a kind does not balance, a key has two fates, or a drop has no reason.
    """
    counts: Counter[tuple[str, str, str]] = Counter()
    seen = 0
    distinct: set[bytes] = set()
    for path, _ in files.listing(files.join(output, "fates", stage, "*.parquet")):
        with files.open_read(path) as stream:
            table = pq.read_table(stream, columns=["kind", "key", "fate", "reason"])
        grouped = table.group_by(["kind", "fate", "reason"]).aggregate([("key", "count")]).to_pylist()
        for row in grouped:
            counts[row["kind"], row["fate"], row["reason"]] += row["key_count"]
        seen += table.num_rows
        distinct.update(_fingerprints(table, path if per_file else ""))
    if len(distinct) != seen:
        raise BooksError(f"{stage}: {seen - len(distinct)} of {seen} fates are second fates of the same thing")
    books: Books = {}
    for kind in sorted(set(entered) | {kind for kind, _, _ in counts}):
        kept = sum(n for (k, fate, _), n in counts.items() if k == kind and fate == KEPT)
        dropped = {reason: n for (k, fate, reason), n in sorted(counts.items()) if k == kind and fate != KEPT}
        books[kind] = Account(entered=entered.get(kind, 0), kept=kept, dropped=dropped)
        if "" in dropped:
            raise BooksError(f"{stage}: {dropped['']} things of kind {kind} were dropped without a reason")
        if books[kind]["entered"] != kept + sum(dropped.values()):
            raise BooksError(
                f"{stage}: {books[kind]['entered']} of kind {kind} entered, but {kept} were kept and "
                f"{sum(dropped.values())} dropped"
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
            f"what {stages[0]} wrote is not whole any more; `weft {stages[0]}` makes it again once "
            f"{stages[0]}/manifest.json is removed"
        )


def _fingerprints(table: pa.Table, scope: str) -> list[bytes]:
    """12 bytes per (kind, key), so that the check for second fates stays small in memory."""
    salt = hashlib.blake2b(scope.encode(), digest_size=16).digest()
    joined = pc.binary_join_element_wise(table["kind"], table["key"], "\x1f")
    return [
        hashlib.blake2b(value.encode("utf-8", "surrogatepass"), digest_size=12, salt=salt).digest()
        for value in joined.to_pylist()
    ]
