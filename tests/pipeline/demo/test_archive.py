"""Archives of the demo: what fastwarc reads in them is what was put there, wherever it lies."""

import gzip
import io

import pytest
from fastwarc.warc import ArchiveIterator

from weft.pipeline.demo import archive

BODY = b"<p>" + b"words and words " * 400 + b"</p>"


def test_ids_are_of_their_parts_and_look_like_uuids():
    one = archive.record_id("a", "bc")
    assert one == archive.record_id("a", "bc") != archive.record_id("ab", "c")
    assert [len(part) for part in one.removeprefix("<urn:uuid:").removesuffix(">").split("-")] == [8, 4, 4, 4, 12]


@pytest.mark.parametrize("coding", ["", "chunked", "gzip", "gzip chunked"])
def test_a_body_comes_back_from_each_coding(coding):
    payload = archive.http_response(200, {"Content-Type": "text/html"}, BODY, coding)
    record = archive.warc_record(
        "response", "<urn:x>", "2025-01-01T00:00:00Z", "application/http", payload, "http://a/"
    )
    read = next(ArchiveIterator(io.BytesIO(record), parse_http=True))  # the next one would take its reader away
    body = read.reader.read()
    assert ("Content-Length" in read.http_headers) != ("chunked" in coding)
    if "chunked" in coding:
        parts, rest = [], body
        while size := int(rest.partition(b"\r\n")[0], 16):
            rest = rest.partition(b"\r\n")[2]
            parts.append(rest[:size])
            rest = rest[size + 2 :]
        body = b"".join(parts)
    assert (gzip.decompress(body) if "gzip" in coding else body) == BODY


def test_records_lie_where_the_shelf_says_and_the_last_file_is_cut_off(tmp_path):
    shelf = archive.Shelf("s")
    placed = {}
    for number in range(40):
        url = f"http://a.test/{number}"
        placed[url] = shelf.response(url, "2025-01-01T00:00:00Z", {"Content-Type": "text/html"}, BODY)
    shelf.write(str(tmp_path))
    assert {place["file"] for place in placed.values()} == set(archive.WARCS)
    for url, place in placed.items():
        data = (tmp_path / place["file"]).read_bytes()[place["offset"] :]
        if place["file"] == archive.WARCS[-1]:
            continue
        start = gzip.GzipFile(fileobj=io.BytesIO(data)).read(300) if place["file"].endswith(".gz") else data[:300]
        assert url.encode() in start and place["record_id"].encode() in start
    with pytest.raises(EOFError):
        gzip.decompress((tmp_path / archive.WARCS[-1]).read_bytes())


def test_dates_are_written_the_arc_way():
    record = archive.arc_record("http://a.test/", "2025-01-02T03:04:05Z", "text/html", b"12345")
    assert record == b"http://a.test/ 127.0.0.1 20250102030405 text/html 5\n12345\n"
