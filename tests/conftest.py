"""Shared by all tests: a demo web, and finished runs on it that are made once per session, whatever the number of workers.

Run by pytest-xdist (make test, make check), tests stand in several processes. What is costly to make is made by the one that
needs it first, in a folder that they share; the web is served by the process that hands out the tests, because the port
of its server is in the configuration of the runs.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import gc
import hashlib
import os
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import object_stores
import pytest
from hypothesis import HealthCheck, settings

import weft.schemas.config as configuration
from weft.pipeline.demo import run as demo_run
from weft.pipeline.demo import server, web
from weft.pipeline.run import inputs as input_paths
from weft.pipeline.run import manifest
from weft.pipeline.run.run import Run
from weft.pipeline.runners import graph

PAGES = 200
LOADERS = Path(__file__).parent / "loaders"
# How long an example takes says nothing on a machine that does other things too.
settings.register_profile("weft", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("weft")
graph.remember_signatures()  # for tests that build a graph of Beam's own, as weft has it for its own
ONE_OF_SEVERAL = "PYTEST_XDIST_WORKER" in os.environ


def _not_waited_for(place: int) -> None:
    os.fstat(place)


# Nobody pulls the plug here, and a disk takes milliseconds for each of a stage's two hundred files: what is synced and
# when, tests/faults/power.py sees.
os.fsync = _not_waited_for

if ONE_OF_SEVERAL:  # threads that wait for each other's cores are slower than none; torch reads this where it is loaded
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# What runs stages, starts processes, trains or plays a whole web is slow: known by what a test asks for, and by what its
# file imports.
SLOW_FIXTURES = {"small_web", "served_web", "run_on_web", "finished", "crawl", "kit"}
SLOW_MODULES = (
    "subprocess torch open_clip apache_beam weft.pipeline.stages weft.model_smoketest weft.pipeline.demo.web "
    "weft.transforms.extract.html.training.fit "
    "dedup_stage pack_world recording_web hostile_web crawl_server"
).split()
# Files whose tests take longest, seconds each: they begin first, else one process is left with them while the others idle.
LONGEST = (
    "test_object_store test_grounding test_dataflow test_whole_crawl test_alignment test_examples test_faults "
    "test_removal test_subset test_snapshots test_retry"
).split()
IMPORTS = re.compile(r"^[ \t]*(?:from[ \t]+(\S+)[ \t]+)?import[ \t]+(\([^)]*\)|.+)", re.MULTILINE)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Do not even import what `make check` leaves out: PyTorch alone takes ten seconds to load."""
    if collection_path == LOADERS and "WEFT_LOADERS" not in os.environ:  # make loaders-test sets them up
        return True
    return (
        config.getoption("markexpr") == "not slow" and collection_path.suffix == ".py" and _slow(collection_path)
    ) or None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: LONGEST.index(item.path.stem) if item.path.stem in LONGEST else len(LONGEST))
    for item in items:
        if _slow(item.path) or SLOW_FIXTURES & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.slow)


@functools.cache
def _slow(path: Path) -> bool:
    """Whether the file of tests imports one of SLOW_MODULES or what is below it."""
    names = []
    for module, told in IMPORTS.findall(path.read_text("utf-8")) if path.name.startswith("test_") else ():
        for one in filter(None, map(str.split, re.sub(r"#.*", "", told).strip("()").split(","))):
            names.append(f"{module}.{one[0]}" if module else one[0])
    return any(f"{name}.".startswith(f"{one}.") for name in names for one in SLOW_MODULES)


class Served:
    """A plugin of the process that hands out tests: makes the web and serves it for all."""

    def __init__(self) -> None:
        self._open = contextlib.ExitStack()
        self._port = 0

    def pytest_configure_node(self, node: Any) -> None:
        if not self._port:
            home = node.config._tmp_path_factory.getbasetemp() / "web"
            web.make_web(str(home), pages=PAGES)
            self._port = self._open.enter_context(server.serve(str(home)))
        node.workerinput["served_web"] = self._port

    def pytest_unconfigure(self) -> None:
        self._open.close()


def pytest_configure(config: pytest.Config) -> None:
    if not ONE_OF_SEVERAL and config.getoption("dist", "no") != "no":
        config.pluginmanager.register(Served())
    else:
        gc.disable()


def pytest_collection_finish(session: pytest.Session) -> None:
    """What stands by now, PyTorch and Beam and five thousand tests, stays: collecting garbage need not look at it.

    Nor need it look after every 700 objects, which is a tenth of the time of a stage.
    """
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    gc.enable()


def pytest_unconfigure(config: pytest.Config) -> None:
    gc.unfreeze()  # extensions look at the end for what of theirs is left


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Callable[[Path], object]], Path]:
    """A function that gives the folder of a name; the first process that asks fills it, the others wait for that."""
    home = tmp_path_factory.getbasetemp()
    home = home.parent if ONE_OF_SEVERAL else home

    def get(name: str, fill: Callable[[Path], object]) -> Path:
        folder, done = home / name, home / f"{name}.done"
        with open(home / f"{name}.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # let go where the file is closed
            if not done.exists():
                folder.mkdir(exist_ok=True)
                fill(folder)
                done.touch()
        return folder

    return get


@pytest.fixture(scope="session")
def small_web(shared: Callable[..., Path]) -> Path:
    """A demo web of PAGES pages: warcs/, www/, truth.jsonl."""
    return shared("web", lambda home: web.make_web(str(home), pages=PAGES))  # nothing to do where it is served already


@pytest.fixture(scope="session")
def served_web(small_web: Path, request: pytest.FixtureRequest) -> Iterator[int]:
    """Port of a loopback server of `small_web`'s images."""
    if ONE_OF_SEVERAL:
        yield request.config.workerinput["served_web"]
        return
    with server.serve(str(small_web)) as port:
        yield port


@pytest.fixture(scope="session")
def run_on_web(small_web: Path, served_web: int) -> Callable[..., Path]:
    """A function that runs stages on `small_web` into a directory, in this process."""

    def go(
        output: Path | str,
        *overrides: str,
        recipe: str = "kosmos1",
        names: tuple[str, ...] = ("extract", "dedup", "fetch", "score", "pack"),
        flags: tuple[str, ...] = ("--direct_num_workers=1",),
        reverse: bool = False,
        inputs: Sequence[str] = (),
    ) -> Path:
        connect = f'fetch.connect_to=["weft.test=127.0.0.1:{served_web}"]'
        config = configuration.load(recipe=recipe, overrides=[*demo_run.SMALL, connect, *overrides])
        found = input_paths.marked(input_paths.expand(inputs or [str(small_web / "warcs")]))
        found = list(reversed(found)) if reverse else found
        manifest.write_run(str(output), config, found)
        Run(str(output), tuple(found), config, flags, quiet=True).go(names)
        return output

    return go


@pytest.fixture(scope="module", params=object_stores.NAMES)
def bucket(request: pytest.FixtureRequest) -> Iterator[object_stores.Bucket]:
    """A bucket of each object store, which the tests of a file share."""
    with object_stores.serve(request.param) as made:
        yield made


@pytest.fixture(scope="session")
def finished(run_on_web: Callable[..., Path], shared: Callable[..., Path]) -> Path:
    """Output of a run of recipe kosmos1 through pack. Read it, do not write to it."""
    return shared("finished", run_on_web)


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
