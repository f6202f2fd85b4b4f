"""WARC and ARC records as bytes, the same for the same input: what a crawler would have written of the demo web.

An HTTP response → its bytes, plain, chunked or gzip-encoded; a record → WARC/1.0 (or ARC/1.0) bytes, as a gzip member
of its own where the file is compressed. Record ids are hashes, dates are given, gzip headers carry no time.
Source of the formats: ISO 28500 (WARC/1.0) and the Internet Archive's ARC file format reference.
"""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from weft.pipeline.demo.prose import Dice
from weft.schemas.records import stable_id
from weft.transforms.io import files

WARCS = ("crawl-0.warc.gz", "crawl-1.warc.gz", "crawl-2.warc", "crawl-3.arc.gz", "crawl-4.warc.gz")
_SHARES = (0.3, 0.28, 0.14, 0.08, 0.2)  # of the records; the last file is cut off in its last record
_PROFILE = "http://netpreserve.org/warc/1.0/revisit/identical-payload-digest"

REASONS = {200: "OK", 301: "Moved Permanently", 302: "Found", 404: "Not Found", 500: "Internal Server Error"}
ADDRESS = "127.0.0.1"


def record_id(*parts: str) -> str:
    """A WARC-Record-ID in the shape of a UUID that depends on `parts` alone."""
    h = stable_id("demo", *parts)
    return f"<urn:uuid:{h[:8]}-{h[8:12]}-{h[12:16]}-{h[16:20]}-{h[20:]}>"


def http_response(status: int, headers: Mapping[str, str], body: bytes, coding: str = "") -> bytes:
    """Status line, headers and body; coding is "", "chunked", "gzip" or "gzip chunked"."""
    fields = {"Date": "Mon, 05 May 2025 10:00:00 GMT", "Server": "demo", **headers}
    if "gzip" in coding:
        body = gzip.compress(body, 6, mtime=0)
        fields["Content-Encoding"] = "gzip"
    if "chunked" in coding:
        pieces = [body[i : i + 1800] for i in range(0, len(body), 1800)]
        body = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
        fields["Transfer-Encoding"] = "chunked"
    else:
        fields["Content-Length"] = str(len(body))
    lines = [f"HTTP/1.1 {status} {REASONS[status]}", *(f"{name}: {value}" for name, value in fields.items())]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def http_request(host: str, target: str) -> bytes:
    """What the crawler had sent."""
    return f"GET {target} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: demo\r\nAccept: */*\r\n\r\n".encode()


def warc_record(
    kind: str, identity: str, date: str, content_type: str, payload: bytes, url: str = "", more: str = ""
) -> bytes:
    """One uncompressed WARC record; `more` is further header lines, each ending in CRLF."""
    head = f"WARC/1.0\r\nWARC-Type: {kind}\r\nWARC-Record-ID: {identity}\r\nWARC-Date: {date}\r\n"
    if url:
        head += f"WARC-Target-URI: {url}\r\nWARC-IP-Address: {ADDRESS}\r\n"
    head += f"{more}Content-Type: {content_type}\r\nContent-Length: {len(payload)}\r\n\r\n"
    return head.encode() + payload + b"\r\n\r\n"


def warcinfo(name: str) -> bytes:
    """The record that opens a WARC file."""
    fields = b"software: weft demo\r\nformat: WARC File Format 1.0\r\nconformsTo: ISO 28500\r\n"
    more = f"WARC-Filename: {name}\r\n"
    return warc_record(
        "warcinfo", record_id("info", name), "2025-06-30T00:00:00Z", "application/warc-fields", fields, more=more
    )


def arc_header(name: str) -> bytes:
    """The record that opens an ARC file."""
    version = b"1 0 weft\nURL IP-address Archive-date Content-type Archive-length\n"
    return f"filedesc://{name} 0.0.0.0 20250630000000 text/plain {len(version)}\n".encode() + version + b"\n"


def arc_record(url: str, date: str, content_type: str, payload: bytes) -> bytes:
    """One ARC record; `date` as in WARC, written the ARC way."""
    digits = "".join(c for c in date if c.isdigit())
    return f"{url} {ADDRESS} {digits} {content_type} {len(payload)}\n".encode() + payload + b"\n"


def member(record: bytes) -> bytes:
    """A record as a gzip member of its own."""
    return gzip.compress(record, 6, mtime=0)


class Shelf:
    """The archive files in the making. Which file a record goes to is a hash of its URL and date."""

    def __init__(self, salt: str) -> None:
        self.salt = salt
        self._parts: dict[str, list[bytes]] = {name: [] for name in WARCS}
        self._sizes = dict.fromkeys(WARCS, 0)
        for name in WARCS:
            self._add(name, arc_header(name) if ".arc" in name else warcinfo(name))

    def response(
        self,
        url: str,
        date: str,
        headers: dict[str, str],
        body: bytes,
        status: int = 200,
        coding: str = "",
        name: str = "",
    ) -> dict[str, Any]:
        """Add a response, and now and then the request and metadata that belong to it; returns where it is."""
        dice = Dice(f"{self.salt} shelf {url} {date}")
        luck = dice.unit()
        name = name or WARCS[sum(luck >= sum(_SHARES[: i + 1]) for i in range(len(WARCS) - 1))]
        payload = http_response(status, headers, body, coding)
        if ".arc" in name:
            offset = self._add(name, arc_record(url, date, headers["Content-Type"].split(";")[0], payload))
            return {"file": name, "record_id": "", "offset": offset}
        identity = record_id(self.salt, url, date)
        if dice.chance(0.3):
            parts = urlsplit(url)
            asked = http_request(parts.netloc, url.split(parts.netloc, 1)[1] or "/")
            other = record_id(self.salt, "request", url, date)
            more = f"WARC-Concurrent-To: {identity}\r\n"
            self._add(name, warc_record("request", other, date, "application/http; msgtype=request", asked, url, more))
        offset = self._add(
            name, warc_record("response", identity, date, "application/http; msgtype=response", payload, url)
        )
        if dice.chance(0.2) and name != WARCS[-1]:
            other = record_id(self.salt, "metadata", url, date)
            self._add(
                name, warc_record("metadata", other, date, "application/warc-fields", b"fetchTimeMs: 42\r\n", url)
            )
        return {"file": name, "record_id": identity, "offset": offset}

    def revisit(self, url: str, date: str) -> dict[str, Any]:
        """Add a record that says: as before."""
        identity = record_id(self.salt, "revisit", url, date)
        payload = http_response(200, {"Content-Type": "text/html"}, b"")
        more = f"WARC-Profile: {_PROFILE}\r\n"
        record = warc_record("revisit", identity, date, "application/http; msgtype=response", payload, url, more)
        return {"file": WARCS[0], "record_id": identity, "offset": self._add(WARCS[0], record)}

    def write(self, directory: str) -> None:
        """Write all files; the last one without the second half of its last record."""
        for name, parts in self._parts.items():
            if name == WARCS[-1]:
                parts = [*parts[:-1], parts[-1][: len(parts[-1]) // 2]]
            files.write_atomic(files.join(directory, name), b"".join(parts))

    def _add(self, name: str, record: bytes) -> int:
        offset = self._sizes[name]
        self._parts[name].append(member(record) if name.endswith(".gz") else record)
        self._sizes[name] += len(self._parts[name][-1])
        return offset
