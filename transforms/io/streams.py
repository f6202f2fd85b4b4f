"""Streams: what every one has that is read at a place of its own, and one that is hashed while it is written."""

from __future__ import annotations

import hashlib
import io
from collections import deque
from typing import BinaryIO

GZIP = b"\x1f\x8b"  # a gzip member begins so
ENDS = 64 << 10  # bytes of each end of a file that is told by them


class PlacedStream(io.RawIOBase):
    """A readable, seekable stream; who inherits reads in `readinto` from `_at` on and moves it."""

    _at = 0
    size = 0  # bytes

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self.size}[whence]
        self._at = max(0, base + offset)
        return self._at


class End:
    """The last ENDS bytes of what is read or written piece by piece."""

    def __init__(self) -> None:
        self._pieces, self._bytes = deque[bytes](), 0

    def add(self, data: bytes) -> None:
        """The piece that comes next."""
        piece = bytes(memoryview(data).cast("B")[-ENDS:])
        self._pieces.append(piece)
        self._bytes += len(piece)
        while self._bytes - len(self._pieces[0]) >= ENDS:
            self._bytes -= len(self._pieces.popleft())

    def digest(self) -> str:
        """Its hash, which `of` gives for the same bytes."""
        return self.of(b"".join(self._pieces)[-ENDS:])

    @staticmethod
    def of(data: bytes) -> str:
        """Hash of bytes that were read at once."""
        return hashlib.blake2b(data, digest_size=8).hexdigest()


class HashedStream(io.RawIOBase):
    """Passes bytes on to a file, counting and hashing them. Who writes a table says how many rows it has."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream, self.digest, self.size, self.end = stream, hashlib.sha256(), 0, End()
        self.rows: int | None = None

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self._stream.write(data)
        self.digest.update(data)
        self.end.add(data)
        self.size += memoryview(data).nbytes
        return memoryview(data).nbytes

    def tell(self) -> int:
        return self.size
