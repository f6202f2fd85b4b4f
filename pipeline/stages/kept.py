"""What dedup kept, as the stages after it read it: each kept document and pair once.

kept/, cuts/ (narrow) ──► by archive ─┐
documents/ ──► which archive a file is of ─┴─► read that file, keep what is kept, cut the lines that it loses

A document's texts never cross a shuffle here: the narrow rows of kept/ go to the file where their documents stand, and
are looked up while it is read. Memory: the kept places of one archive, about a hundred bytes each.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import apache_beam as beam

from weft.pipeline.run.context import Context
from weft.schemas.records import KeptRow, PairKey
from weft.transforms.beam import coders
from weft.transforms.dedup import repeated_lines
from weft.transforms.io import parquet

_Place = tuple[str, int, list[int]]  # doc_id, offset in its archive, numbers of the lines it loses


class _Archive(NamedTuple):
    warc_file: str


@dataclasses.dataclass
class KeptDocuments(beam.PTransform):
    """PBegin → `record` of every document that dedup kept, once, without the lines that it loses.

    Args:
        record: a NamedTuple of columns of documents/, `doc_id`, `warc_file` and `warc_offset` among them; lines are cut
            from `texts` where it has them. See `parquet.read`.
        kept: rows of kept/ where they are not on disk yet; then cuts/ is not either, and texts are whole.
    """

    ctx: Context
    record: type
    kept: Any = None

    def expand(self, begin: beam.pvalue.PBegin) -> beam.PCollection[Any]:
        ctx, place = self.ctx, tuple[str, tuple[str, int, list[int]]]
        kept = self.kept or begin | "Kept" >> parquet.Read(ctx.table("kept"), KeptRow)
        places = (
            kept
            | "OfDocuments" >> beam.Filter(lambda row: row.kind == "document")
            | "Place"
            >> beam.Map(lambda row: (row.doc_id, (row.warc_file, row.warc_offset))).with_output_types(
                tuple[str, tuple[str, int]]
            )
        )
        dedup = ctx.config.dedup
        if self.kept is None and "texts" in self.record._fields and (dedup.lines_once or dedup.lines_per_host):  # type: ignore[attr-defined]
            cuts = begin | "Cuts" >> repeated_lines.Cuts(ctx.table("cuts"))
            places = {"places": places, "cuts": cuts} | "JoinCuts" >> beam.CoGroupByKey() | beam.FlatMap(_with_cuts)
        else:
            places = places | "Whole" >> beam.Map(lambda item: (item[0], (*item[1], [])))
        by_archive = places | "ByArchive" >> beam.MapTuple(
            lambda doc_id, found: (found[0], (doc_id, found[1], found[2]))
        ).with_output_types(place)
        files = (
            begin
            | "Files" >> parquet.Files(ctx.table("documents"))
            | "Archives" >> beam.FlatMap(_archives).with_output_types(tuple[str, str])
        )
        coders.register(self.record)
        return (
            {"files": files, "places": by_archive}
            | "ToFiles" >> beam.CoGroupByKey()
            | "ReadKept" >> beam.FlatMap(_read, self.record, dedup.line_unit).with_output_types(self.record)
        )


@dataclasses.dataclass
class KeptPairs(beam.PTransform):
    """PBegin → `record` of every pair that dedup kept, once.

    Args:
        record: a NamedTuple of columns of pairs/, `doc_id` and `pair_id` among them.
        keys: (str(PairKey), True) of the pairs that are wanted, where those are fewer than dedup's.
    """

    ctx: Context
    record: type
    keys: Any = None

    def expand(self, begin: beam.pvalue.PBegin) -> beam.PCollection[Any]:
        keys = self.keys
        if keys is None:
            keys = (
                begin
                | "Kept" >> parquet.Read(self.ctx.table("kept"), KeptRow)
                | "OfPairs" >> beam.Filter(lambda row: row.kind == "pair")
                | "Key" >> beam.Map(lambda row: (row.key, True)).with_output_types(tuple[str, bool])
            )
        rows = (
            begin
            | "Pairs" >> parquet.Read(self.ctx.table("pairs"), self.record)
            | "PairKey"
            >> beam.Map(lambda row: (str(PairKey(row.doc_id, row.pair_id)), row)).with_output_types(
                tuple[str, self.record]  # type: ignore[name-defined]
            )
        )
        return (
            {"rows": rows, "keys": keys}
            | "JoinPairs" >> beam.CoGroupByKey()
            | "Once" >> beam.FlatMap(_once).with_output_types(self.record)
        )


def _with_cuts(item: tuple[str, dict[str, Iterable[Any]]]) -> Iterator[tuple[str, tuple[str, int, list[int]]]]:
    lines = sorted({number for numbers in item[1]["cuts"] for number in numbers})
    for warc_file, offset in item[1]["places"]:
        yield item[0], (warc_file, offset, lines)


def _archives(path: str) -> Iterator[tuple[str, str]]:
    for archive in sorted({row.warc_file for row in parquet.read(path, _Archive)}):
        yield archive, path


def _read(item: tuple[str, dict[str, Iterable[Any]]], record: Any, unit: repeated_lines.Unit) -> Iterator[Any]:
    archive, found = item
    places = {(doc_id, offset): lines for doc_id, offset, lines in found["places"]}
    for path in sorted(found["files"]):
        for row in parquet.read(path, record):
            lines = places.pop((row.doc_id, row.warc_offset), None) if row.warc_file == archive else None
            if lines is not None:
                yield row._replace(texts=repeated_lines.cut(row.texts, lines, unit)) if lines else row


def _once(item: tuple[str, dict[str, Iterable[Any]]]) -> Iterator[Any]:
    if any(item[1]["keys"]):
        yield from sorted(item[1]["rows"])[:1]
