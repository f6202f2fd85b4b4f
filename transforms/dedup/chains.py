"""Chains of drops followed to their end, so that what a dropped document points at is always kept.

Where B replaced A at their URL and C replaced B as a near-duplicate, A points at C:

    A → B (url), B → C (near)   becomes   A → C (url), B → C (near)
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from operator import attrgetter
from typing import Any

import apache_beam as beam

from weft.transforms.beam import hot_keys
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


def _follow(key: str, found: dict[str, Iterable[Any]], both: bool = False) -> Iterator[Drop]:
    kept_id = hot_keys.whole(key)
    for later in found["one"]:  # one at most
        kept_id = later.kept_id
        if both and hot_keys.is_first(key):
            yield later
    for drop in found["rows"]:
        yield drop._replace(kept_id=kept_id)
