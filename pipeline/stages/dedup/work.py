"""What the jobs of dedup share: where they read and write, what is configured, and the sketches of all documents."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import NamedTuple

import apache_beam as beam

from weft.pipeline.run import decides, integrity, spread
from weft.pipeline.run.context import Context
from weft.schemas.records import Fate, Sketch
from weft.transforms.consent.attach import Forbidden
from weft.transforms.dedup import index
from weft.transforms.dedup.chains import WithoutAstray
from weft.transforms.dedup.rules import STAGE, Drop, OneCopy
from weft.transforms.io import parquet, state, work_units

ROWS_PER_UNIT = 2_500  # documents that make a piece of work: with four, worker processes are started


class Work:
    """One run of the stage.

    Attributes:
        config: the stage's section, with the number of buckets that the input asks for.
        entered: documents and pairs that there are.
        units: pieces of work, by which worker processes on this machine are worth starting.
        judged: whether there are files of sites that pages are judged by.
        own, runs, earlier: this run's name in the index, those it is compared with, and their files.
        adds, owner: whether the run takes its place there, and the output directory that it does so for.
    """

    def __init__(self, ctx: Context) -> None:
        documents, pairs = (integrity.count_rows(ctx.output, name) for name in ("documents", "pairs"))
        self.entered = {"document": documents, "pair": pairs}
        buckets = spread.parts(ctx.config.dedup.buckets, documents + pairs, spread.ROWS_A_FILE, 8)
        ctx = dataclasses.replace(ctx, slips=ctx.slips or ctx.path(STAGE, "slips"))
        self.ctx, self.config = ctx, dataclasses.replace(ctx.config.dedup, buckets=buckets)
        self.units = documents // ROWS_PER_UNIT
        self.judged = ctx.config.extract.honour_opt_out and integrity.count_rows(ctx.output, "site_files") > 0
        self.own = index.run_name(ctx.inputs)
        self.earlier: list[str] = []
        self.runs: list[str] = []
        directory = self.config.index
        self.adds, self.owner = bool(directory) and ctx.adds != "never", ctx.finished or ctx.output
        if directory:
            index.check(directory, self.config)
            at_once = decides.against(ctx.config, ctx.inputs, ctx.output) if ctx.against is None else ctx.against
            self.runs = list(at_once)
            state.write(decides.noted(ctx.home), {"index": directory, "run": self.own, "against": self.runs})
            self.earlier = index.parts(directory, self.runs)
            number = f"{len(self.runs) or 'no'} earlier run{'s' * (len(self.runs) != 1)}"
            ctx.say(f"compared with {number} of the index {directory}")

    def job(self, name: str, do: Callable[[], work_units.Counts]) -> work_units.Counts:
        """Do a job, unless an earlier attempt has done it and what it wrote is still that."""
        ctx = self.ctx
        return work_units.run_unit(ctx.home, STAGE, f"job-{name}", ctx.fingerprint, do, slips=ctx.slips)

    def pipeline(self) -> beam.Pipeline:
        """A pipeline for one of the jobs."""
        return self.ctx.pipeline(self.units)

    def path(self, *names: str) -> str:
        """A place in the stage's own directory."""
        return self.ctx.path(STAGE, *names)

    def table(self, name: str) -> str:
        """Pattern of the files of one of the stage's own tables; `*` in its name means several tables."""
        return self.path(name, "*.parquet")

    def all_sketches(self, p: beam.Pipeline) -> beam.PCollection[Sketch]:
        """Sketches of this run and the earlier ones, with all copies of a record."""
        found = p | "Sketches" >> parquet.Read(self.table("sketches"), Sketch)
        if self.earlier:
            earlier = p | "EarlierSketches" >> ReadIndex(self.earlier)
            if parquet.count_rows(self.table("astray")):
                astray = p | "Astray" >> parquet.Read(self.table("astray"), Drop)
                earlier = (earlier, astray) | "WithoutAstray" >> WithoutAstray()
            found = (found, earlier) | "WithEarlier" >> beam.Flatten()
        return found

    def sketches(self, p: beam.Pipeline) -> tuple[beam.PCollection[Sketch], beam.PCollection[Fate]]:
        """One sketch for each document, and the fates of other copies."""
        return self.one_copy(p, self.all_sketches(p))

    def one_copy(
        self, p: beam.Pipeline, found: beam.PCollection[Sketch]
    ) -> tuple[beam.PCollection[Sketch], beam.PCollection[Fate]]:
        """One sketch for each document, with what forbids it; and the fates of other copies."""
        if not self.judged:
            return found | "OneCopy" >> OneCopy()
        words = (
            p
            | "Forbidden" >> parquet.Read(self.table("forbidden"), Forbidden)
            | "Words" >> beam.Map(lambda row: (row.key, row.words)).with_output_types(tuple[str, str])
        )
        return (found, words) | "OneCopy" >> OneCopy()


class Link(NamedTuple):
    """A row of edges/ and stars-N/ (two documents), or of seats-N/ (a document and a bucket that it stands in)."""

    doc_id: str
    other: str


@dataclasses.dataclass
class ReadLinks(beam.PTransform):
    """PBegin → (doc_id, other) of every file of a pattern."""

    pattern: str

    def expand(self, begin: beam.pvalue.PBegin) -> beam.PCollection[tuple[str, str]]:
        rows = begin | "Links" >> parquet.Read(self.pattern, Link)
        return rows | "Link" >> beam.Map(tuple).with_output_types(tuple[str, str])


@dataclasses.dataclass
class ReadIndex(beam.PTransform):
    """PBegin → sketches of earlier runs, from files of an index."""

    paths: Sequence[str]

    def expand(self, begin: beam.pvalue.PBegin) -> beam.PCollection[Sketch]:
        return begin | parquet.Files(self.paths) | beam.FlatMap(index.read).with_output_types(Sketch)


@dataclasses.dataclass
class ReadPlaces(beam.PTransform):
    """PBegin → what earlier runs made of each document (`index.places`), from files of an index."""

    paths: Sequence[str]

    def expand(self, begin: beam.pvalue.PBegin) -> beam.PCollection[Drop]:
        return begin | parquet.Files(self.paths) | beam.FlatMap(index.places).with_output_types(Drop)
