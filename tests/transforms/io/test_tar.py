"""The tar sink: plain USTAR, the same bytes each time, nothing half-written."""

import hashlib
import tarfile

import pytest

from weft.transforms.io.tar import write_tar

MEMBERS = [("a.0.jpg", b"\xff" * 700), ("a.json", b"{}"), ("b.json", "é".encode())]


def test_members_come_back_with_fixed_headers(tmp_path):
    path = tmp_path / "deep" / "x.tar"
    write_tar(str(path), iter(MEMBERS))
    with tarfile.open(path) as tar:
        infos = tar.getmembers()
        assert [(i.name, tar.extractfile(i).read()) for i in infos] == MEMBERS
    assert {(i.mtime, i.uid, i.gid, i.uname, i.gname, i.mode) for i in infos} == {(0, 0, 0, "", "", 0o644)}
    assert path.read_bytes()[257:263] == b"ustar\x00"


def test_size_and_sum_are_those_of_the_file_and_do_not_change(tmp_path):
    first = write_tar(str(tmp_path / "1.tar"), iter(MEMBERS))
    data = (tmp_path / "1.tar").read_bytes()
    assert first == (len(data), hashlib.sha256(data).hexdigest()) == write_tar(str(tmp_path / "2.tar"), MEMBERS)


def test_an_empty_tar_is_a_tar(tmp_path):
    size, _ = write_tar(str(tmp_path / "x.tar"), [])
    assert size == 10240
    with tarfile.open(tmp_path / "x.tar") as tar:
        assert tar.getnames() == []


def test_nothing_is_left_of_a_tar_that_fails(tmp_path):
    def broken():
        yield MEMBERS[0]
        raise OSError("blob gone")

    with pytest.raises(OSError, match="blob gone"):
        write_tar(str(tmp_path / "x.tar"), broken())
    assert list(tmp_path.iterdir()) == []


def test_a_name_too_long_for_ustar_is_refused(tmp_path):
    with pytest.raises(ValueError, match="name is too long"):
        write_tar(str(tmp_path / "x.tar"), [("k" * 101, b"")])
