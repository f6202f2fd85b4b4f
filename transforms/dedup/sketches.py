"""What duplicates are found by: documents → sketches of hashes, counts and signatures, 0.6 KB each.

Sketches are all that the rules look at, so that no text crosses a shuffle. A hash is there where a rule will look at
it, and nowhere else.

An interleaved document is compared by its text segments alone: its pictures often differ in nothing but size or host.
Documents without a word are equal when they have the same pictures; without pictures they equal nothing.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple

import apache_beam as beam
import numpy as np

from weft.schemas.parameters import DuplicateRules, EvaluationTexts
from weft.schemas.records import Sketch, stable_id
from weft.transforms.beam import coders
from weft.transforms.dedup import contamination, minhash, shingles
from weft.transforms.io.loaded import told
from weft.transforms.urls import page_key

BATCH = 256  # documents that are sketched together
_SENTENCE_ENDS = frozenset('.!?…"”’»)。！？」』')

coders.register(Sketch)


class Content(NamedTuple):
    """What a sketch is made of; any row with these attributes will do. A column may be null in foreign tables."""

    doc_id: str
    url: str | None
    crawl_date: int | None
    warc_file: str | None
    warc_offset: int | None
    texts: list[str | None] | None
    images: list[str | None] | None


def content(document: Any) -> Content:
    """The columns that count, of a row that may have more."""
    return Content(*(getattr(document, name) for name in Content._fields))


def sketches(documents: Iterable[Content], rules: DuplicateRules, evaluation: Sequence[str] = ()) -> Iterator[Sketch]:
    """Sketches of documents, in their order; each depends on its document alone.

    Args:
        evaluation: what the evaluation texts hold where the job was made, as `loaded.told` has it.

    Raises:
        ConfigError: evaluation texts that cannot be read, or are others than those.
    """
    if rules.evaluation:
        contamination.load.as_begun(evaluation, rules.evaluation, rules.evaluation_ngram)
    remaining = iter(documents)
    while batch := list(islice(remaining, BATCH)):
        yield from _sketch_batch(batch, rules)


def unsigned(sketch: Sketch) -> Sketch:
    """The sketch without what near-duplicates are found by, most of its bytes."""
    return sketch._replace(signature=b"", shingles=b"")


def prose_words(texts: Iterable[str]) -> int:
    """Words in lines that end as a sentence does, each line once: C4's and FineWeb's mark of prose.

    >>> prose_words(["Two words.", "Home | About", "Two words."])
    2
    """
    lines = {line.rstrip() for text in texts for line in text.splitlines()}
    return sum(len(line.split()) for line in lines if line[-1:] in _SENTENCE_ENDS and line)


@dataclasses.dataclass
class SketchDocuments(beam.PTransform):
    """Rows with the attributes of Content → Sketch of each."""

    rules: DuplicateRules

    def expand(self, documents: beam.PCollection[Content]) -> beam.PCollection[Sketch]:
        return (
            documents
            | "Content" >> beam.Map(content)
            | "Batch" >> beam.BatchElements(BATCH // 4, BATCH)
            | "Sketch" >> beam.FlatMap(sketches, self.rules, told(self.rules.evaluation)).with_output_types(Sketch)
        )


def _sketch_batch(documents: Sequence[Content], rules: DuplicateRules) -> Iterator[Sketch]:
    said = [[text for text in document.texts or () if text is not None] for document in documents]
    wanted = rules.url or rules.exact or rules.near
    normalised = [shingles.normalise("\n".join(texts)) if wanted else b"" for texts in said]
    word_hashes, sizes = shingles.tokens(normalised)
    ends = np.cumsum(sizes)
    signed, sets = [b""] * len(documents), [b""] * len(documents)
    if rules.near:
        hashed, counts = shingles.shingles(normalised, rules, (word_hashes, sizes))
        signed = minhash.signatures(hashed, counts, rules.permutations)
        if rules.cluster == "verified" and rules.verify == "exact":
            parts = np.split(hashed, np.cumsum(counts)[:-1])
            sets = [np.unique(part).astype("<u4").tobytes() for part in parts]
    for index, (document, texts) in enumerate(zip(documents, said, strict=True)):
        images = [image for image in document.images or () if image is not None]
        own = word_hashes[ends[index] - sizes[index] : ends[index]]
        page = page_key(document.url or "") if wanted else ""
        same_images = stable_id("images", *images) if images else ""
        yield Sketch(
            doc_id=document.doc_id,
            warc_file=document.warc_file or "",
            warc_offset=document.warc_offset or 0,
            crawl_date=document.crawl_date or 0,
            words=int(sizes[index]),
            images=len(images),
            quality=prose_words(texts) if rules.keep == "quality" else 0,
            url_key=stable_id("page", page) if page else "",
            text_key=stable_id("text", own.tobytes().hex()) if len(own) else same_images if wanted else "",
            images_key=same_images if rules.image_sets and len(images) > 1 else "",
            contaminated=_contamination(normalised[index], texts, rules),
            signature=signed[index],
            shingles=sets[index],
        )


def _contamination(normalised: bytes, texts: Sequence[str], rules: EvaluationTexts) -> str:
    if not rules.evaluation:
        return ""
    known = contamination.load.held(rules.evaluation, rules.evaluation_ngram)
    tokens = normalised.split() or shingles.words("\n".join(texts))  # normalised is empty where no rule asked
    hit = known.find(tokens, rules.evaluation_hits, rules.evaluation_window)
    return f"{hit.name}: {hit.words}" if hit else ""
