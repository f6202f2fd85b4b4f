"""What dedup kept, as the stages after it read it: each kept document and pair once.

kept/, cuts/ and what a step knows of documents (narrow) ─┐
documents/ ──► ids, and the block that each stands in ────┴─► by document ──► by block ──► read it, keep what is kept,
                                                                                            cut its lines
keys of kept pairs and what is known of them, pairs/ ──► by pair ──► by block ──► likewise

Texts and captions never cross a shuffle here: the narrow rows go to the block of a file where their documents or pairs
stand, and are looked up while it is read. Memory: what is known of 100,000 rows, from a hundred bytes each: a list of
documents or captions may be one file of ten million.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import apache_beam as beam
import xxhash
from apache_beam.typehints import typehints
from apache_beam.typehints.native_type_compatibility import convert_to_beam_type

from weft.pipeline.run.context import Context
from weft.schemas.records import KeptRow, PairKey
from weft.transforms.beam import coders
from weft.transforms.beam.joins import Join
from weft.transforms.dedup import repeated_lines
from weft.transforms.io import files, parquet

_BLOCK = "\x1f"  # between a file and the number of a block of it
_Beside = Mapping[str, beam.PCollection[Any]]
_Found = tuple[Any, dict[str, list[Any]]]  # a row and what is known of it


class _Place(NamedTuple):
    """Columns of documents/."""

    doc_id: str
    warc_file: str
    warc_offset: int


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
            >> beam.Map(lambda row: (row.doc_id, _mark(row.warc_file, row.warc_offset))).with_output_types(
                tuple[str, int]
            ),
            "blocks": begin
            | "Files" >> parquet.Files(ctx.table("documents"))
            | "Blocks" >> beam.FlatMap(_blocks).with_output_types(tuple[str, tuple[str, int]]),
        }
        dedup = ctx.config.dedup
        if self.kept is None and "texts" in self.record._fields and (dedup.lines_once or dedup.lines_per_host):  # type: ignore[attr-defined]
            known["cuts"] = begin | "Cuts" >> repeated_lines.Cuts(ctx.table("cuts"))
        known |= self.beside
        names = [name for name in known if name not in ("place", "blocks")]
        row = typehints.Tuple[str, typehints.Tuple[typehints.Tuple[str, int], _lists(known, names)]]
        coders.register(self.record)
        found = (
            known
            | "ById" >> Join()
            | "ByBlock" >> beam.FlatMap(_by_block, names)
            | "Typed" >> beam.Map(_as_is).with_output_types(row)
            | "ToFiles" >> beam.GroupByKey()
            | "ReadKept"
            >> beam.FlatMap(_read, self.record, _at, names, files.join(ctx.output, "documents"), dedup.line_unit)
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
        blocks = (
            begin
            | "Files" >> parquet.Files(self.ctx.table("pairs"))
            | "Pairs" >> beam.FlatMap(_pairs).with_output_types(tuple[str, str])
        )
        wanted = keys | "Wanted" >> beam.Map(lambda key: (str(key), True)).with_output_types(tuple[str, bool])
        names = list(self.beside)
        row = typehints.Tuple[str, typehints.Tuple[str, _lists(self.beside, names)]]
        by_file = (
            {"wanted": wanted, "files": blocks, **self.beside}
            | "ByKey" >> Join()
            | "ByFile" >> beam.FlatMap(_by_file, names)
        )
        coders.register(self.record)
        found = (
            by_file
            | "Typed" >> beam.Map(_as_is).with_output_types(row)
            | "ToFiles" >> beam.GroupByKey()
            | "ReadKept" >> beam.FlatMap(_read, self.record, _key, names, files.join(self.ctx.output, "pairs"))
        )
        return found if self.beside else found | "Row" >> beam.Keys().with_output_types(self.record)


def _lists(known: _Beside, names: Iterable[str]) -> Any:
    """The type of lists of values, one list for each of these inputs."""
    of = [typehints.List[convert_to_beam_type(known[name].element_type).tuple_types[1]] for name in names]
    return typehints.Tuple[tuple(of)] if of else typehints.Tuple[()]


def _as_is(row: Any) -> Any:
    return row


def _by_block(item: tuple[str, dict[str, list[Any]]], names: list[str]) -> Iterator[tuple[str, Any]]:
    doc_id, found = item
    for mark in found["place"]:
        for block, at in found["blocks"]:
            if at == mark:
                yield block, ((doc_id, mark), tuple(found[name] for name in names))


def _by_file(item: tuple[str, dict[str, list[Any]]], names: list[str]) -> Iterator[tuple[str, Any]]:
    """A pair's key and what is known of it, for one block: a record in two archives has its pairs in both files."""
    key, found = item
    if found["wanted"] and found["files"]:
        yield min(found["files"]), (key, tuple(found[name] for name in names))


def _mark(warc_file: str, offset: int) -> int:
    """Stands for a place in an archive: of one document there are few."""
    return xxhash.xxh3_64_intdigest(f"{warc_file}:{offset}".encode()) >> 1


def _key(row: Any) -> str:
    return str(PairKey(row.doc_id, row.pair_id))


def _at(row: Any) -> tuple[str, int]:
    return row.doc_id, _mark(row.warc_file, row.warc_offset)


def _blocks(path: str) -> Iterator[tuple[str, tuple[str, int]]]:
    for block, row in parquet.by_block(path, _Place):
        doc_id, mark = _at(row)
        yield doc_id, (_block(path, block), mark)


def _pairs(path: str) -> Iterator[tuple[str, str]]:
    for block, row in parquet.by_block(path, PairKey):
        yield str(row), _block(path, block)


def _block(path: str, number: int) -> str:
    return f"{path.rpartition('/')[2]}{_BLOCK}{number:06d}"


def _read(
    item: tuple[str, Iterable[tuple[Any, Any]]],
    record: Any,
    key: Callable[[Any], Any],
    names: list[str],
    directory: str,
    unit: Any = None,
) -> Iterator[_Found]:
    wanted = {of: dict(zip(names, known)) for of, known in item[1]}
    name, _, block = item[0].rpartition(_BLOCK)
    for row in parquet.read(files.join(directory, name), record, int(block)):
        known = wanted.pop(key(row), None)
        if known is not None:
            lines = sorted({number for numbers in known.pop("cuts", ()) for number in numbers})
            yield row._replace(texts=repeated_lines.cut(row.texts, lines, unit)) if lines else row, known
