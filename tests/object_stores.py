"""Object stores on loopback by their names: this process' clients lead there, and what other processes must be told."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from pathlib import Path

import fake_gs
import fake_s3
import pytest

from weft.model_smoketest import shard_files
from weft.transforms.io import files, local_copies, object_files

NAMES = ("s3", "gs")


@dataclasses.dataclass(frozen=True)
class Bucket:
    """An empty bucket, Beam's flags for its store, and the environment of processes that are to find it."""

    path: str
    flags: tuple[str, ...]
    environment: dict[str, str]


@contextlib.contextmanager
def serve(name: str) -> Iterator[Bucket]:
    """The store of this name, while the block runs; the test is skipped where there is no server for it."""
    with contextlib.ExitStack() as open_:
        if name == "s3":
            flags = open_.enter_context(fake_s3.serve())
            made = Bucket(fake_s3.BUCKET, flags, fake_s3.environment(flags))
        elif not fake_gs.SERVER.exists():
            pytest.skip("no fake-gcs-server: make stores-setup")
        else:
            made = Bucket(fake_gs.BUCKET, (), open_.enter_context(fake_gs.serve()))
        patch = open_.enter_context(pytest.MonkeyPatch.context())
        for key, value in made.environment.items():
            patch.setenv(key, value)
        open_.callback(forget)
        forget(made.flags)
        yield made


def upload(folder: Path, path: str) -> None:
    """Put all that is below a directory there."""
    for one in folder.rglob("*"):
        if one.is_file():
            files.write_atomic(f"{path}/{one.relative_to(folder)}", one.read_bytes())


def download(path: str, folder: Path) -> None:
    """Fetch all that is below `path`."""
    for name, _ in files.listing(f"{path}/**"):
        files.write_atomic(str(folder / name.removeprefix(f"{path}/")), files.read_bytes(name))


def forget(flags: tuple[str, ...] = ()) -> None:
    """Let go of every client and copy of another server."""
    object_files.configure(flags)
    local_copies.fetched.cache_clear()
    shard_files._store.cache_clear()
