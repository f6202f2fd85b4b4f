"""The HTTP response inside an archive record → status, headers, decoded body.

Parsed here and not by a library, because archives hold what servers really sent: chunked bodies that are not, encodings
that lie, bodies cut off. Whatever can be saved of a body is.
"""

from __future__ import annotations

import io
import re
import zlib
from typing import NamedTuple

import brotli

from weft.transforms.archives.record import MAX_RECORD_BYTES
from weft.transforms.io.streams import GZIP

MAX_HEAD, MAX_LINES = 256 << 10, 1_000  # bytes and lines before the body; the largest that browsers take
MAX_CODINGS = 5  # of one body, as curl has it
MAX_CHUNKS = 250_000  # of one body
_CHUNK_SIZE = re.compile(rb"[ \t]*+([0-9a-fA-F]{1,8})[^\r\n]*+\r?\n")
_BLANK_LINE = re.compile(rb"\r?\n\r?\n")
_STATUS = re.compile(r"HTTP/\S++\s++(\d{3})")


class Response(NamedTuple):
    """An HTTP response taken apart."""

    status: int  # 0 where it has none
    headers: tuple[tuple[str, str], ...]  # names in lower case, in the order sent
    body: bytes  # without transfer and content codings
    problem: str  # "", "no_http", "bad_encoding", "bad_header"


def parse_http(block: bytes) -> Response:
    r"""The parts of an HTTP response message.

    >>> parse_http(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n<p>\r\n0\r\n\r\n")
    Response(status=200, headers=(('transfer-encoding', 'chunked'),), body=b'<p>', problem='')
    """
    if not block.startswith(b"HTTP/"):
        return Response(0, (), block, "no_http")
    end = _BLANK_LINE.search(block, 0, MAX_HEAD)
    if end is None and len(block) > MAX_HEAD:
        return Response(0, (), b"", "bad_header")
    head, body = (block[: end.start()], block[end.end() :]) if end else (block, b"")
    lines = [line.decode("latin-1") for line in head.splitlines()]  # of text it would split at "Å" in UTF-8
    if len(lines) > MAX_LINES:
        return Response(0, (), b"", "bad_header")
    found = _STATUS.match(lines[0])
    headers: list[tuple[str, str]] = []
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if line[:1] in " \t" and headers:
            headers[-1] = (headers[-1][0], f"{headers[-1][1]} {line.strip()}")
        elif colon:
            headers.append((name.strip().lower(), value.strip()))
    if not found:
        return Response(0, tuple(headers), body, "no_http")
    values = dict(headers)
    if "chunked" in values.get("transfer-encoding", "").lower():
        whole = dechunk(body)
        if whole is None:
            return Response(int(found.group(1)), tuple(headers), b"", "bad_encoding")
        body = whole
    body, problem = decode(body, values.get("content-encoding", ""))
    return Response(int(found.group(1)), tuple(headers), body, problem)


def dechunk(body: bytes) -> bytes | None:
    r"""The body of a chunked message: unchanged where it is not chunked after all, cut where its chunks break off.

    None where there are more than MAX_CHUNKS.

    >>> dechunk(b"4\r\nWiki\r\n5\r\npedia\r\n0\r\n\r\n"), dechunk(b"<html>"), dechunk(b"4\r\nWiki\r\n5\r\nped")
    (b'Wikipedia', b'<html>', b'Wikiped')
    """
    parts: list[bytes] = []
    at = 0
    while len(parts) < MAX_CHUNKS:
        size = _CHUNK_SIZE.match(body, at, at + 1024)
        if not size:
            return b"".join(parts) if parts else body
        length = int(size.group(1), 16)
        at = size.end()
        if not length:
            return b"".join(parts)
        parts.append(body[at : at + length])
        at += length
        at += 2 if body.startswith(b"\r\n", at) else 1 if body.startswith(b"\n", at) else 0
    return None


def decode(body: bytes, encodings: str) -> tuple[bytes, str]:
    """(the body without its content codings, "") or (b"", "bad_encoding") where a coding is not known.

    A body that is not coded as its header says is taken as it is; of a damaged one, what stands before the damage.

    Args:
        encodings: value of the Content-Encoding header.
    """
    codings = [c.strip().lower() for c in encodings.split(",") if c.strip()]
    if len(codings) > MAX_CODINGS:
        return b"", "bad_encoding"
    for coding in reversed(codings):
        if coding in ("gzip", "x-gzip"):
            if body.startswith(GZIP):
                body = _inflate(body, 31)
        elif coding == "deflate":
            body = _inflate(body, 15) or _inflate(body, -15) or body
        elif coding == "br":
            plain = _unbrotli(body)
            if not plain and body.lstrip()[:1] not in (b"", b"<"):  # "<": the decoded page under its old header
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
            if out.tell() > MAX_RECORD_BYTES:
                break
        return out.getvalue()


def _unbrotli(body: bytes) -> bytes:
    """As much as can be decoded. Piece by piece, because a cut body given whole yields its first 32 KB alone."""
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
