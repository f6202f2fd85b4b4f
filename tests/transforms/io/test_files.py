"""A file is there whole or not at all, and listings tell the same story every time."""

import gzip
import os
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from weft.pipeline.run import inputs
from weft.schemas.parameters import ConfigError
from weft.transforms.io import files


def test_a_file_appears_only_when_its_block_ends(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "down" / "a.bin"
    with files.atomic(str(path)) as stream:
        stream.write(b"half")
        assert not path.exists()
        stream.write(b" and half")
    assert path.read_bytes() == b"half and half"
    assert [p.name for p in path.parent.iterdir()] == ["a.bin"]


def test_a_block_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"before")
    with pytest.raises(RuntimeError, match="broke off"), files.atomic(str(path)) as stream:
        stream.write(b"new")
        raise RuntimeError("broke off")
    assert path.read_bytes() == b"before"
    assert [p.name for p in tmp_path.iterdir()] == ["a.bin"]


def test_bytes_text_and_functions_can_be_written(tmp_path: Path) -> None:
    path = str(tmp_path / "a")
    files.write_atomic(path, b"\x00\xff")
    assert files.read_bytes(path) == b"\x00\xff"
    files.write_atomic(path, "né")
    assert files.read_bytes(path) == b"n\xc3\xa9"
    files.write_atomic(path, lambda stream: (stream.write(b"0123"), stream.write(b"456"), None)[-1])
    assert files.read_range(path, 2, 3) == b"234"
    assert files.read_range(path, 5, 100) == b"56"


def test_a_listing_is_sorted_and_leaves_half_files_out(tmp_path: Path) -> None:
    for name, size in (("b.x", 2), ("a.x", 1), ("c.x.tmp-12-0123abcd", 9), ("d.y", 4), ("e.tmp-1.x", 3)):
        (tmp_path / name).write_bytes(b"." * size)
    found = [(str(tmp_path / name), size) for name, size in (("a.x", 1), ("b.x", 2), ("e.tmp-1.x", 3))]
    assert files.listing(str(tmp_path / "*.x*")) == found and files.listing(found[-1][0]) == found[-1:]
    assert files.listing(str(tmp_path / "none" / "*.x")) == []


def test_a_temporary_file_is_told_by_its_name(tmp_path: Path) -> None:
    with files.atomic(str(tmp_path / "a.b")):
        (name,) = os.listdir(tmp_path)
    assert files.is_temporary(name) and name.startswith("a.b")
    assert not any(map(files.is_temporary, ("a.b", "a.tmp-1", ".tmp-1-0123abcd", "a.tmp-1-0123abcde")))


def test_remove_tree_takes_files_folders_and_nothing(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "c").write_text("c")
    (tmp_path / "d").write_text("d")
    (tmp_path / "stays").write_text("s")
    for name in ("a", "d", "nothing"):
        files.remove_tree(str(tmp_path / name))
        assert not files.exists(str(tmp_path / name))
    assert [p.name for p in tmp_path.iterdir()] == ["stays"]


def test_missing_files_are_os_errors(tmp_path: Path) -> None:
    with pytest.raises(OSError):
        files.read_bytes(str(tmp_path / "none"))


@pytest.mark.parametrize(
    ("base", "parts", "joined"),
    [
        ("out", ("a", "b"), "out/a/b"),
        ("out/", ("a",), "out/a"),
        ("gs://b/out/", ("a",), "gs://b/out/a"),
        ("out", (), "out"),
    ],
)
def test_join(base: str, parts: tuple[str, ...], joined: str) -> None:
    assert files.join(base, *parts) == joined


@pytest.mark.parametrize(
    ("path", "stem"),
    [
        ("/a/b.warc.gz", "b"),
        ("https://a.test/x/c%20d.warc?y=1", "c_20d"),
        ("s3://bucket/dir/", "dir"),
        ("/", "file"),
        ("/" + "n" * 99, "n" * 60),
    ],
)
def test_stem_is_safe_in_a_file_name(path: str, stem: str) -> None:
    assert files.stem(path) == stem


@pytest.mark.parametrize("name", ["a[1]", "a*b?", "x.tmp-1", "plain"])
def test_a_directory_may_be_called_anything(tmp_path: Path, name: str) -> None:
    base = tmp_path / name
    (base / "deep").mkdir(parents=True)
    for path in (base / "a.x", base / "deep/b.x", base / "c.x.tmp-1-0123abcd"):
        path.write_bytes(b"1")
    assert files.listing(str(base / "*.x")) == [(str(base / "a.x"), 1)]
    assert [path for path, _ in files.listing(str(base / "**"))] == [str(base / "a.x"), str(base / "deep/b.x")]
    assert files.listing(str(base / "a.x")) == [(str(base / "a.x"), 1)] and files.listing(str(base)) == []
    assert files.listing(str(tmp_path / "[a-x]*" / "a.x")) == [(str(base / "a.x"), 1)]


@pytest.fixture
def closed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A directory with files, and a directory below it that may not be read; of a user whom rights hold for."""
    with tempfile.TemporaryDirectory() as home:
        os.chmod(home, 0o755)
        for name in ("open/a.warc.gz", "open/.b.warc.gz", "shut/c.warc.gz", "z.html"):
            (Path(home) / name).parent.mkdir(exist_ok=True)
            (Path(home) / name).write_bytes(b"1")
        os.chmod(f"{home}/shut", 0)
        root = os.geteuid() == 0
        if root:
            os.seteuid(65_534)
        yield Path(home)
        if root:
            os.seteuid(0)
        os.chmod(f"{home}/shut", 0o755)


@pytest.mark.parametrize(
    "pattern", ["**", "**/*.warc.gz", "*/*.warc.gz", "*/c.warc.gz", "shut/*", "shut/c.warc.gz", "[r-t]*/?.*"]
)
def test_a_directory_that_cannot_be_read_is_an_error_and_no_loss(closed: Path, pattern: str) -> None:
    with pytest.raises(PermissionError) as caught:
        files.listing(str(closed / pattern))
    assert str(caught.value.filename).startswith(str(closed / "shut"))
    for path in (closed, closed / pattern):
        with pytest.raises(PermissionError):
            files.below(str(path))
    assert files.listing(str(closed / "o*/*.warc.gz")) == [
        (str(closed / f"open/{name}.warc.gz"), 1) for name in (".b", "a")
    ]
    assert files.below(str(closed / "open")) == [str(closed / "open/a.warc.gz")]
    with pytest.raises(ConfigError, match=f"cannot read input {closed}: Permission denied: {closed}/shut"):
        inputs.expand([str(closed)])


def test_a_link_that_leads_nowhere_is_an_error_and_no_loss(tmp_path: Path) -> None:
    (tmp_path / "a.x").symlink_to(tmp_path / "gone")
    with pytest.raises(FileNotFoundError, match=r"a\.x"):
        files.listing(str(tmp_path / "*.x"))


def test_what_is_written_is_noted_with_its_digest(tmp_path: Path) -> None:
    path = str(tmp_path / "new/a.bin")
    with files.recorded() as written:
        files.write_atomic(path, b"abc")
    files.write_atomic(str(tmp_path / "b"), b"")
    assert written == {path: files.digest(path)} and written[path].bytes == 3


def test_contents_are_of_all_files_below_and_their_names(tmp_path: Path) -> None:
    assert files.contents(str(tmp_path / "none")) == ""
    (tmp_path / "d").mkdir()
    (tmp_path / "d/a").write_bytes(b"1")
    one = files.contents(str(tmp_path / "d"))
    (tmp_path / "d/a").rename(tmp_path / "d/b")
    two = files.contents(str(tmp_path / "d"))
    assert len({one, two, files.contents(str(tmp_path / "d/b"))}) == 3


def test_a_link_to_a_directory_is_emptied_and_stays(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "disk/below").mkdir()
    (tmp_path / "disk/below/x").touch()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/mine").touch()
    for inside in ("disk/a", "disk/below/a"):
        (tmp_path / inside).symlink_to(tmp_path / "elsewhere")
    (tmp_path / "link").symlink_to(tmp_path / "disk")
    files.remove_tree(str(tmp_path / "link"))
    assert (tmp_path / "link").is_symlink() and list((tmp_path / "disk").iterdir()) == []
    assert (tmp_path / "elsewhere/mine").exists()


def test_a_list_is_read_alike_plain_packed_and_with_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "list"
    text = "\ufeff# one\u2028still it\n\n a/1\r\nb\x85c\rd # e\n  # last\n"
    for data in (text.encode(), gzip.compress(text.encode()), gzip.compress(b"") + gzip.compress(text.encode())):
        path.write_bytes(data)
        assert files.read_list(str(path)) == ["a/1", "b\x85c", "d # e"]
    path.write_bytes(b"caf\xe9")
    assert files.read_list(str(path), "replace") == ["caf\ufffd"]


@pytest.mark.parametrize(
    "data", [b"caf\xe9", gzip.compress(b"a" * 99, mtime=0)[:-9], gzip.compress(b"a", mtime=0) + b"more", b"\x1f\x8b"]
)
def test_a_list_that_is_damaged_or_no_utf8_is_a_value_error(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "list").write_bytes(data)
    with pytest.raises(ValueError, match=r"."):
        files.read_list(str(tmp_path / "list"))


@pytest.mark.parametrize("waits", [False, True])
def test_each_item_in_order_by_as_many_threads_as_it_is_worth(waits: bool) -> None:
    threads: set[int] = set()
    gate = threading.Barrier(files.AT_ONCE if waits else 1, timeout=300)

    def one(item: int) -> int:
        threads.add(threading.get_ident())
        gate.wait()
        return -item

    assert [*files.each(one, range(files.AT_ONCE), waits)] == [-n for n in range(files.AT_ONCE)]
    assert len(threads) == (files.AT_ONCE if waits else 1)
