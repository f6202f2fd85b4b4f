"""dedup: documents and pairs → clusters of duplicates, and the list of what is kept.

Reads   documents/*.parquet, pairs/*.parquet
Writes  clusters/   a row for each document in a cluster of two or more
        kept/       the key of every kept document and pair, for the stages that follow
        fates/dedup/
        dedup/sketches/    what the rules look at, one file per file of documents: an interrupted run goes on here
        dedup/curve.json   the chosen bands and rows and what they find
        dedup/components.json  edges that the unrolled rounds left to one worker

The graph: sketch each file → one copy per record → URL → exact → near → verdicts on documents → verdicts on pairs.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import apache_beam as beam

from pipeline.context import Context
from schemas.config import Dedup
from schemas.records import Sketch
from schemas.tables import CLUSTERS, FATES, KEPT, SKETCHES
from transforms import files, minhash, sinks, units
from transforms.duplicates import COLUMNS, STAGE, FindDuplicates, OneCopy, sketch
from transforms.verdicts import SettleDocuments, SettlePairs

OUTPUTS = ("clusters", "kept")
ROWS_PER_UNIT = 5_000  # documents that are worth a worker process

_LOG = logging.getLogger(__name__)


def run(ctx: Context) -> dict[str, int]:
    """Run the stage.

    Raises:
        ConfigError: no bands reach the configured recall.
    """
    config = ctx.config.dedup
    if config.near:
        _write_curve(ctx, config)
    documents, pairs = list(ctx.parts("documents")), list(ctx.parts("pairs"))
    entered = {
        "document": sinks.count_rows(ctx.path("documents", "*.parquet")),
        "pair": sinks.count_rows(ctx.path("pairs", "*.parquet")),
    }
    ctx.expect(len(documents))
    with ctx.pipeline(min(len(documents), entered["document"] // ROWS_PER_UNIT)) as p:
        sketches = (
            p
            | "Files" >> beam.Create(documents).with_output_types(str)
            | "Spread" >> beam.Reshuffle()
            | "Sketch" >> beam.FlatMap(_sketch_file, ctx.output, ctx.fingerprint, config).with_output_types(Sketch)
        )
        unique, repeats = sketches | "OneCopy" >> OneCopy()
        drops, unfinished = unique | "Duplicates" >> FindDuplicates(config)
        settled = (unique, drops) | "Documents" >> SettleDocuments()
        wanted = (
            p
            | "Pairs" >> sinks.ReadTable(pairs, ["doc_id", "pair_id"])
            | "PairKeys" >> beam.Map(lambda row: (row["doc_id"], row["pair_id"])).with_output_types(tuple[str, str])
        )
        pair_fates, pairs_kept = (wanted, settled.verdicts) | "PairVerdicts" >> SettlePairs(across=config.exact)
        fates = (repeats, settled.fates, pair_fates) | "AllFates" >> beam.Flatten()
        kept = (settled.kept, pairs_kept) | "AllKept" >> beam.Flatten()
        buckets = config.buckets
        _ = fates | "WriteFates" >> sinks.WriteTable(ctx.path("fates", STAGE), FATES, buckets, key=lambda row: row[2])
        _ = kept | "WriteKept" >> sinks.WriteTable(ctx.path("kept"), KEPT, buckets, key=lambda row: row[2])
        _ = settled.clusters | "WriteClusters" >> sinks.WriteTable(ctx.path("clusters"), CLUSTERS, buckets)
        _ = unfinished | "WriteUnfinished" >> beam.Map(
            _write_unfinished, ctx.path(STAGE, "components.json"), config.rounds
        )
    return entered


def _sketch_file(path: str, output: str, fingerprint: str, config: Dedup) -> Iterator[Sketch]:
    """Sketches of one file of documents, from disk where an earlier attempt has left them."""
    name = path.rsplit("/", 1)[-1].removesuffix(".parquet")
    target = files.join(output, STAGE, "sketches", f"{name}.parquet")

    def work() -> units.Counts:
        rows = (sketch(row, config) for row in sinks.read_rows(path, COLUMNS))
        return {"document": sinks.write_table(target, rows, SKETCHES)}

    units.run_unit(output, STAGE, name, fingerprint, work)
    for row in sinks.read_rows(target):
        yield Sketch(**row)


def _write_curve(ctx: Context, config: Dedup) -> None:
    bands, rows = minhash.choose_bands(config.threshold, config.recall, config.permutations)
    points = minhash.curve(bands, rows)
    shown = " ".join(f"{similarity:.2f}:{found:.3f}" for similarity, found in points if similarity >= 0.5)
    _LOG.info("near-duplicates: %d bands of %d rows; found by similarity: %s", bands, rows, shown)
    chosen = {
        "threshold": config.threshold,
        "recall": config.recall,
        "permutations": config.permutations,
        "ngram": config.ngram,
        "bands": bands,
        "rows": rows,
        "curve": points,
    }
    files.write_atomic(ctx.path(STAGE, "curve.json"), json.dumps(chosen, sort_keys=True) + "\n")


def _write_unfinished(edges: int, path: str, rounds: int) -> None:
    line = json.dumps({"rounds": rounds, "edges_finished_by_one_worker": edges}, sort_keys=True)
    files.write_atomic(path, line + "\n")
