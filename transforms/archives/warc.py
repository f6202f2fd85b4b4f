"""WARC records one after another; fastwarc frames them (gzip members, zstd, plain)."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO

from fastwarc.stream_io import ZstdReader
from fastwarc.warc import ArchiveIterator

from weft.transforms.archives.http_message import parse_http
from weft.transforms.archives.record import MAX_RECORD_BYTES, Broken, Record, parse_date, whole_number

SHORTEST = len("HTTP/1.0 200")  # bytes of an HTTP message; a record that says to be shorter is not as long as it says


def read_warc(
    stream: BinaryIO, base: int = 0, most: int | None = None, dictionary: bytes | None = None
) -> Iterator[Record | Broken]:
    """Records from the place where the stream stands; a Broken ends what does not end well.

    Args:
        base: offset of that place in the file.
        most: how many records to read; None for all.
        dictionary: what the frames of a zstd stream are compressed with, where they share one.
    """
    at, seen = base, 0
    source = stream if dictionary is None else ZstdReader(stream, dictionary=dictionary)
    try:
        for record in ArchiveIterator(source, parse_http=False, quirks_mode=True):
            at, seen = base + record.stream_pos if base and record.stream_pos < base else record.stream_pos, seen + 1
            yield _record(record, base if most else at)
            if most and seen >= most:
                return
    except (OSError, EOFError, ValueError, zlib.error) as error:
        reason = "truncated" if seen else "unreadable"
        yield Broken(at + 1 if seen else base, reason, f"{type(error).__name__}: {error}")
        return
    if not seen:
        yield Broken(base, "unreadable", "no WARC record in it")


def _record(record: Any, offset: int) -> Record | Broken:
    headers = {key.lower(): value for key, value in record.headers.items()}
    if "content-length" not in headers:  # every record must say its length
        return Broken(offset, "truncated", "a record header is cut off")
    kind = headers.get("warc-type", "unknown").lower()
    url = headers.get("warc-target-uri", "").strip("<> ")
    date, name = headers.get("warc-date", ""), headers.get("warc-record-id", "").strip()
    declared = record.content_length
    fixed = (kind, url, date, parse_date(date), name, offset)
    if whole_number(headers["content-length"].strip()) is None:
        return Record(*fixed, 0, (), b"", "bad_length")
    if declared > MAX_RECORD_BYTES:
        return Record(*fixed, 0, (), b"", "too_large")
    try:
        block = record.reader.read()
    except (OSError, EOFError, zlib.error):
        return Record(*fixed, 0, (), b"", "truncated")
    if kind in ("conversion", "metadata") and len(block) >= declared:
        return Record(*fixed, 0, (("content-type", headers.get("content-type", "")),), block, "")
    if kind not in ("response", "resource"):
        return Record(*fixed, 0, (), b"", "truncated" if len(block) < declared else "")
    if kind == "resource" and not block.startswith(b"HTTP/"):
        mime = headers.get("content-type", "")
        return Record(*fixed, 200, (("content-type", mime),), block, "")
    status, http, body, problem = parse_http(block)
    if problem == "no_http" and 0 < declared < SHORTEST:
        problem = "bad_length"
    elif not problem and len(block) < declared:
        problem = "truncated"
    return Record(*fixed, status, http, body, problem)
