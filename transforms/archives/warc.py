"""Archives → records: WARC and ARC, plain or compressed, alone or in a WACZ, read in one pass and never trusted.

fastwarc frames WARC records (gzip members, zstd, plain); ARC, which it does not read, is framed here. HTTP is parsed
here for both, because archives hold what servers really sent: chunks that are not, encodings that lie, bodies cut off.
A break ends the file and is yielded as the last item; everything before it counts.
"""

from __future__ import annotations

import datetime
import io
import re
import zlib
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO, NamedTuple

import brotli
from fastwarc.stream_io import ZstdReader
from fastwarc.warc import ArchiveIterator

from weft.transforms.archives import wacz
from weft.transforms.io import files

MAX_RECORD_BYTES = 64 << 20  # a record is read into memory; larger ones are named and passed over
MAX_LINE_BYTES = 1 << 16  # of an ARC record's header
_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"
_DICTIONARY = b"\x5d\x2a\x4d\x18"  # begins a .warc.zst whose records share a dictionary (Archive Team's convention)
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
_ARC_LINE = re.compile(rb"^(\S.*) (\S+) (\d{4,20}) (\S+) (\d+)\s*$")
_CHUNK_SIZE = re.compile(rb"^[ \t]*([0-9a-fA-F]{1,8})[^\r\n]*\r?\n")


class Broken(NamedTuple):
    """Where and why reading a file ended before its end."""

    offset: int
    reason: str  # "empty_file", "unreadable", "truncated"
    detail: str


class Record(NamedTuple):
    """One archive record; HTTP parts are empty where it is no HTTP response."""

    kind: str  # WARC-Type; "response" for ARC
    url: str
    date: str  # as written
    crawl_date: int  # microseconds since the epoch, 0 where unreadable
    record_id: str  # "" in ARC
    offset: int  # of the record in the file as stored
    status: int  # HTTP status, 0 where there is none
    headers: tuple[tuple[str, str], ...]  # HTTP headers, names in lower case
    body: bytes  # decoded
    problem: str  # "", "truncated", "too_large", "bad_encoding", "no_http"

    def header(self, name: str) -> str:
        """All values of a header, joined by a comma."""
        return ", ".join(value for key, value in self.headers if key == name)


def read_archive(path: str) -> Iterator[Record | Broken]:
    """Every record of an archive in order; a Broken comes last where the file does not end well."""
    try:
        with files.open_read(path) as stream:
            head = stream.read(1 << 16)
            if not head:
                yield Broken(0, "empty_file", "0 bytes")
                return
            if not head.startswith(wacz.MAGIC):
                stream.seek(0)
                yield from _read_arc(stream) if is_arc(head) else _read_warc(stream)
                return
            none = True
            for member in wacz.members(stream):
                none = False
                yield from _read_member(stream, member)
            if none:
                yield Broken(0, "unreadable", "a zip without archive/*.warc.gz")
    except (OSError, EOFError, zlib.error) as error:
        yield Broken(0, "unreadable", f"{type(error).__name__}: {error}")


def read_captures(path: str, offsets: Iterable[int]) -> Iterator[tuple[int, Record | None]]:
    """The response records at the given offsets, in that order; None where there is none (any more)."""
    with files.open_read(path) as stream:
        parts = [(0, stream, *_kind(stream))]
        if stream.seek(0) == 0 and stream.read(len(wacz.MAGIC)) == wacz.MAGIC:
            inside = [one for one in wacz.members(stream) if not one.problem]
            windows = [(one.start, io.BufferedReader(wacz.Window(stream, one.start, one.length))) for one in inside]
            parts += [(start, window, *_kind(window)) for start, window in windows]
        for offset in offsets:
            start, part, arc, dictionary = max((one for one in parts if one[0] <= offset), key=lambda one: one[0])
            try:
                part.seek(offset - start)
                if arc:
                    found = next(_read_arc(part, offset - start), None)
                else:
                    found = next(_read_warc(part, offset - start, 1, dictionary), None)
            except (OSError, EOFError, zlib.error):
                found = None
            yield offset, found._replace(offset=offset) if isinstance(found, Record) else None


def is_arc(head: bytes) -> bool:
    """Whether a file that begins so is an ARC file."""
    if head.startswith(_GZIP):
        try:
            head = zlib.decompressobj(31).decompress(head, 1 << 12)
        except zlib.error:
            return False
    return head.startswith(b"filedesc:") or bool(_ARC_LINE.match(head.split(b"\n", 1)[0]))


def parse_date(text: str) -> int:
    """Microseconds since the epoch of a WARC (ISO 8601, any precision) or ARC (digits) date; 0 if unreadable."""
    digits = re.sub(r"\D", "", text.split(".")[0])[:14]
    if len(digits) < 4:
        return 0
    padded = digits + "00000101000000"[len(digits) :]
    try:
        moment = datetime.datetime.strptime(padded, "%Y%m%d%H%M%S").replace(tzinfo=datetime.UTC)
    except ValueError:
        return 0
    return int((moment - _EPOCH).total_seconds()) * 1_000_000


def parse_http(block: bytes) -> tuple[int, tuple[tuple[str, str], ...], bytes, str]:
    """(status, headers, decoded body, problem) of an HTTP response message."""
    if not block.startswith(b"HTTP/"):
        return 0, (), block, "no_http"
    end = re.search(rb"\r?\n\r?\n", block)
    head, body = (block[: end.start()], block[end.end() :]) if end else (block, b"")
    lines = head.decode("latin-1").splitlines()
    found = re.match(r"HTTP/\S+\s+(\d{3})", lines[0])
    headers: list[tuple[str, str]] = []
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if line[:1] in " \t" and headers:
            headers[-1] = (headers[-1][0], f"{headers[-1][1]} {line.strip()}")
        elif colon:
            headers.append((name.strip().lower(), value.strip()))
    values = dict(headers)
    if "chunked" in values.get("transfer-encoding", "").lower():
        body = dechunk(body)
    body, problem = decode(body, values.get("content-encoding", ""))
    return int(found.group(1)) if found else 0, tuple(headers), body, problem


def dechunk(body: bytes) -> bytes:
    """The body of a chunked message; as it is where it is not chunked after all, cut where it breaks off."""
    parts: list[bytes] = []
    at = 0
    while True:
        size = _CHUNK_SIZE.match(body[at : at + 1024])
        if not size:
            return b"".join(parts) if parts else body
        length = int(size.group(1), 16)
        at += size.end()
        if not length:
            return b"".join(parts)
        parts.append(body[at : at + length])
        at += length
        at += 2 if body[at : at + 2] == b"\r\n" else 1 if body[at : at + 1] == b"\n" else 0


def decode(body: bytes, encodings: str) -> tuple[bytes, str]:
    """Content codings undone as far as the bytes go: a lie is ignored, a cut is kept up to it."""
    for coding in reversed([c.strip().lower() for c in encodings.split(",") if c.strip()]):
        if coding in ("gzip", "x-gzip"):
            if body.startswith(_GZIP):
                body = _inflate(body, 31)
        elif coding == "deflate":
            body = _inflate(body, 15) or _inflate(body, -15) or body
        elif coding == "br":
            plain = _unbrotli(body)
            if not plain and body.lstrip()[:1] not in (
                b"",
                b"<",
            ):  # archives often store the decoded page under the old header
                return b"", "bad_encoding"
            body = plain or body
        elif coding not in ("identity", "none", "utf-8"):
            return b"", "bad_encoding"
    return body, ""


def _inflate(body: bytes, window: int) -> bytes:
    engine = zlib.decompressobj(window)
    try:
        return engine.decompress(body, MAX_RECORD_BYTES)
    except zlib.error:
        engine, out = zlib.decompressobj(window), io.BytesIO()
        for at in range(0, len(body), 1024):  # what comes before the damage
            try:
                out.write(engine.decompress(body[at : at + 1024]))
            except zlib.error:
                break
        return out.getvalue()


def _unbrotli(body: bytes) -> bytes:
    """As much as comes out: piece by piece, because a cut body given whole yields its first 32 KB alone."""
    engine, parts, size = brotli.Decompressor(), [], 0
    for at in range(0, len(body), 4096):
        try:
            parts.append(engine.process(body[at : at + 4096], output_buffer_limit=MAX_RECORD_BYTES))
        except brotli.error:
            break
        size += len(parts[-1])
        if size > MAX_RECORD_BYTES or engine.is_finished():
            break
    return b"".join(parts)


def _read_member(stream: BinaryIO, member: wacz.Member) -> Iterator[Record | Broken]:
    """Records of an archive in a zip; their offsets are those in the zip."""
    if member.problem:
        yield Broken(member.start, member.problem, member.name)
        return
    inner = io.BufferedReader(wacz.Window(stream, member.start, member.length))
    arc, _ = _kind(inner)
    inner.seek(0)
    for found in _read_arc(inner) if arc else _read_warc(inner):
        yield found._replace(offset=member.start + found.offset)


def _kind(stream: BinaryIO) -> tuple[bool, bytes | None]:
    """Whether this is an ARC file, and the dictionary that its records are compressed with."""
    stream.seek(0)
    head = stream.read(1 << 16)
    if not head.startswith(_DICTIONARY):
        return is_arc(head), None
    stream.seek(8)
    dictionary = stream.read(int.from_bytes(head[4:8], "little"))
    if dictionary.startswith(_ZSTD):
        dictionary = ZstdReader(io.BytesIO(dictionary)).read(MAX_RECORD_BYTES)
    return False, dictionary


def _read_warc(
    stream: BinaryIO, base: int = 0, most: int | None = None, dictionary: bytes | None = None
) -> Iterator[Record | Broken]:
    at, seen = base, 0
    source = stream if dictionary is None else ZstdReader(stream, dictionary=dictionary)
    try:
        for record in ArchiveIterator(source, parse_http=False, quirks_mode=True):
            at, seen = base + record.stream_pos if base and record.stream_pos < base else record.stream_pos, seen + 1
            yield _warc_record(record, base if most else at)
            if most and seen >= most:
                return
    except (OSError, EOFError, ValueError, zlib.error) as error:
        reason = "truncated" if seen else "unreadable"
        yield Broken(at + 1 if seen else base, reason, f"{type(error).__name__}: {error}")
        return
    if not seen:
        yield Broken(base, "unreadable", "no WARC record in it")


def _warc_record(record: Any, offset: int) -> Record | Broken:
    headers = {key.lower(): value for key, value in record.headers.items()}
    if "content-length" not in headers:  # every record must say its length
        return Broken(offset, "truncated", "a record header is cut off")
    kind = headers.get("warc-type", "unknown").lower()
    url = headers.get("warc-target-uri", "").strip("<> ")
    date, name = headers.get("warc-date", ""), headers.get("warc-record-id", "").strip()
    declared = record.content_length
    fixed = (kind, url, date, parse_date(date), name, offset)
    if declared > MAX_RECORD_BYTES:
        return Record(*fixed, 0, (), b"", "too_large")
    try:
        block = record.reader.read()
    except (OSError, EOFError, zlib.error):
        return Record(*fixed, 0, (), b"", "truncated")
    if kind not in ("response", "resource"):
        return Record(*fixed, 0, (), b"", "truncated" if len(block) < declared else "")
    if kind == "resource" and not block.startswith(b"HTTP/"):
        mime = headers.get("content-type", "")
        return Record(*fixed, 200, (("content-type", mime),), block, "")
    status, http, body, problem = parse_http(block)
    if not problem and len(block) < declared:
        problem = "truncated"
    return Record(*fixed, status, http, body, problem)


def _read_arc(stream: BinaryIO, base: int = 0) -> Iterator[Record | Broken]:
    head = stream.read(len(_GZIP))
    stream.seek(base)
    if not head.startswith(_GZIP):
        yield from _arc_records(stream, base, packed=False)
        return
    at = base
    try:
        for offset, data in _gzip_members(stream, base):
            at = offset + 1  # what breaks comes after this member
            yield from _arc_records(io.BytesIO(data), offset, packed=True)
    except (EOFError, zlib.error) as error:
        yield Broken(at, "truncated", f"{type(error).__name__}: {error}")


def _arc_records(stream: BinaryIO, at: int, packed: bool) -> Iterator[Record | Broken]:
    """ARC records one by one from a stream that stands at offset `at`; those of a gzip member have its offset."""
    place = at
    while line := stream.readline(MAX_LINE_BYTES):
        place = place if packed else at
        at += len(line)
        line = line.rstrip(b"\r\n")
        if not line.strip():
            continue
        found = _ARC_LINE.match(line)
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
