"""What the jobs of dedup share: where they read and write, what is configured, and the sketches of all documents."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import apache_beam as beam

from weft.pipeline.run.context import Context
from weft.pipeline.runners import beam_options
from weft.schemas.records import Sketch
from weft.transforms.dedup import index
from weft.transforms.dedup.rules import RULES, STAGE, Drop, OneCopy
from weft.transforms.io import parquet, work_units

ROWS_PER_UNIT = 5_000  # documents that are worth a worker process


class Work:
    """One run of the stage.

    Attributes:
        workers: how many processes it is worth to sketch them. What shuffles runs in one where Beam is in-process:
            between processes of one machine a record costs more than what is done with it.
        equal: the rules by equal keys that are on, in their order.
        own, runs, earlier: this run's name in the index, those it is compared with, and their files.
    """

    def __init__(self, ctx: Context) -> None:
        self.ctx, self.config = ctx, ctx.config.dedup
        self.workers = 1
        if beam_options.is_direct(ctx.flags):
            rows = parquet.count_rows(ctx.table("documents"))
            self.workers = min(len(ctx.parts("documents")), rows // ROWS_PER_UNIT)
        switches = {"url": self.config.url, "exact": self.config.exact, "images": self.config.image_sets}
        self.equal = [rule for rule in RULES if switches.get(rule)]  # the rules by equal keys, in their order
        self.own = index.run_name(ctx.inputs)
        self.earlier: list[str] = []
        self.runs: list[str] = []
        if self.config.index:
            index.check(self.config)
            self.runs = index.against(self.config, self.own)
            self.earlier = index.parts(self.config, self.runs)

    def job(self, name: str, do: Callable[[], work_units.Counts]) -> work_units.Counts:
        """Do a job, unless an earlier attempt has done it."""
        return work_units.run_unit(self.ctx.output, STAGE, f"job-{name}", self.ctx.fingerprint, do)

    def path(self, *names: str) -> str:
        """A place in the stage's own directory."""
        return self.ctx.path(STAGE, *names)

    def table(self, name: str) -> str:
        """Pattern of the files of one of the stage's own tables; `*` in its name means several tables."""
        return self.path(name, "*.parquet")

    def all_sketches(self, p: beam.Pipeline) -> Any:
        """Sketches of this run and the earlier ones, with all copies of a record."""
        found = (
            p
            | "Sketches" >> parquet.ReadTable(self.table("sketches"))
            | "Sketch" >> beam.Map(lambda row: Sketch(**row)).with_output_types(Sketch)
        )
        if self.earlier:
            found = (found, p | "Earlier" >> ReadIndex(self.earlier)) | "WithEarlier" >> beam.Flatten()
        return found

    def sketches(self, p: beam.Pipeline) -> tuple[Any, Any]:
        """One sketch for each document, and the fates of other copies."""
        return self.all_sketches(p) | "OneCopy" >> OneCopy()


class ReadIndex(beam.PTransform):
    """Files of an index → sketches of earlier runs."""

    def __init__(self, paths: list[str]) -> None:
        super().__init__()
        self._paths = paths

    def expand(self, begin: beam.pvalue.PBegin) -> beam.PCollection[Sketch]:
        return (
            begin
            | beam.Create(self._paths).with_output_types(str)
            | beam.Reshuffle()
            | beam.FlatMap(index.read).with_output_types(Sketch)
        )


class ReadDrops(ReadIndex):
    """Files of an index → what earlier runs dropped."""

    def expand(self, begin: beam.pvalue.PBegin) -> beam.PCollection[Drop]:
        return (
            begin
            | beam.Create(self._paths).with_output_types(str)
            | beam.Reshuffle()
            | beam.FlatMap(index.drops).with_output_types(Drop)
        )


def by_component(_: str, groups: dict[str, Any]) -> Iterator[tuple[str, Sketch]]:
    """A document's sketch under each of its components (or buckets)."""
    for component in groups["component"]:
        for document in groups["sketch"]:
            yield component, document
