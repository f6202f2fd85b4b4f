"""Archives are never trusted: what can be read is, what cannot is named, nothing raises."""

import gzip

import apache_beam as beam
import pytest
from apache_beam.testing.util import assert_that, equal_to
from archive_bytes import gz, http, record, stored

from weft.transforms.archives.read import ReadArchives, read_archive
from weft.transforms.archives.record import Broken


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


def test_many_archives_in_a_pipeline(tmp_path):
    whole = gz(*(record(block=http(), url=f"http://a.test/{n}", number=n) for n in range(3)))
    good, cut = stored(tmp_path, whole, "a.warc.gz"), stored(tmp_path, whole[:-40], "b.warc.gz")
    expected = [one for path in (good, cut) for one in read_archive(path)]
    assert {one.archive for one in expected} == {good, cut}
    with beam.Pipeline(runner="FnApiRunner") as p:
        read = p | ReadArchives(str(tmp_path / "*.warc.gz"))
        records, broken = ([one for one in expected if isinstance(one, Broken) is wanted] for wanted in (False, True))
        assert_that(read.records, equal_to(records), "Records")
        assert_that(read.broken, equal_to(broken), "Broken")
