"""Chains of drops followed to their end, so that what a dropped document points at is always kept.

Where B replaced A at their URL and C replaced B as a near-duplicate, A points at C:

    A → B (url), B → C (near)   becomes   A → C (url), B → C (near)

What earlier runs dropped counts only where what they dropped it for is still kept: a removal may have taken that away.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from operator import attrgetter
from typing import Any

import apache_beam as beam

from weft.schemas.records import EARLIER_DROPPED, Sketch
from weft.transforms.beam import hot_keys
from weft.transforms.beam.folds import Fold, Once
from weft.transforms.beam.joins import Join
from weft.transforms.dedup.rules import Drop


@dataclasses.dataclass
class Follow(beam.PTransform):
    """(drops, drops of what they point at) → the first drops, pointing at what the second ones point at.

    Args:
        both: let the second ones come out as well. They pass through the join for that: where a Flatten's parts are
            read by other steps too, Beam's fusion for runners in Java breaks the pipeline (apache/beam issue 34647).
    """

    both: bool = False

    def expand(self, drops: tuple[beam.PCollection[Drop], beam.PCollection[Drop]]) -> beam.PCollection[Drop]:
        earlier, later = drops
        by_target = earlier | "ByTarget" >> beam.Map(lambda d: (d.kept_id, d)).with_output_types(tuple[str, Drop])
        by_id = later | "ById" >> beam.Map(lambda d: (d.doc_id, d)).with_output_types(tuple[str, Drop])
        return (
            {"rows": by_target, "one": by_id}
            | "Join" >> hot_keys.JoinInParts(attrgetter("doc_id"))
            | "Follow" >> beam.FlatMapTuple(_follow, self.both).with_output_types(Drop)
        )


@dataclasses.dataclass
class FinalDrops(beam.PTransform):
    """(drops by equal keys, drops of near-duplicates) → all of them, each pointing at a document that is kept.

    Args:
        equal: the rules by equal keys that are on, in their order.
    """

    equal: Sequence[str]

    def expand(self, drops: tuple[beam.PCollection[Drop], beam.PCollection[Drop]]) -> beam.PCollection[Drop]:
        by_key, final = drops
        for rule in reversed(self.equal):  # the last rule's drops point at what is kept; earlier ones may not
            of_rule = by_key | f"By_{rule}" >> beam.Filter(lambda d, rule=rule: d.how == rule).with_output_types(Drop)
            final = (of_rule, final) | f"Follow_{rule}" >> Follow(both=True)
        return final


@dataclasses.dataclass
class Standing(beam.PTransform):
    """Rows of the index as drops, `how` "" for what is kept → (drops that stand, drops that do not), one a document.

    A drop stands where an earlier run has kept what it points at. The document of one that does not is kept nowhere,
    and speaks for nobody: a new document that is like it takes its place, so that the text is kept once in all.
    """

    def expand(self, rows: beam.PCollection[Drop]) -> tuple[beam.PCollection[Drop], beam.PCollection[Drop]]:
        state = tuple[str, tuple[bool, str, str]]
        kept = (
            rows
            | "Kept" >> beam.Filter(lambda d: not d.how)
            | "KeptId" >> beam.Map(lambda d: d.doc_id).with_output_types(str)
            | "KeptOnce" >> Once()
            | "KeyKept" >> beam.Map(lambda doc_id: (doc_id, True)).with_output_types(tuple[str, bool])
        )
        drops = (
            rows
            | "Dropped" >> beam.Filter(lambda d: d.how)
            | "ByTarget" >> beam.Map(lambda d: (d.kept_id, d)).with_output_types(tuple[str, Drop])
        )
        one = (
            {"rows": drops, "one": kept}
            | "Attach" >> hot_keys.Attach(attrgetter("doc_id"), left=True)
            | "ByDocument" >> beam.MapTuple(lambda d, found: (d.doc_id, (not found, *d[1:]))).with_output_types(state)
            | "One" >> Fold(min)
        )
        stands, astray = (
            one
            | name >> beam.Filter(lambda item, lost=lost: item[1][0] == lost)
            | f"{name}Drop" >> beam.MapTuple(lambda doc_id, d: Drop(doc_id, *d[1:])).with_output_types(Drop)
            for name, lost in (("Stands", False), ("Astray", True))
        )
        return stands, astray


@dataclasses.dataclass
class WithoutAstray(beam.PTransform):
    """(sketches of earlier runs, drops that do not stand) → the sketches without those of what was so dropped."""

    def expand(self, inputs: tuple[beam.PCollection[Sketch], beam.PCollection[Drop]]) -> beam.PCollection[Sketch]:
        sketches, astray = inputs
        return (
            {
                "sketch": sketches | "ById" >> beam.Map(lambda s: (s.doc_id, s)).with_output_types(tuple[str, Sketch]),
                "astray": astray | "Id" >> beam.Map(lambda d: (d.doc_id, True)).with_output_types(tuple[str, bool]),
            }
            | "Join" >> Join()
            | "Left" >> beam.FlatMapTuple(_left).with_output_types(Sketch)
        )


def _left(_: str, found: dict[str, Iterable[Any]]) -> Iterator[Sketch]:
    for sketch in found["sketch"]:
        if sketch.origin != EARLIER_DROPPED or not any(found["astray"]):
            yield sketch


def _follow(key: str, found: dict[str, Iterable[Any]], both: bool = False) -> Iterator[Drop]:
    kept_id = hot_keys.whole(key)
    for later in sorted(found["one"])[:1]:  # several where runs that did not see each other dropped one record
        kept_id = later.kept_id
        if both and hot_keys.is_first(key):
            yield later
    for drop in found["rows"]:
        yield drop._replace(kept_id=kept_id)
