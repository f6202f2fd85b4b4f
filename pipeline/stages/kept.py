"""What dedup kept, as the stages after it read it: each kept document and pair once.

kept/, cuts/ and what a step knows of documents (narrow) ──► by document ──► by archive ─┐
documents/ ──► which archive a file is of ───────────────────────────────────────────────┴─► read that file, keep what
                                                                                           is kept, cut its lines
keys of kept pairs and what is known of them (narrow) ──► by pair ──► by block of a file of pairs/ ──► read likewise

Texts and captions never cross a shuffle here: the narrow rows go to the file where their documents or pairs stand, and
are looked up while it is read. Memory: what is known of the kept documents of one archive, or of 100,000 pairs of one
file, from a hundred bytes each: a list of captions may be one file of ten million.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import apache_beam as beam
from apache_beam.typehints import typehints
from apache_beam.typehints.native_type_compatibility import convert_to_beam_type

from weft.pipeline.run.context import Context
from weft.schemas.records import KeptRow, PairKey
from weft.transforms.beam import coders
from weft.transforms.beam.joins import Join
from weft.transforms.dedup import repeated_lines
from weft.transforms.io import parquet

_BLOCK = "\x1f"  # between a file and the number of a block of it
_Beside = Mapping[str, beam.PCollection[Any]]
_Found = tuple[Any, dict[str, list[Any]]]  # a row and what is known of it


class _Archive(NamedTuple):
    warc_file: str


@dataclasses.dataclass
class KeptDocuments(beam.PTransform):
    """PBegin → `record` of every document that dedup kept, once, without the lines that it loses.

    Args:
        record: a NamedTuple of columns of documents/, `doc_id`, `warc_file` and `warc_offset` among them; lines are cut
            from `texts` where it has them. See `parquet.read`.
        kept: rows of kept/ where they are not on disk yet; then cuts/ is not either, and texts are whole.
        beside: name → (doc_id, what is known of it), narrow rows that meet their document where it is read. Where there
            are any, (record, name → values) comes out, which is not meant to be shuffled.
    """

    ctx: Context
    record: type
    kept: Any = None
    beside: _Beside = dataclasses.field(default_factory=dict)

    def expand(self, begin: beam.pvalue.PBegin) -> beam.PCollection[Any]:
        ctx = self.ctx
        kept = self.kept or begin | "Kept" >> parquet.Read(ctx.table("kept"), KeptRow)
        known = {
            "place": kept
            | "OfDocuments" >> beam.Filter(lambda row: row.kind == "document")
            | "Place"
            >> beam.Map(lambda row: (row.doc_id, (row.warc_file, row.warc_offset))).with_output_types(
                tuple[str, tuple[str, int]]
            )
        }
        dedup = ctx.config.dedup
        if self.kept is None and "texts" in self.record._fields and (dedup.lines_once or dedup.lines_per_host):  # type: ignore[attr-defined]
            known["cuts"] = begin | "Cuts" >> repeated_lines.Cuts(ctx.table("cuts"))
        known |= self.beside
        names = [name for name in known if name != "place"]
        row = typehints.Tuple[str, typehints.Tuple[str, int, _lists(known, names)]]
        if names:
            by_archive = known | "ById" >> Join() | "ByArchive" >> beam.FlatMap(_by_archive, names)
        else:
            by_archive = known["place"] | "ByArchive" >> beam.MapTuple(lambda doc_id, at: (at[0], (doc_id, at[1], ())))
        files = (
            begin
            | "Files" >> parquet.Files(ctx.table("documents"))
            | "Archives" >> beam.FlatMap(_archives).with_output_types(tuple[str, str])
        )
        coders.register(self.record)
        found = (
            {"files": files, "places": by_archive | "Typed" >> beam.Map(_as_is).with_output_types(row)}
            | "ToFiles" >> Join()
            | "ReadKept" >> beam.FlatMap(_read, self.record, dedup.line_unit, names)
        )
        return found if self.beside else found | "Row" >> beam.Keys().with_output_types(self.record)


@dataclasses.dataclass
class KeptPairs(beam.PTransform):
    """PBegin → `record` of every pair that dedup kept, once.

    Args:
        record: a NamedTuple of columns of pairs/, `doc_id` and `pair_id` among them.
        keys: PairKeys of the pairs that are wanted, each once, where those are fewer than dedup's.
        beside: as of KeptDocuments, by str(PairKey).
    """

    ctx: Context
    record: type
    keys: Any = None
    beside: _Beside = dataclasses.field(default_factory=dict)

    def expand(self, begin: beam.pvalue.PBegin) -> beam.PCollection[Any]:
        keys = self.keys
        if keys is None:
            keys = (
                begin
                | "Kept" >> parquet.Read(self.ctx.table("kept"), KeptRow)
                | "OfPairs" >> beam.Filter(lambda row: row.kind == "pair")
                | "Key" >> beam.Map(lambda row: PairKey.parse(row.key)).with_output_types(PairKey)
            )
        files = (
            begin
            | "Files" >> parquet.Files(self.ctx.table("pairs"))
            | "Pairs" >> beam.FlatMap(_pairs).with_output_types(tuple[str, str])
        )
        wanted = keys | "Wanted" >> beam.Map(lambda key: (str(key), True)).with_output_types(tuple[str, bool])
        names = list(self.beside)
        row = typehints.Tuple[str, typehints.Tuple[str, _lists(self.beside, names)]]
        by_file = (
            {"wanted": wanted, "files": files, **self.beside}
            | "ByKey" >> Join()
            | "ByFile" >> beam.FlatMap(_by_file, names)
        )
        coders.register(self.record)
        found = (
            by_file
            | "Typed" >> beam.Map(_as_is).with_output_types(row)
            | "ToFiles" >> beam.GroupByKey()
            | "ReadKept" >> beam.FlatMap(_read_pairs, self.record, names)
        )
        return found if self.beside else found | "Row" >> beam.Keys().with_output_types(self.record)


def _lists(known: _Beside, names: Iterable[str]) -> Any:
    """The type of lists of values, one list for each of these inputs."""
    of = [typehints.List[convert_to_beam_type(known[name].element_type).tuple_types[1]] for name in names]
    return typehints.Tuple[tuple(of)] if of else typehints.Tuple[()]


def _as_is(row: Any) -> Any:
    return row


def _by_archive(item: tuple[str, dict[str, list[Any]]], names: list[str]) -> Iterator[tuple[str, Any]]:
    for warc_file, offset in item[1]["place"]:
        yield warc_file, (item[0], offset, tuple(item[1][name] for name in names))


def _by_file(item: tuple[str, dict[str, list[Any]]], names: list[str]) -> Iterator[tuple[str, Any]]:
    """A pair's key and what is known of it, for one block: a record in two archives has its pairs in both files."""
    key, found = item
    if found["wanted"] and found["files"]:
        yield min(found["files"]), (key, tuple(found[name] for name in names))


def _archives(path: str) -> Iterator[tuple[str, str]]:
    for archive in sorted({row.warc_file for row in parquet.read(path, _Archive)}):
        yield archive, path


def _pairs(path: str) -> Iterator[tuple[str, str]]:
    for block, row in parquet.by_block(path, PairKey):
        yield str(row), f"{path}{_BLOCK}{block:06d}"


def _read(item: tuple[str, dict[str, list[Any]]], record: Any, unit: Any, names: list[str]) -> Iterator[_Found]:
    archive, found = item
    places = {(doc_id, offset): dict(zip(names, known)) for doc_id, offset, known in found["places"]}
    for path in sorted(found["files"]):
        for row in parquet.read(path, record):
            known = places.pop((row.doc_id, row.warc_offset), None) if row.warc_file == archive else None
            if known is not None:
                lines = sorted({number for numbers in known.pop("cuts", ()) for number in numbers})
                yield row._replace(texts=repeated_lines.cut(row.texts, lines, unit)) if lines else row, known


def _read_pairs(item: tuple[str, Iterable[tuple[str, Any]]], record: Any, names: list[str]) -> Iterator[_Found]:
    wanted = {key: dict(zip(names, known)) for key, known in item[1]}
    path, _, block = item[0].rpartition(_BLOCK)
    for row in parquet.read(path, record, int(block)):
        known = wanted.pop(str(PairKey(row.doc_id, row.pair_id)), None)
        if known is not None:
            yield row, known
