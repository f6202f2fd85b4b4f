"""Who is asked when: many URLs over a few connections, at most so many to one host, none to a host that is dead.

(key, URL) → (key, what came of it), in the order of arrival. Hosts take turns. A failure that may pass is tried again
later, in the meantime others are asked: a connection that failed rests a while, and the whole host does when it says
that it is asked too much (429, 503 or Retry-After). A host of which several images in a row got no answer is given up,
so that it costs its other images nothing; img2dataset's open requests for exactly these are the reason for this file.
"""

from __future__ import annotations

import heapq
import queue
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, TypeVar
from urllib.parse import urlsplit

from schemas.config import Fetch
from transforms.http_images import UNANSWERED, Response

DEAD_AFTER = 3  # images without a whole answer since the last one
THROTTLED_AFTER = 10  # images that were told to come back later, likewise
MAX_WAIT_S = 20.0  # longest Retry-After that is waited for
FIRST_WAIT_S = 0.5  # doubled with each further try
_THROTTLED = (429, 503)
PASSING = (429, 500, 502, 503, 504)

T = TypeVar("T")


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
    get: Callable[[str], Response],
    then: Callable[[Response], T],
    config: Fetch,
    delay: Callable[[str], float] = lambda url: 0.0,
) -> Iterator[tuple[str, T]]:
    """Fetch every (key, URL); `then` makes of a response what is yielded with its key, in the thread that fetched it.

    Args:
        delay: seconds between the starts of two requests to the host of a URL.

    Raises:
        Exception: whatever `get` or `then` raised; the other threads end with what they are at.
    """
    board = _Board(wanted, config, delay)
    done: queue.Queue[tuple[str, T] | BaseException | None] = queue.Queue(maxsize=2 * config.concurrency)

    def work() -> None:
        try:
            while (job := board.take()) is not None:
                found = board.given_up(job)
                if found is None:
                    found = get(job.url)
                    if board.try_again(job, found):
                        continue
                done.put((job.key, then(found)))
                board.finish(job)
        except BaseException as error:
            board.close()
            done.put(error)
        done.put(None)

    threads = [threading.Thread(target=work, daemon=True) for _ in range(config.concurrency)]
    for thread in threads:
        thread.start()
    running = len(threads)
    try:
        while running:
            item = done.get()
            if isinstance(item, BaseException):
                raise item
            if item is None:
                running -= 1
            else:
                yield item
    finally:
        board.close()
        while any(thread.is_alive() for thread in threads):  # a thread may be waiting to hand over its last
            try:
                done.get(timeout=0.05)
            except queue.Empty:
                continue


class _Board:
    """What is left to do. A host has one token per connection; whoever holds a token may ask the host once."""

    def __init__(self, wanted: Iterable[tuple[str, str]], config: Fetch, delay: Callable[[str], float]) -> None:
        self._retries, self._delay = config.retries, delay
        self._next: dict[str, float] = {}  # host → when it may be asked again
        self._changed = threading.Condition()
        self._jobs: dict[str, deque[_Job]] = defaultdict(deque)
        self._resting: dict[str, float] = {}  # host → until when
        self._silent: dict[str, set[str]] = defaultdict(set)  # host → URLs without an answer since it last gave one
        self._throttled: dict[str, set[str]] = defaultdict(set)
        for key, url in wanted:
            self._jobs[host_of(url)].append(_Job(key, url, 0))
        self._open = sum(map(len, self._jobs.values()))
        self._turn = 0
        self._tokens: list[tuple[float, int, str]] = []  # heap of (not before, turn, host)
        with self._changed:
            for _ in range(config.per_host):
                for host in self._jobs:
                    self._give_token(host, 0.0)

    def take(self) -> _Job | None:
        """The next thing to do, waiting for it; None where all is done."""
        with self._changed:
            while self._open > 0:
                if not self._tokens:
                    self._changed.wait()
                    continue
                due, turn, host = self._tokens[0]
                rest = max(self._resting.get(host, 0.0), self._next.get(host, 0.0))
                if rest > due:
                    heapq.heapreplace(self._tokens, (rest, turn, host))
                elif (left := due - time.monotonic()) > 0:
                    self._changed.wait(left)
                else:
                    heapq.heappop(self._tokens)
                    if self._jobs[host]:
                        job = self._jobs[host].popleft()
                        if (between := self._delay(job.url)) > 0:
                            self._next[host] = time.monotonic() + between
                        return job
            return None

    def given_up(self, job: _Job) -> Response | None:
        """The answer in place of one, where its host is not asked any more."""
        host = host_of(job.url)
        with self._changed:
            if len(self._silent[host]) >= DEAD_AFTER:
                return Response(0, b"", "host_unreachable", f"{host} did not answer for {DEAD_AFTER} images")
            if len(self._throttled[host]) >= THROTTLED_AFTER:
                return Response(0, b"", "host_throttled", f"{host} put off {THROTTLED_AFTER} images")
        return None

    def try_again(self, job: _Job, found: Response) -> bool:
        """Take note of an answer; whether the job was put back for another try."""
        host = host_of(job.url)
        with self._changed:
            if found.reason in UNANSWERED:
                self._silent[host].add(job.url)
            elif found.status in _THROTTLED:
                self._throttled[host].add(job.url)
            else:
                self._silent[host].clear()
                self._throttled[host].clear()
            if not (found.reason in UNANSWERED or found.status in PASSING):
                return False
            rest = min(found.retry_after if found.retry_after is not None else FIRST_WAIT_S * 2**job.tries, MAX_WAIT_S)
            until = time.monotonic() + rest
            if found.status in _THROTTLED or found.retry_after is not None:
                self._resting[host] = max(until, self._resting.get(host, 0.0))
            if job.tries >= self._retries:
                return False
            self._jobs[host].append(job._replace(tries=job.tries + 1))
            self._give_token(host, until)
            return True

    def finish(self, job: _Job) -> None:
        """A job is done with; its connection is free."""
        with self._changed:
            self._open -= 1
            self._give_token(host_of(job.url), time.monotonic())
            if self._open <= 0:
                self._changed.notify_all()

    def close(self) -> None:
        """Nothing more is to be taken."""
        with self._changed:
            self._open = 0
            self._changed.notify_all()

    def _give_token(self, host: str, due: float) -> None:
        if self._jobs[host]:
            self._turn += 1
            heapq.heappush(self._tokens, (due, self._turn, host))
            self._changed.notify()
