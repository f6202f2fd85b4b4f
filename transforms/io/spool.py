"""What a unit has got so far, kept beside its output until it is done, so that a killed run asks for nothing twice.

Items ↔ numbered files of some items each, written atomically: a line of JSON per item, then the bytes of all. They are
read back in the order in which they were written. Attempts of one unit at the same time write files of their own.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Generic, TypeVar

from weft.transforms.io import files

MOST_ITEMS, MOST_BYTES, MOST_SECONDS = 512, 16 << 20, 10.0  # of one file: at most this is lost in a kill

T = TypeVar("T")


class Spool(Generic[T]):
    """The items of one attempt of a unit; what they are, those say who take them apart and put them together."""

    def __init__(self, at: str) -> None:
        """Begin with nothing.

        Args:
            at: directory of the unit, with a name that says what the unit is to do: for another task it is another.
        """
        self.at, self.attempt = at, uuid.uuid4().hex[:8]
        self.files: list[str] = []  # names of those that this attempt has read or written, or was told of

    def apart(self, item: T) -> tuple[Any, bytes]:
        """(what JSON can say of an item, its bytes)."""
        raise NotImplementedError

    def together(self, said: Any, data: bytes) -> T:
        """The item that `apart` took apart."""
        raise NotImplementedError

    def earlier(self, known: Sequence[str] = ()) -> Iterator[T]:
        """What earlier attempts got. To be read to its end before anything is written.

        Args:
            known: files that are passed over here, and whose items come first in `again`.
        """
        names = [path.rpartition("/")[2] for path, _ in files.listing(files.join(self.at, "*.bin"))]
        new = sorted(set(names) - set(known))
        self.files = [*known, *new]
        return self.again(new)

    def again(self, names: Sequence[str] | None = None) -> Iterator[T]:
        """What this attempt has read or written, and no other at work beside it; else what is in the named files."""
        for name in self.files if names is None else names:
            text, _, data = files.read_bytes(files.join(self.at, name)).partition(b"\n\n")
            at = 0
            for line in text.splitlines():
                length, said = json.loads(line)
                yield self.together(said, data[at : at + length])
                at += length

    def through(self, found: Iterable[T], rest: Callable[[], bool] = lambda: False) -> Iterator[T]:
        """The same items, each file of them written before the first of the next is asked for.

        Args:
            found: the items.
            rest: asked at the end: whether the last of them are written too, and are not about to be in the unit's own
                files.
        """
        waiting: list[tuple[Any, bytes]] = []
        size, begun = 0, time.monotonic()
        for item in found:
            yield item
            waiting.append(self.apart(item))
            size += len(waiting[-1][1])
            if len(waiting) >= MOST_ITEMS or size >= MOST_BYTES or time.monotonic() - begun >= MOST_SECONDS:
                self._write(waiting)
                waiting, size, begun = [], 0, time.monotonic()
        if waiting and rest():
            self._write(waiting)

    def keep(self, found: Iterable[T]) -> None:
        """Write all of these."""
        for _ in self.through(found, rest=lambda: True):
            pass

    def remove(self) -> None:
        """The unit is done, and its marker says so."""
        files.remove_tree(self.at)

    def _write(self, waiting: list[tuple[Any, bytes]]) -> None:
        lines = [f"{json.dumps([len(data), said])}\n" for said, data in waiting]
        name = f"{len(self.files):06d}-{self.attempt}.bin"
        with files.recorded():  # it is gone when the unit is done: no file of its own
            files.write_atomic(
                files.join(self.at, name), "".join(lines).encode() + b"\n" + b"".join(data for _, data in waiting)
            )
        self.files.append(name)
