"""Copies of remote files: made once, anew where the store has something else, and of nothing where there is nothing."""

import os
import tempfile
from pathlib import Path

import object_stores
import pytest
from crawl_server import crawl_server
from faults import power

from weft.transforms.io import files, local_copies, web_files


@pytest.fixture
def base(bucket: object_stores.Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    local_copies.fetched.cache_clear()
    files.write_atomic(f"{bucket.path}/clip/config.json", b"one")
    files.write_atomic(f"{bucket.path}/clip/below/weights", b"two")
    return f"{bucket.path}/clip"


def test_a_directory_and_a_file_are_copied_under_their_names(base: str) -> None:
    copy = Path(local_copies.fetched(base + "/"))
    assert copy.name == "clip" and (copy / "below/weights").read_bytes() == b"two"
    assert Path(local_copies.named(f"TAG={base}/config.json").removeprefix("TAG=")).read_bytes() == b"one"
    assert local_copies.named("local-dir:/here") == "local-dir:/here"


def test_what_a_directory_holds_is_told_without_another_download_and_as_where_it_lies(
    base: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = local_copies.contents(base)
    assert told == files.contents(base)
    for name in ("copy", "digest"):
        monkeypatch.setattr(files, name, lambda *asked: pytest.fail(f"read again: {asked}"))
    assert local_copies.contents(base) == files.contents(base) == told  # of each the store says that it is what it was
    monkeypatch.undo()
    files.write_atomic(f"{base}/below/weights", b"new")
    assert told != local_copies.contents(base) == files.contents(base)


def test_what_changes_there_is_copied_anew_and_nothing_else_is(base: str) -> None:
    first = local_copies.fetched(base)
    local_copies.fetched.cache_clear()  # as in another process
    (Path(first) / "config.json").write_bytes(b"ours")
    assert local_copies.fetched(base) == first and (Path(first) / "config.json").read_bytes() == b"ours"
    files.write_atomic(f"{base}/config.json", b"new")
    local_copies.fetched.cache_clear()
    second = local_copies.fetched(base)
    assert second != first and (Path(second) / "config.json").read_bytes() == b"new"


def test_a_power_cut_leaves_a_whole_copy_or_none(base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "disk").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "disk"))
    disk = power.Disk(tmp_path / "disk", tmp_path / "kept")
    with disk.watched(), files.recorded() as written:
        copy = Path(local_copies.fetched(base)).relative_to(tmp_path / "disk")
    whole = {f"{copy}/below/weights": b"two", f"{copy}/config.json": b"one"}
    trees = [cut.left(loses) for cut in disk.cuts for loses in power.LOSES]
    left = [{name: tree[name] for name in whole if name in tree} for tree in trees]
    assert left[-1] == whole and all(tree in ({}, whole) for tree in left)
    assert not written  # whoever asks has not made it


def test_what_a_killed_process_has_copied_goes_with_the_next(base: str, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Path(local_copies.fetched(base)).parent
    (kept / "clip").rename(kept / ".making")
    (kept / ".making/half").write_bytes(b"of a model")
    local_copies.fetched.cache_clear()
    assert {path.name for path in Path(local_copies.fetched(base)).iterdir()} == {"config.json", "below"}
    assert {path.name for path in kept.iterdir()} == {"clip", ".lock"}


def test_a_file_is_hashed_by_its_copy_which_is_made_once(base: str, monkeypatch: pytest.MonkeyPatch) -> None:
    copied, real, path = [], files.copy, f"{base}/config.json"
    monkeypatch.setattr(files, "copy", lambda name, to: (copied.append(name), real(name, to)))
    assert {local_copies.contents(path) for _ in range(3)} == {files.contents(path)} and copied == [path]
    before = local_copies.contents(path)
    files.write_atomic(path, b"new")
    assert local_copies.contents(path) == files.contents(path) != before and copied == [path, path]
    assert local_copies.contents(f"{base}/none") == ""
    assert local_copies.contents(__file__) == files.contents(__file__)


@pytest.mark.parametrize("marked", [True, False])
def test_weights_of_the_same_size_at_the_same_web_address_are_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, marked: bool
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    if not marked:
        monkeypatch.setattr(web_files, "_validator", lambda answer: "")
    (tmp_path / "served").mkdir()
    with crawl_server(tmp_path / "served") as server:
        for said in (b"a" * 300_000, b"a" * 150_000 + b"b" + b"a" * 149_999):
            (tmp_path / "served/w").write_bytes(said)
            local_copies.fetched.cache_clear()  # as in another process
            assert Path(local_copies.fetched(server.url + "w")).read_bytes() == said


def test_nothing_there_is_said_and_leaves_nothing(base: str, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no file"):
        local_copies.fetched(f"{base}/none")
    assert not list(tmp_path.iterdir())


def test_a_directory_that_is_not_ones_own_is_not_used(base: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 12_345)
    with pytest.raises(local_copies.ConfigError, match="is somebody else's: set TMPDIR"):
        local_copies.fetched(base)
