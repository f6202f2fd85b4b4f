"""dedup, first jobs: judge by files of sites; sketch; one copy per record → URL → exact → images → compared pairs.

What is found goes to disk as it is: drops that may point at documents that are dropped later, and edges.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import apache_beam as beam

from weft.pipeline.stages.dedup.work import ReadPlaces, Work
from weft.schemas.parameters import DuplicateRules
from weft.schemas.records import SiteFile, Sketch
from weft.schemas.tables import DROPS, EDGES, FORBIDDEN, SKETCHES
from weft.transforms.consent.attach import Address, ForbiddenBySite
from weft.transforms.dedup import minhash
from weft.transforms.dedup.chains import Standing
from weft.transforms.dedup.lsh import Edge, Signatures, SimilarPairs
from weft.transforms.dedup.one_per_bucket import SharedBuckets
from weft.transforms.dedup.rules import STAGE, Drop, EqualDocuments
from weft.transforms.dedup.sketches import Content, sketches, unsigned
from weft.transforms.io import files, parquet, work_units
from weft.transforms.io.loaded import told


class _Page(NamedTuple):
    """Columns of documents/."""

    doc_id: str
    url: str
    crawl_date: int


def sketch(work: Work) -> None:
    """Run the first job, which shuffles nothing.

    Its files have markers of their own; it is gone through again to see that they stand.
    """
    with work.pipeline() as p:
        _ = (
            p
            | "Files" >> parquet.Files(work.ctx.table("documents"))
            | "Sketch"
            >> beam.Map(_sketch_file, work.ctx.home, work.ctx.fingerprint, work.config, told(work.config.evaluation))
        )


def forbid(work: Work) -> work_units.Counts:
    """Run the job before: which documents the files of their own sites forbid."""
    rules = work.ctx.config.extract
    with work.pipeline() as p:
        pages = (
            p
            | "Pages" >> parquet.Read(work.ctx.table("documents"), _Page)
            | "Address"
            >> beam.Map(lambda page: Address(page.doc_id, page.url, page.crawl_date)).with_output_types(Address)
        )
        files = p | "SiteFiles" >> parquet.Read(work.ctx.table("site_files"), SiteFile)
        found = (pages, files) | "BySite" >> ForbiddenBySite(rules.opt_out, rules.ai_agents)
        _ = found | "Write" >> work.ctx.write(f"{STAGE}/forbidden", FORBIDDEN, work.config.buckets)
    return {}


def earlier(work: Work) -> work_units.Counts:
    """Run a job before, where there are earlier runs: which of their drops stand, and which do not any more."""
    with work.pipeline() as p:
        tables = p | "Places" >> ReadPlaces(work.earlier) | "Standing" >> Standing()
        for name, drops in zip(("earlier", "astray"), tables, strict=True):
            _ = drops | f"Write_{name}" >> work.ctx.write(f"{STAGE}/{name}", DROPS, work.config.buckets)
    return {}


def find(work: Work) -> work_units.Counts:
    """Run the second job; what it finds is in drops/ and edges/ (or seats-0/)."""
    config, buckets = work.config, work.config.buckets
    with work.pipeline() as p:
        made = work.all_sketches(p)
        narrow = made | "Unsigned" >> beam.Map(unsigned).with_output_types(Sketch)
        unique, _ = work.one_copy(p, narrow)
        left, drops = unique | "Equal" >> EqualDocuments(config)
        _ = drops | "WriteDrops" >> work.ctx.write(f"{STAGE}/drops", DROPS, buckets)
        if config.near:
            signed = (left, made) | "Signatures" >> Signatures()
            bands = minhash.bands_for(config)
            if config.cluster == "bucket":
                shared = signed | "SharedBuckets" >> SharedBuckets(bands)
                _ = shared | "WriteBuckets" >> work.ctx.write(f"{STAGE}/seats-0", EDGES, buckets)
                return {}
            edges = signed | "SimilarPairs" >> SimilarPairs(bands)
            if work.earlier:
                earlier = (
                    p
                    | "EarlierDrops" >> parquet.Read(work.table("earlier"), Drop)
                    | "Near" >> beam.Filter(lambda drop: drop.how == "near")
                    | "EarlierEdges" >> beam.Map(lambda drop: (drop.doc_id, drop.kept_id)).with_output_types(Edge)
                )
                edges = (edges, earlier) | "AllEdges" >> beam.Flatten()
            _ = edges | "WriteEdges" >> work.ctx.write(f"{STAGE}/edges", EDGES, buckets)
    return {}


def _sketch_file(path: str, output: str, fingerprint: str, rules: DuplicateRules, evaluation: Sequence[str]) -> None:
    """Sketch one file of documents, unless an earlier attempt has done it."""
    name = work_units.unit_of_file(path)
    target = files.join(output, STAGE, "sketches", f"{name}.parquet")

    def work() -> work_units.Counts:
        rows = sketches(parquet.read(path, Content), rules, evaluation)
        return {"document": parquet.write_table(target, rows, SKETCHES)}

    work_units.run_unit(output, STAGE, name, fingerprint, work)
