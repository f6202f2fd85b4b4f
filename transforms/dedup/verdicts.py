"""What becomes of every document and pair once the duplicates are known: fates, kept rows, clusters.

(sketches, final drops) → SettleDocuments → fates, kept rows, clusters, and verdicts on documents for SettlePairs.

A pair goes with its page, and of pairs with the same id (same picture, same words) on several kept pages one stays.
Similarities are to the document that is kept in the end: estimated from signatures, or exact where the sketches hold
whole shingle sets. No worker holds all members of a cluster: each is compared with the kept one by itself, and
a combiner gathers what the rows of a cluster have in common.
"""

from __future__ import annotations

import dataclasses
import operator
from collections import Counter
from collections.abc import Iterable, Iterator
from operator import attrgetter, itemgetter
from typing import Any, NamedTuple

import apache_beam as beam

from weft.schemas.records import DROPPED, KEPT, Cluster, Fate, KeptRow, PairKey, Sketch
from weft.transforms.beam import coders, hot_keys
from weft.transforms.beam.folds import Fold, Once
from weft.transforms.beam.joins import Join
from weft.transforms.dedup.minhash import estimate, jaccard
from weft.transforms.dedup.rules import STAGE, Drop

_HOWS = ("exact", "images", "url", "near")  # which name the kept document gets where duplicates are equally close


class ClusterMember(NamedTuple):
    """A document of a cluster, and what it is compared by."""

    doc_id: str
    how: str  # "" for the kept one
    text_key: str
    signature: bytes
    shingles: bytes


for _record in (ClusterMember, Cluster, Fate, KeptRow, PairKey):
    coders.register(_record)
_Row = tuple[str, str, float]  # doc_id, how, similarity to the kept one
_Total = tuple[int, str, float, int, str]  # size, smallest id, then of the closest: -similarity, how, id


class Settled(NamedTuple):
    """Outputs of `SettleDocuments`."""

    fates: beam.PCollection[Fate]
    kept: beam.PCollection[KeptRow]
    clusters: beam.PCollection[Cluster]
    verdicts: beam.PCollection[tuple[str, str]]  # doc_id, id of the document kept in its place or "" where it is kept


def similarity(one: ClusterMember, other: ClusterMember) -> float:
    """Jaccard similarity; 1 for equal texts (or equal pictures, where there is no text)."""
    if one.text_key and one.text_key == other.text_key:
        return 1.0
    if one.shingles and other.shingles:
        return jaccard(one.shingles, other.shingles)
    return estimate(one.signature, other.signature)


@dataclasses.dataclass
class SettleDocuments(beam.PTransform):
    """(sketches, one a document, of this run and earlier ones; final drops) → Settled, of this run's documents.

    Args:
        most: members of a cluster before it is split.
    """

    most: int = hot_keys.MOST

    def expand(self, inputs: tuple[beam.PCollection[Sketch], beam.PCollection[Drop]]) -> Settled:
        sketches, drops = inputs
        keyed = sketches | "ById" >> beam.Map(lambda s: (s.doc_id, s)).with_output_types(tuple[str, Sketch])
        heads = (
            drops
            | "Heads" >> beam.Map(lambda drop: drop.kept_id).with_output_types(str)
            | "DistinctHeads" >> Once()
            | "KeyHeads" >> beam.Map(lambda doc_id: (doc_id, True)).with_output_types(tuple[str, bool])
        )
        dropped = drops | "Dropped" >> beam.Map(lambda drop: (drop.doc_id, drop)).with_output_types(tuple[str, Drop])
        joined = {"sketch": keyed, "drop": dropped, "head": heads} | "Join" >> Join()
        members = joined | "Members" >> beam.FlatMapTuple(_members).with_output_types(tuple[str, ClusterMember])
        return Settled(
            joined | "Fates" >> beam.FlatMapTuple(_fate).with_output_types(Fate),
            joined | "Kept" >> beam.FlatMapTuple(_kept).with_output_types(KeptRow),
            members | "Clusters" >> _Clusters(self.most),
            joined | "Verdicts" >> beam.FlatMapTuple(_verdict).with_output_types(tuple[str, str]),
        )


@dataclasses.dataclass
class _Clusters(beam.PTransform):
    """(kept id, member), the kept one among them → rows of clusters."""

    most: int

    def expand(self, members: beam.PCollection[tuple[str, ClusterMember]]) -> beam.PCollection[Cluster]:
        sizes = (
            members
            | "Ones" >> beam.MapTuple(lambda kept, _: (kept, 1)).with_output_types(tuple[str, int])
            | "Sizes" >> Fold(operator.add)
        )
        compared = (
            {
                "rows": members
                | "Others"
                >> beam.Filter(lambda item: item[1].doc_id != item[0]).with_output_types(tuple[str, ClusterMember]),
                "one": members
                | "Heads"
                >> beam.Filter(lambda item: item[1].doc_id == item[0]).with_output_types(tuple[str, ClusterMember]),
                "sizes": sizes,
            }
            | "WithKept" >> hot_keys.JoinInParts(attrgetter("doc_id"), self.most)
            | "Compare" >> beam.FlatMapTuple(_compare).with_output_types(tuple[str, tuple[str, str, float]])
        )
        totals = (
            compared
            | "Each" >> beam.MapTuple(_one).with_output_types(tuple[str, tuple[int, str, float, int, str]])
            | "Totals" >> Fold(_sum)
        )
        return (
            {"rows": compared, "one": totals, "sizes": sizes}
            | "WithTotal" >> hot_keys.JoinInParts(itemgetter(0), self.most)
            | "Rows" >> beam.FlatMapTuple(_cluster_rows).with_output_types(Cluster)
        )


@dataclasses.dataclass
class SettlePairs(beam.PTransform):
    """(PairKey of every pair, verdicts on documents) → (fates, kept rows).

    Args:
        across: of a pair that stands on several kept pages, keep the one with the smallest doc_id alone.
    """

    across: bool

    def expand(
        self, inputs: tuple[beam.PCollection[PairKey], beam.PCollection[tuple[str, str]]]
    ) -> tuple[beam.PCollection[Fate], beam.PCollection[KeptRow]]:
        pairs, verdicts = inputs
        on_page = pairs | "ByPage" >> beam.Map(tuple).with_output_types(tuple[str, str])
        joined = {"pair": on_page, "verdict": verdicts} | "OnPage" >> Join()
        lost = joined | "Lost" >> beam.FlatMapTuple(_lost_pairs).with_output_types(Fate)
        alive = joined | "Alive" >> beam.FlatMapTuple(_live_pairs).with_output_types(PairKey)
        if self.across:
            by_pair = alive | "ByPair" >> beam.Map(lambda key: (key.pair_id, key)).with_output_types(
                tuple[str, PairKey]
            )
            first = (
                by_pair
                | "Pages"
                >> beam.MapTuple(lambda pair, key: (pair, (1, key.doc_id))).with_output_types(
                    tuple[str, tuple[int, str]]
                )
                | "FirstPage" >> Fold(_first)
            )
            settled = {
                "rows": by_pair,
                "one": first,
                "sizes": first | "Sizes" >> hot_keys.Sizes(),
            } | "SamePair" >> hot_keys.Attach(most=hot_keys.MOST)
        else:
            settled = alive | "AllPages" >> beam.Map(lambda key: (key, (1, key.doc_id)))
        fates = settled | "Fates" >> beam.MapTuple(_pair_fate).with_output_types(Fate)
        kept = (
            settled
            | "OnlyKept" >> beam.Filter(lambda item: item[0].doc_id == item[1][1])
            | "KeptRows"
            >> beam.MapTuple(lambda key, _: KeptRow("pair", str(key), key.doc_id, "", 0)).with_output_types(KeptRow)
        )
        return (lost, fates) | "AllFates" >> beam.Flatten(), kept


def _fate(doc_id: str, groups: dict[str, Iterable[Any]]) -> Iterator[Fate]:
    for document in groups["sketch"]:
        if document.origin:
            return
        if document.forbidden:
            yield Fate(STAGE, "document", doc_id, DROPPED, "opt_out", document.forbidden)
            return
        if document.contaminated:
            yield Fate(STAGE, "document", doc_id, DROPPED, "contaminated", document.contaminated)
            return
        for drop in groups["drop"]:
            yield Fate(STAGE, "document", doc_id, DROPPED, f"duplicate_{drop.how}", drop.kept_id)
            return
        yield Fate(STAGE, "document", doc_id, KEPT, "", "")


def _kept(doc_id: str, groups: dict[str, Iterable[Any]]) -> Iterator[KeptRow]:
    if not any(True for _ in groups["drop"]):
        for document in groups["sketch"]:
            if not document.origin and not document.contaminated and not document.forbidden:
                yield KeptRow("document", doc_id, doc_id, document.warc_file, document.warc_offset)


def _verdict(doc_id: str, groups: dict[str, Iterable[Any]]) -> Iterator[tuple[str, str]]:
    for document in groups["sketch"]:
        verdict = next((drop.kept_id for drop in groups["drop"]), "")
        if document.origin:  # an earlier run has this very record, and its pairs with it
            verdict = doc_id
        yield doc_id, "opt_out" if document.forbidden else "contaminated" if document.contaminated else verdict


def _members(doc_id: str, groups: dict[str, Iterable[Any]]) -> Iterator[tuple[str, ClusterMember]]:
    for document in groups["sketch"]:
        compared_by = document.text_key, document.signature, document.shingles
        for drop in groups["drop"]:
            yield drop.kept_id, ClusterMember(doc_id, drop.how, *compared_by)
        for _ in groups["head"]:
            yield doc_id, ClusterMember(doc_id, "", *compared_by)


def _compare(key: str, groups: dict[str, Iterable[ClusterMember]]) -> Iterator[tuple[str, _Row]]:
    kept_id = hot_keys.whole(key)
    for kept in groups["one"]:  # one
        for member in groups["rows"]:
            yield kept_id, (member.doc_id, member.how, similarity(member, kept))
        if hot_keys.is_first(key):
            yield kept_id, (kept_id, "", 1.0)


def _one(kept_id: str, row: _Row) -> tuple[str, _Total]:
    doc_id, how, near = row
    return kept_id, (1, doc_id, -near if how else 1.0, _HOWS.index(how) if how else len(_HOWS), doc_id)


def _sum(one: _Total, other: _Total) -> _Total:
    """How many there are, the smallest id, and the closest duplicate: by similarity, kind, id."""
    return one[0] + other[0], min(one[1], other[1]), *min(one[2:], other[2:])


def _cluster_rows(key: str, groups: dict[str, Iterable[Any]]) -> Iterator[Cluster]:
    """The kept document takes its `how` from its closest duplicate."""
    kept_id = hot_keys.whole(key)
    for size, smallest, _, closest, _ in groups["one"]:
        for doc_id, how, near in groups["rows"]:
            yield Cluster(doc_id, smallest, size, kept_id, near, how or _HOWS[closest])


def _lost_pairs(doc_id: str, groups: dict[str, Iterable[str]]) -> Iterator[Fate]:
    """Pairs that go with their page, and repeats: a record read twice brings its pairs twice, all alike."""
    verdict = next(iter(groups["verdict"]), None)
    for pair_id, copies in Counter(groups["pair"]).items():
        key = str(PairKey(doc_id, pair_id))
        for copy in range(2, copies + 1):
            yield Fate(STAGE, "pair", f"{key}@{copy}", DROPPED, "duplicate_record", key)
        if verdict is None:
            yield Fate(STAGE, "pair", key, DROPPED, "document_missing", "")
        elif verdict:
            yield Fate(STAGE, "pair", key, DROPPED, "document_dropped", verdict)


def _live_pairs(doc_id: str, groups: dict[str, Iterable[str]]) -> Iterator[PairKey]:
    if next(iter(groups["verdict"]), None) == "":
        for pair_id in set(groups["pair"]):
            yield PairKey(doc_id, pair_id)


def _first(one: tuple[int, str], other: tuple[int, str]) -> tuple[int, str]:
    """Of documents that a pair stands in, how many there are and the smallest id."""
    return one[0] + other[0], min(one[1], other[1])


def _pair_fate(key: PairKey, first: tuple[int, str]) -> Fate:
    kept_in = first[1]
    return Fate(
        STAGE, "pair", str(key), *((KEPT, "", "") if key.doc_id == kept_in else (DROPPED, "duplicate", kept_in))
    )
