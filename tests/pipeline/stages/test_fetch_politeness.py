"""Through the whole stage, with two worker processes: no host ever sees more than its limits, whatever leads there."""

import dataclasses
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from patience import PATIENT
from recording_web import RETRY_AFTER_S, RecordingWeb, hurried, plant, recording_web

from weft.pipeline.run import books
from weft.pipeline.run.context import Context
from weft.pipeline.stages import fetch
from weft.schemas.config import Config, Fetch

TWO = ("--direct_num_workers=2", "--direct_running_mode=multi_processing")
EACH, INTERVAL_S, AT_ONCE = 8, 0.1, 3
SITES = [f"{name}.web.test" for name in ("a", "b", "c", "d", "busy1", "busy2")]


def addresses() -> list[str]:
    """Some of every kind on each host; half of the redirects lead to one host, which is asked for its own too."""
    urls = []
    for host in SITES:
        urls += [f"http://{host}/ok/{n}" for n in range(EACH)]
        urls += [f"http://{host}/to/cdn.web.test/{host}/{n}" for n in range(EACH)]
        urls += [f"http://{host}/to/www.{host}/{n}" for n in range(EACH)]
        urls += [f"http://{host}/fail/500/x", f"http://{host}/once/503/x", f"http://{host}/gone/x"]
    return [*urls, *(f"http://cdn.web.test/ok/own/{n}" for n in range(EACH)), "http://cdn.web.test/once/429/x"]


def run(output: Path, web: RecordingWeb, **section: Any) -> list[dict[str, Any]]:
    part = dataclasses.replace(
        Fetch(
            connect_to=(web.route,), buckets=2, retries=4, concurrency=12, tdm_file=False, **PATIENT
        ), **section
    )  # fmt: skip
    plant(str(output), addresses())
    context = Context(str(output), (), dataclasses.replace(Config(), fetch=part), "x", TWO)
    books.audit(str(output), "fetch", fetch.run(context))
    return [r for path in sorted((output / "images/index").glob("*.parquet")) for r in pq.read_table(path).to_pylist()]


def test_no_host_is_asked_more_often_at_once_than_its_limit(tmp_path: Path) -> None:
    with recording_web(takes=0.05) as web:
        rows = run(tmp_path, web, per_host=2)
    assert {row["image_url"]: row["status"] for row in rows} == {
        url: "http_error" if "/gone/" in url else "ok" for url in addresses()
    }
    hosts = {*SITES, *(f"www.{host}" for host in SITES), "cdn.web.test"}
    assert set(web.most) == {*hosts, "all"}
    assert max(web.most[host] for host in hosts) == 2, "the limit is used, and never passed"
    assert web.most["all"] > 4, "hosts are asked side by side"
    rules = {host: sum(one.path == "/robots.txt" for one in asked) for host, asked in web.by_host().items()}
    twice = {"busy1.web.test", "busy2.web.test", "cdn.web.test"}  # the last in its own round and in that of redirects
    assert rules == {host: 2 if host in twice else 1 for host in hosts}
    again = {url: count for url, count in web.counts().items() if count > 1 and not url.endswith("robots.txt")}
    assert again == {url: 2 for url in addresses() if "/once/" in url or "/fail/" in url}


def test_every_host_is_left_alone_between_two_requests_and_when_it_says_so(tmp_path: Path) -> None:
    with recording_web() as web:
        rows = run(tmp_path, web, interval_s=INTERVAL_S, per_host=AT_ONCE)
    assert len(rows) == len(addresses())
    for host, asked in web.by_host().items():
        assert not hurried(asked[1:], INTERVAL_S, asked[0].ended), host  # robots.txt comes first, and is waited for
        rests = [(one.answered, one.ended + RETRY_AFTER_S) for one in asked if one.status in (429, 503)]
        for heard, until in rests:  # on its connections may be what was sent before that was read
            early = [one.path for one in asked if heard < one.begun < until]
            assert len(early) <= AT_ONCE, f"{host} was asked for these in spite of Retry-After"
        assert bool(rests) == (not host.startswith("www."))
