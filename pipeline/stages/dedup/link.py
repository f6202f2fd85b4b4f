"""dedup, second kind of job: edges → stars, or buckets → drops, job after job until nothing is left to do."""

from __future__ import annotations

import logging

import apache_beam as beam

from weft.pipeline.stages.dedup.work import ReadLinks, Work
from weft.schemas.records import Sketch
from weft.schemas.tables import DROPS, EDGES
from weft.transforms.dedup.components import Stars
from weft.transforms.dedup.one_per_bucket import OnePerBucket
from weft.transforms.dedup.rules import STAGE, InGroups
from weft.transforms.dedup.sketches import unsigned
from weft.transforms.io import files, parquet, work_units

_LOG = logging.getLogger(__name__)


def link(work: Work) -> str:
    """Jobs of `rounds` rounds each until every component is a star; returns where the stars are."""
    source, number = "edges", 0
    while True:
        number += 1
        target, edges = f"stars-{number}", work.table(source)

        def rounds(edges: str = edges, target: str = target) -> work_units.Counts:
            left = work.path(f"{target}.json")
            with work.pipeline() as p:
                stars, unsettled = p | "Edges" >> ReadLinks(edges) | "Stars" >> Stars(work.config.rounds)
                _ = stars | "Write" >> work.ctx.write(f"{STAGE}/{target}", EDGES, work.config.buckets)
                _ = unsettled | "Left" >> beam.Map(lambda n, path: files.write_atomic(path, str(n)), left)
            return {"unsettled": int(files.read_bytes(left))}

        unsettled = work.job(f"link-{number}", rounds)["unsettled"]
        if not unsettled:
            return target
        _LOG.info("components: %d documents are not settled after %d jobs, going on", unsettled, number)
        source = target


def one_per_bucket(work: Work) -> None:
    """Jobs of `rounds` rounds each until every document of a bucket is kept or dropped."""
    number, left = 0, 1
    while left:
        number += 1

        def rounds(number: int = number) -> work_units.Counts:
            source, target = work.table(f"seats-{number - 1}"), work.path(f"seats-{number}")
            with work.pipeline() as p:
                unique, _ = work.sketches(p)
                narrow = unique | "Unsigned" >> beam.Map(unsigned).with_output_types(Sketch)
                standings = (narrow, p | "Buckets" >> ReadLinks(source)) | "InBuckets" >> InGroups()
                drops, undecided = standings | "OnePerBucket" >> OnePerBucket(work.config.keep, work.config.rounds)
                _ = undecided | "WriteUndecided" >> work.ctx.write(
                    f"{STAGE}/seats-{number}", EDGES, work.config.buckets
                )
                _ = drops | "WriteDrops" >> work.ctx.write(f"{STAGE}/near-{number}", DROPS, work.config.buckets)
            return {"left": parquet.count_rows(files.join(target, "*.parquet"))}

        left = work.job(f"seat-{number}", rounds)["left"]
