"""ARC, the Internet Archive's format before WARC: a header line, then the HTTP response. fastwarc does not read it."""

from __future__ import annotations

import io
import re
import zlib
from collections.abc import Iterator
from typing import BinaryIO, cast

from weft.transforms.archives.http_message import parse_http
from weft.transforms.archives.record import MAX_DIGITS, MAX_RECORD_BYTES, Broken, Record, parse_date
from weft.transforms.io.streams import GZIP

MAX_LINE_BYTES = 1 << 16  # of a record's header
PLAUSIBLE = 256 << 20  # bytes of a gzip member that need no look at how much it was compressed ...
MAX_RATIO = 200  # ... and how much a larger one may be; web pages reach 20, and what is made to harm 1,000
_HEADER = re.compile(rb"^(\S.*) (\S+) (\d{4,20}) (\S+) (\d+)\s*$")  # URL, IP address, date, MIME type, length


def is_arc(head: bytes) -> bool:
    """Whether a file that begins with these bytes is an ARC file, plain or gzipped."""
    if head.startswith(GZIP):
        try:
            head = zlib.decompressobj(31).decompress(head, 1 << 12)
        except zlib.error:
            return False
    return head.startswith(b"filedesc:") or bool(_HEADER.match(head.split(b"\n", 1)[0]))


def read_arc(stream: BinaryIO, base: int = 0) -> Iterator[Record | Broken]:
    """Records from the offset `base` on, which has to be where one begins; a Broken ends what does not end well."""
    head = stream.read(len(GZIP))
    stream.seek(base)
    if not head.startswith(GZIP):
        yield from _records(stream, base, packed=False)
        return
    at = base
    try:
        for offset, member in _gzip_members(stream, base):
            at = offset + 1  # what breaks comes after this member
            yield from _records(cast(BinaryIO, io.BufferedReader(member, MAX_LINE_BYTES)), offset, packed=True)
    except (EOFError, zlib.error) as error:
        yield Broken(at, "truncated", f"{type(error).__name__}: {error}")
    except Bomb as error:
        yield Broken(at, "unreadable", str(error))


def _records(stream: BinaryIO, at: int, packed: bool) -> Iterator[Record | Broken]:
    """Records of a plain stream that stands at offset `at`; those of a gzip member (`packed`) all have its offset."""
    place = at
    while line := stream.readline(MAX_LINE_BYTES):
        place = place if packed else at
        at += len(line)
        line = line.rstrip(b"\r\n")
        if not line.strip():
            continue
        found = _HEADER.match(line)
        if not found and line.startswith(b"filedesc:"):  # a file header without a usable length: skip to a blank line
            while line.strip():
                line = stream.readline(MAX_LINE_BYTES)
                at += len(line)
            continue
        if not found:
            yield Broken(place, "unreadable", f"no ARC header: {line[:80].decode('latin-1')}")
            return
        url, _, date, mime, size = (part.decode("latin-1") for part in found.groups())
        length = int(size[:MAX_DIGITS])
        fixed = ("response", url.replace(" ", "%20"), date, parse_date(date), "", place)
        if length > MAX_RECORD_BYTES:
            yield Record(*fixed, 0, (), b"", "too_large")
            while length and (passed := len(stream.read(min(length, MAX_LINE_BYTES)))):  # a seek may go out of bounds
                at, length = at + passed, length - passed
            continue
        block = stream.read(length)
        at += len(block)
        if url.startswith("filedesc:"):
            yield Record("warcinfo", *fixed[1:], 0, (), b"", "")
            continue
        status, headers, body, problem = parse_http(block)
        if problem == "no_http" and url.startswith("http") and not block.startswith(b"HTTP/"):
            status, headers = 200, (("content-type", mime),)
            problem = ""
        if not problem and len(block) < length:
            problem = "truncated"
        yield Record(*fixed, status, headers, body, problem)


class Bomb(ValueError):
    """A gzip member that expands beyond all sense."""


class _Member(io.RawIOBase):
    """What a gzip member holds, decompressed as it is read, so that memory does not grow with it."""

    def __init__(self, stream: BinaryIO, rest: bytes) -> None:
        self._stream, self._rest = stream, rest
        self._engine = zlib.decompressobj(31)
        self._made = self._taken = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        data = b""
        while not data and not self._engine.eof:
            if not self._rest:
                self._rest = self._stream.read(1 << 16)
                if not self._rest:
                    raise EOFError("a gzip member is cut off")
            before = len(self._rest)
            data = self._engine.decompress(self._rest, len(buffer))
            self._rest = self._engine.unused_data if self._engine.eof else self._engine.unconsumed_tail
            self._taken += before - len(self._rest)
            self._made += len(data)
            if self._made > max(PLAUSIBLE, self._taken * MAX_RATIO):
                raise Bomb(f"a gzip member expands more than {MAX_RATIO} times, to over {PLAUSIBLE} bytes")
        buffer[: len(data)] = data
        return len(data)

    def end(self) -> tuple[int, bytes]:
        """(compressed bytes that it had, what was read of the file beyond it); reads what is left of it."""
        space = memoryview(bytearray(1 << 16))
        while self.readinto(space):
            pass
        return self._taken, self._rest


def _gzip_members(stream: BinaryIO, base: int) -> Iterator[tuple[int, _Member]]:
    """(offset, content) of each gzip member; what its reader leaves of one is passed over."""
    offset, rest = base, b""
    while True:
        rest = rest or stream.read(1 << 16)
        if not rest:
            return
        member = _Member(stream, rest)
        yield offset, member
        used, rest = member.end()
        offset += used
