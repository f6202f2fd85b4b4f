"""Stored images of one work unit: bytes one after the other in blob files, and a row each for the index.

prepared images → images/blobs/UNIT-NNN.bin, written as they come and never held in memory, and rows of images/index.
Answers of many servers come in any order; `in_order` lays their bytes aside on disk until all are there, so that equal
answers give equal blobs.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from typing import BinaryIO, NamedTuple

from weft.schemas.records import ImageRow
from weft.transforms.fetch.decode import Prepared, Refused
from weft.transforms.io import files

BLOB_BYTES = 256 << 20  # a blob is closed before it grows beyond this


class Got(NamedTuple):
    """What came of one image key."""

    key: str
    made: Prepared | Refused
    status: int  # of HTTP
    fetched_at: int  # microseconds since the epoch
    url: str = ""  # where redirects ended
    opt_out: str = ""  # what its response says against its use, honoured or not


class BlobWriter:
    """Collects images; each blob appears whole when it is full or the block ends. Equal bytes are stored once."""

    def __init__(self, output: str, unit: str, blob_bytes: int = BLOB_BYTES) -> None:
        self._output, self._unit, self._most = output, unit, blob_bytes
        self._number = self._offset = 0
        self._known: dict[bytes, tuple[str, int]] = {}
        self._stream: BinaryIO | None = None

    def __enter__(self) -> BlobWriter:
        self._stack = ExitStack()
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.__exit__(*error)  # type: ignore[arg-type]

    def store(self, data: bytes) -> tuple[str, int]:
        """(blob path relative to the output directory, offset) of stored bytes."""
        digest = hashlib.blake2b(data, digest_size=16).digest()
        if digest in self._known:
            return self._known[digest]
        if self._stream is not None and self._offset + len(data) > self._most:
            self._stack.close()
            self._stream, self._number, self._offset = None, self._number + 1, 0
        if self._stream is None:
            self._stream = self._stack.enter_context(files.atomic(files.join(self._output, self._name())))
        self._stream.write(data)
        place = (self._name(), self._offset)
        self._offset += len(data)
        self._known[digest] = place
        return place

    def _name(self) -> str:
        return f"images/blobs/{self._unit}-{self._number:03d}.bin"


def in_order(found: Iterable[Got]) -> Iterator[Got]:
    """The same by key, holding no image in memory."""
    with tempfile.TemporaryFile() as aside:
        places: list[tuple[Got, int, int]] = []
        for got in found:
            data = got.made.data if isinstance(got.made, Prepared) else b""
            places.append((got._replace(made=_with(got.made, b"")), aside.tell(), len(data)))
            aside.write(data)
        for got, offset, length in sorted(places, key=lambda place: place[0].key):
            aside.seek(offset)
            yield got._replace(made=_with(got.made, aside.read(length)))


def index_row(got: Got, origin: str, blobs: BlobWriter) -> ImageRow:
    """The index row of one image key, storing its bytes where there are any."""
    key, made, status, fetched_at, url, wish = got
    if isinstance(made, Refused):
        return ImageRow(
            key, "", made.reason, status, "", 0, 0, 0, 0, "", "", 0, 0, fetched_at, origin, False, url, wish
        )
    blob, offset = blobs.store(made.data)
    return ImageRow(
        key, made.image_id, "ok", status, made.mime, made.width, made.height, made.stored_width, made.stored_height,
        made.phash, blob, offset, len(made.data), fetched_at, origin, made.single_colour, url, wish,
    )  # fmt: skip


def _with(made: Prepared | Refused, data: bytes) -> Prepared | Refused:
    return made._replace(data=data) if isinstance(made, Prepared) else made
