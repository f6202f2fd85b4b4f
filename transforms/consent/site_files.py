"""What the files of a site say of its addresses: robots.txt, ai.txt and tdmrep.json.

A file is read twice: `read` keeps of its bytes the few lines that can speak of training, which is what a table holds of
a hundred million hosts; `judge` says what these lines forbid for one address, and quotes the one that does. What a
robots.txt says to whoever asks the host, `access` tells: by the same groups and the same matching.

- Groups of robots.txt (RFC 9309) that name an AI agent: an address that is disallowed to one of them is forbidden.
  Groups of one agent are one group; of the rules that match, the longest decides, and Allow where two are as long.
  A list of agents ends at the first rule; Crawl-delay, Sitemap and whatever is not known are none (2.2.4). Names are
  compared whole, without a version or what stands in brackets, and a line may have several, between commas. What is
  often misspelt is read as Google's parser reads it.
- Content-Usage and Content-Signal lines, with or without a path, in a group for everybody or for an AI agent. Rules
  outside any group are for everybody: sites write them at the top. The longest path decides here too, but of two as
  long the one that forbids; and Content-Usage says nothing of what its group does not let crawl (attach-05, 3.1).
- ai.txt (Spawning): written as robots.txt is, about files by their ending; whoever a group names, it speaks of AI.
- tdmrep.json (TDM Reservation Protocol, W3C): patterns of addresses, each reserved or not; read as rules likewise.

Whatever forbids wins. A group for a search engine, and what a group allows to one agent, say nothing here.
"""

from __future__ import annotations

import dataclasses
import io
import json
import math
import re
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import cache, cached_property, lru_cache
from typing import NamedTuple
from urllib.parse import quote, urlsplit

from weft.schemas.records import SiteFile
from weft.transforms.consent import agents, preferences

MAX_BYTES = 500 * 1024  # of a file that are read; RFC 9309, 2.5: at least so many
ROBOTS, AI_TXT, TDM = "robots.txt", "ai.txt", "tdmrep.json"
PATHS = {"/robots.txt": ROBOTS, "/ai.txt": AI_TXT, "/.well-known/tdmrep.json": TDM}
_AGENT = re.compile(r"user[ -]?agent")
_DISALLOW = re.compile(r"dis?sall?ow|disalow|diasllow|disallaw")  # google/robotstxt, KeyIsDisallow
_DELAY = re.compile(r"crawl[ -]delay")
_PREFERENCES = {"content-usage": preferences.usage, "content-signal": preferences.signal}
_ACCESS = ("allow", "disallow")
_VERSION = re.compile(r"\sv?\d[\w.]*$")
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")


class _Line(NamedTuple):
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


class _Rule(NamedTuple):
    """A line as it is matched: of those of one sort that match, the greatest decides."""

    length: int  # of its pattern, in octets
    wins: bool  # against another as long: Allow, and a preference against training
    pieces: tuple[str, ...]  # what stands between its stars
    anchored: bool  # whether it ends with $
    line: _Line

    @classmethod
    def of(cls, line: _Line) -> _Rule:
        pattern = line.pattern
        anchored = pattern.endswith("$")
        pieces = tuple(map(_octets, pattern.removesuffix("$").split("*")))
        length = sum(map(len, pieces)) + len(pieces) - 1 + anchored
        access = line.label in _ACCESS
        wins = line.label == "allow" if access else _PREFERENCES[line.label](line.preference) == "n"
        return cls(length, wins, pieces, anchored, line)

    def matches(self, path: str) -> bool:
        """Whether it is about the beginning of a path, in time linear in its pieces."""
        first, *others = self.pieces
        if not path.startswith(first):
            return False
        place = len(first)
        if self.anchored and not others:
            return place == len(path)
        last = others.pop() if self.anchored else ""
        for piece in others:
            found = path.find(piece, place)
            if found < 0:
                return False
            place = found + len(piece)
        return not self.anchored or (path.endswith(last) and len(path) - len(last) >= place)


@dataclasses.dataclass(eq=False)
class _Group:
    """Rules and those whom they are for. Agents share a group: a file of n lines has no n² rules."""

    agents: dict[str, str] = dataclasses.field(default_factory=dict)  # token → as written; none outside groups
    lines: list[_Line] = dataclasses.field(default_factory=list)
    delay: float = 0.0  # seconds, of Crawl-delay

    @cached_property
    def rules(self) -> dict[str, list[_Rule]]:
        """Sort ("access", or the label of a preference) → rules, the deciding ones first."""
        found: dict[str, list[_Rule]] = {}
        for rule in sorted(map(_Rule.of, self.lines), key=lambda rule: (-rule.length, not rule.wins)):
            found.setdefault("access" if rule.line.label in _ACCESS else rule.line.label, []).append(rule)
        return found

    def decides(self, sort: str, path: str) -> _Rule | None:
        """The rule that decides for a path."""
        return next((rule for rule in self.rules.get(sort, ()) if rule.matches(path)), None)


class Access(NamedTuple):
    """What a robots.txt says to one agent that asks its host."""

    groups: tuple[_Group, ...]
    delay: float  # seconds between requests that the site asks for, 0 where it does not

    def forbids(self, url: str) -> bool:
        """Whether an http(s) address may not be asked for; robots.txt itself always may (RFC 9309, 2.2.2)."""
        path = _path(url)
        found = None if path == "/robots.txt" else _decider(path)(self.groups, "access")
        return found is not None and not found.wins


def access(body: bytes, agent: str) -> Access:
    r"""The rules for an agent: those of its own groups, else those for everybody.

    Args:
        body: of a robots.txt; only its first MAX_BYTES are looked at.
        agent: name of whoever asks, without a version.

    >>> access(b"User-agent: weft/1.0\nCrawl-delay: 2\nUser-agent: x\nDisallow: /", "weft").forbids("http://a.test/")
    True
    """
    groups = _parse(_text(body))
    token = _token(agent)
    own = any(token in group.agents for group in groups)
    heard = tuple(group for group in groups if (token if own else agents.EVERYBODY) in group.agents)
    return Access(heard, max((group.delay for group in heard), default=0.0))


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
    if name == TDM:
        return _reservations(body[:MAX_BYTES].decode("utf-8-sig", "replace"))
    text = _text(body)
    if text.lstrip()[:1] == "<":
        return ""
    groups = _parse(text)
    wanted = agents.known() | agents.chosen(counted)
    speaking = any(
        line.label in _PREFERENCES for group in groups if agents.EVERYBODY in group.agents for line in group.lines
    )
    kept: list[str] = []
    before: list[str] = []
    for group in groups:
        heard = {
            token: written
            for token, written in group.agents.items()
            if name != ROBOTS or token == agents.EVERYBODY or token in wanted
        }
        if group.agents and not heard:
            continue
        # What everybody may crawl matters only to preferences that everybody is told, and where it is asked for.
        silent = name == ROBOTS and heard.keys() <= {agents.EVERYBODY}
        silent = silent and not speaking and agents.EVERYBODY not in wanted
        lines = [line.quoted for line in group.lines if not (silent and line.label in _ACCESS)]
        if lines and list(heard.values()) != before:
            before = list(heard.values())
            kept += [f"User-agent: {one}" for one in before]
        kept += lines
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
    if not rules or not (path := _path(url)):
        return ""
    decide = _decider(path)
    if name != ROBOTS:
        if ("tdm" if name == TDM else "ai-txt") not in signals:
            return ""
        access = (decide(groups, "access") for _, groups in _agents(rules).values())
        line = next((found.line for found in access if found and not found.wins), None)
        if line is None:
            return ""
        return f"{name}: {line.quoted}" if name == AI_TXT else f'{name}: "location": "{line.value}" is reserved'
    named, speaking = _heard(rules, tuple(counted))
    if "ai-agents" in signals:
        for agent, groups in named:
            if (found := decide(groups, "access")) and not found.wins:
                return f"{ROBOTS}: User-agent: {agent or '*'}, {found.line.quoted}"[:300]
    for label, agent, groups in speaking:
        found = decide(groups, label) if label in signals else None
        if found is None or not found.wins:
            continue
        if label == "content-usage" and (crawl := decide(groups, "access")) and not crawl.wins:
            continue  # no preference for what is not to be crawled
        who = f"User-agent: {agent}, " if agent not in ("", agents.EVERYBODY) else ""
        return f"{ROBOTS}: {who}{found.line.quoted}"[:300]
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


def _text(body: bytes) -> str:
    """What is read of a file of lines: whole ones, as `Disallow: /` may be the beginning of another rule."""
    if len(body) >= MAX_BYTES:  # whoever asked for it may have cut it there
        body = body[: MAX_BYTES + 1]
        body = body[: max(body.rfind(b"\n"), body.rfind(b"\r")) + 1]
    return body.decode("utf-8-sig", "replace")


def _parse(text: str) -> list[_Group]:
    """The groups of a robots.txt in their order; the first has what stands outside groups."""
    groups = [_Group()]
    listing = False  # whether the agents of a group are still being named
    for raw in io.StringIO(text, newline=None):  # at CR, LF and CRLF alone (RFC 9309, 2.2); splitlines knows seven more
        said = raw.partition("#")[0]
        label, colon, value = said.partition(":")
        if not colon and len(words := said.split()) == 2:  # as Google's parser has it
            label, value = words
        label, value = " ".join(label.lower().split()), " ".join(value.split())
        label = "disallow" if _DISALLOW.fullmatch(label) else label
        if _AGENT.fullmatch(label):
            if not listing:
                groups.append(_Group())
                listing = True
            for one in [one for part in value.split(",") if (one := part.strip())] or [agents.EVERYBODY]:
                groups[-1].agents.setdefault(_token(one), one)
        elif label in _ACCESS or (colon and label in _PREFERENCES):
            listing = False
            if value or label in _PREFERENCES:  # an empty Disallow forbids nothing
                groups[-1].lines.append(_Line(label, value))
        elif _DELAY.fullmatch(label):
            groups[-1].delay = max(groups[-1].delay, _seconds(value))
    return groups


def _seconds(value: str) -> float:
    try:
        seconds = float(value)
    except ValueError:
        return 0.0
    return seconds if math.isfinite(seconds) else 0.0


@lru_cache(maxsize=4096)
def _agents(rules: str) -> dict[str, tuple[str, list[_Group]]]:
    """Token → (agent as written first, its groups); "" has what stands outside groups."""
    found: dict[str, tuple[str, list[_Group]]] = {}
    for group in _parse(rules):
        if group.lines:
            for token, written in (group.agents or {"": ""}).items():
                found.setdefault(token, (written, []))[1].append(group)
    return found


@lru_cache(maxsize=4096)
def _heard(
    rules: str, counted: tuple[str, ...]
) -> tuple[list[tuple[str, list[_Group]]], list[tuple[str, str, list[_Group]]]]:
    """((agent, groups) of those that count, (label, agent, groups) of those that state such a preference)."""
    names = agents.chosen(counted)
    named = [found for token, found in _agents(rules).items() if (token or agents.EVERYBODY) in names]
    speaking = [
        (label, *found)
        for label in sorted(_PREFERENCES)
        for token, found in _agents(rules).items()
        if token in names or token in ("", agents.EVERYBODY)
        if any(label in group.rules for group in found[1])
    ]
    return named, speaking


def _token(agent: str) -> str:
    """The name by which an agent is looked up: without a version, a note and stars that robots.txt has no use for."""
    name = agent.partition("/")[0].partition("(")[0]
    return _VERSION.sub("", name.strip(" *").lower()) or agents.EVERYBODY


def _decider(path: str) -> Callable[[Sequence[_Group], str], _Rule | None]:
    """(groups, sort) → the rule of all these groups that decides for a path. Each group is matched once."""

    @cache
    def of(group: _Group, sort: str) -> _Rule | None:
        return group.decides(sort, path)

    def decide(groups: Sequence[_Group], sort: str) -> _Rule | None:
        found = [rule for group in groups if (rule := of(group, sort))]
        return max(found, key=lambda rule: (rule.length, rule.wins), default=None)

    return decide


def _path(url: str) -> str:
    """What of an address patterns are matched with, "" where it is none."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return _octets((parts.path or "/") + (f"?{parts.query}" if parts.query else ""))


def _octets(text: str) -> str:
    """A path, or a piece of a pattern, in the one way to percent-encode it (RFC 9309, 2.2.2; `*` and `$`: 2.2.3)."""
    encoded = quote(text, safe="/:@!&'()+,;=~%-._?[]\"<>\\^`{|}#", errors="replace")
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
