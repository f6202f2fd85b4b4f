"""Stored images of one work unit: bytes one after the other in blob files, and a row each for the index."""

from __future__ import annotations

import hashlib
from contextlib import ExitStack
from typing import BinaryIO

from schemas.records import ImageRow
from transforms import files
from transforms.images import Prepared, Refused

BLOB_BYTES = 256 << 20


class BlobWriter:
    """Collects images; each blob appears whole when it is full or the block ends. Equal bytes are stored once."""

    def __init__(self, output: str, unit: str) -> None:
        self._output, self._unit = output, unit
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
        if self._stream is not None and self._offset + len(data) > BLOB_BYTES:
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


def index_row(
    key: str, made: Prepared | Refused, status: int, fetched_at: int, origin: str, blobs: BlobWriter
) -> ImageRow:
    """The index row of one image key, storing its bytes where there are any."""
    if isinstance(made, Refused):
        return ImageRow(key, "", made.reason, status, "", 0, 0, 0, 0, "", "", 0, 0, fetched_at, origin, False)
    blob, offset = blobs.store(made.data)
    return ImageRow(
        key, made.image_id, "ok", status, made.mime, made.width, made.height, made.stored_width, made.stored_height,
        made.phash, blob, offset, len(made.data), fetched_at, origin, made.single_colour,
    )  # fmt: skip
