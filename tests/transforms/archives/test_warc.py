"""Archives are never trusted: what can be read is, what cannot is named, nothing raises."""

import gzip
import tracemalloc
import zlib
from functools import partial

import brotli
import pytest

from weft.transforms.archives import warc
from weft.transforms.archives.warc import Broken, Record, read_archive, read_captures

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


@pytest.mark.parametrize("packed", [True, False], ids=["gz", "plain"])
def test_records_come_in_order_and_can_be_read_again_by_offset(tmp_path, packed):
    parts = [record("warcinfo", block=b"x"), *(record(block=http(PAGE + b"%d" % n), number=n) for n in range(5))]
    path = stored(tmp_path, gz(*parts) if packed else b"".join(parts), "a.warc.gz" if packed else "a.warc")
    found = list(read_archive(path))
    assert [one.kind for one in found] == ["warcinfo"] + ["response"] * 5
    assert [one.body for one in found[1:]] == [PAGE + b"%d" % n for n in range(5)]
    assert len({one.offset for one in found}) == 6
    again = dict(read_captures(path, [found[4].offset, found[2].offset]))
    assert again[found[4].offset] == found[4] and again[found[2].offset] == found[2]


def test_arc_plain_and_packed(tmp_path):
    head = b"filedesc://x.arc 0.0.0.0 20070629170704 text/plain 3\nx\n\n"
    body = http()
    line = b"http://a.test/b c.html 1.2.3.4 20070629170705 text/html %d\n" % len(body)
    one = line + body + b"\n"
    for name, data in (("a.arc", head + one + one), ("a.arc.gz", gz(head, one, one))):
        path = stored(tmp_path, data, name)
        found = list(read_archive(path))
        assert [f.kind for f in found] == ["warcinfo", "response", "response"]
        assert found[1].url == "http://a.test/b%20c.html" and found[1].body == PAGE
        assert found[1].crawl_date == warc.parse_date("20070629170705")
        assert found[1].offset != found[2].offset
        assert next(read_captures(path, [found[2].offset]))[1] == found[2]


def test_an_arc_header_that_lies_is_named(tmp_path):
    path = stored(
        tmp_path,
        b"filedesc://x 0 2014 text/plain -1\n1 0 X\n\nhttp://a/ 1.1.1.1 20140102000000 text/html -1\n",
        "a.arc",
    )
    assert [type(one) for one in read_archive(path)] == [Broken]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty_file"),
        (b"no archive", "unreadable"),
        (gzip.compress(b"", mtime=0), "unreadable"),
        (gzip.compress(b"WARC/1.0\r\nWARC-Type: resp", mtime=0), "truncated"),
    ],
)
def test_what_holds_nothing_is_named(tmp_path, data, reason):
    found = list(read_archive(stored(tmp_path, data)))
    assert [one.reason for one in found] == [reason]


def test_a_missing_file_is_named_too(tmp_path):
    assert [one.reason for one in read_archive(str(tmp_path / "none"))] == ["unreadable"]


@pytest.mark.parametrize("cut", [40, 200, 400])
def test_a_cut_file_keeps_what_is_before_the_cut(tmp_path, cut):
    whole = gz(*(record(block=http(PAGE + bytes(str(n) * 50, "ascii")), number=n) for n in range(4)))
    found = list(read_archive(stored(tmp_path, whole[:-cut])))
    good = [one for one in found if isinstance(one, Record) and not one.problem]
    bad = [one for one in found if not isinstance(one, Record) or one.problem]
    assert 2 <= len(good) <= 3 and len(bad) <= 1
    assert all(one.body.startswith(PAGE) for one in good)


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
    status, _, found, problem = warc.parse_http(http(body, headers))
    assert (status, found, problem) == (200, PAGE, "")


def test_a_cut_gzip_body_gives_what_comes_before_the_cut():
    body = bytes(range(256)) * 400
    packed = gzip.compress(body)
    _, _, found, _ = warc.parse_http(http(packed[: len(packed) // 2], ["Content-Encoding: gzip"]))
    assert found and body.startswith(found)


def test_unknown_codings_and_no_http_are_problems():
    assert warc.parse_http(http(b"x", ["Content-Encoding: zap"]))[3] == "bad_encoding"
    assert warc.parse_http(b"just bytes")[3] == "no_http"


def test_a_record_shorter_than_it_says_is_truncated(tmp_path):
    path = stored(tmp_path, gzip.compress(record(block=http(), length=99_999)))
    assert [one.problem for one in read_archive(path)] == ["truncated"]


def test_headers_are_lower_cased_folded_and_joined():
    block = b"HTTP/1.1 200 OK\r\nX-Robots-Tag: noai\r\nX-ROBOTS-TAG: noindex\r\nA: b\r\n c\r\n\r\nbody"
    status, headers, body, _ = warc.parse_http(block)
    made = Record("response", "", "", 0, "", 0, status, headers, body, "")
    assert made.header("x-robots-tag") == "noai, noindex" and made.header("a") == "b c"


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("2024-01-02T03:04:05Z", "20240102030405"),
        ("2024-01-02T03:04:05.123456Z", "20240102030405"),
        ("2024-01", "20240101000000"),
        ("2024", "2024-01-01T00:00:00Z"),
    ],
)
def test_dates_of_any_precision(text, same):
    assert warc.parse_date(text) == warc.parse_date(same) > 0


@pytest.mark.parametrize("text", ["", "yesterday", "20", "2024-13-45T00:00:00Z"])
def test_unreadable_dates_are_zero(text):
    assert warc.parse_date(text) == 0


def test_a_cut_brotli_body_gives_what_comes_before_the_cut():
    body = b"".join(b"<p>paragraph %d of %d</p>" % (n, n * 7919 % 10_007) for n in range(30_000))
    packed = brotli.compress(body, quality=5)
    _, _, found, problem = warc.parse_http(http(packed[: len(packed) // 2], ["Content-Encoding: br"]))
    assert not problem and len(found) > len(body) // 4 and body.startswith(found)


@pytest.mark.parametrize(("coding", "pack"), [("gzip", gzip.compress), ("br", partial(brotli.compress, quality=2))])
def test_a_bomb_is_cut_short(coding, pack):
    packed = pack(b"a" * (3 * warc.MAX_RECORD_BYTES))
    assert 0 < len(warc.decode(packed, coding)[0]) < 2 * warc.MAX_RECORD_BYTES


def test_a_plain_arc_is_read_a_record_at_a_time(tmp_path):
    body = http(b"x" * 100_000)
    one = b"http://a.test/ 1.2.3.4 20070629170705 text/html %d\n" % len(body) + body + b"\n"
    path = stored(tmp_path, b"filedesc://x.arc 0.0.0.0 20070629170704 text/plain 3\nx\n\n" + one * 200, "a.arc")
    offsets = [found.offset for found in read_archive(path)][1:]
    assert len(set(offsets)) == 200
    tracemalloc.start()
    for offset, found in read_captures(path, offsets):
        assert found.offset == offset and len(found.body) == 100_000
    assert sum(1 for _ in read_archive(path)) == 201
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2_000_000  # of a file of 20 MB


def test_an_arc_record_of_an_absurd_length_is_named(tmp_path):
    head = b"filedesc://x.arc 0.0.0.0 20070629170704 text/plain 3\nx\n\n"
    path = stored(tmp_path, head + b"http://a.test/ 1.2.3.4 20070629170705 text/html 999999999999999\nabc", "a.arc")
    assert [found.problem for found in read_archive(path)] == ["", "too_large"]
