"""What pack has to know beside a document or pair, brought to it: its images, their repeats, its similarities.

index, repeated, image_scores ──► StoredImages ─────► (image key, Stored)
pages, images, scores ──────────► BesideDocuments ──► by document: its ImageUses, its Compared
pairs, pages, images, scores ───► BesidePairs ──────► by pair: its page's place, its image, its similarity

All of it is narrow: texts stay where they are, and what is known goes there. A picture may have any number of uses (a
logo, ten million), so that what is known of it is attached to them in parts (beam/hot_keys.py), and they are counted by
combiners.
"""

from __future__ import annotations

import dataclasses
import operator
from collections.abc import Iterable, Iterator
from operator import attrgetter
from typing import Any, NamedTuple

import apache_beam as beam

from weft.schemas.records import ImageScore, PairKey, RepeatedImage, Score
from weft.transforms.beam import coders, hot_keys
from weft.transforms.beam.folds import Fold
from weft.transforms.beam.joins import Join
from weft.transforms.pack.decide import Archived, Compared, ImageUse, Judge, Stored, archived
from weft.transforms.pack.same_pictures import Captioned, NearPictures, SamePictures
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


class Shown(NamedTuple):
    """The columns of documents/ that say which images a page shows, and where the page stands."""

    doc_id: str
    warc_file: str
    warc_offset: int
    record_id: str | None
    images: list[str | None]


class Use(NamedTuple):
    """Where an image is used, and what is known of it."""

    doc_id: str
    position: int
    stored: Stored | None


for _record in (Use, Answers, RepeatedImage, ImageScore, Score):
    coders.register(_record)


_AND = "\x1f"  # between a content and a document in one key
_ONE, _BOTH = tuple[str, int], tuple[str, tuple[int, int]]


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
        return known | "Join" >> Join() | "Known" >> beam.FlatMapTuple(_known).with_output_types(row)


@dataclasses.dataclass
class BesideDocuments(beam.PTransform):
    """{"pages": Shown, "images": (image key, Stored), "scores": Score} → {"images": (doc_id, ImageUse), "scores": …}.

    Args:
        most: uses of one picture that may be on one worker.
    """

    most: int = hot_keys.MOST

    def expand(self, inputs: dict[str, beam.PCollection[Any]]) -> dict[str, beam.PCollection[Any]]:
        uses = inputs["pages"] | "Uses" >> beam.FlatMap(_uses).with_output_types(tuple[str, tuple[str, str, int]])
        by_content = (
            {"rows": uses, "one": inputs["images"]}
            | "JoinImages" >> hot_keys.Attach(_place, self.most, left=True)
            | "ByContent" >> beam.MapTuple(_by_content).with_output_types(tuple[str, Use])
        )
        counts = (  # content → (uses, documents)
            by_content
            | "ByBoth"
            >> beam.MapTuple(lambda content, use: (f"{content}{_AND}{use.doc_id}", 1)).with_output_types(_ONE)
            | "InDocument" >> Fold(operator.add)
            | "PerDocument"
            >> beam.MapTuple(lambda both, uses: (both.partition(_AND)[0], (uses, 1))).with_output_types(_BOTH)
            | "InAll" >> Fold(_added)
        )
        images = (
            {"rows": by_content, "one": counts, "sizes": counts | "Sizes" >> hot_keys.Sizes()}
            | "SameContent" >> hot_keys.Attach(_place, self.most)
            | "CountDocuments"
            >> beam.MapTuple(
                lambda use, counted: (use.doc_id, ImageUse(use.position, counted[1], use.stored))
            ).with_output_types(tuple[str, ImageUse])
        )
        scores = (
            inputs["scores"]
            | "OfDocuments" >> beam.Filter(lambda score: score.kind == "document")
            | "Compared"
            >> beam.Map(
                lambda score: (score.id, Compared(score.image_position, score.text_position, score.similarity))
            ).with_output_types(tuple[str, Compared])
        )
        return {"images": images, "scores": scores}


@dataclasses.dataclass
class BesidePairs(beam.PTransform):
    """{"pairs": Captioned, "pages": Shown, "images", "scores"} → name → (str(PairKey), what is known of the pair).

    The names are "page" (Archived), "stored" (Stored), "scores" (similarity), and where the recipe asks for that "near"
    (key of the picture that stays in place of its own) and "same" (str(PairKey) of the pair that does).

    Args:
        judge: decides which of pairs with the same picture stays.
        most: pairs with one picture that may be on one worker.
    """

    judge: Judge
    most: int = hot_keys.MOST

    def expand(self, inputs: dict[str, beam.PCollection[Any]]) -> dict[str, beam.PCollection[Any]]:
        by_page = inputs["pairs"] | "ByPage" >> beam.Map(
            lambda pair: (PairKey.parse(pair.key).doc_id, pair.key)
        ).with_output_types(tuple[str, str])
        pages = inputs["pages"] | "Archived" >> beam.Map(lambda page: (page.doc_id, archived(page))).with_output_types(
            tuple[str, Archived]
        )
        page = (
            {"pairs": by_page, "pages": pages}
            | "JoinPage" >> Join()
            | "OfPair" >> beam.FlatMapTuple(_with_page).with_output_types(tuple[str, Archived])
        )
        by_image = inputs["pairs"] | "ByImage" >> beam.Map(lambda pair: (pair.image_key, pair)).with_output_types(
            tuple[str, Captioned]
        )
        seen = (
            {"rows": by_image, "one": inputs["images"]}
            | "JoinPairImages" >> hot_keys.Attach(attrgetter("key"), self.most)
            | "Seen" >> beam.Map(tuple).with_output_types(tuple[Captioned, Stored])
        )
        by_id = inputs["pairs"] | "ById" >> beam.Map(
            lambda pair: (PairKey.parse(pair.key).pair_id, pair.key)
        ).with_output_types(tuple[str, str])
        similarity = (
            inputs["scores"]
            | "OfPairs" >> beam.Filter(lambda score: score.kind == "pair")
            | "Similarity" >> beam.Map(lambda score: (score.id, score.similarity)).with_output_types(tuple[str, float])
            | "OneSimilarity" >> Fold(max)
        )
        row, value = tuple[str, Stored], tuple[str, float]
        joined = {
            "page": page,
            "stored": seen | "OfKey" >> beam.MapTuple(lambda pair, stored: (pair.key, stored)).with_output_types(row),
            "scores": {"rows": by_id, "one": similarity}
            | "JoinScores" >> hot_keys.Attach(most=self.most)
            | "OfScore" >> beam.Map(tuple).with_output_types(value),
        }
        compared, rules = {"seen": seen, "scores": joined["scores"]}, self.judge.recipe
        if rules.drop_near_images and rules.pair_same_picture:
            compared["lost"] = compared | "SameOfAll" >> SamePictures(self.judge, self.most)
        if rules.drop_near_images:
            joined["near"] = compared["lost"] = compared | "Near" >> NearPictures(self.judge, self.most)
        if rules.pair_same_picture:
            joined["same"] = compared | "Same" >> SamePictures(self.judge, self.most)
        return joined


def _known(key: str, found: dict[str, Iterable[Any]]) -> Iterator[tuple[str, Stored]]:
    shared, answers = max(found.get("repeated", ()), default=0), next(iter(found.get("answers", ())), None)
    for stored in found["stored"]:
        yield key, stored._replace(shared=shared, answers=answers)


def _uses(page: Shown) -> Iterator[tuple[str, tuple[str, str, int]]]:
    """(image key, (image key, doc_id, position)) of each image that a page shows."""
    for position, url in enumerate(page.images):
        if url is not None:
            key = image_key(url)
            yield key, (key, page.doc_id, position)


def _place(use: Any) -> str:
    """A use's own string, of a row of either join."""
    return f"{use[0]}:{use[1]}" if isinstance(use, Use) else f"{use[1]}:{use[2]}"


def _by_content(use: tuple[str, str, int], stored: Stored | None) -> tuple[str, Use]:
    key, doc_id, position = use
    # What has no content is told apart by its URL, so that one dead URL is no hot key together with all others.
    return stored.image_id if stored and stored.image_id else key, Use(doc_id, position, stored)


def _added(one: tuple[int, int], other: tuple[int, int]) -> tuple[int, int]:
    return one[0] + other[0], one[1] + other[1]


def _with_page(_: str, found: dict[str, list[Any]]) -> Iterator[tuple[str, Archived]]:
    for page in found["pages"][:1]:
        for key in found["pairs"]:
            yield key, page
