"""ARC: plain or packed, with headers that lie, read a record at a time."""

import tracemalloc

from archive_bytes import PAGE, gz, http, stored

from weft.transforms.archives.read import read_archive, read_captures
from weft.transforms.archives.record import Broken, parse_date


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
        assert found[1].crawl_date == parse_date("20070629170705")
        assert found[1].offset != found[2].offset
        assert next(read_captures(path, [found[2].offset]))[1] == found[2]


def test_an_arc_header_that_lies_is_named(tmp_path):
    path = stored(
        tmp_path,
        b"filedesc://x 0 2014 text/plain -1\n1 0 X\n\nhttp://a/ 1.1.1.1 20140102000000 text/html -1\n",
        "a.arc",
    )
    assert [type(one) for one in read_archive(path)] == [Broken]


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
