"""Slices of time: what a unit of hosts leaves when its time is over, and how it goes on from there.

    unit ─► fetch_all until its time is over ─► outcomes in the spool, the rest in `left.json` beside them,
     ▲                                          fetch/left/UNIT.json: that there is a rest
     └── another job, once all units had their turn ◄──┘

A host takes as long as it takes, a unit with it, and all that wait for the unit. So each has a turn of some minutes,
and goes on in a later job with what is left. Until a unit is done its outcomes are in its spool alone; then they are
written at once, in order, so that no byte tells where a turn ended.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

from weft.transforms.fetch.blobs import TAKEN
from weft.transforms.fetch.spool import STAGE, Spool
from weft.transforms.io import files, state
from weft.transforms.io.work_units import finished, unit_of_file

_AT_ONCE = 16  # markers that are read at a time
_REST = "left.json"  # in the directory of a unit's spool


class OutOfTime(Exception):
    """A unit's time is over, and what is left of it is written down."""


class Job(NamedTuple):
    """An image that is to be asked for."""

    key: str
    url: str
    tries: int = 0


class Asked(NamedTuple):
    """What is known of a host from slices before."""

    seconds: float = 0.0  # that it has been asked for
    silent: Sequence[str] = ()  # URLs without an answer since it last gave one
    throttled: Sequence[str] = ()  # URLs that it put off, likewise


class Rest(NamedTuple):
    """What a slice leaves to the next.

    Attributes:
        last: whether no round follows for redirects to other hosts.
        jobs: what is to be asked for.
        spooled: files of the spool with the outcomes that stand.
        hosts: of those that have jobs.
        quiet: host → when it may be asked again, in seconds since the epoch.
    """

    last: bool
    jobs: Sequence[Job]
    spooled: Sequence[str]
    hosts: Mapping[str, Asked]
    quiet: Mapping[str, float]


@dataclasses.dataclass
class Slice:
    """The time that a unit has, what it begins with, and, when that is over, what it leaves.

    Args:
        seconds: from its first request; 0 has no end.
        host_seconds: that a host may be asked for in all slices; 0 has no end.
        hosts: see Rest; put in, and taken out.
        quiet: likewise.
        left: jobs that there was no time for.
    """

    seconds: float = 0.0
    host_seconds: float = 0.0
    hosts: Mapping[str, Asked] = dataclasses.field(default_factory=dict)
    quiet: Mapping[str, float] = dataclasses.field(default_factory=dict)
    left: Sequence[Job] = ()


class Unfinished(NamedTuple):
    """A unit that has something left."""

    name: str
    fingerprint: str
    images: int = 0


class Turn:
    """One turn of a unit of hosts.

    Attributes:
        unit: whose turn it is.
        last: whether no round follows for redirects to other hosts.
        rest: what the turn before has left; None in the first.
        part: the time that there is.
        spool: what has come in all turns.
    """

    def __init__(
        self, output: str, unit: Unfinished, last: bool = True, seconds: float = 0.0, host_seconds: float = 0.0
    ) -> None:
        """Begin, or go on where a turn has left something.

        Args:
            output: the run's directory.
            unit: whose turn it is.
            last: of a first turn.
            seconds: that it may take from its first request; 0 has no end.
            host_seconds: that a host may be asked for in all turns; 0 has no end.
        """
        self._output, self.unit = output, unit
        self.spool = Spool(output, unit.name, unit.fingerprint)
        self.rest = _rest(self.spool.at)
        self.last = self.rest.last if self.rest else last
        self.part = Slice(seconds, host_seconds)
        if self.rest:
            self.part.hosts, self.part.quiet = self.rest.hosts, self.rest.quiet

    def is_over(self) -> bool:
        """Whether it ended with something left."""
        return bool(self.part.left)

    def leave(self) -> None:
        """Write down what is left, unless another attempt has finished the unit: nobody would ask for that rest.

        Raises:
            OutOfTime: it is written down.
        """
        if finished(self._output, STAGE, self.unit.name, self.unit.fingerprint) is not None:
            return
        head = {"last": self.last, "spooled": self.spool.files, "hosts": self.part.hosts, "quiet": self.part.quiet}
        lines = itertools.chain([head], self.part.left)
        files.write_atomic(
            files.join(self.spool.at, _REST),
            lambda stream: stream.writelines(f"{json.dumps(line)}\n".encode() for line in lines),
        )
        found = {"fingerprint": self.unit.fingerprint, "images": len(self.part.left)}
        state.write(_marker(self._output, self.unit.name), found)
        raise OutOfTime

    def done(self) -> None:
        """The unit's files are written: nothing is left any more."""
        self.spool.remove()
        if files.exists(path := _marker(self._output, self.unit.name)):
            files.remove_tree(path)


def unfinished(output: str) -> list[Unfinished]:
    """All units of a run that have something left, by name."""

    def one(path: str) -> Unfinished | None:
        said = state.read(path)
        return Unfinished(unit_of_file(path), said["fingerprint"], said["images"]) if said else None

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return sorted(filter(None, pool.map(one, _markers(output))))


def any_before(output: str, number: float = float("inf")) -> bool:
    """Whether a unit of a round before this one has something left."""
    return any(round_of(unit_of_file(path)) < number for path in _markers(output))


def round_of(unit: str) -> int:
    """How many redirects from host to host led to a unit of hosts, by its name; a unit that was taken asks nobody.

    >>> round_of("http-00003"), round_of("http-00003-2"), round_of("http-cdn.test-00012"), round_of("warc-a-0f3b92d1")
    (0, 2, 0, 0)
    """
    tail = unit.rpartition("-")[2]
    return int(tail) if len(tail) == 1 and tail.isdigit() and not unit.startswith(TAKEN) else 0


def _rest(spool: str) -> Rest | None:
    path = files.join(spool, _REST)
    if not files.exists(path):
        return None
    lines = iter(files.read_bytes(path).splitlines())
    head: dict[str, Any] = json.loads(next(lines))
    hosts = {host: Asked(*said) for host, said in head["hosts"].items()}
    return Rest(head["last"], [Job(*json.loads(line)) for line in lines], head["spooled"], hosts, head["quiet"])


def _markers(output: str) -> list[str]:
    return [path for path, _ in files.listing(_marker(output, "*"))]


def _marker(output: str, unit: str) -> str:
    return files.join(output, STAGE, "left", f"{unit}.json")
