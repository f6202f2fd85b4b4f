"""Many pieces of large files, read as they lie: near ones by one request, one open a file, some requests ahead.

(path, offset, length) in order ──► runs of near pieces ──► their bytes, in the same order

A picture is some 50 KB of a blob of 256 MB. Asked for one by one, each costs a request; read as a whole file, it costs
all that lies between. Pieces that are at most NEAR apart come together, so that a request more is made only where it
saves more bytes than it costs time.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from typing import BinaryIO, NamedTuple

from weft.transforms.io import files

NEAR = 64 << 10  # bytes that are read for nothing rather than ask once more: about a millisecond of a connection
MOST = 4 << 20  # bytes of one request
AT_ONCE = 8  # requests to an object store; so many times MOST is held


class Place(NamedTuple):
    """A piece of a file."""

    path: str
    offset: int
    length: int


class _Run(NamedTuple):
    """Pieces of one file that are read together."""

    path: str
    start: int
    end: int
    places: list[Place]


def read(places: Iterable[Place], missing: bool = False) -> Iterator[bytes]:
    """The bytes of each place, in the order given; fewer of a place that is beyond the end of its file.

    Sorted places cost least: only what follows each other is read together.

    Args:
        places: what to read.
        missing: whether a file that is not there has no bytes, rather than ending all.

    Raises:
        OSError: a local file is missing or cannot be read.
        Unavailable: a remote one cannot be had now.
    """
    with _Reader(missing) as reader:
        for run, data in reader.ahead(_runs(places)):
            for place in run.places:
                start = place.offset - run.start
                yield data[start : start + place.length]


def _runs(places: Iterable[Place]) -> Iterator[_Run]:
    """Pieces that follow each other nearly, together."""
    run: _Run | None = None
    for place in places:
        end = place.offset + place.length
        if (
            run
            and place.path == run.path
            and run.start <= place.offset <= run.end + NEAR
            and max(end, run.end) - run.start <= MOST
        ):
            run.places.append(place)
            run = run._replace(end=max(end, run.end))
            continue
        if run:
            yield run
        run = _Run(place.path, place.offset, end, [place])
    if run:
        yield run


class _Reader:
    """Reads runs: local ones from a file that stays open, remote ones with some requests under way."""

    def __init__(self, missing: bool) -> None:
        self._missing = missing
        self._path, self._open = "", ExitStack()

    def __enter__(self) -> _Reader:
        self._pool = ThreadPoolExecutor(AT_ONCE, "ranges")  # starts no thread before there is work for it
        return self

    def __exit__(self, *error: object) -> None:
        self._pool.shutdown(cancel_futures=True)
        self._open.close()

    def ahead(self, runs: Iterable[_Run]) -> Iterator[tuple[_Run, bytes]]:
        """Each run with its bytes."""
        begun: deque[tuple[_Run, Future[bytes]]] = deque()
        for run in runs:
            if files.is_local(run.path):
                while begun:
                    before, waiting = begun.popleft()
                    yield before, waiting.result()
                yield run, self._get(run)
                continue
            begun.append((run, self._pool.submit(self._get, run)))
            if len(begun) >= AT_ONCE:
                before, waiting = begun.popleft()
                yield before, waiting.result()
        for before, waiting in begun:
            yield before, waiting.result()

    def _get(self, run: _Run) -> bytes:
        try:
            if files.is_local(run.path):
                return self._local(run)
            return files.read_range(run.path, run.start, run.end - run.start)
        except FileNotFoundError:
            if not self._missing:
                raise
            return b""

    def _local(self, run: _Run) -> bytes:
        if run.path != self._path:
            self._open.close()
            self._path = ""
            self._stream: BinaryIO = self._open.enter_context(files.open_read(run.path))
            self._path = run.path
        if run.start >= os.fstat(self._stream.fileno()).st_size:  # no file system seeks as far as a number can say
            return b""
        self._stream.seek(run.start)
        return self._stream.read(run.end - run.start)
