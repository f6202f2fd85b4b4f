"""dedup, last job: sketches, drops, stars → verdicts on documents → verdicts on pairs → tables, index."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple, get_type_hints

import apache_beam as beam
from apache_beam.typehints import typehints

from weft.pipeline.stages.dedup.work import ReadLinks, Work
from weft.pipeline.stages.kept import KeptDocuments
from weft.schemas.records import KeptRow, PairKey, Sketch
from weft.schemas.tables import CLUSTERS, CUTS, DEDUP_INDEX, FATES, KEPT
from weft.transforms.beam import joins
from weft.transforms.dedup import index, repeated_lines
from weft.transforms.dedup.chains import FinalDrops, Follow
from weft.transforms.dedup.components import Labels
from weft.transforms.dedup.repeated_lines import RepeatedLines
from weft.transforms.dedup.rules import STAGE, Drop, InGroups, KeepBest, equal_rules
from weft.transforms.dedup.sketches import unsigned
from weft.transforms.dedup.verdicts import SettleDocuments, SettlePairs
from weft.transforms.io import files, parquet, state

_INDEX_ROW = typehints.Tuple[(*get_type_hints(Sketch).values(), str)]  # the columns of DEDUP_INDEX


class _Texts(NamedTuple):
    doc_id: str
    url: str | None
    warc_file: str
    warc_offset: int
    texts: list[str | None]


def settle(work: Work, stars: str) -> None:
    """Run the job.

    Args:
        stars: table of the components of similar documents, "" where there is none.
    """
    ctx, config, buckets = work.ctx, work.config, work.config.buckets
    with work.pipeline() as p:
        unique, repeats = work.sketches(p)
        drops = _final_drops(work, p, unique, stars)
        settled = (unique, drops) | "Documents" >> SettleDocuments()
        pairs = p | "Pairs" >> parquet.Read(ctx.table("pairs"), PairKey)
        pair_fates, pairs_kept = (pairs, settled.verdicts) | "PairVerdicts" >> SettlePairs(across=config.exact)
        fates = (repeats, settled.fates, pair_fates) | "AllFates" >> beam.Flatten()
        kept = (settled.kept, pairs_kept) | "AllKept" >> beam.Flatten()
        _ = fates | "WriteFates" >> ctx.write(f"fates/{STAGE}", FATES, buckets, lambda row: row.key)
        _ = kept | "WriteKept" >> ctx.write("kept", KEPT, buckets, lambda row: row.doc_id)
        _ = settled.clusters | "WriteClusters" >> ctx.write("clusters", CLUSTERS, buckets)
        if config.lines_once or config.lines_per_host:
            cuts = p | "Cuts" >> _Cuts(work, settled.kept)
            _ = cuts | "WriteCuts" >> ctx.write("cuts", CUTS, buckets)
        if work.adds:
            rows = (unique, drops) | "IndexRows" >> _IndexRows()
            where = files.join(config.index, work.own, ctx.fingerprint)
            _ = rows | "WriteIndex" >> parquet.WriteTable(
                where, DEDUP_INDEX, buckets, slips=files.join(where, index.SLIPS)
            )
    if work.adds:
        made = ctx.fingerprint
        said = index.entry(config.index, config, work.own, made, work.runs, buckets, work.owner, ctx.marks)
        if ctx.adds == "later" or ctx.aside:  # once what is replaced is replaced
            state.write(work.path(index.LATER), {"index": config.index, "run": work.own, "said": said})
        else:
            index.publish(config.index, work.own, said)


def _final_drops(work: Work, p: beam.Pipeline, unique: Any, stars: str) -> beam.PCollection[Drop]:
    """Every dropped document of this run once, pointing at a document that is kept."""
    equal = p | "Drops" >> parquet.Read(work.table("drops"), Drop)
    if stars:
        labels = p | "Stars" >> ReadLinks(work.table(stars)) | "Labels" >> Labels()
        narrow = unique | "Unsigned" >> beam.Map(unsigned).with_output_types(Sketch)
        components = (narrow, labels) | "InComponents" >> InGroups()
        near = (components | "Near" >> KeepBest(work.config.keep, "near"))[1]
    elif work.config.near:
        near = p | "NearDrops" >> parquet.Read(work.table("near-*"), Drop)
    else:
        near = p | "NoNearDrops" >> beam.Create([]).with_output_types(Drop)
    final = (equal, near) | "Final" >> FinalDrops(equal_rules(work.config))
    if work.earlier:
        final = (final, p | "EarlierDrops" >> parquet.Read(work.table("earlier"), Drop)) | "FollowEarlier" >> Follow()
    return final


class _Cuts(beam.PTransform):
    """PBegin → rows of cuts/. Texts are read beside what is kept of their file and never cross a shuffle."""

    def __init__(self, work: Work, kept: beam.PCollection[KeptRow]) -> None:
        super().__init__()
        self._work, self._kept = work, kept

    def expand(self, begin: beam.pvalue.PBegin) -> beam.PCollection[tuple[str, list[int]]]:
        config = self._work.config
        return (
            begin
            | "Texts" >> KeptDocuments(self._work.ctx, _Texts, self._kept)
            | "LineKeys"
            >> beam.Map(repeated_lines.keyed, config.line_unit).with_output_types(tuple[str, tuple[str, list[bytes]]])
            | "RepeatedLines" >> RepeatedLines(config)
        )


class _IndexRows(beam.PTransform):
    """(sketches, drops) → rows of the index: this run's sketches, each with what replaced it and how."""

    def expand(self, inputs: tuple[beam.PCollection[Sketch], beam.PCollection[Drop]]) -> beam.PCollection[Any]:
        sketches, drops = inputs
        return (
            {
                "sketch": sketches | "ById" >> beam.Map(lambda s: (s.doc_id, s)).with_output_types(tuple[str, Sketch]),
                "drop": drops | "Dropped" >> beam.Map(lambda d: (d.doc_id, d)).with_output_types(tuple[str, Drop]),
            }
            | "Join" >> joins.Join()
            | "Row" >> beam.FlatMapTuple(_index_rows).with_output_types(_INDEX_ROW)
        )


def _index_rows(_: str, groups: dict[str, Any]) -> Iterator[tuple[Any, ...]]:
    for document in groups["sketch"]:
        if not document.origin and not document.contaminated and not document.forbidden:
            drop = next(iter(groups["drop"]), Drop(document.doc_id, document.doc_id, ""))
            yield (*document._replace(how=drop.how), drop.kept_id)
