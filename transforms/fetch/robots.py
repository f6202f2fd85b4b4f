"""What a site forbids: its robots.txt (RFC 9309) and its TDM reservations, asked for once and then remembered.

What the answer to /robots.txt means: 2xx is read (up to 500 KiB, the least that the RFC allows), 4xx allows everything,
5xx, 429 and an unknown coding forbid everything. 429 and those of 5xx that may pass are asked for again first, by
the next images. Where there is no whole answer, the image would get none either: it ends for that reason, and the next
one asks again.

Rules, and what both files say of training, are read by transforms/consent/site_files.py. A tdmrep.json that cannot be
got or read reserves nothing.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Collection
from typing import NamedTuple
from urllib.parse import urlsplit

from weft.schemas.parameters import ConfigError
from weft.transforms.consent import site_files
from weft.transforms.consent.site_files import Access

ALLOWED, DISALLOWED, UNAVAILABLE = "", "robots_disallowed", "robots_unavailable"
TRIES = 3  # for a file whose site breaks off instead of answering, or is too busy to
PASSING = (429, 500, 502, 503, 504)  # answers that may be others soon
TDM_FILE = "/.well-known/tdmrep.json"
OPT_OUT = "opt_out"


class Problem(NamedTuple):
    """Why something is not to be asked for."""

    reason: str  # "" where nothing speaks against it
    detail: str
    status: int = 0  # of an answer that may be another soon


Get = Callable[[str], Awaitable[tuple[int, bytes, Problem]]]  # URL → (status, body, why there was no answer)


class Robots:
    """Rules of all sites met so far; a site is asked once, however many images wait for it."""

    def __init__(self, user_agent: str, get: Get, signals: Collection[str] = (), agents: Collection[str] = ()) -> None:
        """Know nothing of any site yet.

        Args:
            user_agent: as sent; rules are looked up under its `token`.
            get: how to ask for a file.
            signals: what counts of what a robots.txt says of training.
            agents: names and purposes of AI agents whose groups count.
        """
        self._signals, self._agents = signals, agents
        self._token = token(user_agent)
        self._get = get
        self._locks: dict[str, asyncio.Lock] = {}
        self._rules: dict[str, Access | str] = {}
        self._said: dict[str, str] = {}  # what each site says of training
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
                    rules = UNAVAILABLE if problem.reason and 200 <= status < 300 else self._read(status, body)
                    if self._signals and isinstance(rules, Access):
                        self._said[place] = site_files.read(site_files.ROBOTS, body, self._agents)
                    self._rules[place] = rules
        if isinstance(rules, str):
            return Problem(rules, url[:200])
        if rules.forbids(url):
            return Problem(DISALLOWED, url[:200])
        words = site_files.judge(site_files.ROBOTS, self._said.get(place, ""), url, self._signals, self._agents)
        return Problem(OPT_OUT, words) if words else Problem(ALLOWED, url[:200])

    def delay(self, url: str) -> float:
        """Seconds between two requests that the site asks for (Crawl-delay), 0 where it does not or is not known."""
        rules = self._rules.get(site(url))
        return rules.delay if isinstance(rules, Access) else 0.0

    def _read(self, status: int, body: bytes) -> Access | str:
        if 200 <= status < 300:
            return site_files.access(body, self._token)
        return ALLOWED if 400 <= status < 500 and status not in PASSING else UNAVAILABLE


class Reservations:
    """TDM reservations of all sites met so far."""

    def __init__(self, get: Get) -> None:
        self._get = get
        self._locks: dict[str, asyncio.Lock] = {}
        self._rules: dict[str, str] = {}
        self._unanswered: Counter[str] = Counter()

    async def reserved(self, url: str) -> str:
        """The words by which the file of its site reserves this http(s) address, "" where it does not."""
        place = site(url)
        if place not in self._rules:
            async with self._locks.setdefault(place, asyncio.Lock()):
                if place not in self._rules:
                    status, body, problem = await self._get(place + TDM_FILE)
                    if problem.reason and not status:
                        self._unanswered[place] += 1
                        if self._unanswered[place] < TRIES:
                            return ""  # the image's own request says what is wrong, and the next one asks again
                    self._rules[place] = site_files.read(site_files.TDM, body) if 200 <= status < 300 else ""
        return site_files.judge(site_files.TDM, self._rules[place], url, ("tdm",))


def token(user_agent: str) -> str:
    """The name under which rules are looked up: the first word of a user agent, up to a slash.

    Raises:
        ConfigError: it has none, or cannot be a header.

    >>> token("mybot/1.0 (+https://example.org/bot)")
    'mybot'
    """
    words = user_agent.partition("/")[0].split()
    if not words or not user_agent.isprintable():
        raise ConfigError(
            f"fetch.user_agent begins with a name, as in 'mybot/1.0', and is one line: not {user_agent!r}"
        )
    return words[0]


def site(url: str) -> str:
    """Scheme, host and port of a URL, as they stand in it.

    Raises:
        ValueError: no URL.
    """
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2].lower()}"
