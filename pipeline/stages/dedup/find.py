"""dedup, first two jobs: sketch each file; then one copy per record → URL → exact → images → bands → compared pairs.

What is found goes to disk as it is: drops that may point at documents that are dropped later, and edges.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import apache_beam as beam

from weft.pipeline.stages.dedup.work import ReadDrops, Work
from weft.schemas.config import Dedup
from weft.schemas.records import Sketch
from weft.schemas.tables import DROPS, EDGES, SKETCHES
from weft.transforms.dedup import rules
from weft.transforms.dedup.lsh import Edge, Signed, SimilarPairs
from weft.transforms.dedup.one_per_bucket import Seats
from weft.transforms.dedup.rules import COLUMNS, STAGE, Drop, EqualKeys, OneCopy, sketches, takes_part
from weft.transforms.io import files, parquet, work_units


def sketch(work: Work) -> work_units.Counts:
    """Run the first job: work that needs no shuffle, which is worth worker processes on one machine."""
    with work.ctx.pipeline(work.workers) as p:
        _ = (
            p
            | "Files" >> parquet.Files(work.ctx.table("documents"))
            | "Sketch" >> beam.Map(_sketch_file, work.ctx.output, work.ctx.fingerprint, work.config)
        )
    return {}


def find(work: Work) -> work_units.Counts:
    """Run the second job; what it finds is in drops/ and edges/ (or seats-0/)."""
    config, buckets = work.config, work.config.buckets
    with work.ctx.pipeline() as p:
        found = work.all_sketches(p)
        narrow = found | "Narrow" >> beam.Map(lambda s: s._replace(signature=b"", shingles=b"")).with_output_types(
            Sketch
        )
        alive = (narrow | "OneCopy" >> OneCopy())[0] | "Clean" >> beam.Filter(
            lambda s: not s.contaminated
        ).with_output_types(Sketch)
        drops: list[Any] = []
        for rule in work.equal:
            policy = "newest" if rule == "url" else config.keep
            alive, dropped = alive | f"Same_{rule}" >> EqualKeys(rule, policy)
            drops.append(dropped)
        nothing = p | "Nothing" >> beam.Create([]).with_output_types(Drop)
        _ = (
            (*drops, nothing)
            | "AllDrops" >> beam.Flatten()
            | "DropRows" >> beam.MapTuple(lambda doc_id, why: (doc_id, *why)).with_output_types(tuple[str, str, str])
            | "WriteDrops" >> parquet.WriteTable(work.path("drops"), DROPS, buckets)
        )
        if config.near:
            own = alive | "Alive" >> beam.Map(lambda s: (s.doc_id, s)).with_output_types(tuple[str, Sketch])
            whole = found | "Whole" >> beam.Map(lambda s: (s.doc_id, s)).with_output_types(tuple[str, Sketch])
            signed = (
                {"alive": own, "whole": whole}
                | "JoinSigned" >> beam.CoGroupByKey()
                | "Signed" >> beam.FlatMapTuple(_signed).with_output_types(Signed)
            )
            how = rules.bands(config)
            if config.cluster == "bucket":
                seats = signed | "Seats" >> Seats(how)
                _ = seats | "WriteSeats" >> parquet.WriteTable(work.path("seats-0"), EDGES, buckets)
                return {}
            edges = signed | "SimilarPairs" >> SimilarPairs(how)
            if work.earlier:
                known = p | "EarlierFiles" >> ReadDrops(work.earlier)
                near = known | "EarlierNear" >> beam.FlatMap(
                    lambda d: [(d[0], d[1][0])] if d[1][1] == "near" else []
                ).with_output_types(Edge)
                edges = (edges, near) | "WithEarlierEdges" >> beam.Flatten()
            _ = edges | "WriteEdges" >> parquet.WriteTable(work.path("edges"), EDGES, buckets)
    return {}


def _sketch_file(path: str, output: str, fingerprint: str, config: Dedup) -> None:
    """Sketch one file of documents, unless an earlier attempt has done it."""
    name = path.rsplit("/", 1)[-1].removesuffix(".parquet")
    target = files.join(output, STAGE, "sketches", f"{name}.parquet")

    def work() -> work_units.Counts:
        rows = sketches(parquet.read_rows(path, COLUMNS), config)
        return {"document": parquet.write_table(target, rows, SKETCHES)}

    work_units.run_unit(output, STAGE, name, fingerprint, work)


def _signed(_: str, groups: dict[str, Any]) -> Iterator[Signed]:
    """The whole sketch of what is alive: of several copies of a record, the one that stayed."""
    for narrow in groups["alive"]:
        if not takes_part(narrow, "near"):
            return
        for whole in groups["whole"]:
            if (whole.age, whole.warc_file, whole.warc_offset) == (narrow.age, narrow.warc_file, narrow.warc_offset):
                if whole.signature:
                    yield Signed(whole.doc_id, bool(whole.age), whole.signature, whole.shingles)
                return
