"""What a stage is given to run: where it writes, what it reads, its configuration and a pipeline to build."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import apache_beam as beam

from weft.pipeline.runners import beam_options
from weft.schemas.config import Config
from weft.transforms.io import files


@dataclasses.dataclass(frozen=True)
class Context:
    """A stage's view of the run.

    Attributes:
        output: the run's output directory.
        inputs: WARC paths, expanded and sorted; only `extract` and `fetch` look at them.
        config: the whole configuration.
        fingerprint: hash of all that decides this stage's output; units of work carry it.
        flags: Beam's own flags, as the user gave them.
        expect: call with the number of work units, so that progress can be shown.
        say: call with a line that the user should see.
        name: of the stage's jobs, where a runner shows them; "" lets Beam choose one.
        finished: output of a run of the same configuration but for exclusions: what it has is taken and not made again.
        small: whether the run's input is so small that to start worker processes takes longer than the work.
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

    def path(self, *parts: str) -> str:
        return files.join(self.output, *parts)

    def table(self, name: str) -> str:
        """Pattern of the Parquet files of a table of this run; what a worker lists need not stand in the graph."""
        return self.path(name, "*.parquet")

    def parts(self, table: str) -> Sequence[str]:
        """Parquet files of a table of this run, sorted."""
        return [path for path, _ in files.listing(self.table(table))]

    def pipeline(self, units: int = 1) -> beam.Pipeline:
        """A pipeline on the user's runner; `units` (pieces of independent work) decides local parallelism."""
        return beam_options.pipeline(self.flags, 1 if self.small else units, self.name)
