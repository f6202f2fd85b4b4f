"""Duplicates among documents in one Beam job: rows → what is kept, who is with whom, and what became of the others.

    found = documents | Deduplicate(DuplicateRules(keep="longest"))
    unique = {"documents": documents, "kept": found.kept, "cuts": found.cuts} | TakeKept()

The rules and their order are those of `weft dedup`, and so are its parts: sketches.py, rules.py, lsh.py, components.py
(or one_per_bucket.py), chains.py, verdicts.py, repeated_lines.py. What this leaves out is `weft dedup`'s own: the index
of earlier runs, going on after an interruption, and further jobs for components that a fixed number of rounds does not
settle (`Deduplicated.unsettled`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import apache_beam as beam

from weft.schemas.parameters import ConfigError, DuplicateRules, RepeatedLineRules
from weft.schemas.records import Cluster, Fate, KeptRow, PairKey, Sketch
from weft.transforms.beam import coders, folds, joins
from weft.transforms.dedup import minhash, repeated_lines, rules
from weft.transforms.dedup.chains import FinalDrops
from weft.transforms.dedup.components import Labels, Stars
from weft.transforms.dedup.lsh import Signatures, SimilarPairs
from weft.transforms.dedup.one_per_bucket import OnePerBucket, SharedBuckets
from weft.transforms.dedup.repeated_lines import RepeatedLines
from weft.transforms.dedup.rules import Drop, EqualDocuments, InGroups, KeepBest, OneCopy
from weft.transforms.dedup.sketches import Content, SketchDocuments, unsigned
from weft.transforms.dedup.verdicts import SettleDocuments, SettlePairs

ROUNDS = 4  # a chain of a hundred documents, each like the next alone, is settled by them

_Lines = tuple[str, int, str, list[bytes]]  # file, offset, host, keys of the lines


class Deduplicated(NamedTuple):
    """What Deduplicate gives.

    Attributes:
        kept: a row for each document and pair that stays. TakeKept has the documents themselves.
        clusters: a row for each document in a cluster of two or more.
        fates: exactly one for each document and pair that came in.
        cuts: (doc_id, numbers of the lines that a kept document loses), where the rules on lines are on.
        unsettled: one number: of documents whose cluster may be part of a larger one that more rounds would have found
            (for cluster = "bucket", that stay though more rounds might have dropped them). What was found until then is
            merged and holds: a dropped document always points at a kept one.
    """

    kept: beam.PCollection[KeptRow]
    clusters: beam.PCollection[Cluster]
    fates: beam.PCollection[Fate]
    cuts: beam.PCollection[tuple[str, list[int]]]
    unsettled: beam.PCollection[int]


@dataclasses.dataclass
class Deduplicate(beam.PTransform):
    """Documents, or (documents, pairs) → Deduplicated.

    Documents are `Document`s or other NamedTuples with doc_id, url, crawl_date (an integer that grows with time),
    warc_file, warc_offset, texts and images. (warc_file, warc_offset) tells copies of one record from each other. Pairs
    are `Pair`s or other NamedTuples with doc_id and pair_id; they go with their page.

    No text crosses a shuffle, but sketches of 0.6 KB a document do (with `verify = "exact"` 4 bytes a word more).

    Args:
        rules: what makes documents duplicates of each other, and which of them stays.
        rounds: of joining similar documents into clusters, which are unrolled in the job's graph; 1 or more.

    Raises:
        ConfigError: no bands reach the recall, evaluation texts cannot be read, or a number makes no sense.
    """

    rules: DuplicateRules = dataclasses.field(default_factory=DuplicateRules)
    rounds: int = ROUNDS

    def __post_init__(self) -> None:
        if self.rounds < 1 or self.rules.ngram < 1:
            raise ConfigError("rounds and ngram are 1 or more")

    def expand(self, inputs: Any) -> Deduplicated:
        documents, pairs = inputs if isinstance(inputs, tuple) else (inputs, None)
        made = documents | "Sketches" >> SketchDocuments(self.rules)
        unique, repeats = made | "OneCopy" >> OneCopy()
        narrow = unique | "Unsigned" >> beam.Map(unsigned).with_output_types(Sketch)
        left, equal = narrow | "Equal" >> EqualDocuments(self.rules)
        near, unsettled = (left, unique) | "Near" >> _Near(self.rules, self.rounds)
        drops = (equal, near) | "Final" >> FinalDrops(rules.equal_rules(self.rules))
        settled = (unique, drops) | "Documents" >> SettleDocuments()
        fates, kept = [repeats, settled.fates], [settled.kept]
        if pairs is not None:
            keys = pairs | "PairKeys" >> beam.Map(lambda row: PairKey(row.doc_id, row.pair_id)).with_output_types(
                PairKey
            )
            pair_fates, kept_pairs = (keys, settled.verdicts) | "Pairs" >> SettlePairs(across=self.rules.exact)
            fates.append(pair_fates)
            kept.append(kept_pairs)
        return Deduplicated(
            tuple(kept) | "Kept" >> beam.Flatten(),
            settled.clusters,
            tuple(fates) | "Fates" >> beam.Flatten(),
            {"documents": documents, "kept": settled.kept} | "Cuts" >> _Cuts(self.rules),
            unsettled,
        )


@dataclasses.dataclass
class TakeKept(beam.PTransform):
    """{"documents", "kept", optionally "cuts"} → the documents that are kept, once each, without the lines they lose.

    This sends whole documents through a shuffle, texts and all. Where they lie in files, it is much cheaper to send the
    rows of `kept` to the files and to read these again, as `weft` itself does.

    Args:
        rules: its `line_unit` has to be what the cuts were made with.
    """

    rules: RepeatedLineRules = dataclasses.field(default_factory=RepeatedLineRules)

    def expand(self, inputs: dict[str, beam.PCollection[Any]]) -> beam.PCollection[Any]:
        documents, unit = inputs["documents"], self.rules.line_unit
        row: Any = documents.element_type
        if hasattr(row, "_fields"):
            coders.register(row)
        joined = {
            "document": documents | "ById" >> beam.Map(lambda d: (d.doc_id, d)).with_output_types(tuple[str, row]),
            "kept": inputs["kept"] | "Places" >> _Places(),
        }
        if "cuts" in inputs:
            joined["cut"] = inputs["cuts"]
        return joined | "Join" >> joins.Join() | "Take" >> beam.FlatMapTuple(_take, unit).with_output_types(row)


@dataclasses.dataclass
class _Near(beam.PTransform):
    """(sketches left by the rules by equal keys, signed sketches) → (drops of near-duplicates, number of unsettled)."""

    rules: DuplicateRules
    rounds: int

    def expand(
        self, inputs: tuple[beam.PCollection[Sketch], beam.PCollection[Sketch]]
    ) -> tuple[beam.PCollection[Drop], beam.PCollection[int]]:
        left, made = inputs
        if not self.rules.near:
            return (
                left.pipeline | "NoDrops" >> beam.Create([]).with_output_types(Drop),
                left.pipeline | "Settled" >> beam.Create([0]),
            )
        bands = minhash.bands_for(self.rules)
        signed = (left, made) | "Signatures" >> Signatures()
        if self.rules.cluster == "bucket":
            standings = (left, signed | "Buckets" >> SharedBuckets(bands)) | "InBuckets" >> InGroups()
            drops, undecided = standings | "OnePerBucket" >> OnePerBucket(self.rules.keep, self.rounds)
            return drops, (
                undecided | "Undecided" >> beam.Keys() | folds.Once() | "Count" >> beam.combiners.Count.Globally()
            )
        stars, unsettled = signed | "SimilarPairs" >> SimilarPairs(bands) | "Stars" >> Stars(self.rounds)
        components = (left, stars | "Labels" >> Labels()) | "InComponents" >> InGroups()
        return (components | "KeepBest" >> KeepBest(self.rules.keep, "near"))[1], unsettled


@dataclasses.dataclass
class _Cuts(beam.PTransform):
    """{"documents", "kept"} → (doc_id, numbers of the lines to drop); keys of lines cross a shuffle, no lines."""

    rules: RepeatedLineRules

    def expand(self, inputs: dict[str, beam.PCollection[Any]]) -> beam.PCollection[tuple[str, list[int]]]:
        documents, unit = inputs["documents"], self.rules.line_unit
        if not (self.rules.lines_once or self.rules.lines_per_host):
            return documents.pipeline | "NoCuts" >> beam.Create([]).with_output_types(tuple[str, list[int]])
        lines = documents | "Lines" >> beam.Map(_lines, unit).with_output_types(
            tuple[str, tuple[str, int, str, list[bytes]]]
        )
        return (
            {"lines": lines, "kept": inputs["kept"] | "Places" >> _Places()}
            | "Join" >> joins.Join()
            | "OfKept" >> beam.FlatMapTuple(_lines_of_kept).with_output_types(tuple[str, tuple[str, list[bytes]]])
            | "Repeated" >> RepeatedLines(self.rules)
        )


@dataclasses.dataclass
class _Places(beam.PTransform):
    """Kept rows → (doc_id, (warc_file, warc_offset)) of documents."""

    def expand(self, kept: beam.PCollection[KeptRow]) -> beam.PCollection[tuple[str, tuple[str, int]]]:
        return (
            kept
            | "OfDocuments" >> beam.Filter(lambda row: row.kind == "document").with_output_types(KeptRow)
            | "Place"
            >> beam.Map(lambda row: (row.doc_id, (row.warc_file, row.warc_offset))).with_output_types(
                tuple[str, tuple[str, int]]
            )
        )


def _take(doc_id: str, groups: dict[str, Iterable[Any]], unit: repeated_lines.Unit = "line") -> Iterator[Any]:
    places = set(groups["kept"])
    lost = {number for numbers in groups.get("cut", ()) for number in numbers}
    for document in groups["document"]:
        if (document.warc_file or "", document.warc_offset or 0) in places:
            yield document._replace(texts=repeated_lines.cut(document.texts, lost, unit)) if lost else document
            return


def _lines(document: Content, unit: repeated_lines.Unit) -> tuple[str, _Lines]:
    doc_id, (host, keys) = repeated_lines.keyed(document, unit)
    return doc_id, (document.warc_file or "", document.warc_offset or 0, host, keys)


def _lines_of_kept(doc_id: str, groups: dict[str, Iterable[Any]]) -> Iterator[repeated_lines.Keyed]:
    places = set(groups["kept"])
    for warc_file, offset, host, keys in sorted(groups["lines"]):
        if (warc_file, offset) in places:
            yield doc_id, (host, list(keys))
            return
