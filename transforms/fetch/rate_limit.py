"""Turns at one host: so many requests at a time, so long between their starts, and none while it wants to rest.

Every request passes here, whatever it is for: an image, robots.txt, another try, the target of a redirect. Which image
is next is transforms/fetch/scheduler.py's to say; this only makes sure that no host ever sees more than it should.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

THROTTLED = (429, 503)  # a host that says so is asked too much
FIRST_WAIT_S = 0.5  # where it names no time; doubled with each further try
MAX_WAIT_S = 20.0  # longest Retry-After that is waited for


class Gate:
    """The gate of one host, for the tasks of one event loop."""

    def __init__(self, places: int, interval_s: float) -> None:
        """
        Args:
            places: requests at a time.
            interval_s: between the starts of any two.
        """
        self._places = asyncio.Semaphore(places)
        self._order = asyncio.Lock()
        self._interval = interval_s
        self._open_at = self._next_image = 0.0

    @asynccontextmanager
    async def turn(self, between_images: float | None = None) -> AsyncIterator[None]:
        """Wait for one's turn, and hold a place.

        Args:
            between_images: seconds since the last image was asked for (Crawl-delay); None for what is no image.
        """
        async with self._places:
            async with self._order:
                while (wait := self._opens(between_images) - time.monotonic()) > 0:
                    await asyncio.sleep(wait)  # and look again: meanwhile it may have been told to rest
                now = time.monotonic()
                self._open_at = now + self._interval
                if between_images is not None:
                    self._next_image = now + between_images
            yield

    def rest(self, seconds: float) -> None:
        """Let nobody in for so long."""
        self._open_at = max(self._open_at, time.monotonic() + seconds)

    def _opens(self, between_images: float | None) -> float:
        return self._open_at if between_images is None else max(self._open_at, self._next_image)
