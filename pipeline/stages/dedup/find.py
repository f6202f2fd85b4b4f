"""dedup, first two jobs: sketch each file; then one copy per record → URL → exact → images → bands → compared pairs.

What is found goes to disk as it is: drops that may point at documents that are dropped later, and edges.
"""

from __future__ import annotations

import apache_beam as beam

from weft.pipeline.stages.dedup.work import ReadDrops, Work
from weft.schemas.parameters import DuplicateRules
from weft.schemas.records import Sketch
from weft.schemas.tables import DROPS, EDGES, SKETCHES
from weft.transforms.dedup import minhash
from weft.transforms.dedup.lsh import Edge, Signatures, SimilarPairs
from weft.transforms.dedup.one_per_bucket import SharedBuckets
from weft.transforms.dedup.rules import STAGE, EqualDocuments, OneCopy
from weft.transforms.dedup.sketches import Content, sketches, unsigned
from weft.transforms.io import files, parquet, work_units


def sketch(work: Work) -> work_units.Counts:
    """Run the first job: work that needs no shuffle, which is worth worker processes on one machine."""
    with work.ctx.pipeline(work.workers) as p:
        _ = (
            p
            | "Files" >> parquet.Files(work.ctx.table("documents"))
            | "Sketch" >> beam.Map(_sketch_file, work.ctx.home, work.ctx.fingerprint, work.config)
        )
    return {}


def find(work: Work) -> work_units.Counts:
    """Run the second job; what it finds is in drops/ and edges/ (or seats-0/)."""
    config, buckets = work.config, work.config.buckets
    with work.ctx.pipeline() as p:
        made = work.all_sketches(p)
        unique, _ = made | "Unsigned" >> beam.Map(unsigned).with_output_types(Sketch) | "OneCopy" >> OneCopy()
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
                    | "EarlierDrops" >> ReadDrops(work.earlier)
                    | "Near" >> beam.Filter(lambda drop: drop.how == "near")
                    | "EarlierEdges" >> beam.Map(lambda drop: (drop.doc_id, drop.kept_id)).with_output_types(Edge)
                )
                edges = (edges, earlier) | "AllEdges" >> beam.Flatten()
            _ = edges | "WriteEdges" >> work.ctx.write(f"{STAGE}/edges", EDGES, buckets)
    return {}


def _sketch_file(path: str, output: str, fingerprint: str, rules: DuplicateRules) -> None:
    """Sketch one file of documents, unless an earlier attempt has done it."""
    name = path.rsplit("/", 1)[-1].removesuffix(".parquet")
    target = files.join(output, STAGE, "sketches", f"{name}.parquet")

    def work() -> work_units.Counts:
        rows = sketches(parquet.read(path, Content), rules)
        return {"document": parquet.write_table(target, rows, SKETCHES)}

    work_units.run_unit(output, STAGE, name, fingerprint, work)
