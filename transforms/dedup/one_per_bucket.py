"""One document a bucket: near-duplicates dropped only for a kept document that shares a band with them.

Connected components drop C for the sake of A where A is like B and B like C, though A and C may have little in common.
Here the documents of all buckets are taken from the best to the worst, and each is kept unless one that was kept before
shares a bucket with it. So at most one document of every bucket stays, nothing is compared, and a chain keeps every
other link. (LLM360 proposed one document a bucket for TxT360 in 2026; they keep as many as can be.)

That order needs no single worker: a document that is the best of all its buckets is kept whatever the others are (Luby
1986), as one that an earlier run kept is, and whoever shares one of them is dropped. These two steps are a round; what
is undecided after a number of rounds can go on in another job.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from operator import itemgetter
from typing import Any

import apache_beam as beam

from weft.schemas.records import EARLIER_KEPT, Sketch
from weft.transforms.beam import hot_keys
from weft.transforms.beam.folds import Fold, Once
from weft.transforms.beam.joins import Join
from weft.transforms.dedup import minhash
from weft.transforms.dedup.lsh import InBucket, Signed, band_records
from weft.transforms.dedup.minhash import Bands
from weft.transforms.dedup.rules import CountAndBest, Drop, Policy

Standing = tuple[str, Sketch]  # a bucket and a document that stands in it


@dataclasses.dataclass
class SharedBuckets(beam.PTransform):
    """Signed → (doc_id, bucket) of all buckets with two documents or more."""

    how: Bands
    most: int = hot_keys.MOST

    def expand(self, documents: beam.PCollection[Signed]) -> beam.PCollection[tuple[str, str]]:
        member = tuple[bytes, tuple[bytes, str, bool]]
        records = documents | "Bands" >> beam.FlatMap(band_records, self.how).with_output_types(member)
        return (
            records
            | "Buckets" >> hot_keys.GroupInParts(itemgetter(1), self.most)
            | "Shared" >> beam.FlatMap(_shared).with_output_types(tuple[str, str])
        )


@dataclasses.dataclass
class OnePerBucket(beam.PTransform):
    """Standings → (drops, (doc_id, bucket) of the documents that are not decided after `rounds` rounds).

    Args:
        policy: which of two documents is the better one.
    """

    policy: Policy
    rounds: int

    def expand(
        self, standings: beam.PCollection[Standing]
    ) -> tuple[beam.PCollection[Drop], beam.PCollection[tuple[str, str]]]:
        drops: list[beam.PCollection[Drop]] = []
        for number in range(self.rounds):
            dropped, standings = standings | f"Round{number}" >> _Round(self.policy)
            drops.append(dropped)
        left = standings | "Left" >> beam.Map(lambda one: (one[1].doc_id, one[0])).with_output_types(tuple[str, str])
        return tuple(drops) | "Drops" >> beam.Flatten(), left


@dataclasses.dataclass
class _Round(beam.PTransform):
    """Standings → (drops for the sake of documents that are the best of all their buckets, what is undecided yet)."""

    policy: Policy

    def expand(
        self, standings: beam.PCollection[Standing]
    ) -> tuple[beam.PCollection[Drop], beam.PCollection[Standing]]:
        best = standings | "Best" >> CountAndBest(self.policy)
        beside = {
            "rows": standings
            | "Ids" >> beam.Map(lambda one: (one[0], one[1].doc_id)).with_output_types(tuple[str, str]),
            "one": best
            | "BestId"
            >> beam.MapTuple(lambda bucket, found: (bucket, found[1].doc_id)).with_output_types(tuple[str, str]),
            "sizes": best | "Sizes" >> hot_keys.Sizes(),
        } | "Beside" >> hot_keys.Attach()  # doc_id, the best of one of its buckets
        rivals = beside | "Rivals" >> beam.Map(lambda row: row).with_output_types(tuple[str, str])
        earlier = standings | "Earlier" >> beam.FlatMap(_earlier).with_output_types(tuple[str, str])
        kept = (
            (rivals, earlier)
            | "OfDocuments" >> beam.Flatten()
            | "OfDocument" >> beam.GroupByKey()
            | "Stays" >> beam.Filter(_stays)
            | "Kept" >> beam.MapTuple(lambda doc_id, _: (doc_id, doc_id)).with_output_types(tuple[str, str])
        )
        by_best = (
            beside
            | "ByBest" >> beam.Map(lambda row: (row[1], row[0])).with_output_types(tuple[str, str])
            | "Once" >> Once()
        )
        lost = (
            {"rows": by_best, "one": kept}
            | "Decided" >> hot_keys.Attach()
            | "NotItself" >> beam.Filter(lambda row: row[0] != row[1])
            | "Typed" >> beam.Map(lambda row: row).with_output_types(tuple[str, str])
            | "OneReason" >> Fold(min)
        )
        decided = (kept, lost) | "AllDecided" >> beam.Flatten()
        rows = standings | "ByDocument" >> beam.Map(lambda one: (one[1].doc_id, one)).with_output_types(
            tuple[str, tuple[str, Sketch]]
        )
        joined = {"standings": rows, "decided": decided} | "Join" >> Join()
        return (
            joined | "Drop" >> beam.FlatMapTuple(_drop).with_output_types(Drop),
            joined | "Undecided" >> beam.FlatMapTuple(_undecided).with_output_types(tuple[str, Sketch]),
        )


def _shared(bucket: tuple[bytes, Iterable[InBucket]]) -> Iterator[tuple[str, str]]:
    key, members = bucket
    ids = {doc_id for _, doc_id, _ in members}
    if len(ids) > 1 or len(key) > minhash.KEY_BYTES:  # a part of a hot bucket is not alone
        for doc_id in ids:
            yield doc_id, key[: minhash.KEY_BYTES].hex()


def _earlier(one: Standing) -> Iterator[tuple[str, str]]:
    if one[1].origin == EARLIER_KEPT:
        yield one[1].doc_id, ""


def _stays(item: tuple[str, Iterable[str]]) -> bool:
    doc_id, rivals = item[0], set(item[1])
    return "" in rivals or rivals == {doc_id}


def _drop(doc_id: str, groups: dict[str, Iterable[Any]]) -> Iterator[Drop]:
    new = any(not sketch.origin for _, sketch in groups["standings"])
    for kept_id in groups["decided"]:
        if new and kept_id != doc_id:
            yield Drop(doc_id, kept_id, "near")


def _undecided(_: str, groups: dict[str, Iterable[Any]]) -> Iterator[Standing]:
    if not any(True for _ in groups["decided"]):
        yield from groups["standings"]
