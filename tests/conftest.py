"""Shared by all tests: a demo web, and finished runs on it that are made once per session."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import weft.schemas.config as configuration
from weft.pipeline.demo import run as demo_run
from weft.pipeline.demo import server, web
from weft.pipeline.run import inputs, manifest
from weft.pipeline.run.run import Run

PAGES = 200


@pytest.fixture(scope="session")
def small_web(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A demo web of PAGES pages: warcs/, www/, truth.jsonl."""
    home = tmp_path_factory.mktemp("web")
    web.make_web(str(home), pages=PAGES)
    return home


@pytest.fixture(scope="session")
def served_web(small_web: Path) -> Iterator[int]:
    """Port of a loopback server of `small_web`'s images."""
    with server.serve(str(small_web)) as port:
        yield port


@pytest.fixture(scope="session")
def run_on_web(small_web: Path, served_web: int) -> Callable[..., Path]:
    """A function that runs stages on `small_web` into a directory, in this process."""

    def go(
        output: Path,
        *overrides: str,
        recipe: str = "kosmos1",
        names: tuple[str, ...] = ("extract", "dedup", "fetch", "score", "pack"),
        flags: tuple[str, ...] = ("--direct_num_workers=1",),
        reverse: bool = False,
    ) -> Path:
        connect = f'fetch.connect_to=["weft.test=127.0.0.1:{served_web}"]'
        config = configuration.load(recipe=recipe, overrides=[*demo_run.SMALL, connect, *overrides])
        found = inputs.expand([str(small_web / "warcs")])
        found = list(reversed(found)) if reverse else found
        manifest.write_run(str(output), config, found)
        Run(str(output), tuple(found), config, flags, quiet=True).go(names)
        return output

    return go


@pytest.fixture(scope="session")
def finished(run_on_web: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Output of a run of recipe kosmos1 through pack. Read it, do not write to it."""
    return run_on_web(tmp_path_factory.mktemp("finished"))


def checksums(folder: Path) -> dict[str, str]:
    """Relative path → sha256 of every file below."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="session")
def sums() -> Callable[[Path], dict[str, str]]:
    """`checksums`, for tests (this file is not importable under importlib mode)."""
    return checksums
