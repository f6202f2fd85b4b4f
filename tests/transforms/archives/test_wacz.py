"""Archives in zip files and in zstd frames hold the records that they hold as gzip, at offsets where each is found again."""

import io
import struct
import zipfile

import pytest
import zstandard
from crawl_server import crawl_server

from weft.pipeline.demo.archive import http_response, member, record_id, warc_record, warcinfo
from weft.transforms.archives import wacz
from weft.transforms.archives.read import read_archive, read_captures
from weft.transforms.archives.record import Broken, Record
from weft.transforms.io import files


def record(number):
    body = f"<html><body>{'Page words here. ' * (20 + number)}{number}</body></html>".encode()
    response = http_response(200, {"Content-Type": "text/html"}, body)
    url, identity = f"http://a.test/{number}", record_id("wacz", str(number))
    return warc_record(
        "response", identity, "2024-01-02T03:04:05Z", "application/http; msgtype=response", response, url
    )


RECORDS = [warcinfo("x"), *map(record, range(60))]
GZIP = b"".join(map(member, RECORDS))
LATER = b"".join(map(member, map(record, range(60, 70))))


def archive(path, more=(), method=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", method) as made:
        made.writestr("datapackage.json", "{}" * 500)
        made.writestr("archive/a.warc.gz", GZIP)
        made.writestr("pages/pages.jsonl", "{}\n" * 500)
        made.writestr("archive/b.warc", b"".join(map(record, range(60, 70))))
        for name, data in more:
            made.writestr(name, data)
    return str(path)


def plain(tmp_path):
    """What comes of the records without any container, by record id."""
    (tmp_path / "plain.warc.gz").write_bytes(GZIP + LATER)
    return [one._replace(offset=0, archive="") for one in read_archive(str(tmp_path / "plain.warc.gz"))]


def same(path, expected):
    found = list(read_archive(path))
    assert [one._replace(offset=0, archive="") for one in found] == expected
    assert len({one.offset for one in found}) == len(found)
    wanted = [one.offset for one in found][::-3]
    assert [again for _, again in read_captures(path, wanted)] == found[::-3]


def test_a_wacz_is_its_archives(tmp_path):
    path = archive(tmp_path / "a.wacz")
    same(path, plain(tmp_path))
    with crawl_server(tmp_path) as server:
        same(server.url + "a.wacz", plain(tmp_path))


class Pipe(io.RawIOBase):
    """An output without seek: zip writes lengths behind the bytes."""

    def __init__(self):
        self.data = bytearray()

    def writable(self):
        return True

    def write(self, data):
        self.data += data
        return len(data)


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("lost", [1, 200, 8_000])
def test_a_cut_wacz_keeps_what_is_before_the_cut(tmp_path, lost, streamed):
    out = Pipe()
    archive(out) if streamed else archive(tmp_path / "whole.wacz")
    data = bytes(out.data) if streamed else (tmp_path / "whole.wacz").read_bytes()
    (tmp_path / "cut.wacz").write_bytes(data[:-lost])
    found = list(read_archive(str(tmp_path / "cut.wacz")))
    assert isinstance(found[-1], Broken) and found[-1].reason == "truncated"
    good = [one for one in found if isinstance(one, Record) and not one.problem]
    expected = plain(tmp_path)
    assert [one._replace(offset=0, archive="") for one in good] == expected[: len(good)]
    assert 61 <= len(good) < 71 if lost == 8_000 else len(good) == 71


def test_what_is_no_wacz_is_named(tmp_path):
    deflated = archive(tmp_path / "deflated.wacz", method=zipfile.ZIP_DEFLATED)
    assert [(one.reason, "compressed" in one.detail) for one in read_archive(deflated)] == [("unreadable", True)] * 2
    with zipfile.ZipFile(tmp_path / "no.wacz", "w") as made:
        made.writestr("pages/pages.jsonl", "{}")
    assert [one.reason for one in read_archive(str(tmp_path / "no.wacz"))] == ["unreadable"]
    (tmp_path / "junk.wacz").write_bytes(wacz.MAGIC + bytes(range(256)) * 20)
    assert [one.reason for one in read_archive(str(tmp_path / "junk.wacz"))] == ["truncated"]
    half = archive(tmp_path / "half.wacz", [("archive/c.warc.gz", b"no archive"), ("archive/d.warc.gz", LATER[:900])])
    told = [one.reason if isinstance(one, Broken) else one.problem for one in read_archive(half)]
    assert [why for why in told if why] == ["unreadable", "truncated"] and told[-1] == "truncated"


def frames(how):
    if how == "frames":
        return b"".join(map(zstandard.ZstdCompressor().compress, RECORDS))
    trained = zstandard.train_dictionary(4096, RECORDS)
    packed = [zstandard.ZstdCompressor(dict_data=trained).compress(one) for one in RECORDS]
    words = trained.as_bytes()
    words = zstandard.ZstdCompressor().compress(words) if how == "packed dictionary" else words
    return b"".join([struct.pack("<II", 0x184D2A5D, len(words)) + words, *packed])


@pytest.mark.parametrize("how", ["frames", "dictionary", "packed dictionary"])
def test_zstd_holds_what_gzip_holds(tmp_path, how):
    path = tmp_path / "a.warc.zst"
    path.write_bytes(frames(how))
    same(str(path), plain(tmp_path)[:61])
    with crawl_server(tmp_path) as server:
        same(server.url + "a.warc.zst", plain(tmp_path)[:61])
    inside = tmp_path / "z.wacz"
    with zipfile.ZipFile(inside, "w") as made:
        made.writestr("archive/a.warc.zst", frames(how))
    same(str(inside), plain(tmp_path)[:61])


@pytest.mark.parametrize("how", ["frames", "dictionary"])
@pytest.mark.parametrize("lost", [1, 30, 600])
def test_a_cut_zstd_file_keeps_what_is_before_the_cut(tmp_path, how, lost):
    data = frames(how)
    path = tmp_path / "a.warc.zst"
    path.write_bytes(data[:-lost])
    found = list(read_archive(str(path)))
    good = [one._replace(offset=0, archive="") for one in found if isinstance(one, Record) and not one.problem]
    assert good == plain(tmp_path)[: len(good)] and len(good) >= 40
    assert (found[-1].reason if isinstance(found[-1], Broken) else found[-1].problem) == "truncated"
    assert files.listing(str(path))[0][1] == len(data) - lost
