"""Keys with too many values: found, and split into parts, so that no worker holds all values of one key.

A page template puts a hundred thousand documents into one bucket, a footer stands on every page of a host. Runners
hand the values of a key to one worker, and Spark's keeps them in its memory (apache/beam#30184). So a key that is hot
is split by a hash of the row: what is done for a key is done for each part, and again for what is left of the parts.

    GroupInParts    (key, row)                           → (key or part of it, rows)
    JoinInParts     rows (key, row), one (key, value)    → (key or part of it, {"rows", "one"}), the one in every part
    Attach          the same                             → (row, value)

Which keys are hot is known from exact numbers where those are at hand. Else it is counted in a sample that a hash of
the row chooses, the same on every runner and in any order; a combiner counts before anything is shuffled, and the few
hot keys are a side input. A key that the sample misses has at most a few times `MOST` values, all but surely: of
4 x MOST rows the sample holds 256 on average, and misses MOST / SAMPLE = 64 of them once in e^100 keys.
"""

from __future__ import annotations

import dataclasses
import operator
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

import apache_beam as beam
import xxhash
from apache_beam.typehints import typehints
from apache_beam.typehints.native_type_compatibility import convert_to_beam_type

from weft.transforms.beam.folds import Fold
from weft.transforms.beam.joins import Join

SAMPLE = 64  # one row in so many is counted
MOST = 4_096  # values that a key may have before it is split, about
_SPLIT = "\x1f"  # between a key and the number of its part

Key = TypeVar("Key", str, bytes)


def split(key: Key, part: int) -> Key:
    r"""The key of one part of a hot key; no id or hash holds the separator at the end of its fixed length.

    >>> split("page", 2), split(b"page", 0)
    ('page\x1f2', b'page\x1f0')
    """
    suffix = f"{_SPLIT}{part}"
    return key + suffix if isinstance(key, str) else key + suffix.encode()


def whole(key: str) -> str:
    r"""The key that `split` made a part of, or the key itself.

    >>> whole("page\x1f2"), whole("page")
    ('page', 'page')
    """
    return key.partition(_SPLIT)[0]


def is_first(key: str) -> bool:
    """Whether a key is whole or the first of its parts: what is done once for a key is done there."""
    return _SPLIT not in key or key.endswith(f"{_SPLIT}0")


def part_of(member: str, parts: int) -> int:
    """The part that a member belongs to."""
    return xxhash.xxh3_64_intdigest(member.encode("utf-8", "surrogatepass"), 1) % parts


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
            | "Sample" >> beam.FlatMap(_sampled, sample).with_output_types(_beside(rows, int))
            | "Count" >> Fold(operator.add)
            | "Hot" >> beam.FlatMapTuple(lambda key, seen: _parts(key, seen * sample, most))
        )


@dataclasses.dataclass
class GroupInParts(beam.PTransform):
    """(key, row) → (key, or a part of it; its rows).

    Args:
        member: the string of a row that says which part it belongs to; the row itself where it is one.
        most: rows of a key before it is split.
        sample: as of HotKeys.
        hot: (key, number of parts) of the keys to split, where the caller has them.
    """

    member: Callable[[Any], str] = str
    most: int = MOST
    sample: int = SAMPLE
    hot: Any = None

    def expand(self, rows: beam.PCollection[tuple[Key, Any]]) -> beam.PCollection[tuple[Key, Iterable[Any]]]:
        hot = self.hot or rows | "Find" >> _Find(self.member, self.most, self.sample)
        return (
            rows
            | "Place" >> beam.Map(_placed, self.member, beam.pvalue.AsDict(hot)).with_output_types(rows.element_type)
            | "Group" >> beam.GroupByKey()
        )


@dataclasses.dataclass
class JoinInParts(beam.PTransform):
    """{"rows": (key, row), "one": (key, value), one a key at most} → (key, or a part of it; {"rows": …, "one": …}).

    Every part of a split key has the key's value. A third input, "sizes", (key, number of its rows), decides which keys
    are split where such numbers are at hand; else a sample of the rows does.

    Args:
        member: the string of a row that says which part it belongs to; the row itself where it is one.
        most: rows of a key before it is split.
    """

    member: Callable[[Any], str] = str
    most: int = MOST

    def expand(self, inputs: dict[str, beam.PCollection[Any]]) -> beam.PCollection[tuple[Key, dict[str, Any]]]:
        rows, one, most = inputs["rows"], inputs["one"], self.most
        if "sizes" in inputs:
            found = inputs["sizes"] | "Large" >> beam.FlatMapTuple(lambda key, size: _parts(key, size, most))
        else:
            found = rows | "Find" >> _Find(self.member, most, SAMPLE)
        hot = beam.pvalue.AsDict(found)
        return {
            "rows": rows | "Place" >> beam.Map(_placed, self.member, hot).with_output_types(rows.element_type),
            "one": one | "Copies" >> beam.FlatMap(_copies, hot).with_output_types(one.element_type),
        } | "Join" >> Join()


class Sizes(beam.PTransform):
    """(key, (number of its rows, …)) → (key, number of its rows)."""

    def expand(self, counted: beam.PCollection[tuple[Key, tuple[Any, ...]]]) -> beam.PCollection[tuple[Key, int]]:
        return counted | beam.Map(lambda row: (row[0], row[1][0])).with_output_types(_beside(counted, int))


@dataclasses.dataclass
class Attach(beam.PTransform):
    """What JoinInParts takes → (row, value).

    Args:
        left: rows without a value come out with None; else they are gone.
    """

    member: Callable[[Any], str] = str
    most: int = MOST
    left: bool = False

    def expand(self, inputs: dict[str, beam.PCollection[Any]]) -> beam.PCollection[tuple[Any, Any]]:
        return inputs | "InParts" >> JoinInParts(self.member, self.most) | "Attach" >> beam.FlatMap(_attach, self.left)


@dataclasses.dataclass
class _Find(beam.PTransform):
    """(key, row) → (key, number of parts) of the hot ones."""

    member: Callable[[Any], str]
    most: int
    sample: int

    def expand(self, rows: beam.PCollection[tuple[Key, Any]]) -> beam.PCollection[tuple[Key, int]]:
        member = self.member
        named = rows | "Member" >> beam.Map(lambda row: (row[0], member(row[1]))).with_output_types(_beside(rows, str))
        return named | "Hot" >> HotKeys(self.most, self.sample)


def _beside(rows: beam.PCollection[Any], value: type) -> Any:
    """The type of (key of these rows, value)."""
    return typehints.Tuple[convert_to_beam_type(rows.element_type).tuple_types[0], value]


def _parts(key: Key, size: int, most: int) -> Iterator[tuple[Key, int]]:
    if size > most:
        yield key, -(-size // most)


def _sampled(row: tuple[Key, str], sample: int) -> Iterator[tuple[Key, int]]:
    key, member = row
    raw = key.encode("utf-8", "surrogatepass") if isinstance(key, str) else key
    if xxhash.xxh3_64_intdigest(raw + member.encode("utf-8", "surrogatepass")) % sample == 0:
        yield key, 1


def _placed(row: tuple[Key, Any], member: Callable[[Any], str], hot: dict[Key, int]) -> tuple[Key, Any]:
    parts = hot.get(row[0])
    return (split(row[0], part_of(member(row[1]), parts)), row[1]) if parts else row


def _copies(row: tuple[Key, Any], hot: dict[Key, int]) -> Iterator[tuple[Key, Any]]:
    key, value = row
    parts = hot.get(key)
    if not parts:
        yield row
    else:
        for part in range(parts):
            yield split(key, part), value


def _attach(item: tuple[Key, dict[str, list[Any]]], left: bool) -> Iterator[tuple[Any, Any]]:
    for value in item[1]["one"] or ([None] if left else []):  # one at most
        for row in item[1]["rows"]:
            yield row, value
