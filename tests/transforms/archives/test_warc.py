"""WARC: records in order, each to be read again by its offset, and what is cut off is named."""

import gzip

import pytest
from archive_bytes import PAGE, gz, http, record, stored

from weft.transforms.archives.read import read_archive, read_captures
from weft.transforms.archives.record import Record


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


@pytest.mark.parametrize("cut", [40, 200, 400])
def test_a_cut_file_keeps_what_is_before_the_cut(tmp_path, cut):
    whole = gz(*(record(block=http(PAGE + bytes(str(n) * 50, "ascii")), number=n) for n in range(4)))
    found = list(read_archive(stored(tmp_path, whole[:-cut])))
    good = [one for one in found if isinstance(one, Record) and not one.problem]
    bad = [one for one in found if not isinstance(one, Record) or one.problem]
    assert 2 <= len(good) <= 3 and len(bad) <= 1
    assert all(one.body.startswith(PAGE) for one in good)


def test_a_record_shorter_than_it_says_is_truncated(tmp_path):
    path = stored(tmp_path, gzip.compress(record(block=http(), length=99_999)))
    assert [one.problem for one in read_archive(path)] == ["truncated"]
