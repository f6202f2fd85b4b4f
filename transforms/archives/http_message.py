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

from weft.transforms.archives.record import GZIP, MAX_RECORD_BYTES

_CHUNK_SIZE = re.compile(rb"^[ \t]*([0-9a-fA-F]{1,8})[^\r\n]*\r?\n")


class Response(NamedTuple):
    """An HTTP response taken apart."""

    status: int  # 0 where it has none
    headers: tuple[tuple[str, str], ...]  # names in lower case, in the order sent
    body: bytes  # without transfer and content codings
    problem: str  # "", "no_http", "bad_encoding"


def parse_http(block: bytes) -> Response:
    r"""The parts of an HTTP response message.

    >>> parse_http(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n<p>\r\n0\r\n\r\n")
    Response(status=200, headers=(('transfer-encoding', 'chunked'),), body=b'<p>', problem='')
    """
    if not block.startswith(b"HTTP/"):
        return Response(0, (), block, "no_http")
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
    return Response(int(found.group(1)) if found else 0, tuple(headers), body, problem)


def dechunk(body: bytes) -> bytes:
    r"""The body of a chunked message: unchanged where it is not chunked after all, cut where its chunks break off.

    >>> dechunk(b"4\r\nWiki\r\n5\r\npedia\r\n0\r\n\r\n"), dechunk(b"<html>"), dechunk(b"4\r\nWiki\r\n5\r\nped")
    (b'Wikipedia', b'<html>', b'Wikiped')
    """
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
    """(the body without its content codings, "") or (b"", "bad_encoding") where a coding is not known.

    A body that is not coded as its header says is taken as it is; of a damaged one, what stands before the damage.

    Args:
        encodings: value of the Content-Encoding header.
    """
    for coding in reversed([c.strip().lower() for c in encodings.split(",") if c.strip()]):
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
