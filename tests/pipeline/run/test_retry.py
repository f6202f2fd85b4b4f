"""What is asked for again: nothing after a kill but what had not come; with --retry-failed what failed and may pass.

Either way the stage ends with the bytes that it would have had, had nothing happened.
"""

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
from patience import PATIENT
from recording_web import Handler, RecordingWeb, Seen, picture, plant, recording_web

from weft.pipeline.run import books, discards, manifest, registry, retry
from weft.pipeline.run.context import Context
from weft.pipeline.run.run import Run
from weft.pipeline.stages import fetch
from weft.schemas.config import Config, Fetch
from weft.schemas.parameters import ConfigError
from weft.transforms.fetch.spool import Spool

HOSTS, EACH, BUCKETS = 8, 30, 3
ALONE = ("--direct_num_workers=1",)
KINDS = ("ok", "gone", "fail/500", "to/cdn.web.test", "ok")
CHILD = """
    import json, sys
    from weft.pipeline.stages import fetch
    from weft.pipeline.run.context import Context
    from weft.schemas.config import from_dict
    from weft.transforms.io import spool

    spool.MOST_ITEMS = 7  # small files, so that little has to come before there is something to go on with
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
    part = Fetch(connect_to=(web.route,), buckets=BUCKETS, tdm_file=False, concurrency=4, **PATIENT)
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
        unit, _, fingerprint = folder.name.rpartition("-")
        found |= {outcome.key for outcome in Spool(str(output), unit, fingerprint).earlier()}
    return found


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the stage leaves where nothing happens."""
    home = tmp_path_factory.mktemp("calm")
    plant(str(home), addresses())
    with recording_web(takes=0.0) as web:
        finish(home, web)
    return contents(home)


@pytest.mark.parametrize("share", [0.25, 0.8])
def test_a_killed_run_asks_for_nothing_twice(
    tmp_path: Path, web: RecordingWeb, calm: dict[str, Any], share: float
) -> None:
    urls = addresses()
    output = tmp_path / "killed"
    plant(str(output), urls)
    command = [sys.executable, "-c", textwrap.dedent(CHILD), str(output), json.dumps(dataclasses.asdict(config(web)))]
    web.holds_at = int(share * len(urls))
    child = subprocess.Popen(command, start_new_session=True, stderr=subprocess.DEVNULL)
    assert web.held.wait(300)
    while len(had(output)) <= share * len(urls) / 4:  # most of what was answered until then is laid aside
        time.sleep(0.05)
    assert child.poll() is None, "it was still at work"
    os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    web.let_go.set()
    before = had(output)
    assert len(before) < len(urls)
    asked = len(web.seen)

    finish(output, web)
    counts = web.counts()
    again = {url: counts[url] for url in urls if url in before and counts[url] != (2 if "/fail/" in url else 1)}
    assert not again, "each of these had its answer"
    assert len(web.seen) - asked < len(urls) * (1 - share / 2) + len(urls) / 2

    assert contents(output) == calm
    assert not list((output / "fetch").glob("spool/*"))


def test_what_failed_and_may_pass_is_asked_for_again_and_nothing_else(
    tmp_path: Path, web: RecordingWeb, calm: dict[str, Any]
) -> None:
    urls, output = addresses(), tmp_path / "failed"
    plant(str(output), urls)
    once = dataclasses.replace(config(web), fetch=dataclasses.replace(config(web).fetch, retries=0))
    run = Run(str(output), (), once, ALONE, quiet=True)
    with pytest.raises(ConfigError, match="there is none"):
        retry.failed(run)
    prints = registry.fingerprints(once, ())
    for stage in ("extract", "dedup", "score", "pack"):
        manifest.write(str(output), stage, {"fingerprint": prints[stage]})
    run.go(["fetch"])
    failed = {url for url in urls if "/fail/" in url}
    assert web.counts() == {**dict.fromkeys(web.counts(), 1)} and len(failed) == HOSTS * EACH // len(KINDS)

    asked = len(web.seen)
    assert retry.failed(run) == len(failed)
    assert [manifest.read(str(output), stage) is None for stage in ("dedup", "fetch", "score", "pack")] == [
        False, True, False, False,
    ]  # fmt: skip
    with pytest.raises(ConfigError, match="would discard score"):  # `weft run`, where it was killed
        run.go(["fetch", "score"])
    due = registry.fingerprints(once, (), str(output))
    assert due["fetch"] == prints["fetch"] and due["score"] != prints["score"] and due["pack"] != prints["pack"]
    with pytest.raises(ConfigError, match="would discard score"):
        discards.check(str(output), ["score"], once, due, redo=False)
    again = [f"http://{one.host}{one.path}" for one in web.seen[asked:] if one.path != "/robots.txt"]
    assert sorted(again) == sorted(failed)
    redone = dataclasses.replace(run, redo=True)
    for names, allowed in ((["fetch"], run), (["fetch"], redone)):
        asked = len(web.seen)
        retry.go(allowed, names)
        assert len(web.seen) == asked and registry.fingerprints(once, (), str(output)) == due
    with pytest.raises(ConfigError, match="images that come would discard score, pack, which were made without them"):
        retry.go(run, [stage.name for stage in registry.STAGES])

    assert contents(output) == calm


class Shorter(Handler):
    """a/x leads over b to c at first, later to b alone; a/y fails at first, and leads to b later."""

    def _answer(self, seen: Seen, nth: int) -> tuple[int, dict[str, str], bytes]:
        first = {"/robots.txt": (404, ""), "/x": (302, "b"), "/y": (500, ""), "/b/x": (302, "c")}
        later = {**first, "/y": (302, "b"), "/b/x": (200, "")}
        status, host = (first if nth == 1 else later).get(seen.path, (200, ""))
        if status == 200:
            return 200, {"Content-Type": "image/png"}, picture(seen.path)
        return status, {"Location": f"http://{host}.web.test/{host}{seen.path}"}, b""


def test_a_chain_of_redirects_that_got_shorter_leaves_one_fate(tmp_path: Path) -> None:
    plant(str(tmp_path), ["http://a.web.test/x", "http://a.web.test/y"])
    with recording_web(takes=0.0, handler=Shorter) as web:
        once = dataclasses.replace(config(web), fetch=dataclasses.replace(config(web).fetch, retries=0))
        run = Run(str(tmp_path), (), once, ALONE, quiet=True)
        prints = registry.fingerprints(once, ())
        for stage in ("extract", "dedup"):
            manifest.write(str(tmp_path), stage, {"fingerprint": prints[stage]})
        run.go(["fetch"])
        (first, second) = (next((tmp_path / "images/index").glob(f"http-*-{hop}.parquet")).stem for hop in (1, 2))
        assert retry.failed(run) == 1
        run.go(["fetch"])  # its books balance
        assert web.counts()["http://c.web.test/c/b/x"] == 1
    left = [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()]
    assert [name for name in left if first in name] and not [name for name in left if second in name]
    rows = [row for path in (tmp_path / "images/index").iterdir() for row in pq.read_table(path).to_pylist()]
    assert [(row["image_url"][-2:], row["status"]) for row in sorted(rows, key=lambda row: row["image_url"])] == [
        ("/x", "ok"), ("/y", "ok"),
    ]  # fmt: skip
    assert not list((tmp_path / "fetch").glob("spool/*"))
    (tmp_path / "images/index/taken-http-00000.parquet").write_bytes(b"of a finished run")
    with pytest.raises(ConfigError, match="a removal or subset took these images"):
        retry.failed(run)
