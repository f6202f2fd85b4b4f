"""What pack has to know beside a document or pair, brought to it: its images, their repeats, its similarities.

index, repeated, image_scores ──► StoredImages ──► (image key, Stored)
pages, images, scores ──────────► JoinDocuments ──► what `Packer.document` takes
pairs, pages, images, scores ───► JoinPairs ──────► what `Packer.pair` takes
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import apache_beam as beam

from weft.schemas.records import ImageScore, Pair, RepeatedImage, Score
from weft.transforms.beam import coders
from weft.transforms.pack.decide import Archived, Compared, ImageUse, Judge, Page, PairRow, Stored, archived
from weft.transforms.pack.same_pictures import SamePictures
from weft.transforms.score.image_scores import Answers
from weft.transforms.urls import image_key


class Indexed(NamedTuple):
    """The columns of images/index that pack needs."""

    image_url: str
    image_id: str
    status: str
    width: int
    height: int
    single_colour: bool
    blob: str
    offset: int
    length: int
    phash: str
    digest: str = ""


class Use(NamedTuple):
    """Where an image is used, and what is known of it."""

    doc_id: str
    position: int
    stored: Stored | None


for _record in (Use, RepeatedImage, ImageScore, Score):
    coders.register(_record)
Joined = tuple[str, dict[str, Iterable[Any]]]


@dataclasses.dataclass
class StoredImages(beam.PTransform):
    """{"index": Indexed} → (image key, Stored).

    With "repeated" (RepeatedImage) and "answers" (ImageScore) among the inputs, what they say of an image too.
    """

    def expand(self, inputs: dict[str, beam.PCollection[Any]]) -> beam.PCollection[tuple[str, Stored]]:
        row = tuple[str, Stored]
        stored = inputs["index"] | "Stored" >> beam.Map(lambda r: (r.image_url, Stored(*r[1:]))).with_output_types(row)
        known = {"stored": stored}
        if "repeated" in inputs:
            known["repeated"] = inputs["repeated"] | "Urls" >> beam.Map(
                lambda r: (r.image_url, r.urls)
            ).with_output_types(tuple[str, int])
        if "answers" in inputs:
            known["answers"] = inputs["answers"] | "Answers" >> beam.Map(
                lambda r: (r.image_url, Answers.of_row(r))
            ).with_output_types(tuple[str, Answers])
        if len(known) == 1:
            return stored
        return known | "Join" >> beam.CoGroupByKey() | "Known" >> beam.FlatMapTuple(_known).with_output_types(row)


@dataclasses.dataclass
class JoinDocuments(beam.PTransform):
    """{"pages": Page, "images": (image key, Stored), "scores": Score} → (doc_id, "page", "images", "scores")."""

    def expand(self, inputs: dict[str, beam.PCollection[Any]]) -> beam.PCollection[Joined]:
        images = (
            {
                "stored": inputs["images"],
                "uses": inputs["pages"] | "Uses" >> beam.FlatMap(_uses).with_output_types(tuple[str, tuple[str, int]]),
            }
            | "JoinImages" >> beam.CoGroupByKey()
            | "ByContent" >> beam.FlatMapTuple(_by_content).with_output_types(tuple[str, Use])
            | "SameContent" >> beam.GroupByKey()
            | "CountDocuments" >> beam.FlatMapTuple(_count_documents).with_output_types(tuple[str, ImageUse])
        )
        scores = (
            inputs["scores"]
            | "OfDocuments" >> beam.Filter(lambda score: score.kind == "document")
            | "Compared"
            >> beam.Map(
                lambda score: (score.id, Compared(score.image_position, score.text_position, score.similarity))
            ).with_output_types(tuple[str, Compared])
        )
        pages = inputs["pages"] | "ById" >> beam.Map(lambda page: (page.doc_id, page)).with_output_types(
            tuple[str, Page]
        )
        return {"page": pages, "images": images, "scores": scores} | "Join" >> beam.CoGroupByKey()


@dataclasses.dataclass
class JoinPairs(beam.PTransform):
    """{"pairs": Pair, "pages": Page, "images", "scores"} → (pair_id, "row" (PairRow), "scores", and "same" if asked).

    Args:
        judge: decides which of pairs with the same picture and caption stays, where its recipe asks for that.
    """

    judge: Judge

    def expand(self, inputs: dict[str, beam.PCollection[Any]]) -> beam.PCollection[Joined]:
        pages = inputs["pages"] | "Archived" >> beam.Map(lambda page: (page.doc_id, archived(page))).with_output_types(
            tuple[str, Archived]
        )
        pairs = inputs["pairs"] | "ByPage" >> beam.Map(lambda pair: (pair.doc_id, pair)).with_output_types(
            tuple[str, Pair]
        )
        by_image = (
            {"pairs": pairs, "pages": pages}
            | "JoinPage" >> beam.CoGroupByKey()
            | "ByImage" >> beam.FlatMapTuple(_with_page).with_output_types(tuple[str, PairRow])
        )
        rows = (
            {"stored": inputs["images"], "rows": by_image}
            | "JoinImages" >> beam.CoGroupByKey()
            | "ByPair" >> beam.FlatMapTuple(_with_image).with_output_types(tuple[str, PairRow])
        )
        scores = (
            inputs["scores"]
            | "OfPairs" >> beam.Filter(lambda score: score.kind == "pair")
            | "Similarity" >> beam.Map(lambda score: (score.id, score.similarity)).with_output_types(tuple[str, float])
        )
        joined = {"row": rows, "scores": scores}
        if self.judge.recipe.pair_same_picture:
            joined["same"] = joined | "SamePictures" >> SamePictures(self.judge)
        return joined | "Join" >> beam.CoGroupByKey()


def _known(key: str, found: dict[str, Iterable[Any]]) -> Iterator[tuple[str, Stored]]:
    shared, answers = max(found.get("repeated", ()), default=0), next(iter(found.get("answers", ())), None)
    for stored in found["stored"]:
        yield key, stored._replace(shared=shared, answers=answers)


def _uses(page: Page) -> Iterator[tuple[str, tuple[str, int]]]:
    for position, url in enumerate(page.images):
        if url is not None:
            yield image_key(url), (page.doc_id, position)


def _by_content(key: str, found: dict[str, Iterable[Any]]) -> Iterator[tuple[str, Use]]:
    stored = next(iter(found["stored"]), None)
    # What has no content is told apart by its URL, so that one dead URL is no hot key together with all others.
    content = stored.image_id if stored and stored.image_id else key
    for doc_id, position in found["uses"]:
        yield content, Use(doc_id, position, stored)


def _count_documents(_: str, found: Iterable[Use]) -> Iterator[tuple[str, ImageUse]]:
    uses = list(found)
    documents = len({use.doc_id for use in uses})
    for use in uses:
        yield use.doc_id, ImageUse(use.position, documents, use.stored)


def _with_page(_: str, found: dict[str, Iterable[Any]]) -> Iterator[tuple[str, PairRow]]:
    page = next(iter(found["pages"]), None)
    for pair in found["pairs"]:
        yield image_key(pair.image_url), PairRow(pair, page, None)


def _with_image(_: str, found: dict[str, Iterable[Any]]) -> Iterator[tuple[str, PairRow]]:
    stored = next(iter(found["stored"]), None)
    for row in found["rows"]:
        yield row.pair.pair_id, row._replace(stored=stored)
