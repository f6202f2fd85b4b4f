"""Pictures of pairs that are nearly the same, on whatever hosts: bands of perceptual hashes → graph → the largest.

(key, Look) ─► band keys ─► buckets ─► edges within so many bits ─► by embeddings ─┬─► stars ─► (key, what it repeats)
               the same on one host by embeddings (image_scores.py) ───────────────┘

The graph is that of near-duplicate texts (transforms/dedup/components.py): what edges connect is one picture, and the
largest stands for it. Where no embeddings are compared, a picture goes only where its own hash is near that one's.
Hashes and keys cross the shuffle; vectors do where an edge is to be compared.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import apache_beam as beam
import numpy as np

from weft.transforms.beam import coders, folds, hot_keys, joins
from weft.transforms.dedup.components import Edge, Labels, Stars
from weft.transforms.fetch import looks
from weft.transforms.score.neighbours import DECIMALS

ROUNDS = (
    4  # of stars, in the one job there is: edges this near make shallow graphs; a deeper one keeps some pictures more
)
FIRSTS = 16  # hashes of a part of a split bucket that are compared with those of other parts
WINDOW = 4  # of those before it in a bucket that a picture is linked to: the first may only look like it
_MOST_PIXELS, _NO_HASH = 10**12 - 1, "0" * 16
_HASH, _KEY = slice(12, 28), slice(28, None)  # of a node
_BETWEEN = "\x1f"  # two nodes in one key


class Look(NamedTuple):
    """What a stored picture is compared by."""

    pixels: int  # of the original
    phash: str  # "" where it says nothing (looks.dull)


coders.register(Look)
Repeat = tuple[str, tuple[str, float | None]]  # key, (key of the picture that it repeats, cosine where one was taken)


def node(key: str, pixels: int, phash: str = _NO_HASH) -> str:
    """A picture in the graph: of two, that with more pixels is the smaller node."""
    return f"{_MOST_PIXELS - pixels:012d}{phash}{key}"


def key_of(name: str) -> str:
    """The key of a node's picture."""
    return name[_KEY]


def _hash_of(name: str) -> int:
    return int(name[_HASH], 16)


class LooksOfPairs(beam.PTransform):
    """{"pairs": Owner, "index": rows of images/index} → (key, Look) of every stored picture of a pair, once."""

    def expand(self, inputs: dict[str, beam.PCollection[Any]]) -> beam.PCollection[tuple[str, Look]]:
        shown = (
            inputs["pairs"]
            | "Key" >> beam.FlatMap(lambda owner: owner.images).with_output_types(str)
            | "Each" >> folds.Once()
            | "Shown" >> beam.Map(lambda key: (key, True)).with_output_types(tuple[str, bool])
        )
        stored = (
            inputs["index"]
            | "Stored" >> beam.Filter(lambda row: row.status == "ok")
            | "Look" >> beam.Map(_look).with_output_types(tuple[str, Look])
        )
        return (
            {"stored": stored, "shown": shown}
            | "Join" >> joins.Join()
            | "Both" >> beam.FlatMapTuple(_of_pairs).with_output_types(tuple[str, Look])
        )


@dataclasses.dataclass
class RepeatsAnywhere(beam.PTransform):
    """{"looks": (key, Look), once a key} → Repeat of each picture that is not the largest of its like.

    Where embeddings count there are two inputs more: "vectors", (key, (pixels, unit vector)) as image_scores.Sized has
    them, and "same_host", edges of pictures that are the same by these. Else hashes alone decide.

    Args:
        distance: bits of the 64 that hashes may differ in.
        least: the cosine that the vectors of two need, where both have one.
        most: pictures of a bucket before it is split.
    """

    distance: int
    least: float = 0.0
    most: int = hot_keys.MOST

    def expand(self, inputs: dict[str, beam.PCollection[Any]]) -> beam.PCollection[Repeat]:
        record = tuple[bytes, str]
        buckets = (
            inputs["looks"]
            | "Bands" >> beam.FlatMap(_band_records, self.distance).with_output_types(record)
            | "Buckets" >> hot_keys.GroupInParts(most=self.most)
        )
        between = buckets | "Firsts" >> beam.FlatMap(_firsts).with_output_types(record) | "Parts" >> beam.GroupByKey()
        edges: Any = (
            (
                buckets | "Inside" >> beam.FlatMap(_near, self.distance).with_output_types(Edge),
                between | "Between" >> beam.FlatMap(_near, self.distance).with_output_types(Edge),
            )
            | "Near" >> beam.Flatten()
            | "Once" >> folds.Once()
        )
        if "vectors" in inputs:
            alike = {"edges": edges, "vectors": inputs["vectors"]} | "ByVectors" >> _ByVectors(self.least)
            edges = (alike, inputs["same_host"]) | "Both" >> beam.Flatten()
        stars, _ = edges | "Stars" >> Stars(ROUNDS, self.most)
        most = looks.BITS if "vectors" in inputs else self.distance
        return stars | "Labels" >> Labels() | "Repeat" >> beam.FlatMap(_repeat, most).with_output_types(Repeat)


@dataclasses.dataclass
class _ByVectors(beam.PTransform):
    """{"edges", "vectors"} → the edges whose ends have vectors of this cosine, or not both a vector; without hashes."""

    least: float

    def expand(self, inputs: dict[str, beam.PCollection[Any]]) -> beam.PCollection[Edge]:
        ends = inputs["edges"] | "BothWays" >> beam.FlatMapTuple(_both_ways).with_output_types(Edge)
        vectors = inputs["vectors"] | "AtNode" >> beam.MapTuple(
            lambda key, one: (node(key, one[0]), one[1])
        ).with_output_types(tuple[str, bytes])
        return (
            {"edges": ends, "vectors": vectors}
            | "Join" >> joins.Join()
            | "Ends" >> beam.FlatMapTuple(_ends).with_output_types(tuple[str, bytes])
            | "Meet" >> beam.GroupByKey()
            | "Compare" >> beam.FlatMap(_compared, self.least).with_output_types(Edge)
        )


def _look(row: Any) -> tuple[str, Look]:
    said = row.phash if row.phash and not row.single_colour and not looks.dull(row.phash) else ""
    return row.image_url, Look((row.width or 0) * (row.height or 0), said)


def _of_pairs(key: str, found: dict[str, Iterable[Any]]) -> Iterator[tuple[str, Look]]:
    for look in found["stored"]:
        for _ in found["shown"]:
            yield key, look


def _band_records(item: tuple[str, Look], distance: int) -> Iterator[tuple[bytes, str]]:
    key, look = item
    if look.phash:
        for band in looks.band_keys(look.phash, distance):
            yield band, node(key, *look)


def _near(bucket: tuple[bytes, Iterable[str]], distance: int) -> Iterator[Edge]:
    """Edges from each picture of a bucket to the first of those before it that are near enough."""
    names = sorted(set(bucket[1]))
    hashes = np.array([_hash_of(name) for name in names], np.uint64)
    for n in range(1, len(names)):
        near = np.flatnonzero(np.bitwise_count(hashes[:n] ^ hashes[n]) <= distance)
        for at in near[:WINDOW].tolist():
            yield names[n], names[at]


def _firsts(bucket: tuple[bytes, Iterable[str]]) -> Iterator[tuple[bytes, str]]:
    """Of a part of a bucket, the first picture of each of its commonest hashes, by which the parts meet."""
    key, members = bucket
    if len(key) > looks.KEY_BYTES:
        names = sorted(set(members), reverse=True)
        first = {_hash_of(name): name for name in names}
        times = Counter(map(_hash_of, names))
        for value in sorted(times, key=lambda one: (-times[one], one))[:FIRSTS]:
            yield key[: looks.KEY_BYTES], first[value]


def _both_ways(one: str, other: str) -> Iterator[Edge]:
    """Each end with both, hashes left out."""
    ends = tuple(f"{name[: _HASH.start]}{_NO_HASH}{name[_KEY]}" for name in (one, other))
    yield ends[0], _BETWEEN.join(ends)
    yield ends[1], _BETWEEN.join(ends)


def _ends(_: str, found: dict[str, Iterable[Any]]) -> Iterator[tuple[str, bytes]]:
    vector = next(iter(found["vectors"]), b"")
    for edge in found["edges"]:
        yield edge, vector


def _compared(item: tuple[str, Iterable[bytes]], least: float) -> Iterator[Edge]:
    edge, vectors = item
    one, other = (np.frombuffer(vector, np.float32).astype(np.float64) for vector in vectors)
    # How a sum is ordered decides its last bits.
    if not len(one) or not len(other) or round(float(one @ other), DECIMALS) >= least:
        first, second = edge.split(_BETWEEN)
        yield first, second


def _repeat(edge: Edge, most: int) -> Iterator[Repeat]:
    """A picture and the largest that it is linked to, unless their hashes differ in more than `most` bits."""
    name, label = edge
    if name != label and (_hash_of(name) ^ _hash_of(label)).bit_count() <= most:
        yield key_of(name), (key_of(label), None)
