"""Archives written out by hand, for tests of what reads them."""

from __future__ import annotations

import gzip

PAGE = b"<html><body>" + b"Hello there. " * 40 + b"</body></html>"


def record(kind="response", url="http://a.test/", block=b"", number=1, date="2024-01-02T03:04:05Z", **more):
    head = [
        b"WARC/1.0",
        b"WARC-Type: " + kind.encode(),
        b"WARC-Target-URI: " + url.encode(),
        b"WARC-Date: " + date.encode(),
        b"WARC-Record-ID: <urn:uuid:%032d>" % number,
        b"Content-Type: application/http;msgtype=response",
        b"Content-Length: %d" % more.get("length", len(block)),
    ]
    return b"\r\n".join(head) + b"\r\n\r\n" + block + b"\r\n\r\n"


def http(body=PAGE, headers=(), status="200 OK"):
    lines = [f"HTTP/1.1 {status}", "Content-Type: text/html", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def stored(tmp_path, data, name="a.warc.gz"):
    path = tmp_path / name
    path.write_bytes(data)
    return str(path)


def gz(*records):
    return b"".join(gzip.compress(one, mtime=0) for one in records)
