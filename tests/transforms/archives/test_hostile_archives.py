"""What an archive may say to harm its reader has a name, and is left at once."""

import gzip
import io
import random
from pathlib import Path

import pytest

from weft.schemas.records import Fate
from weft.transforms.archives import arc
from weft.transforms.archives.http_message import MAX_CHUNKS, MAX_LINES, dechunk, decode, parse_http
from weft.transforms.archives.read import read_archive
from weft.transforms.archives.record import MAX_RECORD_BYTES, Broken
from weft.transforms.extract.archive import extract_archive

OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n"


def arc_record(body: bytes, length: bytes | None = None) -> bytes:
    return b"http://a.test/ 1.2.3.4 20200101000000 text/html " + (length or b"%d" % len(body)) + b"\n" + body + b"\n"


def warc_record(block: bytes, **fields: bytes) -> bytes:
    said = {"WARC-Type": b"response", "WARC-Target-URI": b"http://a.test/", "Content-Length": b"%d" % len(block)}
    said |= {name.replace("_", "-"): value for name, value in fields.items()}
    return (
        b"WARC/1.0\r\n"
        + b"".join(n.encode() + b": " + v + b"\r\n" for n, v in said.items())
        + b"\r\n"
        + block
        + b"\r\n\r\n"
    )


def fates(path: Path, data: bytes) -> list[tuple[str, str, str]]:
    path.write_bytes(data)
    return [(row.kind, row.fate, row.reason) for row in extract_archive(str(path)) if isinstance(row, Fate)]


def test_a_member_that_expands_beyond_sense_ends_the_file_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arc, "PLAUSIBLE", 1 << 20)
    good = gzip.compress(arc_record(OK + b"<p>before"))
    path = tmp_path / "bomb.arc.gz"
    path.write_bytes(good + gzip.compress(arc_record(bytes(8 << 20)), 9) + good)
    first, last = read_archive(str(path))
    assert first.body == b"<p>before"  # type: ignore[union-attr]
    assert isinstance(last, Broken) and last.reason == "unreadable" and "expands more than" in last.detail
    path.write_bytes(good + gzip.compress(arc_record(OK + random.Random(0).randbytes(8 << 20)), 1) + good)
    assert [type(one).__name__ for one in read_archive(str(path))] == ["Record"] * 3, "large, and not made to harm"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (arc_record(OK, b"9" * 5000), "too_large"),
        (warc_record(OK, Content_Length=b"9" * 5000), "bad_length"),
        (warc_record(OK, Content_Length=b"banana"), "bad_length"),
        (warc_record(OK, Content_Length=b"-5"), "bad_length"),
        (warc_record(OK, Content_Length=b"5"), "bad_length"),
        (warc_record(OK, WARC_Type=b""), "unknown_type"),
        (warc_record(OK, WARC_Type=b"kept"), "unknown_type"),
        (warc_record(b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * MAX_LINES + b"\r\n"), "bad_header"),
        (warc_record(b"HTTP/1.1 200 OK\r\nA: b\r\n" + b" x\r\n" * 200_000 + b"\r\n"), "bad_header"),
    ],
)  # fmt: skip
def test_each_lie_of_a_record_has_a_name(tmp_path: Path, data: bytes, reason: str) -> None:
    assert ("record", "dropped", reason) in fates(tmp_path / "a", data)


def test_a_page_that_begins_with_blanks_is_a_page(tmp_path: Path) -> None:
    assert fates(tmp_path / "a.warc", warc_record(OK + b" " * 512 + b"<p>hi"))[0] == ("record", "kept", "")
    assert fates(tmp_path / "a.warc", warc_record(OK + b" " * 512))[0] == ("record", "dropped", "empty")


def test_a_charset_of_blanks_is_none(tmp_path: Path) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=" + b" " * 20_000 + b";\r\n\r\n"
    assert fates(tmp_path / "a.warc", warc_record(head + b"<p>hi"))[0] == ("record", "kept", "")


def test_codings_are_undone_so_far_and_no_further() -> None:
    assert dechunk(b"1\r\nx\r\n" * MAX_CHUNKS) is None
    assert dechunk(b"1\r\nx\r\n" * 1000 + b"0\r\n\r\n") == b"x" * 1000
    assert decode(b"<p>", "gzip, " * 6) == (b"", "bad_encoding")
    cut = gzip.compress(bytes(2 * MAX_RECORD_BYTES), 9)[:-200] + b"damaged"
    assert len(decode(cut, "gzip")[0]) <= MAX_RECORD_BYTES + (2 << 20)


def test_nothing_makes_reading_a_message_fail() -> None:
    dice = random.Random(7)
    parts = [b"HTTP/", b"1.1 ", b"200", b" \r\n", b"\n\n", b"a: b\r\n", b" ", b"\t", b"Content-Encoding: ", b"gzip,", b"br",
             b"deflate", b"Transfer-Encoding: chunked\r\n", b"\r\n\r\n", b"5\r\n", b"ffffffff\r\n", b"0\r\n", b"\x1f\x8b\x08", b"\xff"]  # fmt: skip
    for _ in range(3000):
        block = b"HTTP/" + b"".join(dice.choices(parts, k=dice.randrange(1, 30)))
        made = parse_http(block)
        assert made.problem in ("", "no_http", "bad_encoding", "bad_header") and len(made.body) <= MAX_RECORD_BYTES


def test_a_member_is_read_with_little_memory() -> None:
    data = b"".join(arc_record(OK + b"%d" % n) for n in range(500))
    packed = gzip.compress(data) + gzip.compress(arc_record(b"x"))
    members = [(offset, member.read()) for offset, member in arc._gzip_members(io.BytesIO(packed), 0)]
    assert members == [(0, data), (len(gzip.compress(data)), arc_record(b"x"))]
