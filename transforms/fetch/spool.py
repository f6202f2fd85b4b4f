"""What a unit has got so far, kept beside its output until it is done, so that a killed run asks for nothing twice.

Got ↔ numbered files of some images each, written atomically: a line of JSON per image, then their bytes. They are read
back in the order in which they were written.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator

from weft.transforms.fetch.blobs import Got
from weft.transforms.fetch.decode import Prepared, Refused
from weft.transforms.io import files

MOST_IMAGES, MOST_BYTES, MOST_SECONDS = 512, 16 << 20, 30.0  # of one file: so much is asked for again after a kill


class Spool:
    """The answers of one unit."""

    def __init__(self, output: str, unit: str, fingerprint: str) -> None:
        self._at = files.join(output, "fetch", "spool", f"{unit}-{fingerprint[:16]}")
        self._number = 0

    def earlier(self) -> Iterator[Got]:
        """What an earlier run of this unit got."""
        for path, _ in files.listing(files.join(self._at, "*.bin")):
            self._number += 1
            yield from _read(path)

    def through(self, found: Iterable[Got]) -> Iterator[Got]:
        """The same, each written before the next file begins."""
        waiting: list[Got] = []
        size, begun = 0, time.monotonic()
        for got in found:
            yield got
            waiting.append(got)
            size += len(got.made.data) if isinstance(got.made, Prepared) else 0
            if len(waiting) >= MOST_IMAGES or size >= MOST_BYTES or time.monotonic() - begun >= MOST_SECONDS:
                self._write(waiting)
                waiting, size, begun = [], 0, time.monotonic()
        # What is left is about to be in the unit's own files.

    def keep(self, found: Iterable[Got]) -> None:
        """Lay all of these aside, for a unit that is to be done again."""
        waiting: list[Got] = []
        for got in found:
            waiting.append(got)
            if len(waiting) >= MOST_IMAGES:
                self._write(waiting)
                waiting = []
        if waiting:
            self._write(waiting)

    def remove(self) -> None:
        """The unit is done."""
        files.remove_tree(self._at)

    def _write(self, found: list[Got]) -> None:
        heads, bodies = [], []
        for got in found:
            data = got.made.data if isinstance(got.made, Prepared) else b""
            made = [len(data), *got.made[1:]] if isinstance(got.made, Prepared) else list(got.made)
            heads.append(json.dumps([got.key, made, *got[2:]]))
            bodies.append(data)
        text = "".join(head + "\n" for head in heads)
        files.write_atomic(files.join(self._at, f"{self._number:06d}.bin"), text.encode() + b"\n" + b"".join(bodies))
        self._number += 1


def _read(path: str) -> Iterator[Got]:
    text, _, data = files.read_bytes(path).partition(b"\n\n")
    at = 0
    for line in text.splitlines():
        key, made, *more = json.loads(line)
        if len(made) == len(Refused._fields):
            yield Got(key, Refused(*made), *more)
        else:
            yield Got(key, Prepared(data[at : at + made[0]], *made[1:]), *more)
            at += made[0]
