import io

from warcio.archiveiterator import ArchiveIterator

from weft.schemas.records import Crawled
from weft.transforms.archives import write
from weft.transforms.archives.warc import read_warc
from weft.transforms.archives.write import Exchange

PAGE = Exchange(
    "http://a.test/p", "2026-01-02T03:04:05.000006Z", "192.0.2.7", b"GET /p HTTP/1.1\r\nHost: a.test\r\n\r\n", 200,
    write.head("HTTP/1.1 200 OK", [(b"Content-Type", b"text/html")], 6), b"<p>ok\n",
)  # fmt: skip


def as_warcio_reads(data: bytes) -> list[tuple[str, dict[str, str], bytes]]:
    """(type, headers, content) of each record, all digests checked."""
    found = []
    for one in ArchiveIterator(io.BytesIO(data), check_digests="raise"):
        found.append((one.rec_type, dict(one.rec_headers.headers), one.content_stream().read()))
    return found


def test_other_readers_take_it_and_the_digests_hold():
    _, answer, asked = write.exchange(PAGE)
    info, response, request = as_warcio_reads(write.info("x.warc.gz", {"software": "weft"}) + answer + asked)
    assert info[0] == "warcinfo" and info[2] == b"software: weft\r\n"
    assert response[0] == "response" and response[2] == PAGE.body
    assert response[1]["WARC-IP-Address"] == "192.0.2.7" and response[1]["WARC-Date"] == PAGE.date
    assert request[0] == "request" and request[1]["WARC-Concurrent-To"] == response[1]["WARC-Record-ID"]
    found = [one for one in read_warc(io.BytesIO(answer + asked))]
    assert (found[0].url, found[0].status, found[0].body, found[0].problem) == (PAGE.url, 200, PAGE.body, "")


def test_what_was_there_before_is_a_revisit_that_names_it():
    identity, _, _ = write.exchange(PAGE)
    told = (identity, write.digest(PAGE.body), '"1"', "", "x.warc.gz", 0)
    before = Crawled(PAGE.url, "page", 200, "", "text/html", PAGE.date, *told)
    later = PAGE._replace(date="2026-02-02T03:04:05.000006Z")
    unchanged = later._replace(status=304, answered=write.head("HTTP/1.1 304 Not Modified", [], 0), body=b"")
    for one, profile in ((later, "identical-payload-digest"), (unchanged, "server-not-modified")):
        ((kind, headers, content),) = as_warcio_reads(write.exchange(one, before)[1])
        assert (kind, content) == ("revisit", b"")
        assert headers["WARC-Profile"].endswith(profile)
        assert headers["WARC-Refers-To"] == identity and headers["WARC-Refers-To-Date"] == PAGE.date
        assert headers["WARC-Payload-Digest"] == write.digest(PAGE.body)
    changed = later._replace(body=b"<p>new\n"[:6])
    assert as_warcio_reads(write.exchange(changed, before)[1])[0][0] == "response"


def test_headers_hold_for_the_body_as_it_is_stored():
    sent = [(b"Content-Length", b"3"), (b"Transfer-Encoding", b"chunked"), (b"Content-Encoding", b"gzip")]
    said = write.head("HTTP/1.1 200 OK", sent, 5).decode()
    assert "\r\nX-Crawl-Content-Length: 3\r\n" in said and "\r\nX-Crawl-Transfer-Encoding: chunked\r\n" in said
    assert "\r\nContent-Encoding: gzip\r\n" in said and said.endswith("\r\nContent-Length: 5\r\n\r\n")
