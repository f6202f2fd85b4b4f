"""What the files of a site say of its addresses: robots.txt, ai.txt and tdmrep.json.

A file is read twice: `read` keeps of its bytes the few lines that can speak of training, which is what a table holds of
a hundred million hosts; `judge` says what these lines forbid for one address, and quotes the one that does.

- Groups of robots.txt (RFC 9309) that name an AI agent: an address that is disallowed to one of them is forbidden.
  Groups of one agent are one group; of the rules that match, the longest decides, and Allow where two are as long.
- Content-Usage and Content-Signal lines, with or without a path, in a group for everybody or for an AI agent. Rules
  outside any group are for everybody: sites write them at the top. The longest path decides here too, but of two as
  long the one that forbids; and Content-Usage says nothing of what its group does not let crawl (attach-05, 3.1).
- ai.txt (Spawning): written as robots.txt is, about files by their ending; whoever a group names, it speaks of AI.
- tdmrep.json (TDM Reservation Protocol, W3C): patterns of addresses, each reserved or not; read as rules likewise.

Whatever forbids wins. A group for a search engine, and what a group allows to one agent, say nothing here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import quote, urlsplit

from weft.schemas.records import SiteFile
from weft.transforms.consent import agents, preferences

MAX_BYTES = 500 * 1024  # of a file that are read; RFC 9309, 2.5: at least so many
ROBOTS, AI_TXT, TDM = "robots.txt", "ai.txt", "tdmrep.json"
PATHS = {"/robots.txt": ROBOTS, "/ai.txt": AI_TXT, "/.well-known/tdmrep.json": TDM}
_AGENT = re.compile(r"user[ -]?agent")
_PREFERENCES = {"content-usage": preferences.usage, "content-signal": preferences.signal}
_ACCESS = ("allow", "disallow")
_UNGROUPED = ("sitemap", "host", "license", "clean-param")  # of the whole file: they end no list of agents
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")


class _Line(NamedTuple):
    agents: tuple[str, ...]  # of the group it stands in, as written; none outside groups
    label: str  # in lower case
    value: str

    @property
    def pattern(self) -> str:
        """The addresses that the rule is about: what it allows or not, or the path before a preference."""
        if self.label in _ACCESS:
            return self.value if self.value.startswith(("/", "*")) else f"/{self.value}"
        return self.value.split()[0] if self.value.startswith("/") else "/"

    @property
    def preference(self) -> str:
        """A preference without its path."""
        return [*self.value.split(None, 1), ""][1] if self.value.startswith("/") else self.value

    @property
    def quoted(self) -> str:
        label = "-".join(word.capitalize() for word in self.label.split("-"))
        return f"{label}: {self.value}"


def name_of(url: str) -> str:
    """Which of the files an address is, "" for none.

    >>> name_of("https://a.test/robots.txt"), name_of("https://a.test/d/robots.txt"), name_of("http://a.test/ai.txt?x")
    ('robots.txt', '', '')
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return "" if parts.query else PATHS.get(parts.path, "")


def read(name: str, body: bytes, counted: Collection[str] = ("train",)) -> str:
    r"""The lines of a file that can speak of training, in groups as they stand; "" where none do.

    Args:
        name: ROBOTS, AI_TXT or TDM.
        body: the answer; only its first MAX_BYTES are looked at, and none where it is a page of HTML.
        counted: names and purposes of agents that count beside those of the list.

    >>> read(ROBOTS, b"User-agent: *\nDisallow: /x\nUser-agent: GPTBot\nDisallow: / # all\nSitemap: /s")
    'User-agent: GPTBot\nDisallow: /'
    """
    text = body[:MAX_BYTES].decode("utf-8-sig", "replace")
    if name == TDM:
        return _reservations(text)
    if text.lstrip()[:1] == "<":
        return ""
    lines = list(_parse(text))
    wanted = agents.known() | agents.chosen(counted)
    speaking = any(line.label in _PREFERENCES and agents.EVERYBODY in line.agents for line in lines)
    kept: list[str] = []
    group: tuple[str, ...] | None = ()
    for line in lines:
        names = line.agents
        if name == ROBOTS:
            names = tuple(one for one in names if one == agents.EVERYBODY or _token(one) in wanted)
            if line.agents and not names:
                continue
            # What everybody may crawl matters only to preferences that everybody is told, and where it is asked for.
            everybody = all(one == agents.EVERYBODY for one in names)
            if everybody and line.label in _ACCESS and not speaking and agents.EVERYBODY not in wanted:
                continue
        if names != group:
            kept += [f"User-agent: {one}" for one in names]
            group = names
        kept.append(line.quoted)
    return "\n".join(kept)


def judge(name: str, rules: str, url: str, signals: Collection[str], counted: Collection[str] = ("train",)) -> str:
    r"""The words of a file that forbid training with what stands at an address, "" where none do.

    Args:
        name: ROBOTS, AI_TXT or TDM.
        rules: what `read` gave.
        url: absolute http(s) address of a page or picture.
        signals: of responses.SITE_SIGNALS, those that count.
        counted: names and purposes of agents whose groups count.

    >>> judge(ROBOTS, "User-agent: GPTBot\nDisallow: /art", "https://a.test/art/1", ("ai-agents",))
    'robots.txt: User-agent: GPTBot, Disallow: /art'
    >>> judge(ROBOTS, "Content-Signal: search=yes, ai-train=no", "https://a.test/", ("content-signal",))
    'robots.txt: Content-Signal: search=yes, ai-train=no'
    """
    if not rules:
        return ""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    path = _normal((parts.path or "/") + (f"?{parts.query}" if parts.query else ""))
    if name != ROBOTS:
        return _of_other(name, _groups(rules), path) if ("tdm" if name == TDM else "ai-txt") in signals else ""
    named, speaking = _heard(rules, tuple(counted))
    if "ai-agents" in signals:
        for agent, lines in named:
            if (found := _access(lines, path)) and found.label == "disallow":
                return f"{ROBOTS}: User-agent: {agent or '*'}, {found.quoted}"[:300]
    for label, agent, lines in speaking:
        found = _preference(lines, label, path) if label in signals else None
        if found and _PREFERENCES[label](found.preference) == "n":
            who = f"User-agent: {agent}, " if agent not in ("", agents.EVERYBODY) else ""
            return f"{ROBOTS}: {who}{found.quoted}"[:300]
    return ""


def nearest(files: Iterable[SiteFile], moment: int) -> list[SiteFile]:
    """Of each file's captures the last one up to a moment, else the first one after it; in the order of their names.

    Args:
        files: captures of the files of one host. Two of one moment and name count both.
        moment: microseconds since the epoch.
    """
    by_name: dict[str, list[SiteFile]] = {}
    for file in sorted(set(files)):
        by_name.setdefault(file.name, []).append(file)
    found: list[SiteFile] = []
    for _, captures in sorted(by_name.items()):
        before = [file.captured for file in captures if file.captured <= moment]
        chosen = max(before) if before else min(file.captured for file in captures)
        found += [file for file in captures if file.captured == chosen]
    return found


def _parse(text: str) -> Iterator[_Line]:
    """Rules of a robots.txt with the agents of their group."""
    names: tuple[str, ...] = ()
    listing = False  # whether the agents of a group are still being named
    for raw in text.splitlines():
        label, colon, value = raw.partition("#")[0].partition(":")
        label, value = " ".join(label.lower().split()), " ".join(value.split())
        if not colon or label in _UNGROUPED:
            continue
        if _AGENT.fullmatch(label):
            names = (*names, value) if listing else (value,)
            listing = True
            continue
        listing = False
        if label in _PREFERENCES or (label in _ACCESS and value):  # an empty Disallow forbids nothing
            yield _Line(names, label, value)


@lru_cache(maxsize=4096)
def _groups(rules: str) -> dict[str, list[_Line]]:
    """Agent as written first → its lines, of all its groups; "" has those outside groups."""
    found: dict[str, list[_Line]] = {}
    written: dict[str, str] = {}
    for line in _parse(rules):
        for agent in line.agents or ("",):
            found.setdefault(written.setdefault(_token(agent), agent), []).append(line)
    return found


@lru_cache(maxsize=4096)
def _heard(
    rules: str, counted: tuple[str, ...]
) -> tuple[list[tuple[str, list[_Line]]], list[tuple[str, str, list[_Line]]]]:
    """((agent, lines) of the groups that count, (label, agent, lines) of those that state such a preference)."""
    groups, names = _groups(rules), agents.chosen(counted)
    named = [(agent, lines) for agent, lines in groups.items() if _token(agent) in names]
    speaking = [
        (label, agent, lines)
        for label in sorted(_PREFERENCES)
        for agent, lines in groups.items()
        if agent in ("", agents.EVERYBODY) or _token(agent) in names
        if any(line.label == label for line in lines)
    ]
    return named, speaking


def _token(agent: str) -> str:
    """The name by which an agent is looked up: without a version that robots.txt has no use for."""
    return agent.partition("/")[0].strip().lower() or agents.EVERYBODY


def _of_other(name: str, groups: dict[str, list[_Line]], path: str) -> str:
    for lines in groups.values():
        found = _access(lines, path)
        if found and found.label == "disallow":
            return f"{name}: {found.quoted}" if name == AI_TXT else f'{name}: "location": "{found.value}" is reserved'
    return ""


def _access(lines: Iterable[_Line], path: str) -> _Line | None:
    """The Allow or Disallow line that decides for a path."""
    matching = [line for line in lines if line.label in _ACCESS and _matches(_normal(line.pattern), path)]
    return max(matching, key=lambda line: (len(_normal(line.pattern)), line.label == "allow"), default=None)


def _preference(lines: list[_Line], label: str, path: str) -> _Line | None:
    """The preference that decides for a path."""
    matching = [line for line in lines if line.label == label and _matches(_normal(line.pattern), path)]
    if label == "content-usage" and matching:
        access = _access(lines, path)
        if access and access.label == "disallow":
            return None
    longest = max((len(_normal(line.pattern)) for line in matching), default=0)
    deciding = [line for line in matching if len(_normal(line.pattern)) == longest]
    forbidding = [line for line in deciding if _PREFERENCES[label](line.preference) == "n"]
    return next(iter(forbidding or deciding), None)


def _matches(pattern: str, path: str) -> bool:
    """Whether a pattern with `*` and a final `$` matches the beginning of a path, in time linear in its pieces."""
    anchored = pattern.endswith("$")
    first, *others = pattern.removesuffix("$").split("*")
    if not path.startswith(first):
        return False
    place = len(first)
    if anchored and not others:
        return place == len(path)
    last = others.pop() if anchored else ""
    for piece in others:
        found = path.find(piece, place)
        if found < 0:
            return False
        place = found + len(piece)
    return not anchored or (path.endswith(last) and len(path) - len(last) >= place)


@lru_cache(maxsize=65_536)
def _normal(path: str) -> str:
    """A path or pattern in the one way to percent-encode it (RFC 9309, 2.2.2)."""
    encoded = quote(path, safe="/:@!$&'()*+,;=~%-._?[]\"<>\\^`{|}#", errors="replace")
    return _ESCAPE.sub(_plain, encoded)


def _plain(escape: re.Match[str]) -> str:
    character = chr(int(escape[1], 16))
    return character if character in _UNRESERVED else escape[0].upper()


def _reservations(text: str) -> str:
    """A TDM reservation file as the robots.txt that forbids what it reserves."""
    try:
        entries = json.loads(text)
    except (ValueError, RecursionError):
        return ""
    lines: list[str] = []
    for entry in entries if isinstance(entries, list) else []:
        where = entry.get("location") if isinstance(entry, dict) else None
        if isinstance(where, str) and where.isprintable():
            reserved = entry.get("tdm-reservation") in (1, "1", True)
            lines.append(f"{'Disallow' if reserved else 'Allow'}: {where}")
    return "\n".join(["User-agent: *", *lines]) if any(line.startswith("D") for line in lines) else ""
