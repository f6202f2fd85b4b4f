"""robots.txt (RFC 9309): asked for once per site, then remembered; may this address be asked for?

What the answer to /robots.txt means: 2xx is read (up to 500 KiB, the RFC's least), 4xx allows everything, and a site
that cannot say (5xx) is left alone. Where there is no answer at all, none would come for the image either: that is
what the image is told, and the next one asks again. Rules are matched by Protego, Scrapy's parser, because Python's own
knows no wildcards and takes the first match for the longest.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from urllib.parse import urlsplit

from protego import Protego

MAX_BYTES = 500 * 1024  # RFC 9309, 2.5
ALLOWED, DISALLOWED, UNAVAILABLE = "", "robots_disallowed", "robots_unavailable"

Problem = tuple[str, str]  # reason ("" for none), detail


class Robots:
    """Rules of all sites met so far; safe to share among threads, and a site is asked by one of them."""

    def __init__(self, user_agent: str, get: Callable[[str], tuple[int, bytes, Problem]]) -> None:
        """
        Args:
            user_agent: as sent; its first product token is what rules name.
            get: URL → (status, body, why there was no answer).
        """
        self._token = user_agent.split("/")[0].split()[0] if user_agent.strip() else "*"
        self._get = get
        self._locks: dict[str, threading.Lock] = {}
        self._rules: dict[str, Protego | str] = {}

    def verdict(self, url: str) -> Problem:
        """(ALLOWED, DISALLOWED, UNAVAILABLE or why the site did not answer, more of it) for an http(s) address."""
        parts = urlsplit(url)
        site = f"{parts.scheme}://{parts.netloc.rpartition('@')[2].lower()}"
        rules = self._rules.get(site)
        if rules is None:
            with self._locks.setdefault(site, threading.Lock()):
                rules = self._rules.get(site)
                if rules is None:
                    status, body, problem = self._get(f"{site}/robots.txt")
                    if problem[0] and not status:
                        return problem
                    rules = self._rules[site] = _read(status, body)
        if isinstance(rules, str):
            return rules, url[:200]
        return ALLOWED if rules.can_fetch(url, self._token) else DISALLOWED, url[:200]

    def delay(self, url: str) -> float:
        """Seconds between two requests that the site asks for (Crawl-delay), 0 where it does not or is not known."""
        parts = urlsplit(url)
        rules = self._rules.get(f"{parts.scheme}://{parts.netloc.rpartition('@')[2].lower()}")
        return float(rules.crawl_delay(self._token) or 0.0) if isinstance(rules, Protego) else 0.0


def _read(status: int, body: bytes) -> Protego | str:
    if 200 <= status < 300:
        return Protego.parse(body[:MAX_BYTES].decode("utf-8", "replace"))
    return ALLOWED if 400 <= status < 500 else UNAVAILABLE
