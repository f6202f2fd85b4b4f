"""Duplicate documents: the same record, the same URL, the same text, nearly the same text.

sketches of documents → which document is dropped in favour of which, and how that was found.

Each rule works on what the rule before it left: one copy of a record that stands in two files; of captures of one URL
the newest; of equal texts, then of nearly equal texts (transforms/minhash.py, transforms/components.py) the one the
policy prefers. Chains are followed to their end, so that what a dropped document points at is always kept: where B
replaced A at their URL and C replaced B as a near-duplicate, A points at C.

Only sketches (ids, hashes, counts, signatures) cross a shuffle, never texts.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal

import apache_beam as beam

from schemas.config import Dedup
from schemas.records import DROPPED, Fate, Sketch, stable_id
from transforms import minhash
from transforms.components import Components
from transforms.urls import page_key

beam.coders.registry.register_coder(Sketch, beam.coders.RowCoder)

STAGE = "dedup"
COLUMNS = ("doc_id", "url", "crawl_date", "warc_file", "warc_offset", "texts", "images")  # what `sketch` reads

Policy = Literal["newest", "longest", "most_images"]
Drop = tuple[str, tuple[str, str]]  # doc_id, (doc_id of what replaces it, how)


def sketch(row: Mapping[str, Any], config: Dedup) -> Sketch:
    """A row of the documents table (columns COLUMNS) as a sketch; hashes only where a rule will look at them.

    An interleaved document is compared by its text segments alone: its pictures often differ in nothing but size or
    host. Documents without a word are equal when they have the same pictures; without pictures they equal nothing.
    """
    texts = [text for text in row["texts"] or () if text is not None]
    images = [image for image in row["images"] or () if image is not None]
    url_key = text_key = ""
    signature, tokens = b"", []
    if config.url or config.exact or config.near:
        tokens = minhash.words("\n".join(texts))
        page = page_key(row["url"] or "")
        url_key = stable_id("page", page) if page else ""
        if tokens:
            text_key = stable_id("text", b" ".join(tokens).decode("utf-8", "surrogatepass"))
        elif images:
            text_key = stable_id("images", *images)
        signature = minhash.signature(minhash.shingles(tokens, config.ngram), config.permutations)
    return Sketch(
        doc_id=row["doc_id"],
        warc_file=row["warc_file"] or "",
        warc_offset=row["warc_offset"] or 0,
        crawl_date=row["crawl_date"] or 0,
        words=len(tokens),
        images=len(images),
        url_key=url_key,
        text_key=text_key,
        signature=signature,
    )


def rank(document: Sketch, policy: Policy) -> tuple[int | str, ...]:
    """Sorts highest what the policy keeps; never equal for two documents."""
    newest = (document.crawl_date, document.warc_file, document.warc_offset, document.doc_id)
    if policy == "longest":
        return (document.words, *newest)
    if policy == "most_images":
        return (document.images, document.words, *newest)
    return newest


@dataclasses.dataclass
class OneCopy(beam.PTransform):
    """Sketches → (one sketch per doc_id, fates of the other copies of the same record).

    The copy at the smallest (file, offset) stays. The others need keys of their own in the books:
    doc_id@file:offset, and #n where even those repeat.
    """

    def expand(self, sketches: beam.PCollection[Sketch]) -> tuple[beam.PCollection[Sketch], beam.PCollection[Fate]]:
        grouped = (
            sketches
            | "ById" >> beam.Map(lambda s: (s.doc_id, s)).with_output_types(tuple[str, Sketch])
            | "SameId" >> beam.GroupByKey()
        )
        return (
            grouped | "FirstCopy" >> beam.MapTuple(lambda _, copies: min(copies, key=_place)).with_output_types(Sketch),
            grouped | "OtherCopies" >> beam.FlatMapTuple(_other_copies).with_output_types(Fate),
        )


@dataclasses.dataclass
class KeepBest(beam.PTransform):
    """Sketches → (the best of those with equal keys and all without a key, drops of the others).

    Args:
        by: name of the sketch's column that must be equal; "" is equal to nothing.
        policy: which one stays.
        how: what the drops are called.
    """

    by: str
    policy: Policy
    how: str

    def expand(self, sketches: beam.PCollection[Sketch]) -> tuple[beam.PCollection[Sketch], beam.PCollection[Drop]]:
        by, policy, how = self.by, self.policy, self.how
        grouped = (
            sketches
            | "Key"
            >> beam.Map(lambda s: (getattr(s, by) or f"\x00{s.doc_id}", s)).with_output_types(tuple[str, Sketch])
            | "SameKey" >> beam.GroupByKey()
        )
        return (
            grouped | "Best" >> beam.MapTuple(lambda _, group: _best(group, policy)).with_output_types(Sketch),
            grouped
            | "Others" >> beam.FlatMapTuple(lambda _, group: _drops(group, policy, how)).with_output_types(Drop),
        )


@dataclasses.dataclass
class FindDuplicates(beam.PTransform):
    """Sketches, unique by doc_id → (drops, count of edges that the unrolled rounds left to one worker).

    Each dropped document occurs once and points at a document that is kept in the end.

    Args:
        config: the section; its switches say which rules apply.
    """

    config: Dedup

    def expand(self, sketches: beam.PCollection[Sketch]) -> tuple[beam.PCollection[Drop], beam.PCollection[int]]:
        config, alive = self.config, sketches
        found: list[beam.PCollection[Drop]] = []
        if config.url:
            alive, drops = alive | "Url" >> KeepBest("url_key", "newest", "url")
            found.append(drops)
        if config.exact:
            alive, drops = alive | "Exact" >> KeepBest("text_key", config.keep, "exact")
            found.append(drops)
        if config.near:
            drops, unfinished = alive | "Near" >> KeepBestOfSimilar(config)
            found.append(drops)
        else:
            unfinished = sketches.pipeline | "NoEdges" >> beam.Create([0]).with_output_types(int)
        if not found:
            return sketches.pipeline | "NoDrops" >> beam.Create([]).with_output_types(Drop), unfinished
        final = found.pop()  # the last rule's drops point at what is kept; earlier ones may point at what they drop
        while found:
            rule = len(found)
            followed = (found.pop(), final) | f"Follow{rule}" >> Follow()
            final = (final, followed) | f"Join{rule}" >> beam.Flatten()
        return final, unfinished


@dataclasses.dataclass
class KeepBestOfSimilar(beam.PTransform):
    """Sketches → (drops of near-duplicates, count of edges finished by one worker)."""

    config: Dedup

    def expand(self, sketches: beam.PCollection[Sketch]) -> tuple[beam.PCollection[Drop], beam.PCollection[int]]:
        config = self.config
        bands, rows = minhash.choose_bands(config.threshold, config.recall, config.permutations)
        pairs = (
            sketches
            | "WithWords" >> beam.Filter(lambda s: bool(s.signature)).with_output_types(Sketch)
            | "Signed" >> beam.Map(lambda s: (s.doc_id, s.signature)).with_output_types(tuple[str, bytes])
            | "SimilarPairs" >> minhash.SimilarPairs(config.threshold, bands, rows)
        )
        labels, unfinished = pairs | "Components" >> Components(config.rounds)
        unsigned = sketches | "Unsigned" >> beam.Map(lambda s: (s.doc_id, s._replace(signature=b""))).with_output_types(
            tuple[str, Sketch]
        )
        drops = (
            {"sketch": unsigned, "component": labels}
            | "JoinComponent" >> beam.CoGroupByKey()
            | "ByComponent" >> beam.FlatMapTuple(_by_component).with_output_types(tuple[str, Sketch])
            | "SameComponent" >> beam.GroupByKey()
            | "Others" >> beam.FlatMapTuple(lambda _, group: _drops(group, config.keep, "near")).with_output_types(Drop)
        )
        return drops, unfinished


@dataclasses.dataclass
class Follow(beam.PTransform):
    """(drops, drops of what they point at) → the first drops, pointing at what the second ones point at."""

    def expand(self, drops: tuple[beam.PCollection[Drop], beam.PCollection[Drop]]) -> beam.PCollection[Drop]:
        earlier, later = drops
        pointing = earlier | "ByTarget" >> beam.Map(lambda d: (d[1][0], (d[0], d[1][1]))).with_output_types(Drop)
        return (
            {"pointing": pointing, "next": later}
            | "Join" >> beam.CoGroupByKey()
            | "Follow" >> beam.FlatMapTuple(_follow).with_output_types(Drop)
        )


def _place(document: Sketch) -> tuple[str, int, tuple[Any, ...]]:
    return document.warc_file, document.warc_offset, tuple(document)


def _other_copies(doc_id: str, copies: Iterable[Sketch]) -> Iterator[Fate]:
    first, *others = sorted(copies, key=_place)
    seen: Counter[str] = Counter()
    for other in others:
        key = f"{doc_id}@{other.warc_file}:{other.warc_offset}"
        seen[key] += 1
        again = f"#{seen[key]}" if seen[key] > 1 else ""
        where = f"{first.warc_file}:{first.warc_offset}"
        yield Fate(STAGE, "document", key + again, DROPPED, "duplicate_record", where)


def _best(group: Iterable[Sketch], policy: Policy) -> Sketch:
    return max(group, key=lambda document: rank(document, policy))


def _drops(group: Iterable[Sketch], policy: Policy, how: str) -> Iterator[Drop]:
    kept = _best(group, policy).doc_id
    for document in group:  # a second pass and no list: runners may page a large group from disk
        if document.doc_id != kept:
            yield document.doc_id, (kept, how)


def _by_component(doc_id: str, groups: dict[str, Iterable[Any]]) -> Iterator[tuple[str, Sketch]]:
    for component in groups["component"]:
        for document in groups["sketch"]:
            yield component, document


def _follow(target: str, groups: dict[str, Iterable[tuple[str, str]]]) -> Iterator[Drop]:
    further = next((kept for kept, _ in groups["next"]), target)
    for doc_id, how in groups["pointing"]:
        yield doc_id, (further, how)
