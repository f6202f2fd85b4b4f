"""What becomes of every document and pair once the duplicates are known: fates, kept rows, clusters.

A pair goes with its page, and of pairs with the same id (same picture, same words) on several kept pages one stays.
Estimated similarities are to the document that is kept in the end, from signatures.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import apache_beam as beam

from schemas.records import DROPPED, KEPT, Cluster, Fate, KeptRow, Sketch
from transforms.duplicates import STAGE, Drop
from transforms.minhash import estimate

_HOWS = ("exact", "url", "near")  # which name the kept document gets where duplicates are equally close

Member = tuple[str, str, str, bytes]  # doc_id, how ("" for the kept one), text_key, signature


class Settled(NamedTuple):
    """Outputs of `SettleDocuments`."""

    fates: beam.PCollection[Fate]
    kept: beam.PCollection[KeptRow]
    clusters: beam.PCollection[Cluster]
    verdicts: beam.PCollection[tuple[str, str]]  # doc_id, id of the document kept in its place or "" where it is kept


def similarity(one: Member, other: Member) -> float:
    """Estimated Jaccard similarity; 1 for equal texts (or equal pictures, where there is no text)."""
    return 1.0 if one[2] and one[2] == other[2] else estimate(one[3], other[3])


def cluster_rows(kept_id: str, members: Iterable[Member]) -> Iterator[Cluster]:
    """Rows of one cluster; the kept document takes its `how` from its closest duplicate."""
    ordered = sorted(members)
    kept = next(member for member in ordered if member[0] == kept_id)
    near = {member[0]: similarity(member, kept) for member in ordered}
    others = [member for member in ordered if member is not kept]
    closest = min(others, key=lambda member: (-near[member[0]], _HOWS.index(member[1]), member[0]))
    for member in ordered:
        itself = member is kept
        how = closest[1] if itself else member[1]
        yield Cluster(member[0], ordered[0][0], len(ordered), kept_id, 1.0 if itself else near[member[0]], how)


@dataclasses.dataclass
class SettleDocuments(beam.PTransform):
    """(sketches unique by doc_id, final drops) → Settled."""

    def expand(self, inputs: tuple[beam.PCollection[Sketch], beam.PCollection[Drop]]) -> Settled:
        sketches, drops = inputs
        keyed = sketches | "ById" >> beam.Map(lambda s: (s.doc_id, s)).with_output_types(tuple[str, Sketch])
        heads = (
            drops
            | "Heads" >> beam.Map(lambda drop: drop[1][0]).with_output_types(str)
            | "DistinctHeads" >> beam.Distinct()
            | "KeyHeads" >> beam.Map(lambda doc_id: (doc_id, True)).with_output_types(tuple[str, bool])
        )
        joined = {"sketch": keyed, "drop": drops, "head": heads} | "Join" >> beam.CoGroupByKey()
        clusters = (
            joined
            | "Members" >> beam.FlatMapTuple(_members).with_output_types(tuple[str, Member])
            | "SameKept" >> beam.GroupByKey()
            | "Clusters" >> beam.FlatMapTuple(cluster_rows).with_output_types(Cluster)
        )
        return Settled(
            joined | "Fates" >> beam.FlatMapTuple(_fate).with_output_types(Fate),
            joined | "Kept" >> beam.FlatMapTuple(_kept).with_output_types(KeptRow),
            clusters,
            joined | "Verdicts" >> beam.FlatMapTuple(_verdict).with_output_types(tuple[str, str]),
        )


@dataclasses.dataclass
class SettlePairs(beam.PTransform):
    """((doc_id, pair_id) of every pair, verdicts on documents) → (fates, kept rows).

    Args:
        across: drop a pair that an earlier doc_id has too.
    """

    across: bool

    def expand(
        self, inputs: tuple[beam.PCollection[tuple[str, str]], beam.PCollection[tuple[str, str]]]
    ) -> tuple[beam.PCollection[Fate], beam.PCollection[KeptRow]]:
        pairs, verdicts = inputs
        joined = {"pair": pairs, "verdict": verdicts} | "OnPage" >> beam.CoGroupByKey()
        lost = joined | "Lost" >> beam.FlatMapTuple(_lost_pairs).with_output_types(Fate)
        alive = joined | "Alive" >> beam.FlatMapTuple(_live_pairs).with_output_types(tuple[str, str])
        if self.across:
            grouped = alive | "SamePair" >> beam.GroupByKey()
            settled = grouped | "FirstPage" >> beam.FlatMapTuple(_first_page).with_output_types(tuple[str, str, str])
        else:
            settled = alive | "AllPages" >> beam.MapTuple(lambda pair, doc: (pair, doc, doc)).with_output_types(
                tuple[str, str, str]
            )
        fates = settled | "Fates" >> beam.MapTuple(_pair_fate).with_output_types(Fate)
        kept = (
            settled
            | "OnlyKept" >> beam.Filter(lambda row: row[1] == row[2]).with_output_types(tuple[str, str, str])
            | "Rows" >> beam.MapTuple(lambda pair, doc, _: KeptRow("pair", f"{doc}:{pair}", doc, "", 0))
        )
        return (lost, fates) | "AllFates" >> beam.Flatten(), kept


def _fate(doc_id: str, groups: dict[str, Iterable[Any]]) -> Iterator[Fate]:
    for kept_id, how in groups["drop"]:
        yield Fate(STAGE, "document", doc_id, DROPPED, f"duplicate_{how}", kept_id)
        return
    yield Fate(STAGE, "document", doc_id, KEPT, "", "")


def _kept(doc_id: str, groups: dict[str, Iterable[Any]]) -> Iterator[KeptRow]:
    if not any(True for _ in groups["drop"]):
        for document in groups["sketch"]:
            yield KeptRow("document", doc_id, doc_id, document.warc_file, document.warc_offset)


def _verdict(doc_id: str, groups: dict[str, Iterable[Any]]) -> Iterator[tuple[str, str]]:
    yield doc_id, next((kept_id for kept_id, _ in groups["drop"]), "")


def _members(doc_id: str, groups: dict[str, Iterable[Any]]) -> Iterator[tuple[str, Member]]:
    for document in groups["sketch"]:
        for kept_id, how in groups["drop"]:
            yield kept_id, (doc_id, how, document.text_key, document.signature)
        for _ in groups["head"]:
            yield doc_id, (doc_id, "", document.text_key, document.signature)


def _lost_pairs(doc_id: str, groups: dict[str, Iterable[str]]) -> Iterator[Fate]:
    """Pairs that go with their page, and repeats: a record read twice brings its pairs twice, all alike."""
    verdict = next(iter(groups["verdict"]), None)
    for pair_id, copies in Counter(groups["pair"]).items():
        key = f"{doc_id}:{pair_id}"
        for copy in range(2, copies + 1):
            yield Fate(STAGE, "pair", f"{key}@{copy}", DROPPED, "duplicate_record", key)
        if verdict is None:
            yield Fate(STAGE, "pair", key, DROPPED, "document_missing", "")
        elif verdict:
            yield Fate(STAGE, "pair", key, DROPPED, "document_dropped", verdict)


def _live_pairs(doc_id: str, groups: dict[str, Iterable[str]]) -> Iterator[tuple[str, str]]:
    if next(iter(groups["verdict"]), None) == "":
        for pair_id in set(groups["pair"]):
            yield pair_id, doc_id


def _first_page(pair_id: str, doc_ids: Iterable[str]) -> Iterator[tuple[str, str, str]]:
    first = min(doc_ids)
    for doc_id in doc_ids:
        yield pair_id, doc_id, first


def _pair_fate(pair_id: str, doc_id: str, kept_in: str) -> Fate:
    key = f"{doc_id}:{pair_id}"
    return Fate(STAGE, "pair", key, *((KEPT, "", "") if doc_id == kept_in else (DROPPED, "duplicate", kept_in)))
