"""Stored images of one work unit: their bytes one after the other in blob files, and a row each for the index.

outcomes → images/blobs/UNIT-NNN.bin, written as they come and never held in memory, and rows of images/index. Answers
of many servers come in any order; `in_order` keeps them on disk until all are there and sorts them, so that equal
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


class Outcome(NamedTuple):
    """What came of one image that was wanted."""

    key: str
    image: Prepared | Refused
    http_status: int  # 0 where nobody answered
    fetched_at: int  # microseconds since the epoch
    final_url: str = ""  # where redirects ended
    opt_out: str = ""  # what its response says against its use, honoured or not


class BlobWriter:
    """Collects images; each blob appears whole when it is full or the block ends. Equal bytes are stored once.

    Args:
        output: the run's directory.
        unit: name of the work unit; blobs are named after it.
        blob_bytes: a blob is closed before it grows beyond this.
    """

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


def in_order(found: Iterable[Outcome]) -> Iterator[Outcome]:
    """The same outcomes by key, holding no image in memory."""
    with tempfile.TemporaryFile() as aside:
        places: list[tuple[Outcome, int, int]] = []
        for outcome in found:
            data = outcome.image.data if isinstance(outcome.image, Prepared) else b""
            places.append((_with_data(outcome, b""), aside.tell(), len(data)))
            aside.write(data)
        for outcome, offset, length in sorted(places, key=lambda place: place[0].key):
            aside.seek(offset)
            yield _with_data(outcome, aside.read(length))


def index_row(outcome: Outcome, origin: str, blobs: BlobWriter) -> ImageRow:
    """The index row of one outcome, storing its bytes where there are any.

    Args:
        origin: "warc" or "http".
    """
    key, image, http_status, fetched_at, final_url, opt_out = outcome
    if isinstance(image, Refused):
        return ImageRow(
            key, "", image.reason, http_status, "", 0, 0, 0, 0, "", "", 0, 0, fetched_at, origin, False, final_url,
            opt_out,
        )  # fmt: skip
    blob, offset = blobs.store(image.data)
    return ImageRow(
        key, image.image_id, "ok", http_status, image.mime, image.width, image.height, image.stored_width,
        image.stored_height, image.phash, blob, offset, len(image.data), fetched_at, origin, image.single_colour,
        final_url, opt_out,
    )  # fmt: skip


def _with_data(outcome: Outcome, data: bytes) -> Outcome:
    image = outcome.image
    return outcome._replace(image=image._replace(data=data)) if isinstance(image, Prepared) else outcome
