"""Rows between two levels: bytes, in partitions, in memory up to a bound and in files above it.

A worker writes the rows of a level as (key, value) in a partition by the key's hash, or as values in partitions by
turns. Where all that it holds comes to more than MEMORY, or what another process is to read to more than SENT, the rows
go to one file a collection and partition. A partition that is larger than MEMORY is divided again before its keys are
grouped, by a hash that has nothing to do with the one before (two CRCs of keys of one length have).
"""

from __future__ import annotations

import dataclasses
import marshal
import os
import struct
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator

import xxhash

MEMORY = 128 << 20  # bytes of rows that a process holds between two levels, and that are grouped at once
SENT = 4 << 20  # bytes of rows that a driver holds between two levels, for which files would cost its workers more
_ROW = 100  # bytes that two Python objects and their places in a list take besides
_AGAIN = 16  # parts of a partition that is too large
_DEEPEST = 6  # times that one is divided: 16 million parts
_LARGEST = 1 << 31  # bytes of a row: what marshal writes
_LENGTH = struct.Struct("<Q")


@dataclasses.dataclass
class Partition:
    """Some rows of one collection: lists of bytes, keys and values by turns where they have keys.

    Attributes:
        size: bytes that they take in memory.
        rows: those that are here.
        paths: files of the others.
    """

    size: int = 0
    rows: list[bytes] = dataclasses.field(default_factory=list)
    paths: list[str] = dataclasses.field(default_factory=list)

    def add(self, other: Partition) -> None:
        self.size += other.size
        self.rows += other.rows
        self.paths += other.paths

    def lists(self) -> Iterator[list[bytes]]:
        """All rows, some at a time."""
        for path in self.paths:
            with open(path, "rb") as file:
                while head := file.read(_LENGTH.size):
                    yield marshal.loads(file.read(*_LENGTH.unpack(head)))
        if self.rows:
            yield self.rows

    def pairs(self) -> Iterator[tuple[bytes, bytes]]:
        """All rows, where they have keys."""
        for rows in self.lists():
            keys = iter(rows)
            yield from zip(keys, keys, strict=True)

    def groups(self, folder: Callable[[], str], depth: int = 0) -> Iterator[tuple[bytes, list[bytes]]]:
        """Each key with its values. The partition is empty afterwards, and its files are gone."""
        if self.size > MEMORY and depth < _DEEPEST:
            size, parts = self.size, Writer(folder, f"{os.getpid()}-{id(self)}-{depth}", _AGAIN)
            lists = parts.rows("")
            for key, value in self.pairs():
                lists[part_of(key, _AGAIN, depth + 1)] += key, value
                parts.grown(len(key) + len(value))
            self.clear()
            for part in parts.close().get("", ()):
                # What did not get smaller has one key.
                yield from part.groups(folder, depth + 1 if part.size < size else _DEEPEST)
            return
        found: defaultdict[bytes, list[bytes]] = defaultdict(list)
        for key, value in self.pairs():
            found[key].append(value)
        self.clear()
        for key in [*found]:
            yield key, found.pop(key)

    def clear(self) -> None:
        """Forget the rows, and delete their files."""
        for path in self.paths:
            os.unlink(path)
        self.size, self.rows, self.paths = 0, [], []


Kept = dict[str, list[Partition]]  # by collection


def part_of(key: bytes, parts: int, depth: int = 0) -> int:
    """The partition of a key; at each depth another division."""
    return xxhash.xxh3_64_intdigest(key, depth) % parts


class Writer:
    """Takes the rows of a level in one process.

    Args:
        folder: gives the directory for files, made when it is first asked for.
        name: of this writer, as no other in that directory has.
        parts: partitions of a collection.
    """

    def __init__(self, folder: Callable[[], str], name: str, parts: int) -> None:
        self._folder, self._name, self._parts = folder, name, parts
        self.held = 0
        self._found: Kept = {}

    def rows(self, collection: str) -> list[list[bytes]]:
        """Where the rows of a collection go: a list for each partition, to append to until the writer is closed."""
        if collection not in self._found:
            self._found[collection] = [Partition() for _ in range(self._parts)]
        return [part.rows for part in self._found[collection]]

    def grown(self, size: int) -> None:
        """A row of so many bytes has been appended.

        Raises:
            ValueError: a file cannot hold it.
        """
        self.held += _ROW + size
        if self.held > MEMORY:
            if size >= _LARGEST:
                raise ValueError(f"a row of {size:,} bytes is to be shuffled, and {_LARGEST:,} are the most")
            self.flush()

    def flush(self) -> None:
        """Write all rows that are held to files."""
        for collection, parts in self._found.items():
            for number, part in enumerate(parts):
                if part.rows:
                    path = os.path.join(self._folder(), f"{collection or 'again'}.{number}.{self._name}")
                    data = marshal.dumps(part.rows, 2)  # of a version without references: no row is another
                    try:
                        with open(path, "ab") as file:
                            file.write(_LENGTH.pack(len(data)))
                            file.write(data)
                    except OSError as error:
                        raise OSError(error.errno, error.strerror, path) from None  # a full disk names none
                    part.size += _size(part.rows)
                    part.paths = [path]
                    part.rows.clear()
        self.held = 0

    def close(self) -> Kept:
        """All that was taken, by collection."""
        found, self._found, self.held = self._found, {}, 0
        for parts in found.values():
            for part in parts:
                part.size += _size(part.rows)
        return found


def _size(rows: list[bytes]) -> int:
    return _ROW * len(rows) // 2 + sum(map(len, rows))


def together(found: Iterable[Kept]) -> Kept:
    """What several writers took."""
    whole: Kept = {}
    for one in found:
        for collection, parts in one.items():
            if collection not in whole:
                whole[collection] = parts
            else:
                for to, part in zip(whole[collection], parts, strict=True):
                    to.add(part)
    return whole
