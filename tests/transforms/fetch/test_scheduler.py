"""Many URLs over few connections: turns, retries and giving up, on answers that the test writes itself."""

import asyncio
import dataclasses
import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable

import pytest

from weft.schemas.parameters import Manners
from weft.transforms.fetch.client import Response
from weft.transforms.fetch.rate_limit import MAX_DELAY_S, HostLimits, host_of
from weft.transforms.fetch.scheduler import DEAD_AFTER, THROTTLED_AFTER, _Board, fetch_all
from weft.transforms.fetch.slices import Asked, Job, Slice

OK = Response(200, b"image", "", "")
REFUSED = Response(0, b"", "connection_failed", "refused")


def failed(status: int, retry_after: float | None = None) -> Response:
    return Response(status, b"", "http_error", f"HTTP {status}", retry_after)


class Web:
    """Answers by URL, and notes who was asked when and how many were asked at once."""

    def __init__(
        self,
        answer: Callable[[str, int], Response],
        takes: float = 0.0,
        held: Callable[[str], asyncio.Event | None] = lambda url: None,
        **delays: float,
    ) -> None:
        self._answer, self._takes, self._held = answer, takes, held
        self.hosts = HostLimits(per_host=100)  # more than the scheduler lets through
        for host, seconds in delays.items():
            self.hosts.crawl_delay(f"{host}.test", seconds)
        self.lasts: list[str] = []
        self.asked: Counter[str] = Counter()
        self.times: list[tuple[float, str]] = []
        self.at_once: Counter[str] = Counter()
        self.most: Counter[str] = Counter()

    async def __aenter__(self) -> "Web":
        return self

    async def __aexit__(self, *error: object) -> None:
        assert not +self.at_once, "nobody is left waiting"

    async def get(self, url: str, last: bool = False, tries: int = 0) -> Response:
        host = host_of(url)
        async with self.hosts.turn(host) as sent:
            self.times.append((time.monotonic(), url))  # from `sent` on the host's rest runs: not after it
            sent()
            self.asked[url] += 1
            nth = self.asked[url]
            assert tries == nth - 1
            self.lasts += [url] if last else []
            for name in (host, "all"):
                self.at_once[name] += 1
                self.most[name] = max(self.most[name], self.at_once[name])
            try:
                await asyncio.sleep(self._takes)
                if event := self._held(url):
                    await event.wait()
            finally:
                for name in (host, "all"):
                    self.at_once[name] -= 1
            answer = self._answer(url, nth)
            self.hosts.answered(host, answer.status, answer.retry_after, tries, url)
            return answer


def run(web: Web, urls: list[str], **section: object) -> dict[str, str]:
    config = dataclasses.replace(Manners(), **section)  # type: ignore[arg-type]
    found = list(fetch_all([(url, url) for url in urls], web, lambda r: r.reason or "ok", config))
    assert Counter(key for key, _ in found) == Counter(urls), "each exactly once"
    return dict(found)


def test_everything_is_fetched_once_and_hosts_are_not_crowded() -> None:
    web = Web(lambda url, nth: OK, takes=0.01)
    urls = [f"http://host{n % 3}.test/{n}" for n in range(60)]
    assert set(run(web, urls, concurrency=12, per_host=2).values()) == {"ok"}
    assert set(web.asked.values()) == {1}
    assert {web.most[f"host{n}.test"] for n in range(3)} == {2}
    assert web.most["all"] == 6
    web = Web(lambda url, nth: OK, takes=0.01)
    run(web, [f"http://host{n}.test/" for n in range(40)], concurrency=5, per_host=2)
    assert web.most["all"] == 5


def test_a_slow_host_does_not_hold_up_the_others() -> None:
    others = asyncio.Event()  # all had their answers
    web = Web(lambda url, nth: OK, held=lambda url: others if "slow" in url else None)
    urls = [f"http://slow.test/{n}" for n in range(20)] + [f"http://quick{n}.test/" for n in range(20)]
    found = fetch_all([(url, url) for url in urls], web, lambda r: r, Manners(concurrency=4, per_host=2))
    first = [next(found)[0] for _ in range(20)]
    assert all("quick" in url for url in first)
    others.set()
    assert len(list(found)) == 20


def test_what_may_pass_is_tried_again_and_the_rest_is_not() -> None:
    answers = {
        "http://a.test/500": lambda nth: failed(500) if nth < 2 else OK,
        "http://b.test/reset": lambda nth: REFUSED if nth < 3 else OK,
        "http://c.test/404": lambda nth: failed(404),
        "http://d.test/502": lambda nth: failed(502),
        "http://e.test/robots": lambda nth: Response(200, b"", "opt_out", ""),
    }
    web = Web(lambda url, nth: answers[url](nth))
    found = run(web, list(answers), retries=2)
    assert [found[url] for url in answers] == ["ok", "ok", "http_error", "http_error", "opt_out"]
    assert [web.asked[url] for url in answers] == [2, 3, 1, 3, 1]
    web = Web(lambda url, nth: failed(500))
    run(web, ["http://a.test/"], retries=0)
    assert web.asked.total() == 1


def test_a_host_that_asks_for_time_is_given_it() -> None:
    told = 0.7
    web = Web(lambda url, nth: failed(429, told) if url.endswith("/0") and nth == 1 else OK)
    urls = [f"http://busy.test/{n}" for n in range(6)] + ["http://free.test/"]
    begun = time.monotonic()
    assert set(run(web, urls, per_host=1, concurrency=4).values()) == {"ok"}
    asked = [(when - begun, url) for when, url in web.times]
    assert all(when >= told for when, url in asked[2:] if "busy" in url)
    assert sum("busy" in url for _, url in asked) == 7
    assert "http://free.test/" in [url for _, url in asked[:2]], "nobody else waits"


def test_a_longer_wait_than_allowed_is_cut_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("weft.transforms.fetch.rate_limit.MAX_WAIT_S", 0.2)
    web = Web(lambda url, nth: failed(503, 3_600.0) if nth == 1 else OK)
    begun = time.monotonic()
    assert run(web, ["http://busy.test/"])["http://busy.test/"] == "ok"
    assert 0.2 <= time.monotonic() - begun < 600, "it was told an hour"


def test_a_dead_host_is_given_up() -> None:
    web = Web(lambda url, nth: REFUSED if "dead" in url else OK)
    urls = [f"http://dead.test/{n}" for n in range(200)] + [f"http://live.test/{n}" for n in range(20)]
    found = Counter(run(web, urls, retries=1, per_host=2).values())
    assert found["ok"] == 20
    assert found["connection_failed"] + found["host_unreachable"] == 200
    assert found["host_unreachable"] > 190
    assert sum(count for url, count in web.asked.items() if "dead" in url) <= 2 * (DEAD_AFTER + 2)


def test_a_host_that_is_given_up_is_not_waited_for() -> None:
    hosts = HostLimits(per_host=1)
    hosts.crawl_delay("dead.test", 30)
    jobs = [Job(str(n), f"http://dead.test/{n}", 0) for n in range(DEAD_AFTER + 1)]
    board = _Board([(job.key, job.url) for job in jobs], hosts, Manners(retries=0, per_host=1), Slice())
    assert board.take() == (jobs[0], None) and hosts.ready_at("dead.test") > time.monotonic()
    for job in jobs[:DEAD_AFTER]:
        assert not board.try_again(job, REFUSED)
    board.release(jobs[0])
    assert board.take() == (jobs[1], None)
    assert board.given_up("dead.test") is not None and board.given_up("live.test") is None


def test_hosts_that_were_never_asked_come_first_and_their_time_does_not_run() -> None:
    jobs = [Job(host, f"http://{host}.test/") for host in ("old", "new", "later")]
    part = Slice(hosts={"old.test": Asked(5.0), "new.test": Asked(0.0), "later.test": Asked(0.0)})
    board = _Board(jobs, HostLimits(per_host=1), Manners(per_host=1), part)
    assert board.take() == (jobs[1], None)
    board.add(jobs[1:2])
    board.leave()
    assert part.hosts["later.test"].seconds == 0.0
    assert part.hosts["old.test"].seconds > 5.0 and part.hosts["new.test"].seconds > 0.0
    assert {job.key for job in part.left} == {"old", "new", "later"}


def test_a_clock_that_was_put_back_holds_no_host_up() -> None:
    hosts = HostLimits(per_host=1)
    _Board([], hosts, Manners(), Slice(quiet={"a.test": time.time() + 86_400}))
    assert 0 < hosts.ready_at("a.test") - time.monotonic() <= MAX_DELAY_S


def test_one_bad_image_does_not_condemn_its_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("weft.transforms.fetch.rate_limit.FIRST_WAIT_S", 0.01)
    web = Web(lambda url, nth: REFUSED if url.endswith("/bad") else OK)
    urls = ["http://host.test/bad"] + [f"http://host.test/{n}" for n in range(30)]
    found = run(web, urls, retries=6, per_host=1, concurrency=1)
    assert Counter(found.values()) == {"ok": 30, "connection_failed": 1}
    assert web.asked["http://host.test/bad"] == 7


def test_a_host_that_only_puts_off_is_given_up_too() -> None:
    web = Web(lambda url, nth: failed(429, 0.0))
    found = Counter(run(web, [f"http://busy.test/{n}" for n in range(100)], retries=1).values())
    assert found["http_error"] + found["host_throttled"] == 100
    assert found["host_throttled"] > 70
    assert web.asked.total() <= 2 * (THROTTLED_AFTER + 4)


def test_a_fault_of_ours_is_raised_and_nothing_hangs() -> None:
    def then(found: Response) -> str:
        raise OSError("no space left on device")

    with pytest.raises(OSError, match="no space"):
        list(fetch_all([(str(n), f"http://h{n}.test/") for n in range(500)], Web(lambda u, n: OK), then, Manners()))


def test_nothing_hangs_when_the_reader_stops() -> None:
    before = threading.active_count()
    found = fetch_all([(str(n), f"http://h{n}.test/") for n in range(500)], Web(lambda u, n: OK), str, Manners())
    next(found)
    found.close()  # type: ignore[attr-defined]
    assert threading.active_count() <= before


def test_nothing_to_do_is_done() -> None:
    assert run(Web(lambda url, nth: OK), []) == {}


def test_a_host_is_left_alone_between_two_requests() -> None:
    web = Web(lambda url, nth: OK, slow=0.15)
    urls = [f"http://{host}.test/{n}" for host in ("slow", "free") for n in range(5)]
    assert set(run(web, urls, concurrency=8, per_host=4).values()) == {"ok"}
    starts = {host: [when for when, url in web.times if host in url] for host in ("slow", "free")}
    assert min(b - a for a, b in itertools.pairwise(starts["slow"])) >= 0.15
    assert max(starts["free"]) < starts["slow"][-1]


def test_the_last_of_a_host_is_told_so() -> None:
    """So that its connection is not kept: a crawl meets more hosts than a process may have connections."""
    web = Web(lambda url, nth: OK)
    run(web, [f"http://{host}.test/{n}" for host in "ab" for n in range(3)], per_host=1)
    assert sorted(web.lasts) == ["http://a.test/2", "http://b.test/2"]


def test_answers_wait_for_whoever_works_them_off() -> None:
    """Not more are held than there are places, however slow the work is, and whoever takes what was made."""
    most, lock = 0, threading.Lock()
    web = Web(lambda url, nth: OK)

    def then(found: Response) -> str:
        nonlocal most
        with lock:
            most = max(most, web.asked.total() - done)
        time.sleep(0.01)
        return "ok"

    done = 0
    for _ in fetch_all([(str(n), f"http://h{n}.test/") for n in range(60)], web, then, Manners(concurrency=5)):
        time.sleep(0.02 * (done % 10 == 0))
        done += 1
    assert done == 60 and most <= 5 + 1, "the one that was taken is among them until the next is asked for"


def test_what_an_answer_leads_to_is_asked_for_too_by_the_limits_of_its_host():
    web = Web(lambda url, nth: OK, takes=0.005)
    leads = {0: range(1, 8), 5: range(8, 12), 9: range(12, 20)}

    def more(key: str, made: Response) -> list[tuple[str, str]]:
        return [(str(n), f"http://{'a' if n % 2 else 'b'}.test/{n}") for n in leads.get(int(key), ())]

    manners = Manners(per_host=2, concurrency=16)
    found = dict(fetch_all([("0", "http://a.test/0")], web, lambda answer: answer, manners, more))
    assert sorted(map(int, found)) == list(range(20))
    assert max(web.asked.values()) == 1 and web.most["a.test"] == web.most["b.test"] == 2
