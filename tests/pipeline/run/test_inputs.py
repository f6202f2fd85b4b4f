"""What --input may be."""

import gzip
import os

import pytest

from weft.pipeline.run import inputs
from weft.schemas.parameters import ConfigError
from weft.transforms.extract import selection


def test_files_globs_directories_are_one_sorted_list(tmp_path):
    (tmp_path / "deep").mkdir()
    for name in ("b.warc.gz", "a.warc", "deep/c.arc.gz", "notes.md"):
        (tmp_path / name).write_bytes(b"x")
    whole = [path for path, _ in inputs.expand([str(tmp_path)])]
    assert whole == [str(tmp_path / n) for n in ("a.warc", "b.warc.gz", "deep/c.arc.gz")]
    assert inputs.expand([str(tmp_path / "b.warc.gz"), str(tmp_path / "*.warc"), str(tmp_path / "a.warc")]) == [
        (str(tmp_path / "a.warc"), 1),
        (str(tmp_path / "b.warc.gz"), 1),
    ]


def test_the_order_of_patterns_decides_nothing(tmp_path):
    (tmp_path / "a.warc").write_bytes(b"WARC/1.0")
    (tmp_path / "l.paths").write_text(f"{tmp_path}/a.warc\n")
    patterns = [str(tmp_path / "a.warc"), str(tmp_path / "l.paths")]
    assert inputs.expand(patterns) == inputs.expand(patterns[::-1]) == [(str(tmp_path / "a.warc"), 8)]


def test_a_common_crawl_path_list(tmp_path):
    listed = tmp_path / "warc.paths.gz"
    listed.write_bytes(
        gzip.compress("crawl-data/CC-MAIN-2024-10/x.warc.gz\n\r\n# note\x85more\rs3://bucket/y.warc.gz\n".encode())
    )
    assert [path for path, _ in inputs.expand([str(listed)])] == [
        "https://data.commoncrawl.org/crawl-data/CC-MAIN-2024-10/x.warc.gz",
        "s3://bucket/y.warc.gz",
    ]


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_path_list_may_begin_with_a_byte_order_mark_and_be_packed_whatever_its_name(tmp_path, pack):
    (tmp_path / "my.paths").write_bytes(pack("\ufeffs3://bucket/y.warc.gz\r\n  # indented\r\n".encode()))
    assert inputs.expand([str(tmp_path / "my.paths")]) == [("s3://bucket/y.warc.gz", 0)]


@pytest.mark.parametrize("pattern", ["none/*.warc.gz", "none.paths"])
def test_nothing_there_is_an_error(tmp_path, pattern):
    with pytest.raises(ConfigError, match=pattern.replace("*", ".")):
        inputs.expand([str(tmp_path / pattern)])


def test_a_name_that_is_not_utf_8_and_a_link_to_nothing_are_one_line(tmp_path):
    bad = os.fsencode(tmp_path) + b"/\xff.warc"
    with open(bad, "wb"):
        pass
    with pytest.raises(ConfigError, match="its name is not UTF-8; rename it"):
        inputs.expand([str(tmp_path)])
    os.unlink(bad)
    (tmp_path / "a.warc").symlink_to(tmp_path / "gone")
    with pytest.raises(ConfigError, match=r"No such file or directory: .*a\.warc"):
        inputs.expand([str(tmp_path)])


def test_a_part_of_an_index_hides_no_sizes(monkeypatch):
    parts = [(f"part-{n}.parquet{selection.MARK}language=isl", 0) for n in range(300)]
    archives = [(f"https://a.test/{n}.warc.gz", 0) for n in range(2)]
    monkeypatch.setattr(inputs.files, "sizes", lambda paths: [1_000 for _ in paths])
    assert inputs.sized(parts + archives) == inputs.Sized(302, 2_000, 2, 2, 2, 300)
    assert inputs.sized([*parts[:1], ("a.warc", 7)]) == inputs.Sized(2, 7, 0, 0, 0, 1)
    assert inputs.sized(parts).total == 0


PACKED = gzip.compress(b"crawl-data/a.warc.gz\n" * 50, mtime=0)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("x.txt", "/data/café.warc.gz\n".encode("latin-1")),
        ("x.paths", b"\xff\xfea"),
        ("x.paths.gz", PACKED[:-9]),
        ("x.paths.gz", PACKED[:14] + bytes([PACKED[14] ^ 255]) + PACKED[15:]),
        ("x.paths.gz", PACKED[:-8] + bytes(8)),
        ("x.paths.gz", PACKED + b"more"),
    ],
)
def test_a_path_list_that_is_cut_or_is_no_text_is_one_line(tmp_path, name, data):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(ConfigError, match=f"{name}") as told:
        inputs.expand([str(tmp_path / name)])
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("pattern", ["cc:2024", "cc:CC-MAIN-2024-10?file=3", "cc:CC-MAIN-2024-10?subset=warx"])
def test_what_is_wrong_with_a_snapshot_is_said_at_once(pattern):
    with pytest.raises(ConfigError) as told:
        inputs.expand([pattern])
    assert str(told.value).startswith(f"{pattern}: ")


def test_two_spellings_of_an_archive_are_one(tmp_path, monkeypatch):
    """Else each of its pages is there twice, or dropped as its own duplicate."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.warc.gz").write_bytes(b"12")
    (tmp_path / "link.warc.gz").symlink_to("in/a.warc.gz")
    spelled = ["in/a.warc.gz", "./in/a.warc.gz", str(tmp_path / "in/a.warc.gz"), "in/../in/*.gz", "link.warc.gz", "in"]
    (first,) = inputs.expand(spelled)
    assert first[1] == 2 and inputs.expand(spelled[::-1]) == [first]
    assert inputs.expand(["./in/a.warc.gz"]) == [("./in/a.warc.gz", 2)]  # as it was given
