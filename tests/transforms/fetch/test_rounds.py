"""The whole stage in short turns: further jobs until nothing is left, redirects after that, and the bytes of one job."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apache_beam as beam
import pyarrow.parquet as pq
import pytest
from patience import PATIENT
from recording_web import Handler, RecordingWeb, Seen, picture, plant, recording_web

from weft.pipeline.run import books, manifest
from weft.pipeline.run.context import Context
from weft.pipeline.stages import fetch
from weft.schemas.config import Config, Fetch

SITES = ("a", "b", "c")
URLS = [
    f"http://{site}.web.test/{kind}/{n}"
    for site in SITES
    for kind in ("ok", "gone", "same", "to/a.web.test", "to/cdn.web.test")
    for n in range(3)
]


class Answers(Handler):
    def _answer(self, seen: Seen, nth: int) -> tuple[int, dict[str, str], bytes]:
        if seen.path.startswith("/same/"):
            return 200, {"Content-Type": "image/png"}, picture(f"{seen.host}: not available")
        return super()._answer(seen, nth)


class Noted(Context):
    """Says how many pieces of work each job is told to have."""

    def pipeline(self, units: int = 1) -> beam.Pipeline:
        self.say(f"{units} pieces")
        return super().pipeline(units)


def run(
    output: Path,
    web: RecordingWeb,
    minutes: float,
    say: Callable[[str], None] = lambda line: None,
    *flags: str,
    finished: str = "",
    max_per_host: int = Fetch.max_per_host,
) -> None:
    part = Fetch(
        connect_to=(web.route,), buckets=2, concurrency=14, per_host=7, robots=False, tdm_file=False, placeholder_urls=2,
        unit_minutes=minutes, max_per_host=max_per_host, **PATIENT,
    )  # fmt: skip
    config = dataclasses.replace(Config(), fetch=part)
    context = Noted(str(output), (), config, "x", ("--direct_num_workers=1", *flags), say=say, finished=finished)
    books.audit(str(output), "fetch", fetch.run(context))


def made(output: Path) -> dict[str, Any]:
    """All that the stage leaves, but when it asked."""
    tables = {
        path.relative_to(output).as_posix(): [
            {key: value for key, value in row.items() if key != "fetched_at"} for row in pq.read_table(path).to_pylist()
        ]
        for name in ("images/index", "images/repeated", "fates/fetch")
        for path in output.glob(f"{name}/*.parquet")
    }
    return tables | {path.name: path.read_bytes() for path in output.glob("images/blobs/*")}


def test_short_turns_end_in_the_bytes_of_one_job_be_it_killed_between_them(tmp_path: Path) -> None:
    for home in ("once", "often"):
        plant(str(tmp_path / home), URLS)
    said: list[str] = []
    jobs: list[str] = []

    def heard(line: str) -> None:
        (jobs if line.endswith("pieces") else said).append(line)

    def killed(line: str) -> None:
        heard(line)
        if said:
            raise KeyboardInterrupt

    with recording_web(takes=0.01, handler=Answers) as web:
        run(tmp_path / "once", web, 0.0)
        asked = web.counts()
        web.seen.clear()
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path / "often", web, 1e-6, killed)
        run(tmp_path / "often", web, 1e-6, heard)
        assert web.counts() == asked, "each address once, whatever ended meanwhile"
    assert made(tmp_path / "often") == made(tmp_path / "once")
    once = made(tmp_path / "once")
    assert sum(len(rows) for name, rows in once.items() if "repeated" in name) == 3 * len(SITES)
    assert {"images/index/http-00000-1.parquet", "images/index/http-00001-1.parquet"} & set(once)
    assert said[0] == f"fetch    turn 2: 2 units of hosts go on, with {said[0].split()[-3]} images left"
    assert len(said) > 2 and not list((tmp_path / "often/fetch").glob("left/*"))
    assert len(jobs) == len(said) + 1 and set(jobs) == {jobs[0]}, "few units in a later turn, and as many workers"


def test_a_job_that_nobody_waits_for_takes_no_turns_and_whoever_makes_it_anew_asks_nobody(tmp_path: Path) -> None:
    said: list[str] = []
    first, again = tmp_path / "first", tmp_path / "again"
    for home in (first, again):
        plant(str(home), URLS)
    with recording_web(takes=0.0, handler=Answers) as web:
        run(first, web, 1e-6, said.append, "--no_wait_until_finish", max_per_host=10)
        assert [line.split()[-1] for line in said] == ["pieces"]
        manifest.write(str(first), "fetch", {"config": {"fetch": {}}})
        web.seen.clear()
        run(again, web, 0.0, finished=str(first), max_per_host=10)
        assert not web.seen, "what was one too many of its host is that again"
    status = [
        {row["image_url"]: row["status"] for name, rows in made(home).items() if "index" in name for row in rows}
        for home in (first, again)
    ]
    assert status[0] == status[1] and "host_cap" in status[0].values()
