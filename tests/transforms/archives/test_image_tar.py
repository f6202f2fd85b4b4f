import io
import json
import tarfile

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


@pytest.mark.parametrize("folder", ["", "./", "d.v1/", "./a.b/c.d/"])
@pytest.mark.parametrize("suffix", ["jpg", "JPEG", "avif", "tif"])
def test_a_key_is_a_path_without_the_suffixes_of_its_last_name(tmp_path, folder, suffix):
    members = [(f"{folder}{n}.{suffix}", JPEG) for n in range(3)] + [(f"{folder}2.seg.png", b"mask")]
    write_tar(str(tmp_path / "t.tar"), [*members, (f"{folder}.DS_Store", b"none")])
    with (tmp_path / "t.tar").open("rb") as stream:
        found = list(image_tar.read_samples(stream))
    assert [one.picture for one in found] == [JPEG] * 3 and all(one.mime for one in found)
    assert [name.rpartition("/")[2] for name in found[2].names] == [f"2.{suffix.lower()}", "2.seg.png"]


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_only_files_are_members_of_a_sample(kind):
    """A link to what is not there, or to itself, is no error."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for target in ("nowhere", "1.jpg"):
            one = tarfile.TarInfo("1.jpg")
            one.type, one.linkname = kind, target
            tar.addfile(one)
        one = tarfile.TarInfo("2.png")
        one.size = 3
        tar.addfile(one, io.BytesIO(b"png"))
    packed.seek(0)
    assert [(one.mime, one.picture) for one in image_tar.read_samples(packed)] == [("image/png", b"png")]


def test_a_tar_is_told_by_its_bytes(path):
    assert image_tar.is_tar(path.read_bytes()[:512])
    assert not image_tar.is_tar(b"WARC/1.0\r\n" * 60)
    assert list(image_tar.read_samples(io.BytesIO(bytes(10_240)))) == []


def test_a_tar_that_is_cut_or_damaged_anywhere_is_told(path):
    whole = path.read_bytes()
    with path.open("rb") as stream, tarfile.open(fileobj=stream) as tar:
        end = max(member.offset_data + 512 for member in tar)
    headers = range(0, end, 1024)  # each member is a header and a block
    cuts = [whole[:at] for at in (*range(100, end, 256), *range(512, end + 1, 512))]
    for data in [*cuts, *(whole[:at] + b"x" + whole[at + 1 :] for at in headers)]:
        with pytest.raises(tarfile.TarError):
            list(image_tar.read_samples(io.BytesIO(data)))
    for data in (whole, whole[: end + 512], whole + whole):
        assert len(list(image_tar.read_samples(io.BytesIO(data)))) == 4
