"""ARC, the Internet Archive's format before WARC: a header line, then the HTTP response. fastwarc does not read it."""

from __future__ import annotations

import io
import re
import zlib
from collections.abc import Iterator
from typing import BinaryIO

from weft.transforms.archives.http_message import parse_http
from weft.transforms.archives.record import GZIP, MAX_RECORD_BYTES, Broken, Record, parse_date

MAX_LINE_BYTES = 1 << 16  # of a record's header
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
        for offset, data in _gzip_members(stream, base):
            at = offset + 1  # what breaks comes after this member
            yield from _records(io.BytesIO(data), offset, packed=True)
    except (EOFError, zlib.error) as error:
        yield Broken(at, "truncated", f"{type(error).__name__}: {error}")


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
        length = int(size)
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
        if problem == "no_http" and url.startswith("http"):
            status, headers = 200, (("content-type", mime),)
            problem = ""
        if not problem and len(block) < length:
            problem = "truncated"
        yield Record(*fixed, status, headers, body, problem)


def _gzip_members(stream: BinaryIO, base: int) -> Iterator[tuple[int, bytes]]:
    """(offset, decompressed bytes) of each gzip member."""
    buffer, offset = b"", base
    while True:
        engine = zlib.decompressobj(31)
        out: list[bytes] = []
        used = 0
        while not engine.eof:
            if not buffer:
                buffer = stream.read(1 << 16)
                if not buffer:
                    if out or used:
                        raise EOFError("a gzip member is cut off")
                    return
            out.append(engine.decompress(buffer))
            used += len(buffer)
            buffer = b""
        buffer = engine.unused_data
        yield offset, b"".join(out)
        offset += used - len(buffer)
