"""dedup, last job: sketches, drops, stars → verdicts on documents → verdicts on pairs → tables, index."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import apache_beam as beam

from weft.pipeline.stages.dedup.work import ReadDrops, Work, by_component
from weft.schemas.records import Sketch
from weft.schemas.tables import CLUSTERS, CUTS, DEDUP_INDEX, FATES, KEPT
from weft.transforms.dedup import index
from weft.transforms.dedup.repeated_lines import RepeatedLines, line_keys
from weft.transforms.dedup.rules import STAGE, Drop, Follow, KeepBest
from weft.transforms.dedup.verdicts import SettleDocuments, SettlePairs
from weft.transforms.io import files, parquet


def settle(work: Work, stars: str) -> None:
    """Run the job.

    Args:
        stars: table of the components of similar documents, "" where there is none.
    """
    ctx, config, buckets = work.ctx, work.config, work.config.buckets
    with ctx.pipeline() as p:
        unique, repeats = work.sketches(p)
        drops = _final_drops(work, p, unique, stars)
        settled = (unique, drops) | "Documents" >> SettleDocuments()
        wanted = (
            p
            | "Pairs" >> parquet.ReadTable(ctx.table("pairs"), ["doc_id", "pair_id"])
            | "PairKeys" >> beam.Map(lambda row: (row["doc_id"], row["pair_id"])).with_output_types(tuple[str, str])
        )
        pair_fates, pairs_kept = (wanted, settled.verdicts) | "PairVerdicts" >> SettlePairs(across=config.exact)
        fates = (repeats, settled.fates, pair_fates) | "AllFates" >> beam.Flatten()
        kept = (settled.kept, pairs_kept) | "AllKept" >> beam.Flatten()
        _ = fates | "WriteFates" >> parquet.WriteTable(ctx.path("fates", STAGE), FATES, buckets, key=lambda row: row[2])
        _ = kept | "WriteKept" >> parquet.WriteTable(ctx.path("kept"), KEPT, buckets, key=lambda row: row[2])
        _ = settled.clusters | "WriteClusters" >> parquet.WriteTable(ctx.path("clusters"), CLUSTERS, buckets)
        if config.lines_once or config.lines_per_host:
            cuts = _cuts(work, p, settled.kept)
            _ = cuts | "WriteCuts" >> parquet.WriteTable(ctx.path("cuts"), CUTS, buckets)
        if config.index:
            rows = {
                "sketch": unique | "ToIndex" >> beam.Map(lambda s: (s.doc_id, s)).with_output_types(tuple[str, Sketch]),
                "drop": drops,
            } | "JoinDrops" >> beam.CoGroupByKey()
            _ = (
                rows
                | "IndexRows" >> beam.FlatMapTuple(_index_rows)
                | "WriteIndex"
                >> parquet.WriteTable(files.join(config.index, work.own), DEDUP_INDEX, buckets, key=lambda row: row[0])
            )
    if config.index:
        index.finish(config, work.own, work.runs, buckets)


def _final_drops(work: Work, p: beam.Pipeline, unique: Any, stars: str) -> Any:
    """Every dropped document of this run once, pointing at a document that is kept."""
    equal = (
        p
        | "Drops" >> parquet.ReadTable(work.table("drops"))
        | "Drop" >> beam.Map(lambda row: (row["doc_id"], (row["kept_id"], row["how"]))).with_output_types(Drop)
    )
    final = None
    if work.config.cluster == "bucket":
        final = (
            p
            | "NearDrops" >> parquet.ReadTable(work.table("near-*"))
            | "NearDrop" >> beam.Map(lambda row: (row["doc_id"], (row["kept_id"], row["how"]))).with_output_types(Drop)
        )
    if stars:
        labels = (
            p
            | "Stars" >> parquet.ReadTable(work.table(stars))
            | "Label"
            >> beam.FlatMap(
                lambda row: [(row["doc_id"], row["other"]), (row["other"], row["other"])]
            ).with_output_types(tuple[str, str])
            | "OneLabel" >> beam.Distinct()
        )
        narrow = unique | "Unsigned" >> beam.Map(
            lambda s: (s.doc_id, s._replace(signature=b"", shingles=b""))
        ).with_output_types(tuple[str, Sketch])
        final = (
            {"sketch": narrow, "component": labels}
            | "JoinComponent" >> beam.CoGroupByKey()
            | "ByComponent" >> beam.FlatMapTuple(by_component).with_output_types(tuple[str, Sketch])
            | "Near" >> KeepBest(work.config.keep, "near")
        )[1]
    for rule in reversed(work.equal):  # the last rule's drops point at what is kept; earlier ones may not
        of_rule = equal | f"By_{rule}" >> beam.Filter(lambda d, rule=rule: d[1][1] == rule).with_output_types(Drop)
        final = of_rule if final is None else (of_rule, final) | f"Follow_{rule}" >> Follow(both=True)
    if final is None:
        return p | "NoDrops" >> beam.Create([]).with_output_types(Drop)
    if work.earlier:
        final = (final, p | "EarlierDrops" >> ReadDrops(work.earlier)) | "FollowEarlier" >> Follow()
    return final


def _cuts(work: Work, p: beam.Pipeline, kept: Any) -> Any:
    config = work.config
    columns = ("doc_id", "url", "warc_file", "warc_offset", "texts")
    said = (
        p
        | "Texts" >> parquet.ReadTable(work.ctx.table("documents"), columns)
        | "LineKeys"
        >> beam.Map(
            lambda row, unit: (
                row["doc_id"],
                (row["warc_file"] or "", row["warc_offset"] or 0, _host(row["url"]), line_keys(row["texts"], unit)),
            ),
            config.line_unit,
        ).with_output_types(tuple[str, tuple[str, int, str, list[bytes]]])
    )
    places = kept | "Places" >> beam.Map(lambda k: (k.doc_id, (k.warc_file, k.warc_offset))).with_output_types(
        tuple[str, tuple[str, int]]
    )
    return (
        {"lines": said, "kept": places}
        | "KeptLines" >> beam.CoGroupByKey()
        | "OneOfKept" >> beam.FlatMapTuple(_lines_of_kept).with_output_types(tuple[str, tuple[str, list[bytes]]])
        | "RepeatedLines" >> RepeatedLines(config.lines_once, config.lines_per_host)
        | "Hashable" >> beam.MapTuple(lambda doc_id, numbers: (doc_id, tuple(numbers)))
    )


def _index_rows(_: str, groups: dict[str, Any]) -> Iterator[tuple[Any, ...]]:
    for document in groups["sketch"]:
        if not document.age and not document.contaminated:
            kept_id, how = next(iter(groups["drop"]), (document.doc_id, ""))
            yield (*document._replace(how=how), kept_id)


def _lines_of_kept(doc_id: str, groups: dict[str, Any]) -> Iterator[tuple[str, tuple[str, list[bytes]]]]:
    places = {tuple(place) for place in groups["kept"]}
    for warc_file, offset, host, keys in sorted(groups["lines"]):
        if (warc_file, offset) in places:
            yield doc_id, (host, list(keys))
            return


def _host(url: str | None) -> str:
    try:
        return urlsplit(url or "").hostname or ""
    except ValueError:
        return ""
