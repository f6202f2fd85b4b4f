"""What a site forbids: its robots.txt (RFC 9309) and its TDM reservations, asked for once and then remembered.

What the answer to /robots.txt means: 2xx is read (up to 500 KiB, the least that the RFC allows), 4xx allows everything,
5xx and 429 forbid everything. 429 and those of 5xx that may pass are asked for again first, by the next images. Where
there is no answer at all, the image would get none either: it ends for that reason, and the next one asks again. Rules
are matched by Protego, Scrapy's parser: Python's own knows no wildcards, and takes the first rule that matches where
the RFC takes the longest.

/.well-known/tdmrep.json (TDM Reservation Protocol, W3C) is a list of path patterns, each reserved or not. Its patterns
are those of robots.txt, so it is turned into one and matched likewise. A file that cannot be got or read reserves
nothing.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import NamedTuple
from urllib.parse import urlsplit

from protego import Protego

MAX_BYTES = 500 * 1024  # RFC 9309, 2.5
ALLOWED, DISALLOWED, UNAVAILABLE = "", "robots_disallowed", "robots_unavailable"
TRIES = 3  # for a file whose site breaks off instead of answering, or is too busy to
PASSING = (429, 500, 502, 503, 504)  # answers that may be others soon
TDM_FILE = "/.well-known/tdmrep.json"


class Problem(NamedTuple):
    """Why something is not to be asked for."""

    reason: str  # "" where nothing speaks against it
    detail: str
    status: int = 0  # of an answer that may be another soon


Get = Callable[[str], Awaitable[tuple[int, bytes, Problem]]]  # URL → (status, body, why there was no answer)


class Robots:
    """Rules of all sites met so far; a site is asked once, however many images wait for it."""

    def __init__(self, user_agent: str, get: Get) -> None:
        """Know nothing of any site yet.

        Args:
            user_agent: as sent; rules are looked up under its first word, up to a slash.
            get: how to ask for a file.
        """
        self._token = user_agent.split("/")[0].split()[0] if user_agent.strip() else "*"
        self._get = get
        self._locks: dict[str, asyncio.Lock] = {}
        self._rules: dict[str, Protego | str] = {}
        self._busy: Counter[str] = Counter()

    async def verdict(self, url: str) -> Problem:
        """Whether an http(s) address may be asked for: ALLOWED, or the reason why it may not."""
        place = site(url)
        rules = self._rules.get(place)
        if rules is None:
            async with self._locks.setdefault(place, asyncio.Lock()):
                rules = self._rules.get(place)
                if rules is None:
                    status, body, problem = await self._get(f"{place}/robots.txt")
                    if problem.reason and not status:
                        return problem
                    if status in PASSING:
                        self._busy[place] += 1
                        if self._busy[place] < TRIES:
                            return Problem(UNAVAILABLE, f"robots.txt: HTTP {status}", status)
                    rules = self._rules[place] = _read(status, body)
        if isinstance(rules, str):
            return Problem(rules, url[:200])
        return Problem(ALLOWED if rules.can_fetch(url, self._token) else DISALLOWED, url[:200])

    def delay(self, url: str) -> float:
        """Seconds between two requests that the site asks for (Crawl-delay), 0 where it does not or is not known."""
        rules = self._rules.get(site(url))
        return float(rules.crawl_delay(self._token) or 0.0) if isinstance(rules, Protego) else 0.0


class Reservations:
    """TDM reservations of all sites met so far."""

    def __init__(self, get: Get) -> None:
        self._get = get
        self._locks: dict[str, asyncio.Lock] = {}
        self._rules: dict[str, Protego] = {}
        self._unanswered: Counter[str] = Counter()

    async def reserved(self, url: str) -> bool:
        """Whether the file of its site reserves this http(s) address."""
        place = site(url)
        if place not in self._rules:
            async with self._locks.setdefault(place, asyncio.Lock()):
                if place not in self._rules:
                    status, body, problem = await self._get(place + TDM_FILE)
                    if problem.reason and not status:
                        self._unanswered[place] += 1
                        if self._unanswered[place] < TRIES:
                            return False  # the image's own request says what is wrong, and the next one asks again
                    self._rules[place] = Protego.parse(_as_rules(body) if 200 <= status < 300 else "")
        return not self._rules[place].can_fetch(url, "*")


def site(url: str) -> str:
    """Scheme, host and port of a URL, as they stand in it.

    Raises:
        ValueError: no URL.
    """
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2].lower()}"


def _read(status: int, body: bytes) -> Protego | str:
    if 200 <= status < 300:
        return Protego.parse(body[:MAX_BYTES].decode("utf-8", "replace"))
    return ALLOWED if 400 <= status < 500 and status not in PASSING else UNAVAILABLE


def _as_rules(body: bytes) -> str:
    """A TDM reservation file as the robots.txt that forbids what it reserves."""
    try:
        entries = json.loads(body[:MAX_BYTES])
    except (ValueError, RecursionError):
        return ""
    lines = ["User-agent: *"]
    for entry in entries if isinstance(entries, list) else []:
        where = entry.get("location") if isinstance(entry, dict) else None
        if isinstance(where, str) and where.isprintable():
            lines.append(f"{'Disallow' if entry.get('tdm-reservation') in (1, '1', True) else 'Allow'}: {where}")
    return "\n".join(lines)
