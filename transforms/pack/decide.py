"""What becomes of one document or pair once all is known of its pictures: its fates, and what is packed of it.

    document + its images + their similarities ──► Packer.document ──┐
    pair + its image + its similarity ───────────► Packer.pair ──────┴─► (shard, Sample) and Fates

The rules are in recipe.py; here they are asked in order, and their answers written down.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any, NamedTuple, Protocol

from weft.schemas.parameters import Recipe
from weft.schemas.records import DROPPED, KEPT, Fate, ImageMeta, Pair, PairKey, as_written
from weft.transforms.beam import coders
from weft.transforms.extract import own_filters, quality
from weft.transforms.pack import evaluation_images, recipe
from weft.transforms.pack.recipe import JudgedImage
from weft.transforms.pack.samples import PackDocument, PackPair, PlacedImage, Sample, SampleMaker, canonical
from weft.transforms.score import assignment, image_scores
from weft.transforms.score.assignment import Match
from weft.transforms.score.image_scores import Answers

STAGE = "pack"
UNLIKE = -1.0  # the similarity of what was asked for one and has none, as CLIP could not read it: below every limit


class Stored(NamedTuple):
    """What pack knows of an image: what the recipe judges, and where its bytes are."""

    image_id: str
    status: str
    width: int
    height: int
    single_colour: bool
    blob: str
    offset: int
    length: int
    phash: str
    digest: str = ""  # of its stored bytes
    shared: int = 0  # addresses of its host with the same picture, where those are many
    answers: Answers | None = None  # what score says of its vector; None where nobody asked


class Page(NamedTuple):
    """The columns of documents/ that a sample is made of."""

    doc_id: str
    url: str
    warc_file: str
    warc_offset: int
    record_id: str | None
    language: str | None
    title: str | None
    texts: list[str | None]
    images: list[str | None]
    image_meta: list[ImageMeta | None]
    quality: tuple[tuple[str, float], ...] | None = None


class Archived(NamedTuple):
    """Where a page stands in the archives: what a pair's own row does not say."""

    record_id: str | None
    warc_file: str
    warc_offset: int


class ImageUse(NamedTuple):
    """An image of a document: how many kept documents hold the same picture, and what is known of it."""

    position: int
    documents: int
    stored: Stored | None  # None where fetch never met it


class Compared(NamedTuple):
    """Similarity of an image and a text of a document."""

    image_position: int
    text_position: int
    similarity: float


for _record in (Stored, Page, Archived, ImageUse, Compared, Pair, Fate):
    coders.register(_record)
Made = tuple[list[tuple[str, Sample]], list[Fate]]
_Similarities = dict[int, dict[int, float]]  # image position → text position → similarity


class Standing(Protocol):
    """A row that says where its page stands."""

    @property
    def record_id(self) -> str | None: ...
    @property
    def warc_file(self) -> str: ...
    @property
    def warc_offset(self) -> int: ...


def archived(page: Standing) -> Archived:
    """Where a page stands; by the archive's name, not its path: the same archive elsewhere must give the same shard."""
    return Archived(page.record_id, page.warc_file.rsplit("/", 1)[-1], page.warc_offset)


@dataclasses.dataclass(frozen=True)
class Judge:
    """The recipe, and what of it does not stand in one picture, document or pair.

    Attributes:
        max_side: fetch's, of pictures as stored: evaluation images are hashed in that size.
        salt: of decisions by hash.
        top: the similarity that a pair has to reach to be among `recipe.pair_top_share` of all pairs.
        evaluation: what the evaluation images held where the run was started, as `loaded.told` has it.
    """

    recipe: Recipe
    max_side: int
    salt: str
    top: float = -math.inf
    evaluation: tuple[str, ...] = ()

    @cached_property
    def _evaluation(self) -> evaluation_images.Known:
        return evaluation_images.load.as_begun(self.evaluation, self.recipe.evaluation_images, self.max_side)

    def pair(self, stored: Stored | None, similarity: float | None, language: str = "") -> tuple[str, str]:
        """Why a pair with this image and similarity is dropped ("" to keep it), and what says so."""
        image = self.image(stored, 1, 1.0)
        value = UNLIKE if similarity is None else as_written(similarity)
        reason = recipe.judge_pair(image, value, self.recipe, language, self.top)
        return reason, self.detail(image, reason)

    def image(self, stored: Stored | None, documents: int, similarity: float) -> JudgedImage | None:
        """What the recipe judges of an image, None where fetch never met it."""
        if stored is None:
            return None
        evaluation, rules = "", self.recipe
        if rules.evaluation_images:
            evaluation = self._evaluation.find(
                stored.image_id, stored.phash, bool(stored.single_colour), rules.evaluation_distance
            )
        return JudgedImage(
            stored.status,
            stored.image_id,
            stored.width,
            stored.height,
            bool(stored.single_colour),
            documents,
            similarity,
            evaluation,
            stored.answers,
            stored.shared,
        )

    def detail(self, image: JudgedImage | None, reason: str) -> str:
        """What a fate says of why an image was dropped, "" where its address says enough."""
        if image is None or not reason:
            return ""
        if reason == "evaluation_image":
            return image.evaluation
        if reason == "placeholder":
            return f"{image.shared} addresses of its host"
        judged, about = image_scores.judge(image.answers, self.recipe)
        return about if judged == reason else ""


@dataclasses.dataclass(frozen=True)
class Packer:
    """Joined documents and pairs → their samples and fates.

    Attributes:
        own: what `own_filters.hashes` gave of the recipe's filters where the run was started.
    """

    judge: Judge
    maker: SampleMaker
    own: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @cached_property
    def _filters(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Those of documents and of pairs, which are here what they are where the run was started."""
        own_filters.check(self.own)
        return self.judge.recipe.filters, self.judge.recipe.pair_filters

    def document(self, page: Page, known: dict[str, list[Any]]) -> Iterator[Made]:
        """A page and its "images" (ImageUse) and "scores" (Compared) → its samples, and fates of it and its images."""
        similarities: _Similarities = {}
        for image, text, value in sorted(known["scores"]):
            similarities.setdefault(image, {})[text] = as_written(value)
        yield self._document(page.doc_id, page, {use.position: use for use in known["images"]}, similarities)

    def _document(self, doc_id: str, page: Page, uses: dict[int, ImageUse], similarities: _Similarities) -> Made:
        judge, rules = self.judge, self.judge.recipe
        addresses = {n: url for n, url in enumerate(page.images) if url is not None}
        has_text = any(text and text.strip() for text in page.texts)
        untold = UNLIKE if has_text else 1.0  # of an image that CLIP could not read; without a text nothing is asked
        images = [
            judge.image(uses[n].stored, uses[n].documents, max(similarities.get(n, {}).values(), default=untold))
            if n in uses
            else None
            for n in addresses
        ]
        reasons = dict(zip(addresses, recipe.judge_images(images, rules), strict=True))
        usable = [n for n in addresses if not reasons[n]]
        matches = assignment.match(
            (image, text, value) for image in usable for text, value in similarities.get(image, {}).items()
        )
        best = [
            round(max(similarities[image].values()) * assignment.UNIT) for image in usable if similarities.get(image)
        ]
        shown = [matches.get(n, assignment.NO_MATCH) for n in usable if has_text]
        corpus, reason = recipe.judge_document(
            doc_id,
            has_text,
            len(usable),
            rules,
            judge.salt,
            assignment.share_above(shown, rules.matched_similarity),
            sum(best) / (assignment.UNIT * len(best)) if best else UNLIKE,
        )
        why = ""
        if corpus and page.quality:
            reason, why = quality.judge(page.quality, rules.min_quality, rules.max_quality)
            corpus = "" if reason else corpus
        row = None
        if corpus:
            held = [(n, uses[n].stored) for n in usable] if corpus == "interleaved" else []
            placed = [
                _placed(n, stored, _image_meta(page, n, stored, similarities.get(n, {}), matches.get(n)))
                for n, stored in held
                if stored is not None
            ]
            row = PackDocument(doc_id, page.texts, placed, _source(page))
            reason, why = own_filters.judge(row, self._filters[0])
            corpus = "" if reason else corpus
        if corpus != "interleaved":
            reasons = {n: r or ("document_text_only" if corpus else "document_dropped") for n, r in reasons.items()}
        samples = self.maker.document(row) if row and corpus else []
        if corpus == "interleaved":  # pack.max_document_chunks may have cut some off
            there = {image.position for _, sample in samples for image in sample.images}
            reasons = {n: r or ("" if n in there else "document_cut") for n, r in reasons.items()}
        shard = samples[0][0] if samples else ""
        details = {n: judge.detail(image, reasons[n]) for n, image in zip(addresses, images, strict=True)}
        fates = [Fate(STAGE, "document", doc_id, DROPPED if reason else KEPT, reason, shard or why or page.url)]
        fates += [
            Fate(STAGE, "image", f"{doc_id}:{n}", DROPPED if r else KEPT, r, details[n] or addresses[n])
            for n, r in reasons.items()
        ]
        return samples, fates

    def pair(self, pair: Pair, known: dict[str, list[Any]]) -> Iterator[Made]:
        """A pair and what `BesidePairs` gives of it → its sample and fate."""
        page, stored, similarity = (next(iter(known[name]), None) for name in ("page", "stored", "scores"))
        reason, about = self.judge.pair(stored, similarity, pair.language or "")
        for name, why in (("near", "near_image"), ("same", "same_picture")):
            if not reason and known.get(name):
                reason, about = why, known[name][0]
        samples: list[tuple[str, Sample]] = []
        if not reason and stored is not None:
            meta = {**pair._asdict(), **(page._asdict() if page else {})}
            told = pair.similarity if similarity is None else similarity  # score's own, else what a list has
            meta["similarity"] = None if told is None else as_written(told)
            image = _placed(0, stored, _size(stored))
            row = PackPair(pair.pair_id, pair.doc_id, pair.text, image, canonical(meta))
            reason, about = own_filters.judge(row, self._filters[1])
            samples = [] if reason else self.maker.pair(row)
        detail = samples[0][0] if samples else about or pair.image_url
        key = str(PairKey(pair.doc_id, pair.pair_id))
        yield samples, [Fate(STAGE, "pair", key, DROPPED if reason else KEPT, reason, detail)]


def _source(page: Page) -> str:
    told = {name: getattr(page, name) for name in ("doc_id", "url", "language", "title")}
    return canonical({**told, **archived(page)._asdict()})


def _placed(position: int, stored: Stored, meta: dict[str, Any]) -> PlacedImage:
    return PlacedImage(position, stored.blob, stored.offset, stored.length, canonical(meta), stored.digest)


def _image_meta(
    page: Page, n: int, stored: Stored, similarities: dict[int, float], match: Match | None
) -> dict[str, Any]:
    declared = page.image_meta[n]
    found = match if match is not None and match.text != assignment.NONE else None
    return {
        "position": n,
        "url": page.images[n],
        "alt": declared.alt if declared else "",
        "caption": declared.caption if declared else "",
        "similarities": {str(text): value for text, value in sorted(similarities.items())},
        "matched_text": found.text if found else None,  # of the kept images: mmc4's matched_text_index
        "matched_similarity": found.similarity if found else None,
        **_size(stored),
    }


def _size(stored: Stored) -> dict[str, Any]:
    return {"sha256": stored.image_id, "width": stored.width, "height": stored.height}
