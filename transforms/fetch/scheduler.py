"""Who is asked when: many URLs over a few connections, at most so many to one host, none to a host that is dead.

(key, URL) → (key, what came of it), in the order of arrival. Hosts take turns. A failure that may pass is tried again
later, in the meantime others are asked: a connection that failed rests a while, and the whole host does when it says
that it is asked too much (429, 503 or Retry-After). A host of which several images in a row got no answer is given up,
so that it costs its other images nothing; img2dataset's open requests for exactly these are the reason for this file.

One event loop asks; threads make of each answer what is wanted of it. A connection is free as soon as its answer is
there, a place among the `concurrency` only when the answer is worked off, which bounds what is held in memory.
"""

from __future__ import annotations

import asyncio
import heapq
import os
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager
from typing import NamedTuple, Protocol, TypeVar
from urllib.parse import urlsplit

from weft.schemas.config import Fetch
from weft.schemas.records import hash_unit
from weft.transforms.fetch.client import UNANSWERED, Response
from weft.transforms.fetch.rate_limit import FIRST_WAIT_S, MAX_WAIT_S, THROTTLED
from weft.transforms.fetch.robots import PASSING

DEAD_AFTER = 3  # images without a whole answer since the last one
THROTTLED_AFTER = 10  # images that were told to come back later, likewise
_THREADS = min(4, os.cpu_count() or 1)  # of a worker process, of which there is one per core as a rule

T = TypeVar("T")


class Asker(Protocol):
    """What fetch_all asks: weft.transforms.fetch.client.Client."""

    async def get(self, url: str, last: bool = False) -> Response:
        """What came of a URL; `last` where its host will not be asked again soon."""
        ...

    def delay(self, url: str) -> float:
        """Seconds between the starts of two requests to the host of a URL."""
        ...


class _Job(NamedTuple):
    key: str
    url: str
    tries: int


def host_of(url: str) -> str:
    """Host of a URL, "" where it has none."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def fetch_all(
    wanted: Iterable[tuple[str, str]],
    client: AbstractAsyncContextManager[Asker],
    then: Callable[[Response], T],
    config: Fetch,
) -> Iterator[tuple[str, T]]:
    """Fetch every (key, URL); `then` makes of a response what is yielded with its key, in a thread.

    Raises:
        Exception: whatever the client or `then` raised; nothing is left running.
    """
    done: asyncio.Queue[tuple[str, T] | BaseException | None] = asyncio.Queue()
    with asyncio.Runner() as runner, ThreadPoolExecutor(_THREADS, "prepare") as threads:
        loop = runner.get_loop()
        work = loop.create_task(_work(_Board(wanted, config), client, then, config, threads, done))
        work.add_done_callback(lambda _: done.put_nowait(None))
        try:
            while (item := loop.run_until_complete(done.get())) is not None:
                if isinstance(item, BaseException):
                    raise item
                yield item
        finally:
            work.cancel()
            loop.run_until_complete(asyncio.wait([work]))
        if not work.cancelled() and (error := work.exception()):
            raise error


async def _work(
    board: _Board,
    client: AbstractAsyncContextManager[Asker],
    then: Callable[[Response], T],
    config: Fetch,
    threads: ThreadPoolExecutor,
    done: asyncio.Queue[tuple[str, T] | BaseException | None],
) -> None:
    """Start jobs as they fall due and as places get free, until all are done."""
    loop = asyncio.get_running_loop()
    changed = asyncio.Event()  # a place or a host got free
    running: set[asyncio.Task[None]] = set()

    async def one(job: _Job, asker: Asker) -> None:
        try:
            found = board.given_up(job)
            if found is None:
                found = await asker.get(job.url, last=board.is_last(job))
                if board.try_again(job, found):
                    return
            board.release(job)
            changed.set()
            done.put_nowait((job.key, await loop.run_in_executor(threads, then, found)))
            board.finish()
        except Exception as error:
            done.put_nowait(error)

    def ended(task: asyncio.Task[None]) -> None:
        running.discard(task)
        changed.set()

    async with client as asker:
        try:
            while board.open:
                changed.clear()
                wait: float | None = None
                while len(running) < config.concurrency:
                    job, wait = board.take(asker.delay)
                    if job is None:
                        break
                    task = loop.create_task(one(job, asker))
                    running.add(task)
                    task.add_done_callback(ended)
                try:
                    await asyncio.wait_for(changed.wait(), wait)
                except TimeoutError:
                    continue
        finally:
            for task in running:
                task.cancel()
            if running:
                await asyncio.wait(running)


class _Board:
    """What is left to do. A host has one token per connection; whoever holds a token may ask the host once."""

    def __init__(self, wanted: Iterable[tuple[str, str]], config: Fetch) -> None:
        self._retries = config.retries
        self._next: dict[str, float] = {}  # host → when it may be asked again
        self._jobs: dict[str, deque[_Job]] = defaultdict(deque)
        self._resting: dict[str, float] = {}  # host → until when
        self._silent: dict[str, set[str]] = defaultdict(set)  # host → URLs without an answer since it last gave one
        self._throttled: dict[str, set[str]] = defaultdict(set)
        for key, url in wanted:
            self._jobs[host_of(url)].append(_Job(key, url, 0))
        self.open = sum(map(len, self._jobs.values()))
        self._turn = 0
        self._tokens: list[tuple[float, int, str]] = []  # heap of (not before, turn, host)
        for _ in range(config.per_host):
            for host in self._jobs:
                self._give_token(host, 0.0)

    def take(self, delay: Callable[[str], float]) -> tuple[_Job | None, float | None]:
        """(the next thing to do, None), or (None, seconds until there may be one: None where that is not known)."""
        while self._tokens:
            due, turn, host = self._tokens[0]
            now = time.monotonic()
            rest = max(self._resting.get(host, 0.0), self._next.get(host, 0.0))
            if not self._jobs[host]:
                heapq.heappop(self._tokens)
            elif rest > due:
                heapq.heapreplace(self._tokens, (rest, turn, host))
            elif due > now:
                return None, due - now
            else:
                heapq.heappop(self._tokens)
                job = self._jobs[host].popleft()
                if (between := delay(job.url)) > 0:
                    self._next[host] = now + between
                return job, None
        return None, None

    def is_last(self, job: _Job) -> bool:
        """Whether nothing more is to be asked of a job's host, as far as is known."""
        return not self._jobs[host_of(job.url)]

    def given_up(self, job: _Job) -> Response | None:
        """The answer in place of one, where its host is not asked any more."""
        host = host_of(job.url)
        if len(self._silent[host]) >= DEAD_AFTER:
            return Response(0, b"", "host_unreachable", f"{host} did not answer for {DEAD_AFTER} images")
        if len(self._throttled[host]) >= THROTTLED_AFTER:
            return Response(0, b"", "host_throttled", f"{host} put off {THROTTLED_AFTER} images")
        return None

    def try_again(self, job: _Job, found: Response) -> bool:
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
        rest = found.retry_after
        if rest is None:  # up to half as long again, by hash: whoever comes in step once would do so for ever
            rest = FIRST_WAIT_S * 2**job.tries * (1 + hash_unit(job.key, str(job.tries)) / 2)
        until = time.monotonic() + min(rest, MAX_WAIT_S)
        if found.status in THROTTLED or found.retry_after is not None:
            self._resting[host] = max(until, self._resting.get(host, 0.0))
        if job.tries >= self._retries:
            return False
        self._jobs[host].append(job._replace(tries=job.tries + 1))
        self._give_token(host, until)
        return True

    def release(self, job: _Job) -> None:
        """A job's answer is there; its connection is free."""
        self._give_token(host_of(job.url), time.monotonic())

    def finish(self) -> None:
        """A job is done with."""
        self.open -= 1

    def _give_token(self, host: str, due: float) -> None:
        if self._jobs[host]:
            self._turn += 1
            heapq.heappush(self._tokens, (due, self._turn, host))
