"""Units of fetch, round after round: images are asked for, then what redirects to other hosts, and so on.

    (unit, Wanted) ─► round 0 ─► moved ─► round 1 ─► … ─► round HOPS ─► index files
                         └─► a rest ─► (another job) go on ─► moved ─► round 1 ─► …

A round begins when all units of the one before are done: only then it is known what it is to ask for. Where some have
a rest (slices.py), nothing follows in this job; `GoOn` is the job after it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence

import apache_beam as beam

from weft.transforms.fetch import decode, hosts, slices
from weft.transforms.fetch.slices import Unfinished, round_of
from weft.transforms.fetch.unit import WEB, Task, Wanted, fetch_unit, go_on, moved
from weft.transforms.io import files, parquet, secrets
from weft.transforms.io.work_units import unit_of_file

HOPS = 3  # from host to host that redirects may lead, each a round of its own


@dataclasses.dataclass
class Rounds(beam.PTransform):
    """(unit, Wanted) → paths of index files of the units that are done.

    Args:
        task: what all units share.
        buckets: units of hosts.
        keys: of archives, as of `secrets.held`.
    """

    task: Task
    buckets: int
    keys: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def expand(self, routed: beam.PCollection[tuple[str, Wanted]]) -> beam.PCollection[str]:
        return self.after(self._fetched(routed, 0), 0)

    def after(self, index: beam.PCollection[str], number: int) -> beam.PCollection[str]:
        """Index files of one round → those, and of the rounds after it."""
        found, split = [index], self.task.rules.split_hosts
        for hop in range(number + 1, HOPS + 1 if self.task.rules.http else 1):
            routed = (
                found[-1]
                | f"Moved{hop}" >> beam.FlatMap(moved)
                | f"Follow{hop}" >> beam.Map(_follow, self.buckets, split, hop).with_output_types(tuple[str, Wanted])
            )
            found.append(self._fetched(routed, hop))
        return found | "AllIndexed" >> beam.Flatten()

    def _fetched(self, routed: beam.PCollection[tuple[str, Wanted]], hop: int) -> beam.PCollection[str]:
        fetch = _Fetch(self.task, self.keys, hop)
        return routed | f"Unit{hop}" >> beam.GroupByKey() | f"Fetch{hop}" >> beam.ParDo(fetch).with_output_types(str)


@dataclasses.dataclass
class GoOn(beam.PTransform):
    """PBegin → paths of index files of all units that are done, once the first round with a rest has gone on.

    Args:
        rounds: what follows.
        left: of all rounds.
    """

    rounds: Rounds
    left: Sequence[Unfinished]

    def expand(self, begin: beam.pvalue.PBegin) -> beam.PCollection[str]:
        number = min(round_of(unit.name) for unit in self.left)
        units = [unit for unit in self.left if round_of(unit.name) == number]
        gone_on = (
            begin
            | "Units" >> beam.Create([(unit.name, unit.fingerprint) for unit in units])
            | "SpreadUnits" >> beam.Reshuffle()
            | "GoOn" >> beam.ParDo(_GoOn(self.rounds.task)).with_output_types(str)
        )
        index = files.join(self.rounds.task.output, "images", "index", "*.parquet")
        left = frozenset(unit.name for unit in units)
        made = begin | "Done" >> parquet.Files(index)
        of_round = made | "OfRound" >> beam.Filter(
            lambda path: round_of(unit_of_file(path)) == number and unit_of_file(path) not in left
        )
        earlier = made | "Earlier" >> beam.Filter(lambda path: round_of(unit_of_file(path)) < number)
        done = (gone_on, of_round) | "Round" >> beam.Flatten()
        return (earlier, self.rounds.after(done, number)) | "All" >> beam.Flatten()


class WhenDone(beam.DoFn):
    """Lets paths through where no unit has a rest. To stand behind a barrier."""

    def __init__(self, output: str) -> None:
        self._output = output

    def start_bundle(self) -> None:
        self._wait = slices.any_before(self._output)

    def process(self, path: str) -> Iterator[str]:
        if not self._wait:
            yield path


class _Fetch(beam.DoFn):
    """(unit, what is wanted) → path of its index; nothing where a rest is left, of it or of a round before."""

    def __init__(self, task: Task, keys: Mapping[str, str], hop: int) -> None:
        self._task, self._keys, self._hop = task, keys, hop
        self._last = hop == HOPS

    def setup(self) -> None:
        decode.set_up_process()

    def start_bundle(self) -> None:
        self._wait = self._hop > 0 and slices.any_before(self._task.output, self._hop)

    def process(self, item: tuple[str, Iterable[Wanted]]) -> Iterator[str]:
        if self._wait:
            return
        with secrets.held(self._keys):
            made = fetch_unit(item, self._task, self._last)
        if made:
            yield made


class _GoOn(beam.DoFn):
    """A unit with a rest → path of its index, where nothing is left any more."""

    def __init__(self, task: Task) -> None:
        self._task = task

    def setup(self) -> None:
        decode.set_up_process()

    def process(self, unit: tuple[str, str]) -> Iterator[str]:
        made = go_on(Unfinished(*unit), self._task)
        if made:
            yield made


def _follow(redirected: tuple[str, str], buckets: int, split: tuple[str, ...], hop: int) -> tuple[str, Wanted]:
    """(unit of a later round, what it is to ask for) of an image whose redirect leads to another host."""
    key, url = redirected
    return f"{hosts.unit_name(url, buckets, split)}-{hop}", Wanted(key, WEB, url)
