"""Duplicate documents: the same record, the same URL, the same text, the same pictures, nearly the same text.

sketches of documents → which document is dropped in favour of which, and how that was found.

Each rule works on what the rule before it left: one copy of a record that stands in two files; of captures of one URL
the newest; of equal texts, of equal image lists, then of nearly equal texts (transforms/dedup/lsh.py,
transforms/dedup/components.py) the one the policy prefers. Chains are followed to their end, so that what a dropped
document points at is always kept: where B replaced A at their URL and C replaced B as a near-duplicate, A points at C.

Documents of earlier runs (index.py) take part in the rules that they came to in their own run, win over
this run's, and are never dropped again.

Only sketches (ids, hashes, counts, signatures) cross a shuffle, never texts.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from operator import itemgetter
from typing import Any, Literal

import apache_beam as beam
import numpy as np

from weft.schemas.config import Dedup
from weft.schemas.records import DROPPED, Fate, Sketch, stable_id
from weft.transforms.beam import coders, hot_keys
from weft.transforms.dedup import contamination, minhash, shingles
from weft.transforms.dedup.shingles import Scheme
from weft.transforms.urls import page_key

coders.register(Sketch)

STAGE = "dedup"
COLUMNS = ("doc_id", "url", "crawl_date", "warc_file", "warc_offset", "texts", "images")  # what `sketches` reads
BATCH = 256  # documents that are sketched together

Policy = Literal["newest", "oldest", "longest", "quality", "most_images"]
Drop = tuple[str, tuple[str, str]]  # doc_id, (doc_id of what replaces it, how)

# The rules in their order, and the sketch's column that each compares; what an earlier run dropped by one of them
# takes part in that one and those before it.
RULES = {"url": "url_key", "exact": "text_key", "images": "images_key", "near": ""}
_SENTENCE_ENDS = frozenset('.!?…"”’»)。！？」』')


def scheme(config: Dedup) -> Scheme:
    """What signatures are made by."""
    return Scheme(config.unit, config.ngram, config.hasher)


def bands(config: Dedup) -> minhash.Bands:
    """How candidates are found and compared.

    Raises:
        ConfigError: no bands reach the configured recall.
    """
    compared = config.verify if config.cluster == "verified" else ""
    return minhash.choose(config.threshold, config.recall, config.permutations, compared)


def sketches(rows: Iterable[Mapping[str, Any]], config: Dedup) -> Iterator[Sketch]:
    """Rows of the documents table (columns COLUMNS) as sketches; hashes only where a rule will look at them.

    An interleaved document is compared by its text segments alone: its pictures often differ in nothing but size or
    host. Documents without a word are equal when they have the same pictures; without pictures they equal nothing.
    """
    remaining = iter(rows)
    while batch := list(islice(remaining, BATCH)):
        yield from _sketch_batch(batch, config)


def rank(document: Sketch, policy: Policy) -> tuple[int | str, ...]:
    """Sorts highest what the policy keeps; never equal for two documents. An earlier run's kept document beats all."""
    newest = (document.crawl_date, document.warc_file, document.warc_offset, document.doc_id)
    if policy == "oldest":
        return (document.age, -document.crawl_date, *newest)
    if policy == "longest":
        return (document.age, document.words, *newest)
    if policy == "quality":
        return (document.age, document.quality, *newest)
    if policy == "most_images":
        return (document.age, document.images, document.words, *newest)
    return (document.age, *newest)


def prose_words(texts: Iterable[str]) -> int:
    """Words in lines that end as a sentence does, each line once: C4's and FineWeb's mark of prose."""
    lines = {line.rstrip() for text in texts for line in text.splitlines()}
    return sum(len(line.split()) for line in lines if line[-1:] in _SENTENCE_ENDS and line)


@dataclasses.dataclass
class OneCopy(beam.PTransform):
    """Sketches → (one sketch per doc_id, fates of the other copies of the same record).

    The copy at the smallest (file, offset) stays, an earlier run's before all. The others need keys of their own in
    the books: doc_id@file:offset, and #n where even those repeat.
    """

    def expand(self, found: beam.PCollection[Sketch]) -> tuple[beam.PCollection[Sketch], beam.PCollection[Fate]]:
        grouped = (
            found
            | "ById" >> beam.Map(lambda s: (s.doc_id, s)).with_output_types(tuple[str, Sketch])
            | "SameId" >> beam.GroupByKey()
        )
        return (
            grouped | "FirstCopy" >> beam.MapTuple(lambda _, copies: min(copies, key=_place)).with_output_types(Sketch),
            grouped | "OtherCopies" >> beam.FlatMapTuple(_other_copies).with_output_types(Fate),
        )


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
        best = keyed | "Best" >> beam.CombinePerKey(Best(self.policy))
        shared = best | "Shared" >> beam.Filter(lambda item: item[1][0] > 1)
        others = {
            "rows": keyed | "Ids" >> beam.Map(_id_if_new).with_output_types(tuple[str, str]),
            "one": shared
            | "BestId" >> beam.MapTuple(lambda key, found: (key, found[1].doc_id)).with_output_types(tuple[str, str]),
            "sizes": shared | "Sizes" >> beam.MapTuple(lambda key, found: (key, found[0])),
        } | "Others" >> hot_keys.Attach(most=self.most)
        return (
            best | "Sketch" >> beam.MapTuple(lambda _, found: found[1]).with_output_types(Sketch),
            others
            | "NotItself" >> beam.Filter(lambda item: item[0] and item[0] != item[1])
            | "Drop" >> beam.MapTuple(lambda doc_id, kept: (doc_id, (kept, how))).with_output_types(Drop),
        )


@dataclasses.dataclass
class EqualKeys(beam.PTransform):
    """Sketches → (those that a rule leaves, drops): what has the same key as a better one goes, no key is no reason."""

    rule: str
    policy: Policy

    def expand(self, alive: beam.PCollection[Sketch]) -> tuple[beam.PCollection[Sketch], beam.PCollection[Drop]]:
        column, rule = RULES[self.rule], self.rule
        free = alive | "NoKey" >> beam.Filter(lambda s: s.age or not getattr(s, column)).with_output_types(Sketch)
        best, drops = (
            alive
            | "Key"
            >> beam.FlatMap(
                lambda s: [(getattr(s, column), s)] if getattr(s, column) and takes_part(s, rule) else []
            ).with_output_types(tuple[str, Sketch])
            | "KeepBest" >> KeepBest(self.policy, rule)
        )
        new = best | "New" >> beam.Filter(lambda s: not s.age).with_output_types(Sketch)
        return (free, new) | "Left" >> beam.Flatten(), drops


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
        by_target = earlier | "ByTarget" >> beam.Map(lambda d: (d[1][0], (d[0], d[1][1]))).with_output_types(Drop)
        return (
            {"rows": by_target, "one": later}
            | "Join" >> hot_keys.JoinInParts(itemgetter(0))
            | "Follow" >> beam.FlatMapTuple(_follow, self.both).with_output_types(Drop)
        )


def takes_part(document: Sketch, rule: str) -> bool:
    """Whether a document comes to a rule: an earlier run's only where it did in that run."""
    order = [*RULES]
    return document.age != 1 or order.index(document.how) >= order.index(rule)


class Best(beam.CombineFn):
    """Sketches → (how many, the best of them)."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy

    def create_accumulator(self) -> tuple[int, Sketch | None]:
        return 0, None

    def add_input(self, found: tuple[int, Sketch | None], document: Sketch) -> tuple[int, Sketch | None]:
        return found[0] + 1, self._better(found[1], document)

    def merge_accumulators(self, all_found: Iterable[tuple[int, Sketch | None]]) -> tuple[int, Sketch | None]:
        count, best = 0, None
        for number, document in all_found:
            count += number
            best = self._better(best, document)
        return count, best

    def extract_output(self, found: tuple[int, Sketch | None]) -> tuple[int, Sketch | None]:
        return found

    def _better(self, one: Sketch | None, other: Sketch | None) -> Sketch | None:
        if one is None or other is None:
            return one or other
        return max(one, other, key=lambda document: rank(document, self._policy))


def _sketch_batch(rows: Sequence[Mapping[str, Any]], config: Dedup) -> Iterator[Sketch]:
    said = [[text for text in row["texts"] or () if text is not None] for row in rows]
    wanted = config.url or config.exact or config.near
    normalised = [shingles.normalise("\n".join(texts)) if wanted else b"" for texts in said]
    word_hashes, sizes = shingles.tokens(normalised)
    ends = np.cumsum(sizes)
    signed, sets = [b""] * len(rows), [b""] * len(rows)
    if config.near:
        made = scheme(config)
        hashed, counts = shingles.shingles(normalised, made, (word_hashes, sizes))
        signed = minhash.signatures(hashed, counts, config.permutations)
        if config.cluster == "verified" and config.verify == "exact":
            parts = np.split(hashed, np.cumsum(counts)[:-1])
            sets = [np.unique(part).astype("<u4").tobytes() for part in parts]
    for index, (row, texts) in enumerate(zip(rows, said, strict=True)):
        images = [image for image in row["images"] or () if image is not None]
        own = word_hashes[ends[index] - sizes[index] : ends[index]]
        page = page_key(row["url"] or "") if wanted else ""
        same_images = stable_id("images", *images) if images else ""
        yield Sketch(
            doc_id=row["doc_id"],
            warc_file=row["warc_file"] or "",
            warc_offset=row["warc_offset"] or 0,
            crawl_date=row["crawl_date"] or 0,
            words=int(sizes[index]),
            images=len(images),
            quality=prose_words(texts) if config.keep == "quality" else 0,
            url_key=stable_id("page", page) if page else "",
            text_key=stable_id("text", own.tobytes().hex()) if len(own) else same_images if wanted else "",
            images_key=same_images if config.image_sets and len(images) > 1 else "",
            contaminated=_contamination(normalised[index], texts, config),
            age=0,
            how="",
            signature=signed[index],
            shingles=sets[index],
        )


def _contamination(normalised: bytes, texts: Sequence[str], config: Dedup) -> str:
    if not config.evaluation:
        return ""
    known = contamination.load(config.evaluation, config.evaluation_ngram)
    tokens = normalised.split() or shingles.words("\n".join(texts))  # normalised is empty where no rule asked
    hit = known.find(tokens, config.evaluation_hits, config.evaluation_window)
    return f"{hit.name}: {hit.words}" if hit else ""


def _place(document: Sketch) -> tuple[int, str, int, tuple[Any, ...]]:
    return -document.age, document.warc_file, document.warc_offset, tuple(document)


def _other_copies(doc_id: str, copies: Iterable[Sketch]) -> Iterator[Fate]:
    first, *others = sorted(copies, key=_place)
    seen: Counter[str] = Counter()
    for other in others:
        if other.age:
            continue
        key = f"{doc_id}@{other.warc_file}:{other.warc_offset}"
        seen[key] += 1
        again = f"#{seen[key]}" if seen[key] > 1 else ""
        where = f"{first.warc_file}:{first.warc_offset}"
        yield Fate(STAGE, "document", key + again, DROPPED, "duplicate_record", where)


def _id_if_new(item: tuple[str, Sketch]) -> tuple[str, str]:
    return item[0], "" if item[1].age else item[1].doc_id


def _follow(key: str, groups: dict[str, Iterable[tuple[str, str]]], both: bool = False) -> Iterator[Drop]:
    target = hot_keys.whole(key)
    further = target
    for kept, how in groups["one"]:  # one at most
        further = kept
        if both and hot_keys.is_first(key):
            yield target, (kept, how)
    for doc_id, how in groups["rows"]:
        yield doc_id, (further, how)
