"""Which documents are near-duplicates of each other: signatures → buckets → candidate pairs → compared pairs.

Documents that agree in a band of their signatures share a bucket. What becomes of a bucket is `cluster`'s to say:

- "verified": its members are compared, each with its neighbours in an order that puts those together that agree in the
  next band too, and with the first of all;
- "union": it is a cluster as it is, as with datatrove and NeMo Curator;
- "bucket": one of its members stays (one_per_bucket.py).

Band keys with ids cross a shuffle, then each candidate with what it is compared by. A bucket of more than about
`hot_keys.MOST` members is split; the parts meet through their first members, so it is one cluster all the same.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from operator import itemgetter
from typing import Any, NamedTuple

import apache_beam as beam
from apache_beam.metrics import Metrics

from weft.schemas.records import Sketch
from weft.transforms.beam import coders, folds, hot_keys, joins
from weft.transforms.dedup import minhash
from weft.transforms.dedup.minhash import Bands
from weft.transforms.dedup.rules import takes_part

WINDOW = 8  # neighbours that a member of a bucket is compared with, beside the first of all
WINDOW_IN_LARGE = 4  # in a bucket of more than LARGE_BUCKET members, which is often a page template and no cluster
LARGE_BUCKET = 32
_SEPARATOR = "\x1f"  # between two ids in one key

Edge = tuple[str, str]  # (smaller id, larger id)


class Signed(NamedTuple):
    """A document as this step sees it."""

    doc_id: str
    earlier: bool  # an earlier run's: never compared with its like
    signature: bytes
    shingles: bytes  # distinct shingle hashes where pairs are compared by them, else b""


coders.register(Signed)

InBucket = tuple[bytes, str, bool]  # hash of the document's next band, its id, whether it is an earlier run's
_Record = tuple[bytes, tuple[bytes, str, bool]]  # a band's key, and who stands in its bucket


def bucket_pairs(members: Iterable[InBucket], star: bool = False) -> Iterator[Edge]:
    """Pairs (smaller, larger) inside a bucket: all where it is small, a bounded number each where it is not.

    Pairs with the first member would be enough to connect a true cluster, but that one may be the odd one out and fail
    every comparison; so each member also meets its next neighbours, fewer of them in a large bucket.

    Args:
        star: pairs with the first member alone, for buckets that are clusters as they are.

    >>> list(bucket_pairs([(b"", "a", False), (b"", "b", True), (b"", "c", True)]))  # b and c are an earlier run's
    [('a', 'b'), ('a', 'c')]
    """
    ordered = sorted(set(members))
    reach = 0 if star else WINDOW if len(ordered) <= LARGE_BUCKET else WINDOW_IN_LARGE
    for index, one in enumerate(ordered):
        for other in ordered[index + 1 : index + 1 + reach]:
            if not (one[2] and other[2]):
                yield _edge(one[1], other[1])
        if index > reach and not (one[2] and ordered[0][2]):
            yield _edge(ordered[0][1], one[1])


@dataclasses.dataclass
class Signatures(beam.PTransform):
    """(sketches that take part, which may be unsigned; all sketches as made) → Signed of each that has words.

    Of several copies of a record, the first input says which one it is.
    """

    def expand(self, inputs: tuple[beam.PCollection[Sketch], beam.PCollection[Sketch]]) -> beam.PCollection[Signed]:
        alive, made = inputs
        return (
            {
                "alive": alive | "Alive" >> beam.Map(lambda s: (s.doc_id, s)).with_output_types(tuple[str, Sketch]),
                "made": made | "Made" >> beam.Map(lambda s: (s.doc_id, s)).with_output_types(tuple[str, Sketch]),
            }
            | "Join" >> joins.Join()
            | "Signed" >> beam.FlatMapTuple(_signed).with_output_types(Signed)
        )


@dataclasses.dataclass
class SimilarPairs(beam.PTransform):
    """Signed, unique by id → edges between documents that are similar enough, distinct.

    Args:
        how: how candidates are found and compared; where they are not compared, every bucket is a star of edges.
        most: members of a bucket before it is split.
    """

    how: Bands
    most: int = hot_keys.MOST

    def expand(self, documents: beam.PCollection[Signed]) -> beam.PCollection[Edge]:
        star = self.how.least <= 0
        records = documents | "Bands" >> beam.FlatMap(band_records, self.how).with_output_types(_Record)
        buckets = records | "Buckets" >> hot_keys.GroupInParts(itemgetter(1), self.most)
        between = (
            buckets | "Firsts" >> beam.FlatMap(_first_of_part).with_output_types(_Record) | "Parts" >> beam.GroupByKey()
        )
        pairs = (
            buckets | "Inside" >> beam.FlatMap(_pairs, star).with_output_types(Edge),
            between | "Between" >> beam.FlatMap(_pairs, star).with_output_types(Edge),
        ) | "Pairs" >> beam.Flatten()
        if star:
            return pairs | "Distinct" >> folds.Once()
        exact = self.how.exact
        compared_by = documents | "ComparedBy" >> beam.Map(
            lambda s: (s.doc_id, s.shingles if exact else s.signature)
        ).with_output_types(tuple[str, bytes])
        others = pairs | "BothWays" >> beam.FlatMap(lambda e: (e, (e[1], e[0]))).with_output_types(Edge)
        return (
            {"own": compared_by, "others": others}
            | "Join" >> joins.Join()
            | "Ends" >> beam.FlatMap(_ends).with_output_types(tuple[str, bytes])
            | "Meet" >> beam.GroupByKey()
            | "Compare" >> beam.FlatMap(_compare, self.how).with_output_types(Edge)
        )


def _signed(_: str, groups: dict[str, Iterable[Sketch]]) -> Iterator[Signed]:
    for alive in groups["alive"]:
        if not takes_part(alive, "near"):
            return
        for made in groups["made"]:
            if (made.origin, made.warc_file, made.warc_offset) == (alive.origin, alive.warc_file, alive.warc_offset):
                if made.signature:
                    yield Signed(made.doc_id, bool(made.origin), made.signature, made.shingles)
                return


def _edge(one: str, other: str) -> Edge:
    return (one, other) if one < other else (other, one)


def band_records(document: Signed, how: Bands) -> Iterator[tuple[bytes, InBucket]]:
    """A record for each band of a document, under the band's key."""
    keys = list(minhash.band_keys(document.signature, how.bands, how.rows))
    for key, following in zip(keys, keys[1:] + keys[:1], strict=True):
        yield key, (following[2:], document.doc_id, document.earlier)


def _first_of_part(bucket: tuple[bytes, Iterable[InBucket]]) -> Iterator[tuple[bytes, InBucket]]:
    key, members = bucket
    if len(key) > minhash.KEY_BYTES:
        yield key[: minhash.KEY_BYTES], min(members)


def _pairs(bucket: tuple[bytes, Iterable[InBucket]], star: bool) -> Iterator[Edge]:
    yield from bucket_pairs(bucket[1], star)


def _ends(item: tuple[str, dict[str, Iterable[Any]]]) -> Iterator[tuple[str, bytes]]:
    name, groups = item
    for compared_by in groups["own"]:
        for other in set(groups["others"]):
            yield _SEPARATOR.join(_edge(name, other)), compared_by


def _compare(item: tuple[str, Iterable[bytes]], how: Bands) -> Iterator[Edge]:
    first, second = item[1]
    Metrics.counter("dedup", "pairs_compared").inc()
    if (minhash.jaccard if how.exact else minhash.estimate)(first, second) >= how.least:
        Metrics.counter("dedup", "pairs_similar").inc()
        smaller, larger = item[0].split(_SEPARATOR)
        yield smaller, larger
