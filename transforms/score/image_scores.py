"""What image vectors say of images: heads, prompts, evaluation pictures and repeats, and what the recipe makes of it.

unit vectors → ImageScore rows (AskImages, Repeats); a row and the recipe's limits → a reason to drop the image (judge).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import apache_beam as beam
import numpy as np

from weft.schemas.parameters import ConfigError, ImageQuestions, ImageRules, Recipe
from weft.schemas.records import ImageScore, hash_bucket, stable_id
from weft.transforms.beam import coders, hot_keys, joins
from weft.transforms.beam.folds import Once
from weft.transforms.io import files
from weft.transforms.score import heads, near_pictures, neighbours
from weft.transforms.score.heads import Head
from weft.transforms.score.near_pictures import RepeatsAnywhere
from weft.transforms.score.vectors import TextRef

BATCH = 1_024  # vectors judged at once


class Answers(NamedTuple):
    """What pack knows of an image from its vector; None or empty where nobody asked."""

    unsafe: float | None = None
    aesthetic: float | None = None
    watermark: float | None = None
    prompts: dict[str, float] = {}  # noqa: RUF012 - name and probability; never written to
    evaluation: str = ""
    evaluation_similarity: float | None = None
    repeat_of: str = ""

    @classmethod
    def of_row(cls, row: ImageScore) -> Answers:
        """From a row of `image_scores/`; float32 columns are rounded to what was stored."""
        return cls(
            _rounded(row.unsafe),
            _rounded(row.aesthetic),
            _rounded(row.watermark),
            {name: round(share, heads.DECIMALS) for name, share in row.prompt_shares or ()},
            row.evaluation,
            _rounded(row.evaluation_similarity),
            row.repeat_of,
        )


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, heads.DECIMALS)


def judge(answers: Answers | None, rules: ImageRules) -> tuple[str, str]:
    """(reason, detail) for an image that the recipe does not want, ("", "") for another.

    One of which nothing is known, because the model made no numbers of it, is not wanted where anything is asked.
    """
    if answers is None:
        return "unscored" if _limited(rules) else "", ""
    near = answers.evaluation_similarity
    if near is not None and near >= rules.max_evaluation_similarity > 0:
        return "evaluation_embedding", f"{answers.evaluation} {near:.5f}"
    if answers.unsafe is not None and answers.unsafe > rules.max_unsafe:
        return "unsafe", f"{answers.unsafe:.5f}"
    name = heads.over(answers.prompts, rules.max_prompt)
    if name:
        return "prompted_out", f"{name} {answers.prompts[name]:.5f}"
    if answers.watermark is not None and answers.watermark > rules.max_watermark:
        return "watermarked", f"{answers.watermark:.5f}"
    if answers.aesthetic is not None and rules.min_aesthetic and answers.aesthetic < rules.min_aesthetic:
        return "unaesthetic", f"{answers.aesthetic:.5f}"
    return "", ""


def _limited(rules: ImageRules) -> bool:
    return bool(
        rules.max_unsafe < 1
        or rules.min_aesthetic
        or rules.max_watermark < 1
        or rules.max_prompt
        or rules.max_evaluation_similarity
    )


def asked_of_each(questions: ImageQuestions) -> bool:
    """Whether anything is to be said of every image by its vector alone."""
    return bool(
        questions.unsafe_head
        or questions.aesthetic_head
        or questions.watermark_head
        or questions.prompts
        or questions.evaluation_embeddings
    )


def asked(questions: ImageQuestions) -> bool:
    """Whether anything is to be said of images by their vectors, be it only of those of pairs."""
    return asked_of_each(questions) or questions.near_images > 0 or questions.near_hash > 0


def check(score: ImageQuestions, pack: Recipe) -> None:
    """Raise ConfigError for a limit on what nobody measures, and for prompts that say nothing."""
    heads.check_prompts(score.prompts, pack.max_prompt)
    for given, option, needs in (
        (pack.max_unsafe < 1 and not score.unsafe_head, "max_unsafe", "unsafe_head"),
        (pack.min_aesthetic and not score.aesthetic_head, "min_aesthetic", "aesthetic_head"),
        (pack.max_watermark < 1 and not score.watermark_head, "max_watermark", "watermark_head"),
        (
            pack.max_evaluation_similarity and not score.evaluation_embeddings,
            "max_evaluation_similarity",
            "evaluation_embeddings",
        ),
        (
            pack.drop_near_images and not (score.near_images or score.near_hash),
            "drop_near_images",
            "near_images or score.near_hash",
        ),
    ):
        if given:
            raise ConfigError(f"pack.{option} needs score.{needs}: without it nothing would be dropped")


def load_heads(questions: ImageQuestions, width: int) -> dict[str, Head]:
    """Kind → head, of those that are configured.

    Raises:
        ConfigError: as `heads.load`.
    """
    paths = {kind: getattr(questions, f"{kind}_head") for kind in heads.KINDS}
    return {kind: heads.load(kind, path, width) for kind, path in paths.items() if path}


def scale(path: str) -> float:
    """The logit scale that units.NoteScale has noted; CLIP's 100 where nothing was embedded."""
    return float(files.read_bytes(path)) if files.exists(path) else heads.SCALE


def prompt_id(text: str) -> str:
    """What a prompt's vector is found by."""
    return stable_id("prompt", text)


class _Asker:
    """A batch of (key, vector) → its rows; heads and evaluation vectors are loaded where they are used."""

    def __init__(self, questions: ImageQuestions, model: str, scale: float) -> None:
        self._questions, self._model, self._scale = questions, model, scale
        self._heads: dict[str, Head] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_heads": None}

    def __call__(self, batch: Sequence[tuple[str, bytes]], prompts: Mapping[str, bytes]) -> Iterator[ImageScore]:
        """A row for each image; `prompts` are the vectors of the prompts by `prompt_id`."""
        questions = self._questions
        vectors = np.stack([np.frombuffer(vector, np.float32) for _, vector in batch])
        if self._heads is None:
            self._heads = load_heads(questions, vectors.shape[1])
        marks = {kind: head(vectors).tolist() for kind, head in self._heads.items()}
        names = {
            name: np.stack([np.frombuffer(prompts[prompt_id(text)], np.float32) for text in said])
            for name, said in questions.prompts.items()
        }
        told = heads.ask(vectors, names, self._scale) if names else [heads.Prompted("", {}, {})] * len(batch)
        known: list[tuple[str, float | None]] = [("", None)] * len(batch)
        if questions.evaluation_embeddings:
            known = list(neighbours.load(questions.evaluation_embeddings, vectors.shape[1]).find(vectors))
        for n, (key, _) in enumerate(batch):
            unsafe, aesthetic, watermark = (marks[kind][n] if kind in marks else None for kind in heads.KINDS)
            shares, cosines = tuple(sorted(told[n].shares.items())), tuple(sorted(told[n].cosines.items()))
            yield ImageScore(
                key, self._model, unsafe, aesthetic, watermark, told[n].name, shares, cosines, *known[n], "", None
            )


class Prompts(beam.PTransform):
    """PBegin → TextRef of each prompt, by its `prompt_id`."""

    def __init__(self, prompts: Mapping[str, Iterable[str]]) -> None:
        super().__init__()
        texts = sorted({text for said in prompts.values() for text in said})
        self._refs = [TextRef(prompt_id(text), " ".join(text.split())) for text in texts]

    def expand(self, begin: beam.pvalue.PBegin) -> beam.PCollection[TextRef]:
        coders.register(TextRef)
        return begin | beam.Create(self._refs).with_output_types(TextRef)


@dataclasses.dataclass
class AskImages(beam.PTransform):
    """{"vectors": (key, vector), "prompts": (prompt_id, vector)} → ImageScore, a row an image.

    Where repeats are asked for, "of_pairs": (key, (pixels, vector)) are the pictures that are compared with each other
    by vectors (`questions.near_images`), and "looks": (key, Look) those by hashes (`questions.near_hash`).

    Batches are formed inside hash buckets out of sorted members, as those of the model are, so that the last bits of
    a sum do not depend on the runner.

    Args:
        model: whose vectors they are, for the column of that name.
        buckets: parts of the work.
        scale: the model's logit scale, as units.NoteScale notes it.
    """

    questions: ImageQuestions
    model: str
    buckets: int = 8
    scale: float = heads.SCALE

    def expand(self, inputs: dict[str, beam.PCollection[Any]]) -> beam.PCollection[ImageScore]:
        buckets, ask = self.buckets, _Asker(self.questions, self.model, self.scale)
        prompts = beam.pvalue.AsDict(inputs["prompts"])
        coders.register(ImageScore)
        rows = (
            inputs["vectors"]
            | "Bucket"
            >> beam.Map(
                lambda item: (str(hash_bucket(item[0], buckets, "looks")), tuple(item))  # part of what decides bytes
            ).with_output_types(tuple[str, tuple[str, bytes]])
            | "Gather" >> beam.GroupByKey()
            | "Batch" >> beam.FlatMap(_batches)
            | "Ask" >> beam.FlatMap(lambda batch, by_id: list(ask(batch, by_id)), prompts).with_output_types(ImageScore)
        )
        if not (repeats := self._repeats(inputs)):
            return rows
        model = "" if asked_of_each(self.questions) or self.questions.near_images else self.model
        return (
            {
                "rows": rows
                | "ByKey" >> beam.Map(lambda row: (row.image_url, row)).with_output_types(tuple[str, ImageScore]),
                "repeats": repeats,
            }
            | "Join" >> joins.Join()
            | "WithRepeat" >> beam.FlatMap(_with_repeat, model).with_output_types(ImageScore)
        )

    def _repeats(self, inputs: dict[str, beam.PCollection[Any]]) -> Any:
        least, distance = self.questions.near_images, self.questions.near_hash
        if not distance:
            return inputs["of_pairs"] | "Repeats" >> Repeats(least) if least else None
        found = {"looks": inputs["looks"]}
        if least:
            found["vectors"] = inputs["of_pairs"]
            found["same_host"] = (
                inputs["of_pairs"]
                | "SameHost" >> OnOneHost(least)
                | "Edge" >> beam.MapTuple(lambda one, other: (one, other[0])).with_output_types(tuple[str, str])
            )
        return found | "Anywhere" >> RepeatsAnywhere(distance, least)


@dataclasses.dataclass
class Repeats(beam.PTransform):
    """What OnOneHost does, by keys: (key, (pixels, vector)) → (key, (key of the picture that it repeats, cosine))."""

    least: float
    most: int = hot_keys.MOST

    def expand(self, pictures: beam.PCollection[Any]) -> beam.PCollection[tuple[str, tuple[str, float]]]:
        return (
            pictures
            | "OnOneHost" >> OnOneHost(self.least, self.most)
            | "Keys"
            >> beam.MapTuple(
                lambda one, of: (near_pictures.key_of(one), (near_pictures.key_of(of[0]), of[1]))
            ).with_output_types(tuple[str, tuple[str, float]])
        )


@dataclasses.dataclass
class OnOneHost(beam.PTransform):
    """(key, (pixels, vector)) → (node, (node of the picture that it repeats, cosine)), nodes of near_pictures.

    Pictures of one host are compared, each with each; of those that are the same the largest is no repeat. A host of
    more than about `most` pictures is split by a hash, and the parts are not compared with each other.
    """

    least: float
    most: int = hot_keys.MOST

    def expand(self, pictures: beam.PCollection[Any]) -> beam.PCollection[tuple[str, tuple[str, float]]]:
        least = self.least
        by_host = pictures | "Host" >> beam.Map(
            lambda item: (host(item[0]), (item[1][0], item[0], item[1][1]))
        ).with_output_types(tuple[str, tuple[int, str, bytes]])
        sample = max(1, min(hot_keys.SAMPLE, self.most // 8))
        return (
            by_host
            | "SameHost" >> hot_keys.GroupInParts(itemgetter(1), self.most, sample)
            | "Compare"
            >> beam.FlatMapTuple(lambda _, found: _repeats(found, least)).with_output_types(
                tuple[str, tuple[str, float]]
            )
        )


def host(key: str) -> str:
    """The host that an image is on."""
    return urlsplit(key).hostname or ""


class Pixels(beam.PTransform):
    """Rows of images/index → (key, pixels) of each that is stored, as Sized takes them."""

    def expand(self, index: beam.PCollection[Any]) -> beam.PCollection[tuple[str, int]]:
        return (
            index
            | "Stored" >> beam.Filter(lambda row: row.status == "ok")
            | "Of" >> beam.Map(lambda row: (row.image_url, row.width * row.height)).with_output_types(tuple[str, int])
        )


@dataclasses.dataclass
class Sized(beam.PTransform):
    """{"pixels": (key, pixels), "vectors": (key, vector)} → (key, (pixels, vector)), once, as Repeats takes it.

    A picture has a vector for each of its captions, a million where it stands for a product without one of its own;
    they are the same, and one of them goes into the join.
    """

    def expand(self, inputs: dict[str, beam.PCollection[Any]]) -> beam.PCollection[tuple[str, tuple[int, bytes]]]:
        one = tuple[str, bytes]
        vectors = (
            inputs["vectors"]
            | "KeyAndVector" >> beam.Map(tuple).with_output_types(one)
            | "Each" >> Once()
            | "Vector" >> beam.Map(lambda item: item).with_output_types(one)
        )
        return (
            {"pixels": inputs["pixels"], "vectors": vectors}
            | "Join" >> joins.Join()
            | "Sized" >> beam.FlatMapTuple(_sized).with_output_types(tuple[str, tuple[int, bytes]])
        )


def _sized(key: str, found: dict[str, Iterable[Any]]) -> Iterator[tuple[str, tuple[int, bytes]]]:
    for pixels in found["pixels"]:
        for vector in sorted(found["vectors"]):
            yield key, (pixels, vector)


def _batches(item: tuple[str, Iterable[tuple[str, bytes]]]) -> Iterator[list[tuple[str, bytes]]]:
    members = sorted(set(item[1]))
    for start in range(0, len(members), BATCH):
        yield members[start : start + BATCH]


def _repeats(found: Iterable[tuple[int, str, bytes]], least: float) -> Iterator[tuple[str, tuple[str, float]]]:
    members = sorted(set(found), key=lambda one: (-one[0], one[1]))  # the largest first: it stays
    vectors = np.stack([np.frombuffer(vector, np.float32) for _, _, vector in members])
    nodes = [near_pictures.node(key, pixels) for pixels, key, _ in members]
    for name, (first, cosine) in zip(nodes, neighbours.repeats(vectors, least), strict=True):
        if first >= 0:
            yield name, (nodes[first], cosine)


def _with_repeat(item: tuple[str, dict[str, Iterable[Any]]], model: str) -> Iterator[ImageScore]:
    """The row of a picture with what it repeats; one without a vector has a row where `model` is given: by its hash."""
    key, found = item
    rows = list(found["rows"])
    if model and not rows:
        rows = [ImageScore(key, model, None, None, None, "", (), (), "", None, "", None)]
    for made in rows:
        for repeated, cosine in found["repeats"]:
            made = made._replace(repeat_of=repeated, repeat_similarity=cosine)
        yield made
