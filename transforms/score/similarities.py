"""Which images and texts are compared, and the similarities that come of it.

Owners (documents and pairs), stored images ──► FindImages ──► ImageUse: which image is used where
ImageUse ─────────────────────────────────────► WithImage ───► owners whose texts are wanted, read where they lie
ImageUse, TextUse, their Embeddings ──────────► OfOwners ────► Sides: all images and texts of one owner, with vectors
Sides ────────────────────────────────────────► compare, pair_vectors, pair_fate

Every pair gets one similarity, every document one for each of its texts with each of its images. Vectors, ids and
positions cross shuffles; images never do, and a text once, to be embedded. A picture is embedded once under however
many addresses its bytes were found, a text once however often it stands somewhere, and only where an image of its
document or pair was stored.
"""

from __future__ import annotations

import dataclasses
import operator
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import apache_beam as beam

from weft.schemas.records import DROPPED, KEPT, Fate, PairKey, Score, stable_id
from weft.transforms.beam import coders, hot_keys
from weft.transforms.beam.folds import Fold
from weft.transforms.beam.joins import Join
from weft.transforms.score import assignment
from weft.transforms.score.vectors import NOT_FINITE, Embedding, ImageRef, similarity

STAGE = "score"
NOT_ASKED = Embedding("", [], "")  # of an image or text that nobody wants the vector of


class Owner(NamedTuple):
    """A document or pair whose images and texts are compared; a pair is a document of one text and one image."""

    kind: str  # "document" or "pair"
    id: str  # doc_id, or str(PairKey)
    images: list[str]  # image keys (`urls.image_key`), "" where a text stands


class StoredImage(NamedTuple):
    """An image that was stored: its key, the id of its content, and where its bytes are."""

    key: str
    image_id: str
    path: str
    offset: int
    length: int
    digest: str = ""


class ImageUse(NamedTuple):
    """That an owner holds an image at a position. With owner "" it stands for the stored address itself."""

    key: str
    image_id: str  # of its content, "" where it was not stored
    owner: str  # "document/ID" or "pair/KEY"
    position: int


class TextUse(NamedTuple):
    """That a text stands in an owner at a position."""

    text_id: str
    text: str
    owner: str
    position: int


class Side(NamedTuple):
    """One image or text of an owner, with its vectors."""

    is_text: bool
    position: int
    key: str  # the image's, "" for a text
    vectors: list[bytes]  # none where there is a problem
    problem: str


class Sides(NamedTuple):
    """All images and texts of one owner, each in reading order."""

    kind: str
    id: str
    images: list[Side]
    texts: list[Side]


class PairVectors(NamedTuple):
    """The vectors of a pair that has both, by ClipChoice.model."""

    pair: str  # str(PairKey)
    image_key: str
    image: bytes
    text: bytes


for _record in (Owner, StoredImage, ImageUse, TextUse, Side, PairVectors):
    coders.register(_record)


@dataclasses.dataclass
class FindImages(beam.PTransform):
    """{"owners": Owner, "stored": StoredImage} → ImageUse of every image of every owner, and one of every address."""

    def expand(self, inputs: dict[str, beam.PCollection[Any]]) -> beam.PCollection[ImageUse]:
        uses = {
            "one": inputs["stored"]
            | "ById" >> beam.Map(lambda image: (image.key, image.image_id)).with_output_types(tuple[str, str]),
            "rows": inputs["owners"]
            | "Images" >> beam.FlatMap(_images).with_output_types(tuple[str, tuple[str, str, int]]),
        } | "JoinStored" >> hot_keys.Attach(_place, left=True)
        return (
            uses | "Uses" >> beam.MapTuple(_image_use).with_output_types(ImageUse),
            inputs["stored"]
            | "Addresses"
            >> beam.Map(lambda image: ImageUse(image.key, image.image_id, "", 0)).with_output_types(ImageUse),
        ) | "UsesAndAddresses" >> beam.Flatten()


@dataclasses.dataclass
class OncePerContent(beam.PTransform):
    """StoredImage → ImageRef by image_id: of addresses with the same content, the one that lies first is read."""

    def expand(self, stored: beam.PCollection[StoredImage]) -> beam.PCollection[ImageRef]:
        return (
            stored
            | "Place"
            >> beam.Map(lambda image: (image.image_id, tuple(image[2:]))).with_output_types(
                tuple[str, tuple[str, int, int, str]]
            )
            | "First" >> Fold(min)
            | "Ref" >> beam.MapTuple(lambda image_id, place: ImageRef(image_id, *place)).with_output_types(ImageRef)
        )


@dataclasses.dataclass
class ImagesOfOwners(beam.PTransform):
    """{"uses": ImageUse, "images": ImageRef by image_id} → ImageRef of the contents that an owner holds."""

    def expand(self, inputs: dict[str, beam.PCollection[Any]]) -> beam.PCollection[ImageRef]:
        used = (
            inputs["uses"]
            | "OfOwner" >> beam.Filter(lambda use: use.image_id and use.owner)
            | "Content" >> beam.Map(lambda use: (use.image_id, True)).with_output_types(tuple[str, bool])
            | "Once" >> Fold(operator.or_)
        )
        images = inputs["images"] | "ById" >> beam.Map(lambda ref: (ref.key, ref)).with_output_types(
            tuple[str, ImageRef]
        )
        return (
            {"used": used, "images": images}
            | "Join" >> Join()
            | "Used" >> beam.FlatMapTuple(_if_used).with_output_types(ImageRef)
        )


@dataclasses.dataclass
class WithImage(beam.PTransform):
    """ImageUse → (id, True), once, of each owner of this kind of which an image was stored."""

    kind: str

    def expand(self, uses: beam.PCollection[ImageUse]) -> beam.PCollection[tuple[str, bool]]:
        kind = f"{self.kind}/"
        return (
            uses
            | "Stored" >> beam.Filter(lambda use: use.image_id and use.owner.startswith(kind))
            | "HasImage"
            >> beam.Map(lambda use: (use.owner.removeprefix(kind), True)).with_output_types(tuple[str, bool])
            | "Once" >> Fold(operator.or_)
        )


@dataclasses.dataclass
class UsedImages(beam.PTransform):
    """{"uses": ImageUse, "made": Embedding by image_id} → (ImageUse, Embedding) of every use of a stored image."""

    def expand(self, inputs: dict[str, beam.PCollection[Any]]) -> beam.PCollection[tuple[ImageUse, Embedding]]:
        return (
            {
                "rows": inputs["uses"]
                | "Stored" >> beam.Filter(lambda use: use.image_id)
                | "ById" >> beam.Map(lambda use: (use.image_id, use)).with_output_types(tuple[str, ImageUse]),
                "one": inputs["made"]
                | "Made" >> beam.Map(lambda made: (made.key, made)).with_output_types(tuple[str, Embedding]),
            }
            | "Each" >> hot_keys.Attach(_of_owner, left=True)
            | "Made or not" >> beam.MapTuple(_or_not_asked).with_output_types(tuple[ImageUse, Embedding])
        )


@dataclasses.dataclass
class OfOwners(beam.PTransform):
    """Images and texts with their vectors → Sides, one per owner that has any.

    Inputs: "uses" (ImageUse), "images" ((ImageUse, Embedding) of the stored ones), "text_uses" (TextUse) and "texts"
    (Embedding by text_id).
    """

    def expand(self, inputs: dict[str, beam.PCollection[Any]]) -> beam.PCollection[Sides]:
        side = tuple[str, Side]
        texts = {
            "rows": inputs["text_uses"]
            | "ByText"
            >> beam.Map(lambda use: (use.text_id, (use.owner, use.position))).with_output_types(
                tuple[str, tuple[str, int]]
            ),
            "one": inputs["texts"]
            | "Made" >> beam.Map(lambda made: (made.key, made)).with_output_types(tuple[str, Embedding]),
        } | "JoinTexts" >> hot_keys.Attach(lambda use: f"{use[0]}:{use[1]}", left=True)
        return (
            (
                inputs["images"] | "OfImages" >> beam.FlatMapTuple(_image_side).with_output_types(side),
                inputs["uses"] | "NotStored" >> beam.FlatMap(_missing_side).with_output_types(side),
                texts | "OfTexts" >> beam.MapTuple(_text_side).with_output_types(side),
            )
            | "Sides" >> beam.Flatten()
            | "ByOwner" >> beam.GroupByKey()
            | "InOrder" >> beam.MapTuple(sides)
        )


def sides(owner: str, found: Iterable[Side]) -> Sides:
    """What was gathered of one owner, in reading order and once each."""
    kind, name = owner.split("/", 1)
    once = {(one.is_text, one.position): one for one in found}
    ordered = [once[place] for place in sorted(once)]
    return Sides(kind, name, [s for s in ordered if not s.is_text], [s for s in ordered if s.is_text])


def compare(of: Sides) -> Iterator[Score]:
    """A Score of each image of one owner with each of its texts, where both have vectors.

    On a page of so many that they are more than `assignment.MOST` together, of each image with the texts nearest to it,
    as many as that allows.
    """
    name = PairKey.parse(of.id).pair_id if of.kind == "pair" else of.id
    found = []
    images, texts = ([side for side in sides if side.vectors] for sides in (of.images, of.texts))
    most = max(1, assignment.MOST // max(1, len(images)))
    first = 0  # of the texts nearest to an image; it moves on with the image
    for image in images:
        at = image.position
        while first + most < len(texts) and texts[first + most].position - at < at - texts[first].position:
            first += 1
        for text in texts[first : first + most]:
            value, *others = map(similarity, image.vectors, text.vectors)
            found.append(Score(of.kind, name, image.position, text.position, image.key, value, tuple(others)))
    matches = assignment.match((one.image_position, one.text_position, one.similarity) for one in found)
    for one in found:
        yield one._replace(matched=matches[one.image_position].text == one.text_position)


def pair_vectors(of: Sides) -> Iterator[PairVectors]:
    """The vectors of a pair whose image and caption both have one."""
    if of.kind == "pair":
        for image, text in zip(of.images, of.texts):
            if image.vectors and text.vectors:
                yield PairVectors(of.id, image.key, image.vectors[0], text.vectors[0])


def image_fate(made: Embedding) -> Fate:
    """The fate of one stored address of an image."""
    reason = "" if not made.problem else made.problem if made.problem == NOT_FINITE else "unreadable"
    return Fate(STAGE, "image", made.key, DROPPED if made.problem else KEPT, reason, made.problem)


def pair_fate(of: Sides) -> Iterator[Fate]:
    """A pair is dropped with its image, and with a caption that is empty or that the model makes no numbers of."""
    if of.kind == "pair":
        (image,), texts = of.images, of.texts
        if image.problem:
            yield Fate(STAGE, "pair", of.id, DROPPED, "image_missing", image.key)
        elif not texts or texts[0].problem:
            yield Fate(STAGE, "pair", of.id, DROPPED, texts[0].problem if texts else "no_text", "")
        else:
            yield Fate(STAGE, "pair", of.id, KEPT, "", "")


def _images(owner: Owner) -> Iterator[tuple[str, tuple[str, str, int]]]:
    for position, key in enumerate(owner.images):
        if key:
            yield key, (key, f"{owner.kind}/{owner.id}", position)


def _place(use: tuple[str, str, int]) -> str:
    return f"{use[1]}:{use[2]}"


def _of_owner(use: ImageUse) -> str:
    return f"{use.owner}:{use.position}" if use.owner else use.key


def _image_use(use: tuple[str, str, int], image_id: str | None) -> ImageUse:
    key, owner, position = use
    return ImageUse(key, image_id or "", owner, position)


def text_uses(owner: str, texts: Iterable[str | None], most: int) -> Iterator[TextUse]:
    """The texts of one owner that are compared, each cut to `most` characters."""
    for position, text in enumerate(texts):
        said = " ".join((text or "")[:most].split())
        if said:
            yield TextUse(stable_id("text", said), said, owner, position)


def _if_used(_: str, found: dict[str, Iterable[Any]]) -> Iterable[ImageRef]:
    return found["images"] if any(found["used"]) else ()


def _or_not_asked(use: ImageUse, made: Embedding | None) -> tuple[ImageUse, Embedding]:
    return use, made or NOT_ASKED


def _image_side(use: ImageUse, made: Embedding) -> Iterator[tuple[str, Side]]:
    if use.owner:
        yield use.owner, Side(False, use.position, use.key, made.vectors, made.problem)


def _missing_side(use: ImageUse) -> Iterator[tuple[str, Side]]:
    if not use.image_id:
        yield use.owner, Side(False, use.position, use.key, [], "not fetched")


def _text_side(use: tuple[str, int], made: Embedding | None) -> tuple[str, Side]:
    made = made or NOT_ASKED
    return use[0], Side(True, use[1], "", made.vectors, made.problem)
