"""Which image is asked for next: many URLs over a few connections, some to each host, none to a host that is dead.

(key, URL) → (key, what was made of the answer), as answers come. Hosts take turns, and one that may not be asked yet
(rate_limit.py says when) is passed over for others. A failure that may pass is tried again later. A host of which
several images in a row got no answer is given up, so that it costs its other images nothing; img2dataset's open
requests for exactly these are the reason for this file.

One event loop asks; threads work on the answers. A connection is free as soon as its answer is there, but a place among
the `concurrency` only when what was made of it has been taken, which bounds what is held in memory.

Where there is an end to the time (slices.py), nothing new is begun after it, and what is not done is left.
"""

from __future__ import annotations

import asyncio
import heapq
import os
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol, TypeVar

from weft.schemas.parameters import Manners
from weft.transforms.fetch.client import UNANSWERED, Response
from weft.transforms.fetch.rate_limit import MAX_DELAY_S, THROTTLED, HostLimits, host_of, pause
from weft.transforms.fetch.robots import PASSING
from weft.transforms.fetch.slices import Asked, Job, Slice

DEAD_AFTER = 3  # images without a whole answer since the last one
THROTTLED_AFTER = 10  # images that were told to come back later, likewise
TOO_SLOW = "host_too_slow"  # the fate of images that a host has had all its time for
_THREADS = min(4, os.cpu_count() or 1)  # of a worker process, of which there is one per core as a rule

T = TypeVar("T")


class Asker(Protocol):
    """What `fetch_all` asks: client.Client."""

    hosts: HostLimits  # which `get` keeps to

    async def __aenter__(self) -> Any: ...

    async def __aexit__(self, *error: object) -> None: ...

    async def get(self, url: str, last: bool = False, tries: int = 0) -> Response:
        """What came of a URL; `last` where its host will not be asked again soon."""
        ...


def fetch_all(
    wanted: Iterable[tuple[str, str] | Job],
    client: Asker,
    then: Callable[[Response], T],
    manners: Manners,
    more: Callable[[str, T], Iterable[tuple[str, str]]] = lambda key, made: (),
    part: Slice | None = None,
) -> Iterator[tuple[str, T]]:
    """Ask for every (key, URL).

    Args:
        wanted: keys, each once, and what to ask for.
        client: whom to ask.
        then: makes of a response what is yielded with its key; called in a thread.
        manners: `concurrency`, `per_host` and `retries` count here.
        more: (key, what was made) → further keys and URLs that this answer leads to.
        part: the time that there is for it; what is left then is put there. Something is done, be it ever so short.

    Raises:
        Exception: whatever the client or `then` raised; nothing is left running.
    """
    done: asyncio.Queue[tuple[str, T] | BaseException | None] = asyncio.Queue()
    changed = asyncio.Event()  # a place or a host got free
    with asyncio.Runner() as runner, ThreadPoolExecutor(_THREADS, "prepare") as threads:
        loop = runner.get_loop()
        board = _Board(wanted, client.hosts, manners, part or Slice())
        work = loop.create_task(_work(board, client, then, manners.concurrency, threads, done, changed, more))
        work.add_done_callback(lambda _: done.put_nowait(None))
        try:
            while (item := loop.run_until_complete(done.get())) is not None:
                if isinstance(item, BaseException):
                    raise item
                changed.set()
                yield item
        finally:
            work.cancel()
            loop.run_until_complete(asyncio.wait([work]))
        if not work.cancelled() and (error := work.exception()):
            raise error


async def _work(
    board: _Board,
    client: Asker,
    then: Callable[[Response], T],
    concurrency: int,
    threads: ThreadPoolExecutor,
    done: asyncio.Queue[tuple[str, T] | BaseException | None],
    changed: asyncio.Event,
    more: Callable[[str, T], Iterable[tuple[str, str]]],
) -> None:
    """Start jobs as they fall due and as places get free, until all are done."""
    loop = asyncio.get_running_loop()
    running: set[asyncio.Task[None]] = set()

    async def one(job: Job) -> None:
        try:
            found = board.given_up(host_of(job.url))
            if found is None:
                found = await client.get(job.url, board.is_last(job), job.tries)
                if board.try_again(job, found):
                    return
            board.release(job)
            changed.set()
            made = await loop.run_in_executor(threads, then, found)
            board.add(more(job.key, made))
            done.put_nowait((job.key, made))
            board.finish()
        except Exception as error:
            done.put_nowait(error)

    def ended(task: asyncio.Task[None]) -> None:
        running.discard(task)
        changed.set()

    async with client:
        try:
            while board.open and not (board.over and not running):
                changed.clear()
                wait: float | None = None
                while len(running) + done.qsize() < concurrency and not board.over:
                    job, wait = board.take()
                    if job is None:
                        break
                    task = loop.create_task(one(job))
                    running.add(task)
                    task.add_done_callback(ended)
                try:
                    await asyncio.wait_for(changed.wait(), board.until(wait))
                except TimeoutError:
                    continue
            board.leave()
        finally:
            for task in running:
                task.cancel()
            if running:
                await asyncio.wait(running)


class _Board:
    """What is left to do. A host has one token per connection; whoever holds a token may ask the host once."""

    def __init__(
        self, wanted: Iterable[tuple[str, str] | Job], hosts: HostLimits, manners: Manners, part: Slice
    ) -> None:
        self._hosts, self._retries, self._slice = hosts, manners.retries, part
        self._ends = time.monotonic() + part.seconds if part.seconds else float("inf")
        self._done = 0
        had_time = (host for host, asked in part.hosts.items() if asked.seconds > 0)
        self._begun = dict.fromkeys(had_time, time.monotonic())  # host → since when its time runs in this slice
        self._jobs: dict[str, deque[Job]] = defaultdict(deque)
        self._silent: dict[str, set[str]] = defaultdict(set)  # host → URLs without an answer since it last gave one
        self._throttled: dict[str, set[str]] = defaultdict(set)  # host → URLs that it put off, likewise
        self._per_host, self.open, self._turn = manners.per_host, 0, 0
        self._tokens: list[tuple[float, int, str]] = []  # heap of (not before, turn, host)
        self._given: Counter[str] = Counter()  # host → its tokens, in the heap or held
        for host, asked in part.hosts.items():
            self._silent[host].update(asked.silent)
            self._throttled[host].update(asked.throttled)
        longest = max(MAX_DELAY_S, manners.interval_s)  # that a host rests, whatever has become of the clock
        for host, until in part.quiet.items():
            hosts.rest(host, min(until - time.time(), longest))
        self.add(sorted(wanted, key=lambda one: host_of(one[1]) in self._begun))  # those not asked yet come first

    def add(self, wanted: Iterable[tuple[str, str] | Job]) -> None:
        """More (key, URL) to ask for."""
        hosts: dict[str, None] = {}
        for one in wanted:
            job = Job(*one)
            host = host_of(job.url)
            self._jobs[host].append(job)
            self.open += 1
            hosts[host] = None
        for _ in range(self._per_host):
            for host in hosts:
                if self._given[host] < self._per_host:
                    self._given[host] += 1
                    self._give_token(host, 0.0)

    def take(self) -> tuple[Job | None, float | None]:
        """(the next thing to do, None), or (None, seconds until there may be one: None where that is not known)."""
        while self._tokens:
            due, turn, host = self._tokens[0]
            now = time.monotonic()
            dead = self.given_up(host)
            ready = 0.0 if dead else self._hosts.ready_at(host)
            if not self._jobs[host]:
                heapq.heappop(self._tokens)
                self._given[host] -= 1
            elif ready > due:
                heapq.heapreplace(self._tokens, (ready, turn, host))
            elif due > now:
                return None, due - now
            else:
                heapq.heappop(self._tokens)
                if not dead:
                    self._hosts.announce(host)
                    self._begun.setdefault(host, now)
                return self._jobs[host].popleft(), None
        return None, None

    def is_last(self, job: Job) -> bool:
        """Whether nothing more is to be asked of a job's host, as far as is known."""
        return not self._jobs[host_of(job.url)]

    def given_up(self, host: str) -> Response | None:
        """What its images get in place of an answer, where a host is not asked any more."""
        if len(self._silent[host]) >= DEAD_AFTER:
            return Response(0, b"", "host_unreachable", f"{host} did not answer for {DEAD_AFTER} images")
        if len(self._throttled[host]) >= THROTTLED_AFTER:
            return Response(0, b"", "host_throttled", f"{host} put off {THROTTLED_AFTER} images")
        if self._slice.host_seconds and self._spent(host) > self._slice.host_seconds:
            return Response(0, b"", TOO_SLOW, f"{host} has been asked for {self._slice.host_seconds / 3600:g} hours")
        return None

    @property
    def over(self) -> bool:
        """Whether nothing new is to be begun."""
        return self._done > 0 and time.monotonic() >= self._ends

    def until(self, wait: float | None) -> float | None:
        """Seconds to wait: as long as was said, but not beyond the end of the time."""
        left = self._ends - time.monotonic()
        if left == float("inf") or left <= 0:
            return wait
        return left if wait is None else min(wait, left)

    def leave(self) -> None:
        """Put into the slice what is not done, and what is known of its hosts."""
        self._slice.left = [job for jobs in self._jobs.values() for job in jobs]
        self._slice.hosts = {
            host: Asked(self._spent(host), sorted(self._silent[host]), sorted(self._throttled[host]))
            for host, jobs in self._jobs.items()
            if jobs
        }
        self._slice.quiet = {host: time.time() + seconds for host, seconds in self._hosts.resting().items()}

    def try_again(self, job: Job, found: Response) -> bool:
        """Take note of an answer; whether the job was put back for another try."""
        host = host_of(job.url)
        if found.reason in UNANSWERED:
            self._silent[host].add(job.url)
        elif found.status in THROTTLED:
            self._throttled[host].add(job.url)
        else:
            self._silent[host].clear()
            self._throttled[host].clear()
        if not (found.reason in UNANSWERED or found.status in PASSING):
            return False
        if job.tries >= self._retries:
            return False
        self._jobs[host].append(job._replace(tries=job.tries + 1))
        self._give_token(host, time.monotonic() + pause(found.retry_after, job.tries, job.url))
        return True

    def release(self, job: Job) -> None:
        """A job's answer is there; its connection is free."""
        self._give_token(host_of(job.url), time.monotonic())

    def finish(self) -> None:
        """A job is done with."""
        self.open -= 1
        self._done += 1

    def _spent(self, host: str) -> float:
        """Seconds that a host has been asked for, waits of its own among them."""
        before = self._slice.hosts[host].seconds if host in self._slice.hosts else 0.0
        return before + time.monotonic() - self._begun[host] if host in self._begun else before

    def _give_token(self, host: str, due: float) -> None:
        if self._jobs[host]:
            self._turn += 1
            heapq.heappush(self._tokens, (due, self._turn, host))
        else:
            self._given[host] -= 1
