"""One document a bucket: near-duplicates dropped only for a kept document that shares a band with them.

Connected components drop C for the sake of A where A is like B and B like C, though A and C may have little in common.
Here the documents of all buckets are taken from the best to the worst, and one is kept unless a kept one stands in
a bucket of its own already: a largest set, by rank, with at most one document of every bucket (as LLM360 proposed for
TxT360 in 2026, who keep a maximum set). Nothing is compared, and a chain keeps every other link.

The greedy order needs no single worker: a document that is the best of all its buckets is kept whatever the others
are (Luby 1986), and decides its buckets. What is undecided after a number of such rounds goes on in another job.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from operator import itemgetter
from typing import Any

import apache_beam as beam

from weft.schemas.records import Sketch
from weft.transforms.beam import hot_keys
from weft.transforms.dedup import minhash
from weft.transforms.dedup.lsh import Member, Signed, band_records
from weft.transforms.dedup.minhash import Bands
from weft.transforms.dedup.rules import Best, Drop, Policy

Seat = tuple[str, Sketch]  # a bucket and a document that stands in it


@dataclasses.dataclass
class Seats(beam.PTransform):
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
    """Seats → (drops, (doc_id, bucket) of what is not decided after `rounds` rounds)."""

    policy: Policy
    rounds: int

    def expand(self, seats: beam.PCollection[Seat]) -> tuple[beam.PCollection[Drop], beam.PCollection[tuple[str, str]]]:
        drops: list[beam.PCollection[Drop]] = []
        for number in range(self.rounds):
            dropped, seats = seats | f"Round{number}" >> _Round(self.policy)
            drops.append(dropped)
        left = seats | "Left" >> beam.Map(lambda seat: (seat[1].doc_id, seat[0])).with_output_types(tuple[str, str])
        return tuple(drops) | "Drops" >> beam.Flatten(), left


@dataclasses.dataclass
class _Round(beam.PTransform):
    """Seats → (drops for documents that are the best of all their buckets, the seats of what is still undecided)."""

    policy: Policy

    def expand(self, seats: beam.PCollection[Seat]) -> tuple[beam.PCollection[Drop], beam.PCollection[Seat]]:
        best = seats | "Best" >> beam.CombinePerKey(Best(self.policy))
        beside = {
            "rows": seats
            | "Ids" >> beam.Map(lambda seat: (seat[0], seat[1].doc_id)).with_output_types(tuple[str, str]),
            "one": best
            | "BestId"
            >> beam.MapTuple(lambda bucket, found: (bucket, found[1].doc_id)).with_output_types(tuple[str, str]),
            "sizes": best | "Sizes" >> beam.MapTuple(lambda bucket, found: (bucket, found[0])),
        } | "Beside" >> hot_keys.Attach()  # doc_id, the best of one of its buckets
        kept = (
            beside
            | "Rivals" >> beam.Map(lambda row: row).with_output_types(tuple[str, str])
            | "OfDocument" >> beam.GroupByKey()
            | "BestOfAll" >> beam.Filter(_is_best_of_all)
            | "Kept" >> beam.MapTuple(lambda doc_id, _: (doc_id, doc_id)).with_output_types(tuple[str, str])
        )
        by_best = (
            beside
            | "ByBest" >> beam.Map(lambda row: (row[1], row[0])).with_output_types(tuple[str, str])
            | "Once" >> beam.Distinct()
        )
        lost = (
            {"rows": by_best, "one": kept}
            | "Decided" >> hot_keys.Attach()
            | "NotItself" >> beam.Filter(lambda row: row[0] != row[1])
            | "Typed" >> beam.Map(lambda row: row).with_output_types(tuple[str, str])
            | "OneReason" >> beam.CombinePerKey(min)
        )
        decided = (kept, lost) | "AllDecided" >> beam.Flatten()
        rows = seats | "ByDocument" >> beam.Map(lambda seat: (seat[1].doc_id, seat)).with_output_types(
            tuple[str, tuple[str, Sketch]]
        )
        joined = {"seats": rows, "decided": decided} | "Join" >> beam.CoGroupByKey()
        return (
            joined | "Drop" >> beam.FlatMapTuple(_drop).with_output_types(Drop),
            joined | "Undecided" >> beam.FlatMapTuple(_undecided).with_output_types(tuple[str, Sketch]),
        )


def _shared(bucket: tuple[bytes, Iterable[Member]]) -> Iterator[tuple[str, str]]:
    key, members = bucket
    ids = {doc_id for _, doc_id, _ in members}
    if len(ids) > 1 or len(key) > minhash.KEY_BYTES:  # a part of a hot bucket is not alone
        for doc_id in ids:
            yield doc_id, key[: minhash.KEY_BYTES].hex()


def _is_best_of_all(item: tuple[str, Iterable[str]]) -> bool:
    return all(best == item[0] for best in item[1])


def _drop(doc_id: str, groups: dict[str, Iterable[Any]]) -> Iterator[Drop]:
    new = any(not sketch.age for _, sketch in groups["seats"])
    for kept_id in groups["decided"]:
        if new and kept_id != doc_id:
            yield doc_id, (kept_id, "near")


def _undecided(_: str, groups: dict[str, Iterable[Any]]) -> Iterator[Seat]:
    if not any(True for _ in groups["decided"]):
        yield from groups["seats"]
