"""When a host may be asked: so many requests at a time, so long between their starts, and none while it is to rest.

`HostLimits` alone decides this, for all hosts that one worker process asks. It is told what hosts say: their
Crawl-delay (read by robots.py), and answers that want fewer requests (429, 503, Retry-After). Every request takes its
turn here, whatever it is for: an image, robots.txt, another try, the target of a redirect. The scheduler chooses which
image comes next, and looks here only to see which hosts are ready, so that no connection is spent on waiting.
"""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from weft.schemas.records import hash_unit

THROTTLED = (429, 503)  # a host that says so is asked too much
FIRST_WAIT_S = 0.5  # where it names no time; doubled with each further try
MAX_WAIT_S = 20.0  # longest Retry-After that is waited for
MAX_DELAY_S = 30.0  # longest Crawl-delay that is kept to; with longer ones a unit would stand still for days


def host_of(url: str) -> str:
    """Host of a URL, "" where it has none.

    >>> host_of("https://WWW.Example.org:8080/a.jpg")
    'www.example.org'
    """
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def bare_host(url: str) -> str:
    """Host of a URL without `www.`: the two redirect to each other all the time, so one worker asks both.

    >>> bare_host("https://www.example.org/a.jpg")
    'example.org'
    """
    return host_of(url).removeprefix("www.")


def pause(retry_after: float | None, tries: int, key: str) -> float:
    """Seconds to wait after an answer that may be another one soon.

    Args:
        retry_after: what the server named, if it did.
        tries: how often this was asked for before.
        key: what was asked for. Its hash makes the wait up to half as long again: images that fail together would
            otherwise be asked for together every time.
    """
    if retry_after is None:
        retry_after = FIRST_WAIT_S * 2**tries * (1 + hash_unit(key, str(tries)) / 2)
    return min(retry_after, MAX_WAIT_S)


@dataclasses.dataclass
class _Host:
    """What is known of one host; times are those of time.monotonic()."""

    places: asyncio.Semaphore
    order: asyncio.Lock = dataclasses.field(default_factory=asyncio.Lock)
    crawl_delay: float = 0.0
    next_request: float = 0.0  # nothing may be asked for earlier
    next_image: float = 0.0  # and no image
    announced: float = 0.0  # what next_image will be at least, once images that are about to be asked for have been


class HostLimits:
    """The limits of all hosts that are asked from one event loop."""

    def __init__(self, per_host: int, interval_s: float = 0.0) -> None:
        """Limit every host alike until it says more of itself.

        Args:
            per_host: requests at a time.
            interval_s: between the starts of any two requests to a host.
        """
        self._per_host, self._interval = per_host, interval_s
        self._hosts: dict[str, _Host] = {}

    @asynccontextmanager
    async def turn(self, host: str, image: bool = True) -> AsyncIterator[Callable[[], None]]:
        """Wait until the host may be asked, and count as one of its requests until the block ends.

        The block calls what it is given once its request is sent. Where the host is to rest between two, the time runs
        from then, and nobody else has a turn before: a process that stood still would send two requests at once.

        Args:
            image: whether the Crawl-delay counts; it does not for robots.txt and the like.
        """
        one = self._host(host)
        held = False

        def sent() -> None:
            nonlocal held
            if held:
                held = False
                self.begin(host, image)
                one.order.release()

        async with one.places:
            await one.order.acquire()
            held = True
            try:
                while (wait := self._opens(one, image) - time.monotonic()) > 0:
                    await asyncio.sleep(wait)  # and look again: meanwhile it may have been told to rest
                self.begin(host, image)
                if not self.delay(host):
                    sent()
                yield sent
            finally:
                if held:
                    one.order.release()

    def crawl_delay(self, host: str, seconds: float) -> None:
        """Take note of the seconds between two images that a site of this host asks for; the longest counts."""
        one = self._host(host)
        one.crawl_delay = max(one.crawl_delay, min(seconds, MAX_DELAY_S))

    def begin(self, host: str, image: bool = True) -> None:
        """Let the next request, and image, wait as if there had been one now: others may have asked this host."""
        one, now = self._host(host), time.monotonic()
        one.next_request = max(one.next_request, now + self._interval)
        if image:
            one.next_image = max(one.next_image, now + self.delay(host))

    def delay(self, host: str) -> float:
        """Seconds between the starts of two images of this host."""
        return max(self._host(host).crawl_delay, self._interval)

    def answered(self, host: str, status: int, retry_after: float | None, tries: int = 0, key: str = "") -> None:
        """Take note of an answer: where it wants fewer requests, the host is left alone for a `pause`."""
        if status in THROTTLED or retry_after is not None:
            self.rest(host, pause(retry_after, tries, key))

    def rest(self, host: str, seconds: float) -> None:
        """Ask nothing of the host for so long."""
        one = self._host(host)
        one.next_request = max(one.next_request, time.monotonic() + seconds)

    def resting(self) -> dict[str, float]:
        """Host → seconds until its next image, of those that may not be asked for one now."""
        now = time.monotonic()
        return {host: wait for host, one in self._hosts.items() if (wait := self._opens(one, True) - now) > 0}

    def ready_at(self, host: str) -> float:
        """When the next image may be asked for, by time.monotonic(); in the past where it may be now."""
        one = self._host(host)
        return max(self._opens(one, True), one.announced)

    def announce(self, host: str) -> None:
        """An image of this host is about to take its turn: the next is not ready until its delay is over too."""
        if between := self.delay(host):
            self._host(host).announced = max(time.monotonic(), self.ready_at(host)) + between

    def _host(self, host: str) -> _Host:
        one = self._hosts.get(host)
        if one is None:
            one = self._hosts[host] = _Host(asyncio.Semaphore(self._per_host))
        return one

    @staticmethod
    def _opens(one: _Host, image: bool) -> float:
        return max(one.next_request, one.next_image) if image else one.next_request
