"""WACZ: the archives inside a zip file, found without unpacking it.

The format wants archives to be stored in the zip and not compressed again (WACZ 1.1.1, "Zip Compression"): so an
archive is a stretch of the zip, and a record in it is found again by its offset in the zip. Where the zip's directory
is cut off, archives are found by the headers that stand before them.
"""

from __future__ import annotations

import io
import re
import struct
import zipfile
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from weft.transforms.io.streams import PlacedStream

MAGIC = b"PK\x03\x04"
_FOLDER = re.compile(r"(?:^|/)archive/", re.IGNORECASE)
_ENDINGS = tuple(f".{kind}{packed}" for kind in ("warc", "arc") for packed in ("", ".gz", ".zst"))
_HEADER = struct.Struct("<4s5H3I2H")  # of a member: APPNOTE 4.3.7
_STREAMED, _ENCRYPTED = 1 << 3, 1 << 0  # flags, APPNOTE 4.4.4; streamed: the length stands after the member
_DESCRIPTOR = b"PK\x07\x08"  # APPNOTE 4.3.9
_ZIP64 = 0xFFFFFFFF
_PIECE = 1 << 20


class Member(NamedTuple):
    """An archive in a zip, or why what is here cannot be read."""

    name: str
    start: int  # of its bytes in the file
    length: int
    problem: str  # "", "unreadable", "truncated"


def members(stream: BinaryIO) -> Iterator[Member]:
    """The archives of a WACZ in the order in which they stand. The last item of a cut zip is a problem, "truncated"."""
    try:
        with zipfile.ZipFile(stream) as directory:
            found = sorted(directory.infolist(), key=lambda one: one.header_offset)
    except (zipfile.BadZipFile, NotImplementedError, struct.error, ValueError, OSError):
        yield from _walk(stream)
        return
    for one in found:
        if _is_archive(one.filename):
            yield _member(stream, one.header_offset, one.filename, one.compress_size)


class Window(PlacedStream):
    """A stretch of a stream as a stream of its own."""

    def __init__(self, stream: BinaryIO, start: int, length: int) -> None:
        self._stream, self._start, self.size = stream, start, length

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        self._stream.seek(self._start + self._at)
        data = self._stream.read(max(0, min(len(buffer), self.size - self._at)))
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)


def _is_archive(name: str) -> bool:
    return bool(_FOLDER.search(name)) and name.lower().endswith(_ENDINGS)


def _member(stream: BinaryIO, at: int, name: str, length: int) -> Member:
    """The member whose header stands at `at`, as the directory knows it."""
    stream.seek(at)
    head = stream.read(_HEADER.size)
    if len(head) < _HEADER.size or not head.startswith(MAGIC):
        return Member(f"{name}: no header where the zip's directory says", at, 0, "unreadable")
    _, _, flags, method, *_, named, extra = _HEADER.unpack(head)
    start = at + _HEADER.size + named + extra
    if method or flags & _ENCRYPTED:
        return Member(f"{name} is compressed or encrypted inside the zip", start, 0, "unreadable")
    return Member(name, start, length, "")


def _walk(stream: BinaryIO) -> Iterator[Member]:
    """Archives of a zip whose directory is cut off, header by header."""
    end, at = stream.seek(0, io.SEEK_END), 0
    while True:
        stream.seek(at)
        head = stream.read(_HEADER.size)
        if len(head) < _HEADER.size or not head.startswith(MAGIC):
            break
        _, _, flags, _, _, _, _, length, _, named, extra = _HEADER.unpack(head)
        name = stream.read(named).decode("utf-8", "replace")
        length = _long(stream.read(extra), length)
        start = at + _HEADER.size + named + extra
        streamed = bool(flags & _STREAMED) and not length
        at = _described_end(stream, start, end) if streamed else start + length
        body = at - start
        if streamed and at < end:  # past the descriptor, whose sizes have four bytes or eight
            stream.seek(at + len(_DESCRIPTOR) + 12)
            at += 16 if stream.read(4)[:2] == MAGIC[:2] else 24
        if _is_archive(name) and start < end:
            yield _member(stream, start - _HEADER.size - named - extra, name, min(body, end - start))
        if at >= end:
            break
    yield Member("the zip's directory is cut off", end, 0, "truncated")


def _described_end(stream: BinaryIO, start: int, end: int) -> int:
    """Where a streamed member ends: at the first descriptor whose length is its distance from the member's start."""
    at, kept = start, b""
    while True:
        stream.seek(at)
        piece = stream.read(_PIECE)
        seen = kept + piece
        place = seen.find(_DESCRIPTOR)
        while 0 <= place <= len(seen) - 16:
            where = at - len(kept) + place
            if where - start == int.from_bytes(seen[place + 8 : place + 12], "little"):
                return where
            place = seen.find(_DESCRIPTOR, place + 1)
        if not piece:
            return end
        at, kept = at + len(piece), seen[-15:]


def _long(extra: bytes, length: int) -> int:
    """A member's length: the header's, or the zip64 field's where the header refers to it (APPNOTE 4.5.3)."""
    while length == _ZIP64 and len(extra) >= 4:
        kind, size = struct.unpack_from("<2H", extra)
        if kind == 1 and size >= 16:
            return int(struct.unpack_from("<Q", extra, 12)[0])
        extra = extra[4 + size :]
    return length
