"""Turns at one host, on a clock of the test's own: no test waits, and none depends on how fast the machine is."""

import asyncio
import itertools
import random
import time
from collections.abc import Coroutine
from types import SimpleNamespace
from typing import Any

import pytest

from weft.transforms.fetch import rate_limit
from weft.transforms.fetch.rate_limit import MAX_DELAY_S, MAX_WAIT_S, HostLimits, host_of, pause


class Clock:
    """Time passes while everybody sleeps, and then at once."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self._order = itertools.count()
        self._sleeping: list[tuple[float, int, asyncio.Event]] = []

    def monotonic(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        event = asyncio.Event()
        self._sleeping.append((self.now + seconds, next(self._order), event))
        await event.wait()

    async def run(self, work: Coroutine[Any, Any, Any]) -> None:
        """Until `work` is done."""
        task = asyncio.ensure_future(work)
        while not task.done():
            for _ in range(50):  # whoever can go on does
                await asyncio.sleep(0)
            if self._sleeping:
                self._sleeping.sort()
                self.now, _, event = self._sleeping.pop(0)
                event.set()
        task.result()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(rate_limit, "time", SimpleNamespace(monotonic=made.monotonic))
    monkeypatch.setattr(rate_limit, "asyncio", SimpleNamespace(sleep=made.sleep, Semaphore=asyncio.Semaphore))
    return made


def starts(
    clock: Clock, limits: HostLimits, kinds: str, takes: float = 0.0, rest: dict[int, float] | None = None
) -> list[tuple[float, str]]:
    """When requests start that all come at once (i: an image, r: rules); the host of number n then rests for rest[n]."""
    began, seen = clock.now, []

    async def ask(number: int, kind: str) -> None:
        async with limits.turn("a.test", image=kind == "i") as sent:
            sent()
            seen.append((round(clock.now - began, 6), kind))
            await clock.sleep(takes)
            if rest and number in rest:
                limits.answered("a.test", 429, rest[number])

    async def everybody() -> None:
        await asyncio.gather(*(ask(number, kind) for number, kind in enumerate(kinds)))

    asyncio.run(clock.run(everybody()))
    return seen


@pytest.mark.parametrize("interval", [1.0, 0.0])
def test_the_time_runs_from_when_a_request_is_sent(clock: Clock, interval: float) -> None:
    limits, seen = HostLimits(3, interval), []

    async def ask(late: float) -> None:
        async with limits.turn("a.test") as sent:
            await clock.sleep(late)  # the process stands still, or the connection takes its time
            sent()
            seen.append(clock.now - 1_000)

    async def everybody() -> None:
        await asyncio.gather(*(ask(late) for late in (2.5, 0.0, 0.0)))

    asyncio.run(clock.run(everybody()))
    assert seen == ([2.5, 3.5, 4.5] if interval else [0.0, 0.0, 2.5])


def test_so_many_at_a_time(clock: Clock) -> None:
    times = [when for when, _ in starts(clock, HostLimits(2), "iiiii", takes=1.0)]
    assert times == [0, 0, 1, 1, 2]


def test_the_interval_lies_between_any_two(clock: Clock) -> None:
    assert [when for when, _ in starts(clock, HostLimits(9, 0.5), "irir")] == [0, 0.5, 1.0, 1.5]


def test_the_crawl_delay_lies_between_images_alone(clock: Clock) -> None:
    limits = HostLimits(9)
    limits.crawl_delay("a.test", 3)
    limits.crawl_delay("a.test", 1)  # of its other site: the longest counts
    assert starts(clock, limits, "iri") == [(0, "i"), (0, "r"), (3, "i")]
    assert limits.delay("a.test") == 3 and limits.delay("b.test") == 0
    limits.crawl_delay("a.test", 86_400)
    assert limits.delay("a.test") == MAX_DELAY_S


def test_who_waits_already_waits_for_the_rest_too(clock: Clock) -> None:
    limits = HostLimits(9, 1.0)
    assert [when for when, _ in starts(clock, limits, "irr", takes=0.2, rest={0: 7.0})] == [0, 7.2, 8.2]
    assert limits.ready_at("a.test") == clock.now - 0.2 + 1.0


@pytest.mark.parametrize(("status", "retry_after", "rests"), [(200, None, 0), (404, None, 0), (500, None, 0),
                         (404, 2.0, 2), (503, 4.0, 4), (429, 3_600.0, MAX_WAIT_S), (429, 0.0, 0)])  # fmt: skip
def test_which_answers_want_a_rest(clock: Clock, status: int, retry_after: float | None, rests: float) -> None:
    limits = HostLimits(1)
    limits.answered("a.test", status, retry_after)
    assert max(limits.ready_at("a.test") - clock.now, 0) == rests
    assert limits.ready_at("b.test") < clock.now, "nobody else does"


def test_a_rest_is_never_cut_short_by_another(clock: Clock) -> None:
    limits = HostLimits(1)
    limits.answered("a.test", 429, 9.0)
    limits.answered("a.test", 429, 1.0)
    assert limits.ready_at("a.test") == clock.now + 9


def test_without_a_time_it_is_doubled_with_each_try_and_differs_between_images() -> None:
    for tries in range(5):
        waits = {pause(None, tries, f"http://a.test/{n}") for n in range(50)}
        assert len(waits) == 50
        assert 0.5 * 2**tries <= min(waits) < max(waits) <= 0.75 * 2**tries
    assert pause(None, 40, "x") == MAX_WAIT_S


def test_who_is_about_to_ask_makes_the_host_unready(clock: Clock) -> None:
    limits = HostLimits(3, 0.5)
    limits.crawl_delay("a.test", 4)
    for n in range(3):
        assert max(limits.ready_at("a.test"), clock.now) == clock.now + 4 * n
        limits.announce("a.test")
    free = HostLimits(3)
    free.announce("a.test")
    assert free.ready_at("a.test") < clock.now


@pytest.mark.parametrize("seed", range(20))
def test_whatever_comes_the_limits_hold(clock: Clock, seed: int) -> None:
    rng = random.Random(seed)
    places, interval, delay = rng.randint(1, 3), rng.choice((0.0, 0.3)), rng.choice((0.0, 1.0))
    limits = HostLimits(places, interval)
    limits.crawl_delay("a.test", delay)
    kinds = "".join(rng.choice("iir") for _ in range(25))
    takes = rng.choice((0.1, 2.0))
    seen = starts(clock, limits, kinds, takes)
    assert sorted(kind for _, kind in seen) == sorted(kinds)
    times = [when for when, _ in seen]
    assert all(later - one >= interval - 1e-6 for one, later in itertools.pairwise(times))
    images = [when for when, kind in seen if kind == "i"]
    assert all(later - one >= delay - 1e-6 for one, later in itertools.pairwise(images))
    assert all(sum(when <= other < when + takes - 1e-6 for other in times) <= places for when in times)


def test_hosts_of_addresses() -> None:
    assert host_of("http://[") == "" and host_of("HTTP://A.Test:80/x") == "a.test"


def test_a_host_that_was_asked_by_others_rests_before_its_first_image():
    limits = HostLimits(1, 0.0)
    limits.crawl_delay("a.test", 7.0)
    assert limits.ready_at("a.test") <= (begun := time.monotonic())
    limits.begin("a.test")
    assert limits.ready_at("a.test") >= begun + 7
