"""A fetch that is killed in the middle and run again asks for nothing that it had, and ends as if nothing had happened."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from recording_web import RecordingWeb, plant, recording_web

from pipeline import books, fetch
from pipeline.context import Context
from schemas.config import Config, Fetch
from transforms.spool import Spool

HOSTS, EACH, BUCKETS = 8, 30, 3
ALONE = ("--direct_num_workers=1",)
KINDS = ("ok", "gone", "fail/500", "to/cdn.web.test", "ok")
CHILD = """
    import json, sys
    from pipeline import fetch
    from pipeline.context import Context
    from schemas.config import from_dict
    from transforms import spool

    spool.MOST_IMAGES = 7  # small files, so that little has to come before there is something to go on with
    output, config = sys.argv[1], from_dict(json.loads(sys.argv[2]))
    fetch.run(Context(output, (), config, "x", ("--direct_num_workers=1",)))
"""


def addresses() -> list[str]:
    return [f"http://h{host}.web.test/{KINDS[n % len(KINDS)]}/{host}/{n}" for host in range(HOSTS) for n in range(EACH)]


@pytest.fixture
def web() -> Iterator[RecordingWeb]:
    with recording_web(takes=0.01) as made:
        yield made


def config(web: RecordingWeb) -> Config:
    part = Fetch(connect_to=(web.route,), buckets=BUCKETS, tdm_file=False, concurrency=4)
    return dataclasses.replace(Config(), fetch=part)


def finish(output: Path, web: RecordingWeb) -> None:
    books.audit(str(output), "fetch", fetch.run(Context(str(output), (), config(web), "x", ALONE)))


def contents(output: Path) -> dict[str, Any]:
    """Everything that the stage leaves but for times: bytes of blobs, rows of tables."""
    made: dict[str, Any] = {}
    for path in sorted([*(output / "images").rglob("*"), *(output / "fates/fetch").rglob("*")]):
        if path.suffix == ".parquet":
            rows = pq.read_table(path).to_pylist()
            made[str(path.relative_to(output))] = [{**row, "fetched_at": None} for row in rows]
        elif path.is_file():
            made[str(path.relative_to(output))] = path.read_bytes()
    return made


def had(output: Path) -> set[str]:
    """Image keys whose answers are in finished units, or in what is laid aside of others."""
    found: set[str] = set()
    for mark in (output / "fetch/units").glob("*.json"):
        found |= set(pq.read_table(output / f"images/index/{mark.stem}.parquet")["image_url"].to_pylist())
        moved = output / f"fetch/moved/{mark.stem}.json"
        found |= {key for key, _ in json.loads(moved.read_bytes())}
    for folder in (output / "fetch/spool").glob("*"):
        unit, _, print_ = folder.name.rpartition("-")
        found |= {got.key for got in Spool(str(output), unit, print_).earlier()}
    return found


@pytest.mark.parametrize("share", [0.25, 0.8])
def test_a_killed_run_asks_for_nothing_twice(tmp_path: Path, web: RecordingWeb, share: float) -> None:
    urls = addresses()
    output, calm = tmp_path / "killed", tmp_path / "calm"
    plant(str(output), urls)
    command = [sys.executable, "-c", textwrap.dedent(CHILD), str(output), json.dumps(dataclasses.asdict(config(web)))]
    child = subprocess.Popen(command, start_new_session=True, stderr=subprocess.DEVNULL)
    until = time.monotonic() + 120
    while len(web.seen) < share * len(urls) and child.poll() is None and time.monotonic() < until:
        time.sleep(0.01)
    assert child.poll() is None, "it was still at work"
    os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    before = had(output)
    assert len(before) > share * len(urls) / 4
    assert len(before) < len(urls)
    asked = len(web.seen)

    finish(output, web)
    counts = web.counts()
    again = {url: counts[url] for url in urls if url in before and counts[url] != (2 if "/fail/" in url else 1)}
    assert not again, "each of these had its answer"
    assert len(web.seen) - asked < len(urls) * (1 - share / 2) + len(urls) / 2

    plant(str(calm), urls)
    finish(calm, web)
    assert contents(output) == contents(calm)
    assert not list((output / "fetch").glob("spool/*"))
