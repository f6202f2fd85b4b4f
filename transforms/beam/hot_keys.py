"""Keys with too many values: found from a sample, and split into parts, so that no worker holds all values of one key.

A page template puts a hundred thousand documents into one bucket, a footer stands on every page of a host. Runners
hand the values of a key to one worker, and Spark's keeps them in its memory (apache/beam#30184). So keys that are hot
are split by a hash of the member: what is done for a key is done for each part, and again for what is left of the
parts. Which keys are hot is counted in a sample that a hash of the record chooses, so that it is the same on every
runner and in any order; a combiner counts it before anything is shuffled, and the few hot keys are a side input.

A key that the sample misses has at most a few times `MOST` values, all but surely: of 4 x MOST members the sample
holds 256 on average, and misses MOST / SAMPLE = 64 of them once in e^100 keys.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

import apache_beam as beam
import xxhash

SAMPLE = 64  # one record in so many is counted
MOST = 4_096  # values that a key may have before it is split, about
_SPLIT = "\x1f"  # between a key and the number of its part

Key = TypeVar("Key", str, bytes)


def split(key: Key, part: int) -> Key:
    """The key of one part of a hot key; no id or hash holds the separator at the end of its fixed length."""
    suffix = f"{_SPLIT}{part}"
    return key + suffix if isinstance(key, str) else key + suffix.encode()


def whole(key: str) -> str:
    """The key that `split` made a part of, or the key itself."""
    return key.partition(_SPLIT)[0]


def part_of(member: str, parts: int) -> int:
    """The part that a member belongs to."""
    return xxhash.xxh3_64_intdigest(member.encode("utf-8", "surrogatepass"), 1) % parts


def place(key: Key, member: str, parts: int | None) -> Key:
    """The key under which a member is grouped: `key`, or its part where the key is hot."""
    return split(key, part_of(member, parts)) if parts else key


@dataclasses.dataclass
class HotKeys(beam.PTransform):
    """(key, member) → (key, number of parts) of the keys with more than about `most` members; meant as `AsDict`.

    Args:
        most: members of a key, or of a part of it.
        sample: one record in so many is counted; at most `most` / 8, for a sample that means something.
    """

    most: int = MOST
    sample: int = SAMPLE

    def expand(self, rows: beam.PCollection[tuple[Key, str]]) -> beam.PCollection[tuple[Key, int]]:
        most, sample = self.most, self.sample
        return (
            rows
            | "Sample" >> beam.FlatMap(_sampled, sample)
            | "Count" >> beam.CombinePerKey(sum)
            | "Hot" >> beam.FlatMapTuple(lambda key, seen: [(key, -(-seen * sample // most))] * (seen * sample > most))
        )


@dataclasses.dataclass
class Attach(beam.PTransform):
    """{"rows": (key, member), "one": (key, value), one per key} → (member, value); rows without a value are gone.

    Args:
        hot: (key, number of parts) of the keys to split, from `HotKeys` or from exact counts.
    """

    hot: beam.PCollection[tuple[Any, int]]

    def expand(self, inputs: dict[str, beam.PCollection[Any]]) -> beam.PCollection[tuple[str, Any]]:
        hot = beam.pvalue.AsDict(self.hot)
        return (
            {
                "rows": inputs["rows"] | "Place" >> beam.Map(_placed, hot),
                "one": inputs["one"] | "Copies" >> beam.FlatMap(_copies, hot),
            }
            | "Join" >> beam.CoGroupByKey()
            | "Attach" >> beam.FlatMap(_attach)
        )


def _sampled(row: tuple[Key, str], sample: int) -> Iterator[tuple[Key, int]]:
    key, member = row
    raw = key.encode("utf-8", "surrogatepass") if isinstance(key, str) else key
    if xxhash.xxh3_64_intdigest(raw + member.encode("utf-8", "surrogatepass")) % sample == 0:
        yield key, 1


def _placed(row: tuple[Key, str], hot: dict[Key, int]) -> tuple[Key, str]:
    key, member = row
    return place(key, member, hot.get(key)), member


def _copies(row: tuple[Key, Any], hot: dict[Key, int]) -> Iterator[tuple[Key, Any]]:
    key, value = row
    parts = hot.get(key)
    if not parts:
        yield key, value
    else:
        for part in range(parts):
            yield split(key, part), value


def _attach(item: tuple[Key, dict[str, Iterable[Any]]]) -> Iterator[tuple[str, Any]]:
    for value in item[1]["one"]:  # one at most
        for member in item[1]["rows"]:
            yield member, value
