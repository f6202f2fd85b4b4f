"""What a stage is given to run: where it writes, what it reads, its configuration and a pipeline to build."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import apache_beam as beam
import pyarrow as pa

from weft.pipeline.runners import beam_options
from weft.pipeline.runners.shuffles import Shuffle
from weft.schemas.config import Config
from weft.transforms.io import files, parquet

Adds = Literal["now", "later", "never"]


@dataclasses.dataclass(frozen=True)
class Context:
    """A stage's view of the run.

    Attributes:
        output: the run's output directory, where the tables of the stages before are.
        inputs: WARC paths, expanded and sorted; only `extract` and `fetch` look at them.
        config: the whole configuration.
        fingerprint: hash of all that decides this stage's output; units of work carry it.
        flags: Beam's own flags, as the user gave them.
        expect: call with the number of work units, so that progress can be shown.
        say: call with a line that the user should see.
        name: of the stage's jobs, where a runner shows them; "" lets Beam choose one.
        finished: output of a run of the same configuration but for exclusions: what it has is taken and not made again.
        adds: when what dedup has seen takes its place in the dedup index: at its end; when whoever began the run says
            so (a removal that is whole); not at all (a subset, one of several recipes on one input).
        small: whether the run's input is so small that to start worker processes takes longer than the work.
        aside: where the stage writes while what it is to replace stands; "" is `output`.
        against: runs in the dedup index with which this one is compared; None asks for them.
        decides: what beside its keys decides the stage (`registry.decided`).
        marks: what the inputs are beside their names (`index.marks`).
        keys: names of inputs as they are written down → addresses that let one in (`secrets.held`).
        slips: where steps that write tables leave notes of their files (`state.slip`); "" where nobody asks.
        shuffles: what the stage's jobs sent from worker to worker, where they run on this machine.
    """

    output: str
    inputs: tuple[str, ...]
    config: Config
    fingerprint: str
    flags: tuple[str, ...] = ()
    expect: Callable[[int], None] = lambda units: None
    say: Callable[[str], None] = lambda line: None
    name: str = ""
    small: bool = False
    finished: str = ""
    adds: Adds = "now"
    aside: str = ""
    slips: str = ""
    shuffles: list[Shuffle] = dataclasses.field(default_factory=list)
    keys: Mapping[str, str] = dataclasses.field(default_factory=dict)
    against: tuple[str, ...] | None = None
    marks: str = ""
    decides: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def home(self) -> str:
        """The directory that the stage's own output goes to."""
        return self.aside or self.output

    def path(self, *parts: str) -> str:
        """A place in the stage's own output."""
        return files.join(self.home, *parts)

    def write(
        self, table: str, schema: pa.Schema, buckets: int, key: Callable[[Any], str] | None = None
    ) -> parquet.WriteTable:
        """The step that writes a table of the stage's own."""
        return parquet.WriteTable(self.path(*table.split("/")), schema, buckets, key, self.slips)

    def table(self, name: str) -> str:
        """Pattern of the files of a table of a stage before; what a worker lists need not stand in the graph."""
        return files.join(self.output, name, "*.parquet")

    def parts(self, table: str) -> Sequence[str]:
        """Parquet files of a table of a stage before, sorted."""
        return [path for path, _ in files.listing(self.table(table))]

    def pipeline(self, units: int = 1) -> beam.Pipeline:
        """A pipeline on the user's runner; `units` (pieces of independent work) decides local parallelism."""
        return beam_options.pipeline(self.flags, 1 if self.small else units, self.name, self.shuffles)
