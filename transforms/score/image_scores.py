"""What image vectors say of images: heads, prompts, evaluation pictures and repeats, and what the recipe makes of it.

unit vectors → ImageScore rows (Look, Repeats); a row and the recipe's limits → a reason to drop the image (judge).
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import apache_beam as beam
import numpy as np

from weft.schemas.config import Pack, Score
from weft.schemas.parameters import ConfigError
from weft.schemas.records import ImageScore, hash_bucket, stable_id
from weft.transforms.beam import hot_keys
from weft.transforms.io import files
from weft.transforms.score import heads, neighbours
from weft.transforms.score.heads import Head

BATCH = 1_024  # vectors judged at once


class Looks(NamedTuple):
    """What pack knows of an image from its vector."""

    unsafe: float | None = None
    aesthetic: float | None = None
    watermark: float | None = None
    prompts: Mapping[str, float] = {}
    evaluation: str = ""
    evaluation_similarity: float | None = None
    repeat_of: str = ""

    def dumps(self) -> str:
        return json.dumps(self._asdict(), sort_keys=True)

    @classmethod
    def loads(cls, text: str) -> Looks:
        return cls(**json.loads(text))

    @classmethod
    def of_row(cls, row: Mapping[str, Any]) -> Looks:
        """From a row of `image_scores/`; float32 columns are rounded to what was stored."""

        def number(name: str) -> float | None:
            return None if row[name] is None else round(row[name], heads.DECIMALS)

        shares = {name: round(share, heads.DECIMALS) for name, share in row["prompt_shares"] or ()}
        return cls(
            number("unsafe"), number("aesthetic"), number("watermark"), shares,
            row["evaluation"], number("evaluation_similarity"), row["repeat_of"],
        )  # fmt: skip


def judge(looks: Looks | None, config: Pack) -> tuple[str, str]:
    """(reason, detail) for an image that the recipe does not want, ("", "") for another, and where nothing is known."""
    if looks is None:
        return "", ""
    near = looks.evaluation_similarity
    if near is not None and near >= config.max_evaluation_similarity > 0:
        return "evaluation_embedding", f"{looks.evaluation} {near:.5f}"
    if looks.unsafe is not None and looks.unsafe > config.max_unsafe:
        return "unsafe", f"{looks.unsafe:.5f}"
    name = heads.over(looks.prompts, config.max_prompt)
    if name:
        return "prompted_out", f"{name} {looks.prompts[name]:.5f}"
    if looks.watermark is not None and looks.watermark > config.max_watermark:
        return "watermarked", f"{looks.watermark:.5f}"
    if looks.aesthetic is not None and config.min_aesthetic and looks.aesthetic < config.min_aesthetic:
        return "unaesthetic", f"{looks.aesthetic:.5f}"
    return "", ""


def asked(config: Score) -> bool:
    """Whether anything is to be said of images by their vectors alone."""
    return bool(
        config.unsafe_head
        or config.aesthetic_head
        or config.watermark_head
        or config.prompts
        or config.evaluation_embeddings
        or config.near_images
    )


def check(score: Score, pack: Pack) -> None:
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
        (pack.drop_near_images and not score.near_images, "drop_near_images", "near_images"),
    ):
        if given:
            raise ConfigError(f"pack.{option} needs score.{needs}: without it nothing would be dropped")
    if not 0 <= score.near_images <= 1:
        raise ConfigError(f"score.near_images = {score.near_images} is no cosine between 0 (off) and 1")


def contents(config: Score) -> list[str]:
    """Hashes of the files that a configuration names: another file under the same name is another configuration."""
    paths = [getattr(config, f"{kind}_head") for kind in heads.KINDS] + list(config.evaluation_embeddings)
    return [hashlib.sha256(files.read_bytes(path)).hexdigest() if path and files.exists(path) else "" for path in paths]


def load_heads(config: Score, width: int) -> dict[str, Head]:
    """Kind → head, of those that are configured.

    Raises:
        ConfigError: as `heads.load`.
    """
    paths = {kind: getattr(config, f"{kind}_head") for kind in heads.KINDS}
    return {kind: heads.load(kind, path, width) for kind, path in paths.items() if path}


def prompt_id(text: str) -> str:
    """What a prompt's vector is found by."""
    return stable_id("prompt", text)


class Judge:
    """A batch of (key, vector) → its rows; heads and evaluation vectors are loaded where they are used."""

    def __init__(self, config: Score) -> None:
        self._config = config
        self._heads: dict[str, Head] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {"_config": self._config, "_heads": None}

    def __call__(self, batch: Sequence[tuple[str, bytes]], prompts: Mapping[str, bytes]) -> Iterator[ImageScore]:
        """A row for each image; `prompts` are the vectors of the configured ones by `prompt_id`."""
        config = self._config
        vectors = np.stack([np.frombuffer(vector, np.float32) for _, vector in batch])
        if self._heads is None:
            self._heads = load_heads(config, vectors.shape[1])
        marks = {kind: head(vectors).tolist() for kind, head in self._heads.items()}
        names = {
            name: np.stack([np.frombuffer(prompts[prompt_id(text)], np.float32) for text in said])
            for name, said in config.prompts.items()
        }
        told = heads.ask(vectors, names) if names else [heads.Prompted("", {}, {})] * len(batch)
        known: list[tuple[str, float | None]] = [("", None)] * len(batch)
        if config.evaluation_embeddings:
            known = list(neighbours.load(config.evaluation_embeddings, vectors.shape[1]).find(vectors))
        for n, (key, _) in enumerate(batch):
            unsafe, aesthetic, watermark = (marks[kind][n] if kind in marks else None for kind in heads.KINDS)
            shares, cosines = tuple(sorted(told[n].shares.items())), tuple(sorted(told[n].cosines.items()))
            yield ImageScore(
                key, config.model, unsafe, aesthetic, watermark, told[n].name, shares, cosines, *known[n], "", None
            )


@dataclasses.dataclass
class Look(beam.PTransform):
    """{"vectors": (key, vector), "prompts": (prompt_id, vector)} → ImageScore, a row an image.

    Where repeats are asked for, "of_pairs": (key, (pixels, vector)) are the pictures that are compared for it.

    Batches are formed inside hash buckets out of sorted members, as those of the model are, so that the last bits of
    a sum do not depend on the runner.
    """

    config: Score

    def expand(self, inputs: dict[str, beam.PCollection[Any]]) -> beam.PCollection[ImageScore]:
        config, judge_ = self.config, Judge(self.config)
        prompts = beam.pvalue.AsDict(inputs["prompts"])
        looked = (
            inputs["vectors"]
            | "Bucket"
            >> beam.Map(
                lambda item: (str(hash_bucket(item[0], config.buckets, "looks")), tuple(item))
            ).with_output_types(tuple[str, tuple[str, bytes]])
            | "Gather" >> beam.GroupByKey()
            | "Batch" >> beam.FlatMap(_batches)
            | "Look" >> beam.FlatMap(lambda batch, by_id: list(judge_(batch, by_id)), prompts)
        )
        if not config.near_images:
            return looked | "Rows" >> beam.Map(lambda row: row).with_output_types(ImageScore)
        return (
            {
                "rows": looked | "ByKey" >> beam.Map(lambda row: (row.image_url, tuple(row))),
                "repeats": inputs["of_pairs"] | "Repeats" >> Repeats(config.near_images),
            }
            | "Join" >> beam.CoGroupByKey()
            | "WithRepeat" >> beam.FlatMapTuple(_with_repeat).with_output_types(ImageScore)
        )


@dataclasses.dataclass
class Repeats(beam.PTransform):
    """(key, (pixels, vector)) → (key, (key of the picture that it repeats, cosine)).

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
            | "Compare" >> beam.FlatMapTuple(lambda _, found: _repeats(found, least))
        )


def host(key: str) -> str:
    """The host that an image is on."""
    return urlsplit(key).hostname or ""


def _batches(item: tuple[str, Iterable[tuple[str, bytes]]]) -> Iterator[list[tuple[str, bytes]]]:
    members = sorted(set(item[1]))
    for start in range(0, len(members), BATCH):
        yield members[start : start + BATCH]


def _repeats(found: Iterable[tuple[int, str, bytes]], least: float) -> Iterator[tuple[str, tuple[str, float]]]:
    members = sorted(set(found), key=lambda one: (-one[0], one[1]))  # the largest first: it stays
    vectors = np.stack([np.frombuffer(vector, np.float32) for _, _, vector in members])
    for (_, key, _), (first, cosine) in zip(members, neighbours.repeats(vectors, least), strict=True):
        if first >= 0:
            yield key, (members[first][1], cosine)


def _with_repeat(_: str, found: dict[str, Iterable[Any]]) -> Iterator[ImageScore]:
    for row in found["rows"]:
        made = ImageScore(*row)
        for repeated, cosine in found["repeats"]:
            made = made._replace(repeat_of=repeated, repeat_similarity=cosine)
        yield made
