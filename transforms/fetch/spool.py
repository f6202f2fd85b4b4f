"""What a unit has got so far, kept beside its output until it is done, so that a killed run asks for nothing twice.

Outcomes ↔ numbered files of some images each, written atomically: a line of JSON per image, then their bytes. They are
read back in the order in which they were written.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator

from weft.transforms.fetch.blobs import Outcome
from weft.transforms.fetch.decode import Prepared, Refused
from weft.transforms.io import files

MOST_IMAGES, MOST_BYTES, MOST_SECONDS = 512, 16 << 20, 30.0  # of one file: at most this is lost in a kill


class Spool:
    """The outcomes of one unit that is not done.

    Args:
        output: the run's directory.
        unit: the unit's name.
        fingerprint: of what the unit is to do; with another one it begins with nothing.
    """

    def __init__(self, output: str, unit: str, fingerprint: str) -> None:
        self._at = files.join(output, "fetch", "spool", f"{unit}-{fingerprint[:16]}")
        self._number = 0

    def earlier(self) -> Iterator[Outcome]:
        """What an earlier run of this unit got. To be read to its end before anything is written."""
        for path, _ in files.listing(files.join(self._at, "*.bin")):
            self._number += 1
            yield from _read(path)

    def through(self, found: Iterable[Outcome]) -> Iterator[Outcome]:
        """The same outcomes, each file of them written before the first of the next is asked for."""
        waiting: list[Outcome] = []
        size, begun = 0, time.monotonic()
        for outcome in found:
            yield outcome
            waiting.append(outcome)
            size += len(outcome.image.data) if isinstance(outcome.image, Prepared) else 0
            if len(waiting) >= MOST_IMAGES or size >= MOST_BYTES or time.monotonic() - begun >= MOST_SECONDS:
                self._write(waiting)
                waiting, size, begun = [], 0, time.monotonic()
        # What is left is about to be in the unit's own files.

    def keep(self, found: Iterable[Outcome]) -> None:
        """Write all of these, for a unit that is to be done again."""
        waiting: list[Outcome] = []
        for outcome in found:
            waiting.append(outcome)
            if len(waiting) >= MOST_IMAGES:
                self._write(waiting)
                waiting = []
        if waiting:
            self._write(waiting)

    def remove(self) -> None:
        """The unit is done."""
        files.remove_tree(self._at)

    def _write(self, found: list[Outcome]) -> None:
        heads, bodies = [], []
        for key, image, *more in found:
            data = image.data if isinstance(image, Prepared) else b""
            fields = [len(data), *image[1:]] if isinstance(image, Prepared) else list(image)
            heads.append(json.dumps([key, fields, *more]))
            bodies.append(data)
        text = "".join(head + "\n" for head in heads)
        with files.recorded():  # it is gone when the unit is done: no file of its own
            files.write_atomic(
                files.join(self._at, f"{self._number:06d}.bin"), text.encode() + b"\n" + b"".join(bodies)
            )
        self._number += 1


def _read(path: str) -> Iterator[Outcome]:
    text, _, data = files.read_bytes(path).partition(b"\n\n")
    at = 0
    for line in text.splitlines():
        key, fields, *more = json.loads(line)
        if len(fields) == len(Refused._fields):
            yield Outcome(key, Refused(*fields), *more)
        else:
            yield Outcome(key, Prepared(data[at : at + fields[0]], *fields[1:]), *more)
            at += fields[0]
