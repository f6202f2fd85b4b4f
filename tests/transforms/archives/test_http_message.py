"""What servers really sent is decoded as far as it goes, and lies in its headers are seen through."""

import gzip
import zlib
from functools import partial

import brotli
import pytest
from archive_bytes import PAGE, http

from weft.transforms.archives.http_message import decode, parse_http
from weft.transforms.archives.record import MAX_RECORD_BYTES


def chunked(body, size=7):
    parts = [b"%x\r\n%s\r\n" % (len(body[i : i + size]), body[i : i + size]) for i in range(0, len(body), size)]
    return b"".join(parts) + b"0\r\n\r\n"


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (["Transfer-Encoding: chunked"], chunked(PAGE)),
        (["Transfer-Encoding: chunked"], PAGE),  # the crawler undid it and kept the header
        (["Transfer-Encoding: chunked"], chunked(PAGE)[:-5]),
        (["Content-Encoding: gzip"], gzip.compress(PAGE, mtime=0)),
        (["Content-Encoding: gzip"], PAGE),
        (["Content-Encoding: deflate"], zlib.compress(PAGE)),
        (["Content-Encoding: deflate"], zlib.compress(PAGE)[2:-4]),
        (["Content-Encoding: br"], brotli.compress(PAGE)),
        (["Content-Encoding: br"], PAGE),
        (["Content-Encoding: gzip", "Transfer-Encoding: chunked"], chunked(gzip.compress(PAGE, mtime=0))),
    ],
)
def test_bodies_are_decoded_and_lying_headers_seen_through(headers, body):
    status, _, found, problem = parse_http(http(body, headers))
    assert (status, found, problem) == (200, PAGE, "")


def test_a_header_in_utf_8_is_one_line():
    """Å is C3 85, and 85 ends a line of text; but not of HTTP."""
    _, headers, body, _ = parse_http(http(b"x", ["X-Title: Å\x0bX-Robots-Tag: noai", "X-More: 1"]))
    assert [name for name, _ in headers if name.startswith("x-")] == ["x-title", "x-more"] and body == b"x"


def test_a_cut_gzip_body_gives_what_comes_before_the_cut():
    body = bytes(range(256)) * 400
    packed = gzip.compress(body)
    _, _, found, _ = parse_http(http(packed[: len(packed) // 2], ["Content-Encoding: gzip"]))
    assert found and body.startswith(found)


def test_unknown_codings_and_no_http_are_problems():
    assert parse_http(http(b"x", ["Content-Encoding: zap"])).problem == "bad_encoding"
    assert parse_http(b"just bytes").problem == "no_http"


def test_a_cut_brotli_body_gives_what_comes_before_the_cut():
    body = b"".join(b"<p>paragraph %d of %d</p>" % (n, n * 7919 % 10_007) for n in range(30_000))
    packed = brotli.compress(body, quality=5)
    _, _, found, problem = parse_http(http(packed[: len(packed) // 2], ["Content-Encoding: br"]))
    assert not problem and len(found) > len(body) // 4 and body.startswith(found)


@pytest.mark.parametrize(("coding", "pack"), [("gzip", gzip.compress), ("br", partial(brotli.compress, quality=2))])
def test_a_bomb_is_cut_short(coding, pack):
    packed = pack(b"a" * (3 * MAX_RECORD_BYTES))
    assert 0 < len(decode(packed, coding)[0]) < 2 * MAX_RECORD_BYTES
