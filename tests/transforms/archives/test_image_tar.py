import io
import json

import pytest

from weft.transforms.archives import image_tar
from weft.transforms.archives.read import read_captures
from weft.transforms.io.tar import write_tar

JPEG = b"\xff\xd8\xff picture "


def told(url):
    return json.dumps({"url": url, "caption": "c"}).encode()


@pytest.fixture
def path(tmp_path):
    members = [
        ("000.jpg", JPEG + b"0"), ("000.json", told("http://w.test/0.jpg")), ("000.txt", b"a red barn"),
        ("001.json", told("http://w.test/1.jpg")), ("001.txt", b"no picture came"),
        ("002.json", b"{broken"), ("002.png", b"\x89PNG 2"),
        ("003.json", told("http://w.test/3.jpg")), ("003.webp", b"RIFF 3"),
    ]  # fmt: skip
    write_tar(str(tmp_path / "00000.tar"), members)
    return tmp_path / "00000.tar"


def test_samples_come_in_order_with_what_they_have(path):
    with path.open("rb") as stream:
        found = list(image_tar.read_samples(stream))
    assert [(one.mime, one.text, one.told.get("url")) for one in found] == [
        ("image/jpeg", "a red barn", "http://w.test/0.jpg"),
        ("", "no picture came", "http://w.test/1.jpg"),
        ("image/png", "", None),
        ("image/webp", "", "http://w.test/3.jpg"),
    ]


def test_pictures_are_read_again_from_where_they_stand(path):
    with path.open("rb") as stream:
        samples = [one for one in image_tar.read_samples(stream) if one.mime]
    found = dict(read_captures(str(path), [one.offset for one in samples]))
    assert [found[one.offset].body for one in samples] == [JPEG + b"0", b"\x89PNG 2", b"RIFF 3"]
    assert found[samples[-1].offset].url == "http://w.test/3.jpg"  # its address stands before it
    first = found[samples[0].offset]
    assert (first.url, first.status, first.archive) == ("http://w.test/0.jpg", 200, str(path))
    assert list(dict(read_captures(str(path), [512, 1 << 30])).values()) == [None, None]


def test_a_tar_is_told_by_its_bytes(path):
    assert image_tar.is_tar(path.read_bytes()[:512])
    assert not image_tar.is_tar(b"WARC/1.0\r\n" * 60)
    assert list(image_tar.read_samples(io.BytesIO(bytes(10_240)))) == []
