"""What was asked and answered → WARC/1.1 records, a gzip member each, as any reader of archives takes them.

Source: ISO 28500:2017. Digests are SHA-1 in base 32, as every crawler writes them. A body is stored as it was sent, but
for its chunks: the header that named them is kept under another name, as Common Crawl does it.
"""

from __future__ import annotations

import base64
import datetime
import gzip
import hashlib
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from weft.schemas.records import Crawled, stable_id

_SAME = "http://netpreserve.org/warc/1.1/revisit/identical-payload-digest"
_UNCHANGED = "http://netpreserve.org/warc/1.1/revisit/server-not-modified"
_KEPT_AS = "X-Crawl-"  # before the names of headers that do not hold for the body as it is stored
_LEVEL = 6


class Exchange(NamedTuple):
    """One request and its answer."""

    url: str
    date: str  # of the request, ISO 8601 in UTC
    peer: str  # IP address, "" where it is not known
    asked: bytes  # the request's head
    status: int
    answered: bytes  # the answer's head, that holds for `body`
    body: bytes
    truncated: bool = False  # whether the body is only the beginning of what came


def head(first: str, headers: Iterable[tuple[bytes, bytes]], length: int | None = None) -> bytes:
    r"""A message's head; with `length` that of an answer whose body has so many bytes and no chunks.

    >>> head("HTTP/1.1 200 OK", [(b"Transfer-Encoding", b"chunked")], 5)
    b'HTTP/1.1 200 OK\r\nX-Crawl-Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n'
    """
    lines = [first.encode("latin-1", "replace")]
    for name, value in headers:
        low = name.lower()
        if length is not None and (
            low == b"transfer-encoding" or (low == b"content-length" and value != b"%d" % length)
        ):
            name = _KEPT_AS.encode() + name
        lines.append(name + b": " + value)
    if length is not None and not any(line.lower() == b"content-length: %d" % length for line in lines[1:]):
        lines.append(b"Content-Length: %d" % length)
    return b"\r\n".join(lines) + b"\r\n\r\n"


def now() -> str:
    """This moment, as WARC-Date has it."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def digest(data: bytes) -> str:
    """A payload's or block's digest."""
    return "sha1:" + base64.b32encode(hashlib.sha1(data).digest()).decode()


def record_id(*parts: str) -> str:
    """A WARC-Record-ID that depends on `parts` alone."""
    h = stable_id("warc", *parts)
    return f"<urn:uuid:{h[:8]}-{h[8:12]}-{h[12:16]}-{h[16:20]}-{h[20:]}>"


def record(kind: str, identity: str, date: str, media: str, block: bytes, fields: Mapping[str, str]) -> bytes:
    """One record as a gzip member; empty fields are left out."""
    named = {
        "WARC-Type": kind, "WARC-Record-ID": identity, "WARC-Date": date, **fields,
        "WARC-Block-Digest": digest(block), "Content-Type": media, "Content-Length": str(len(block)),
    }  # fmt: skip
    lines = "".join(f"{name}: {value}\r\n" for name, value in named.items() if value)
    return gzip.compress(f"WARC/1.1\r\n{lines}\r\n".encode() + block + b"\r\n\r\n", _LEVEL, mtime=0)


def info(name: str, said: Mapping[str, str]) -> bytes:
    """The record that opens the file `name`."""
    block = "".join(f"{key}: {value}\r\n" for key, value in said.items()).encode()
    return record(
        "warcinfo", record_id("info", name, *said.values()), now(), "application/warc-fields", block,
        {"WARC-Filename": name},
    )  # fmt: skip


def exchange(one: Exchange, before: Crawled | None = None) -> tuple[str, bytes, bytes]:
    """(id of the answer's record, that record, the request's).

    Args:
        one: what was asked and answered.
        before: what the address gave in an earlier crawl. Where that was the same, a `revisit` stands for the answer.
    """
    identity = record_id("response", one.url, one.date)
    of_both = {"WARC-Target-URI": one.url, "WARC-IP-Address": one.peer}
    fields = {**of_both, "WARC-Payload-Digest": digest(one.body), "WARC-Truncated": "length" if one.truncated else ""}
    kind, block = "response", one.answered + one.body
    unchanged = one.status == 304
    if before and (unchanged or before.digest == fields["WARC-Payload-Digest"]):
        kind, block = "revisit", one.answered
        fields |= {
            "WARC-Profile": _UNCHANGED if unchanged else _SAME,
            "WARC-Payload-Digest": before.digest,
            "WARC-Refers-To": before.record_id,
            "WARC-Refers-To-Target-URI": one.url,
            "WARC-Refers-To-Date": before.date,
        }
    answer = record(kind, identity, one.date, "application/http; msgtype=response", block, fields)
    asked = record(
        "request", record_id("request", one.url, one.date), one.date, "application/http; msgtype=request", one.asked,
        {**of_both, "WARC-Concurrent-To": identity},
    )  # fmt: skip
    return identity, answer, asked
