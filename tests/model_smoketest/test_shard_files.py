"""Shards where they lie: a directory here, or a bucket on loopback, read alike."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import fake_s3
import pytest
from faults import power

from weft.model_smoketest import shard_files
from weft.schemas.parameters import ConfigError
from weft.transforms.io import files, object_files


@pytest.fixture(params=["local", "remote"])
def base(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    if request.param == "local":
        yield str(tmp_path / "shards")
        return
    with fake_s3.serve() as flags:
        for name, value in fake_s3.environment(flags).items():
            monkeypatch.setenv(name, value)
        object_files.configure(flags)
        shard_files._store.cache_clear()
        yield f"{fake_s3.BUCKET}/shards"
    object_files.configure(())
    shard_files._store.cache_clear()


def test_files_are_listed_and_read_in_part_and_whole(base: str) -> None:
    for name in ("b.tar", "a.tar", "sizes.json", "below/c.tar"):
        files.write_atomic(f"{base}/{name}", f"content of {name}")
    assert shard_files.tars(base) == [(f"{base}/a.tar", 16), (f"{base}/b.tar", 16)]
    assert shard_files.tars(f"{base}/nothing") == []
    assert shard_files.read_text(f"{base}/sizes.json") == "content of sizes.json"
    assert shard_files.read_range(f"{base}/a.tar", 11, 3) == b"a.t"
    with shard_files.open_buffered(f"{base}/b.tar") as stream:
        assert stream.read(7) == b"content" and stream.read() == b" of b.tar"
    with pytest.raises(OSError):
        shard_files.read_text(f"{base}/none")


def test_a_power_cut_leaves_the_old_file_or_the_new_one(tmp_path: Path) -> None:
    """A checkpoint that replaced another one without being synced would be empty, and hours of training gone."""
    root = tmp_path / "disk"
    root.mkdir()
    disk = power.Disk(root, tmp_path / "kept")
    with disk.watched():
        for content in (b"old", b"new"):
            shard_files.write(str(root / "model/of/checkpoint.pt"), content)
    left = [cut.left(loses).get("model/of/checkpoint.pt") for cut in disk.cuts for loses in power.LOSES]
    first = left.index(b"old")
    assert {*left[:first]} == {None} and {*left[first:]} == {b"old", b"new"} and left[-2:] == [b"new", b"new"]


def test_json_is_written_alike_whatever_its_order(tmp_path: Path) -> None:
    shard_files.write(str(tmp_path / "a/x.json"), shard_files.json_file({"b": 1, "a": "é"}))
    assert (tmp_path / "a/x.json").read_bytes() == b'{\n "a": "\\u00e9",\n "b": 1\n}\n'


def test_writers_of_one_file_in_two_containers_take_two_temporary_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both are process 1 of their own, on a disk that they share."""
    monkeypatch.setattr(os, "getpid", lambda: 1)
    taken: list[str] = []
    real = os.replace
    monkeypatch.setattr(os, "replace", lambda one, other: (taken.append(one), real(one, other)))
    for content in (b"a", b"b"):
        shard_files.write(str(tmp_path / "x"), content)
    assert len(set(taken)) == 2 and os.listdir(tmp_path) == ["x"] and (tmp_path / "x").read_bytes() == b"b"


def test_what_is_no_number_is_null() -> None:
    told = {"a": [float("nan"), (1.5, float("-inf"))], "b": {"c": float("inf")}}
    assert json.loads(shard_files.json_file(told)) == {"a": [None, [1.5, None]], "b": {"c": None}}


def test_a_scheme_that_nobody_knows_is_one_line() -> None:
    with pytest.raises(ConfigError, match="cannot reach nix://bucket"):
        shard_files.read_text("nix://bucket/a")
