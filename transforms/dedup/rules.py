"""Rules by equal keys: the same record, the same URL, the same text, the same pictures.

sketches of documents → which document is dropped in favour of which, and how that was found.

Each rule works on what the rule before it left: one copy of a record that stands in two files; of captures of one URL
the newest; of equal texts, of equal image lists, then of nearly equal texts (lsh.py, components.py) the one that the
policy prefers. What a document is dropped for may be dropped by a later rule; chains.py follows that to its end.

Documents of earlier runs (index.py) take part in the rules that they came to in their own run, win over this run's,
and are never dropped again.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any, Literal, NamedTuple

import apache_beam as beam

from weft.schemas.parameters import DuplicateRules
from weft.schemas.records import DROPPED, EARLIER_DROPPED, Fate, Sketch
from weft.transforms.beam import coders, hot_keys
from weft.transforms.beam.folds import Fold
from weft.transforms.beam.joins import Join

STAGE = "dedup"

Policy = Literal["newest", "oldest", "longest", "quality", "most_images"]

# The rules in their order, and the sketch's column that each compares; what an earlier run dropped by one of them
# takes part in that one and those before it.
RULES = {"url": "url_key", "exact": "text_key", "images": "images_key", "near": ""}


class Drop(NamedTuple):
    """A document that goes, and why."""

    doc_id: str
    kept_id: str  # what stays in its place
    how: str  # one of RULES


coders.register(Drop)
coders.register(Fate)
coders.register(Sketch)


def equal_rules(rules: DuplicateRules) -> list[str]:
    """The rules by equal keys that are on, in their order.

    >>> equal_rules(DuplicateRules(exact=False, image_sets=True))
    ['url', 'images']
    """
    switches = {"url": rules.url, "exact": rules.exact, "images": rules.image_sets}
    return [rule for rule in RULES if switches.get(rule)]


def takes_part(document: Sketch, rule: str) -> bool:
    """Whether a document comes to a rule: one that an earlier run dropped, only where it did in that run."""
    order = [*RULES]
    return document.origin != EARLIER_DROPPED or order.index(document.how) >= order.index(rule)


def rank(document: Sketch, policy: Policy) -> tuple[int | str, ...]:
    """Sorts highest what the policy keeps; never equal for two documents. An earlier run's kept document beats all.

    Of an archive only its name counts: the same ones in other directories keep the same documents.
    """
    newest = (document.crawl_date, document.warc_file.rpartition("/")[2], document.warc_offset, document.doc_id)
    if policy == "oldest":
        return (document.origin, -document.crawl_date, *newest)
    if policy == "longest":
        return (document.origin, document.words, *newest)
    if policy == "quality":
        return (document.origin, document.quality, *newest)
    if policy == "most_images":
        return (document.origin, document.images, document.words, *newest)
    return (document.origin, *newest)


@dataclasses.dataclass
class OneCopy(beam.PTransform):
    """Sketches → (one sketch per doc_id, fates of the other copies of the same record).

    Or (sketches, (doc_id, words) of documents that their sites forbid): then the words are in `Sketch.forbidden`. The
    copy at the smallest (file's name, offset) stays, an earlier run's before all. The others need keys of their own in
    the books: doc_id@file:offset, and #n where even those repeat.
    """

    def expand(self, inputs: Any) -> tuple[beam.PCollection[Sketch], beam.PCollection[Fate]]:
        found, forbidden = inputs if isinstance(inputs, tuple) else (inputs, None)
        keyed = found | "ById" >> beam.Map(lambda s: (s.doc_id, s)).with_output_types(tuple[str, Sketch])
        if forbidden is None:
            grouped = keyed | "SameId" >> beam.GroupByKey()
        else:
            joined = {"copies": keyed, "words": forbidden} | "SameId" >> Join()
            grouped = joined | "Mark" >> beam.MapTuple(_marked).with_output_types(tuple[str, list[Sketch]])
        return (
            grouped | "FirstCopy" >> beam.MapTuple(lambda _, copies: min(copies, key=_order)).with_output_types(Sketch),
            grouped | "OtherCopies" >> beam.FlatMapTuple(_other_copies).with_output_types(Fate),
        )


@dataclasses.dataclass
class EqualDocuments(beam.PTransform):
    """Sketches, one a document → (those that stay, drops), by all rules by equal keys that are on.

    Documents with an evaluation text, or forbidden by their sites, take no part, so that none wins over one that may
    stay; they are in neither output.
    """

    rules: DuplicateRules

    def expand(self, sketches: beam.PCollection[Sketch]) -> tuple[beam.PCollection[Sketch], beam.PCollection[Drop]]:
        left = sketches | "Clean" >> beam.Filter(lambda s: not (s.contaminated or s.forbidden)).with_output_types(
            Sketch
        )
        drops = [sketches.pipeline | "NoDrops" >> beam.Create([]).with_output_types(Drop)]
        for rule in equal_rules(self.rules):
            policy: Policy = "newest" if rule == "url" else self.rules.keep
            left, dropped = left | f"Same_{rule}" >> EqualKeys(rule, policy)
            drops.append(dropped)
        return left, tuple(drops) | "Drops" >> beam.Flatten()


@dataclasses.dataclass
class EqualKeys(beam.PTransform):
    """Sketches → (those that a rule leaves, drops): what has the same key as a better one goes, no key is no reason."""

    rule: str
    policy: Policy

    def expand(self, alive: beam.PCollection[Sketch]) -> tuple[beam.PCollection[Sketch], beam.PCollection[Drop]]:
        column, rule = RULES[self.rule], self.rule
        free = alive | "NoKey" >> beam.Filter(lambda s: s.origin or not getattr(s, column)).with_output_types(Sketch)
        best, drops = (
            alive
            | "Key"
            >> beam.FlatMap(
                lambda s: [(getattr(s, column), s)] if getattr(s, column) and takes_part(s, rule) else []
            ).with_output_types(tuple[str, Sketch])
            | "KeepBest" >> KeepBest(self.policy, rule)
        )
        new = best | "New" >> beam.Filter(lambda s: not s.origin).with_output_types(Sketch)
        return (free, new) | "Left" >> beam.Flatten(), drops


@dataclasses.dataclass
class KeepBest(beam.PTransform):
    """(key, sketch) → (the best sketch of each key, drops of the others).

    A combiner finds the best, so that no worker holds all sketches of a key; the others then learn of it.

    Args:
        policy: which one stays.
        how: what the drops are called.
        most: sketches of a key before it is split.
    """

    policy: Policy
    how: str
    most: int = hot_keys.MOST

    def expand(
        self, keyed: beam.PCollection[tuple[str, Sketch]]
    ) -> tuple[beam.PCollection[Sketch], beam.PCollection[Drop]]:
        how = self.how
        best = keyed | "Best" >> CountAndBest(self.policy)
        shared = best | "Shared" >> beam.Filter(lambda item: item[1][0] > 1)
        others = {
            "rows": keyed | "Ids" >> beam.Map(_id_if_new).with_output_types(tuple[str, str]),
            "one": shared
            | "BestId" >> beam.MapTuple(lambda key, found: (key, found[1].doc_id)).with_output_types(tuple[str, str]),
            "sizes": shared | "Sizes" >> hot_keys.Sizes(),
        } | "Others" >> hot_keys.Attach(most=self.most)
        return (
            best | "Sketch" >> beam.MapTuple(lambda _, found: found[1]).with_output_types(Sketch),
            others
            | "NotItself" >> beam.Filter(lambda item: item[0] and item[0] != item[1])
            | "Drop" >> beam.MapTuple(lambda doc_id, kept: Drop(doc_id, kept, how)).with_output_types(Drop),
        )


@dataclasses.dataclass
class CountAndBest(beam.PTransform):
    """(key, sketch) → (key, (how many, the best of them))."""

    policy: Policy

    def expand(self, keyed: beam.PCollection[tuple[str, Sketch]]) -> beam.PCollection[tuple[str, tuple[int, Sketch]]]:
        one = tuple[str, tuple[int, Sketch]]
        return (
            keyed
            | "One" >> beam.MapTuple(lambda key, document: (key, (1, document))).with_output_types(one)
            | "Better" >> Fold(partial(_better, policy=self.policy))
        )


def _better(one: tuple[int, Sketch], other: tuple[int, Sketch], policy: Policy) -> tuple[int, Sketch]:
    return one[0] + other[0], max(one[1], other[1], key=lambda document: rank(document, policy))


@dataclasses.dataclass
class InGroups(beam.PTransform):
    """(sketches, (doc_id, group)) → (group, sketch) for every group that a document is in."""

    def expand(
        self, inputs: tuple[beam.PCollection[Sketch], beam.PCollection[tuple[str, str]]]
    ) -> beam.PCollection[tuple[str, Sketch]]:
        sketches, groups = inputs
        keyed = sketches | "ById" >> beam.Map(lambda s: (s.doc_id, s)).with_output_types(tuple[str, Sketch])
        return (
            {"sketch": keyed, "group": groups}
            | "Join" >> Join()
            | "InGroup" >> beam.FlatMapTuple(_in_groups).with_output_types(tuple[str, Sketch])
        )


def _order(document: Sketch) -> tuple[int, str, int, tuple[Any, ...]]:
    return -document.origin, document.warc_file.rpartition("/")[2], document.warc_offset, tuple(document)


def _marked(doc_id: str, groups: dict[str, Iterable[Any]]) -> tuple[str, list[Sketch]]:
    words = min(groups["words"], default="")  # as many as the record has copies, and all alike
    return doc_id, [s if s.origin else s._replace(forbidden=words) for s in groups["copies"]]


def _other_copies(doc_id: str, copies: Iterable[Sketch]) -> Iterator[Fate]:
    first, *others = sorted(copies, key=_order)
    seen: Counter[str] = Counter()
    for other in others:
        if other.origin:
            continue
        key = f"{doc_id}@{other.warc_file}:{other.warc_offset}"
        seen[key] += 1
        again = f"#{seen[key]}" if seen[key] > 1 else ""
        where = f"{first.warc_file}:{first.warc_offset}"
        yield Fate(STAGE, "document", key + again, DROPPED, "duplicate_record", where)


def _id_if_new(item: tuple[str, Sketch]) -> tuple[str, str]:
    return item[0], "" if item[1].origin else item[1].doc_id


def _in_groups(_: str, found: dict[str, Iterable[Any]]) -> Iterator[tuple[str, Sketch]]:
    for group in found["group"]:
        for document in found["sketch"]:
            yield group, document
