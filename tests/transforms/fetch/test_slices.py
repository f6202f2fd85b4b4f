"""A unit of hosts in many short turns: the bytes of one long turn, nothing asked twice, and manners kept in between."""

import itertools
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import object_stores
import pyarrow.parquet as pq
import pytest
from patience import PATIENT
from recording_web import RecordingWeb, hurried, recording_web

from weft.schemas.parameters import FetchRules
from weft.transforms.fetch import rate_limit, scheduler, slices, unit
from weft.transforms.fetch.blobs import Outcome
from weft.transforms.fetch.decode import Refused
from weft.transforms.fetch.slices import Slice, unfinished
from weft.transforms.fetch.spool import Spool
from weft.transforms.fetch.unit import WEB, Task, Wanted, fetch_unit, go_on, moved
from weft.transforms.io import files

NAME = "http-00000"
SHORT = 1e-6  # seconds: a turn ends with what is under way
WANTED = [
    *(
        Wanted(f"{host}/{kind}/{n}", WEB, f"http://{host}.web.test/{kind}/{n}")
        for host, kind in itertools.product(("a", "b"), ("ok", "gone", "fail/500", "to/c.web.test"))
        for n in range(4)
    ),
    Wanted("forbidden", WEB, "http://a.web.test/ok/x", forbidden="ai.txt: no"),
    *(Wanted(f"dead/{n}", WEB, f"http://127.0.0.1/{n}") for n in range(2)),
]


@pytest.fixture
def web() -> Iterator[RecordingWeb]:
    with recording_web(takes=0.0) as made:
        yield made


def rules(web: RecordingWeb, **more: Any) -> FetchRules:
    told = {"concurrency": 3, "max_per_host": 15, **PATIENT, **more}
    return FetchRules(connect_to=(web.route,), robots=False, tdm_file=False, **told)


def in_turns(task: Task, most: int = 100, wanted: Sequence[Wanted] = WANTED) -> tuple[str, int]:
    """(index, turns) of the unit, taken on and on."""
    index, turns = fetch_unit((NAME, wanted), task, last=False), 1
    while not index and turns < most:
        (left,) = unfinished(task.output)
        assert left.name == NAME and left.images > 0
        index, turns = go_on(left, task), turns + 1
    return index, turns


def made(home: Path) -> dict[str, Any]:
    """All that a unit leaves, but when it was asked."""
    index = pq.read_table(home / f"images/index/{NAME}.parquet").drop_columns("fetched_at")
    blobs = {path.name: path.read_bytes() for path in (home / "images/blobs").iterdir()}
    fates = pq.read_table(home / f"fates/fetch/{NAME}.parquet")
    return {
        "index": index.to_pylist(), "blobs": blobs, "fates": fates.to_pylist(),
        "moved": list(moved(str(home / f"images/index/{NAME}.parquet"))),
    }  # fmt: skip


def test_no_byte_tells_where_a_turn_ended(tmp_path: Path, web: RecordingWeb) -> None:
    once, often = Task(str(tmp_path / "once"), "f", rules(web)), Task(str(tmp_path / "often"), "f", rules(web), SHORT)
    in_turns(once)
    asked = web.counts()
    web.seen.clear()
    index, turns = in_turns(often)
    assert turns > 10 and index == str(tmp_path / f"often/images/index/{NAME}.parquet")
    assert made(tmp_path / "often") == made(tmp_path / "once")
    assert Counter(row["status"] for row in made(tmp_path / "often")["index"]) == {
        "ok": 16 - 1, "http_error": 8, "opt_out": 1, "host_cap": 2, "private_address": 2,
    }  # fmt: skip
    assert web.counts() == asked, "what was answered in one turn is not asked for in another"
    left = {path.relative_to(often.output).as_posix() for path in Path(often.output).rglob("*") if path.is_file()}
    assert not [name for name in left if "spool" in name or "left" in name] and unfinished(often.output) == []


def test_turns_go_on_in_an_object_store(tmp_path: Path, web: RecordingWeb, bucket: object_stores.Bucket) -> None:
    """Where nothing is renamed, and a listing is all that tells what is left."""
    there = Task(f"{bucket.path}/turns", "f", rules(web, concurrency=10, per_host=5), SHORT)
    index, turns = in_turns(there)
    assert turns > 2 and index.startswith(there.output)
    in_turns(Task(str(tmp_path / "once"), "f", there.rules))
    object_stores.download(there.output, tmp_path / "there")
    assert made(tmp_path / "there") == made(tmp_path / "once")
    names = (path.removeprefix(f"{there.output}/") for path, _ in files.listing(f"{there.output}/**"))
    assert {"/".join(name.split("/")[:2]) for name in names} == {
        "images/index", "images/blobs", "fates/fetch", "fetch/units", "fetch/moved",
    }  # fmt: skip


def test_a_kill_in_a_later_turn_costs_at_most_that_turn(
    tmp_path: Path, web: RecordingWeb, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = Task(str(tmp_path / "killed"), "f", rules(web), SHORT)
    in_turns(task, 4)
    begun, take = len(web.seen), unit.fetch_all

    def killed(*arguments: Any, **more: Any) -> Iterator[Any]:
        yield from itertools.islice(take(*arguments, **more), 1)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(unit, "fetch_all", killed)
        with pytest.raises(KeyboardInterrupt):
            go_on(unfinished(task.output)[0], task)
    lost = len(web.seen) - begun
    in_turns(task)
    in_turns(Task(str(tmp_path / "once"), "f", rules(web)))
    assert made(tmp_path / "killed") == made(tmp_path / "once")
    again = sum(count - 1 for url, count in web.counts().items())
    assert 0 < lost <= 6 and again > 0


def test_what_failed_in_a_turn_stands_and_what_failed_before_a_kill_does_not(tmp_path: Path, web: RecordingWeb) -> None:
    """A turn that ended well has tried as often as it may; one that was killed had no chance."""
    task = Task(str(tmp_path), "f", rules(web, retries=0), SHORT)
    fetch_unit((NAME, WANTED), task, last=False)
    (left,) = unfinished(str(tmp_path))
    Spool(str(tmp_path), NAME, left.fingerprint).keep([Outcome("a/ok/0", Refused("timeout", "killed"), 0, 1)])
    while not go_on(left, task):
        pass
    status = {row["image_url"]: row["status"] for row in made(tmp_path)["index"]}
    assert status["a/ok/0"] == "ok" and status["a/fail/500/0"] == "http_error", "with no retries, 500 is the end"


def test_an_attempt_that_comes_too_late_leaves_no_rest(
    tmp_path: Path, web: RecordingWeb, monkeypatch: pytest.MonkeyPatch
) -> None:
    task, take = Task(str(tmp_path / "late"), "f", rules(web), SHORT), unit.fetch_all
    fetch_unit((NAME, WANTED), task, last=False)
    (left,) = unfinished(task.output)

    def overtaken(*arguments: Any, **more: Any) -> Iterator[Any]:
        monkeypatch.setattr(unit, "fetch_all", take)
        while not go_on(left, task):
            pass
        yield from take(*arguments, **more)

    monkeypatch.setattr(unit, "fetch_all", overtaken)
    assert go_on(left, task), "the unit is done, and so says this attempt"
    assert unfinished(task.output) == [] and not list(Path(task.output).glob("fetch/spool/*"))
    in_turns(Task(str(tmp_path / "once"), "f", rules(web)))
    late, once = made(tmp_path / "late"), made(tmp_path / "once")
    assert late.pop("blobs").items() >= once.pop("blobs").items() and late == once


def test_a_host_has_so_many_hours_in_all_its_turns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a clock on which each request takes 0.4 seconds, and nothing else takes any."""
    wanted = [Wanted(f"k{n:02}", WEB, f"http://a.web.test/ok/{n}") for n in range(24)]
    with recording_web(takes=0.0) as web:
        clock = SimpleNamespace(monotonic=lambda: 1_000 + 0.4 * len(web.seen), time=time.time)
        for module in (scheduler, rate_limit):
            monkeypatch.setattr(module, "time", clock)
        task = Task(str(tmp_path), "f", rules(web, host_hours=1 / 3600), SHORT)
        index = fetch_unit((NAME, wanted), task)
        while not index:
            index = go_on(unfinished(str(tmp_path))[0], task)
        found = Counter(row["status"] for row in made(tmp_path)["index"])
        assert found["ok"] == len(web.seen)
    assert found["host_cap"] == 24 - 15 and found["host_too_slow"] == 15 - found["ok"] and 2 < found["ok"] < 12
    assert {row["detail"] for row in made(tmp_path)["fates"] if row["reason"] == "host_too_slow"} == {
        "a.web.test has been asked for 0.000277778 hours"
    }


def test_a_host_rests_between_turns_too(tmp_path: Path) -> None:
    with recording_web(takes=0.0) as web:
        begun = time.monotonic()
        in_turns(Task(str(tmp_path), "f", rules(web, interval_s=0.2), SHORT), wanted=WANTED[:8])
        for host, asked in web.by_host().items():
            assert not hurried(asked, 0.2, begun), host


def test_a_rest_without_its_spool_is_said(tmp_path: Path, web: RecordingWeb) -> None:
    task = Task(str(tmp_path), "f", rules(web), SHORT)
    fetch_unit((NAME, WANTED), task, last=False)
    (left,) = unfinished(str(tmp_path))
    Spool(str(tmp_path), NAME, left.fingerprint).remove()
    with pytest.raises(FileNotFoundError, match="its spool is gone"):
        go_on(left, task)


def test_rounds_are_told_by_name(tmp_path: Path) -> None:
    assert Slice().left == () and not slices.any_before(str(tmp_path))
    assert [slices.round_of(name) for name in ("http-00003", "http-00003-2", "http-c.test-00012")] == [0, 2, 0]
