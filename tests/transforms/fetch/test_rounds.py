"""The whole stage in short turns: further jobs until nothing is left, redirects after that, and the bytes of one job."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from recording_web import Handler, RecordingWeb, Seen, picture, plant, recording_web

from weft.pipeline.run import books
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


def run(output: Path, web: RecordingWeb, minutes: float, say: Callable[[str], None] = lambda line: None) -> None:
    part = Fetch(
        connect_to=(web.route,), buckets=2, concurrency=14, per_host=7, robots=False, tdm_file=False, placeholder_urls=2,
        unit_minutes=minutes,
    )  # fmt: skip
    flags = ("--direct_num_workers=1",)
    context = Context(str(output), (), dataclasses.replace(Config(), fetch=part), "x", flags, say=say)
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

    def killed(line: str) -> None:
        said.append(line)
        if len(said) == 1:
            raise KeyboardInterrupt

    with recording_web(takes=0.01, handler=Answers) as web:
        run(tmp_path / "once", web, 0.0)
        asked = web.counts()
        web.seen.clear()
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path / "often", web, 1e-6, killed)
        run(tmp_path / "often", web, 1e-6, said.append)
        assert web.counts() == asked, "each address once, whatever ended meanwhile"
    assert made(tmp_path / "often") == made(tmp_path / "once")
    once = made(tmp_path / "once")
    assert sum(len(rows) for name, rows in once.items() if "repeated" in name) == 3 * len(SITES)
    assert {"images/index/http-00000-1.parquet", "images/index/http-00001-1.parquet"} & set(once)
    assert said[0] == f"fetch    turn 2: 2 units of hosts go on, with {said[0].split()[-3]} images left"
    assert len(said) > 2 and not list((tmp_path / "often/fetch").glob("left/*"))
