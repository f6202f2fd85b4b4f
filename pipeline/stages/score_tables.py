"""What score writes beside similarities: what vectors say of images, the baseline, and the vectors themselves.

images ──────────────► Look ──────► image_scores/   heads, prompts, evaluation pictures, repeats; where asked for
pairs' vectors ──────► Baseline ──► baseline/       the same pictures with captions of other pairs
images, pairs ───────► WriteVectors ► embeddings/   where asked for
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import apache_beam as beam
import pyarrow as pa

from weft.pipeline.run.context import Context
from weft.schemas.config import Config, Score
from weft.schemas.tables import BASELINE, IMAGE_SCORES
from weft.transforms.io.parquet import ReadTable, WriteTable
from weft.transforms.score import clip, clip_models, image_scores, neighbours
from weft.transforms.score.clip import TextRef
from weft.transforms.score.embedding_files import WriteVectors
from weft.transforms.score.image_scores import Look
from weft.transforms.score.mismatched import Baseline, Candidate

PAIRS = pa.schema([("url", pa.string()), ("caption", pa.string()), ("key", pa.string()), ("similarity", pa.float32())])
IMAGES = pa.schema([("url", pa.string())])


def check(config: Config) -> None:
    """Raise ConfigError, before anything runs, for heads, prompts and vectors that cannot be used with the model."""
    image_scores.check(config.score, config.pack)
    width = model_width(config.score)
    if width:  # else where the model is loaded
        image_scores.load_heads(config.score, width)
        if config.score.evaluation_embeddings:
            neighbours.load(config.score.evaluation_embeddings, width)


def model_width(config: Score) -> int | None:
    """How many numbers a vector of score.model has, None where only the hub knows."""
    import open_clip

    _, name, _ = next(clip_models.wanted(config))
    if name.startswith(clip_models.LOCAL):
        known = json.loads((Path(name.removeprefix(clip_models.LOCAL)) / "open_clip_config.json").read_text("utf-8"))
        known = known.get("model_cfg", known)
    else:
        known = open_clip.get_model_config(name) or {}
    width = known.get("embed_dim")
    return width if isinstance(width, int) else None


class Prompts(beam.PTransform):
    """PBegin → TextRef of each prompt of the configuration."""

    def __init__(self, config: Score) -> None:
        super().__init__()
        texts = sorted({text for said in config.prompts.values() for text in said})
        self._refs = [TextRef(image_scores.prompt_id(text), " ".join(text.split())) for text in texts]

    def expand(self, begin: beam.pvalue.PBegin) -> beam.PCollection[TextRef]:
        return begin | beam.Create(self._refs).with_output_types(TextRef)


def write(p: beam.Pipeline, ctx: Context, images: Any, texts: Any, pairs: Any, of_pairs: Any) -> None:
    """Add the tables to the pipeline.

    Args:
        images: Embedding of every image.
        texts: Embedding of every text, prompts among them.
        pairs: units of kept pairs: kind, key, [caption], [image key].
        of_pairs: (key, (image key, the image's vector, the caption's)) of each pair that has both.
    """
    config = ctx.config.score
    _ = (
        of_pairs
        | "Candidates"
        >> beam.Map(lambda item: Candidate(item[0].partition(":")[2], item[1][1], item[1][2])).with_output_types(
            Candidate
        )
        | "Baseline" >> Baseline(ctx.config.salt)
        | "WriteBaseline" >> WriteTable(ctx.path("baseline"), BASELINE, 1)
    )
    vectors = images | "WithVector" >> beam.FlatMap(_with_vector).with_output_types(tuple[str, bytes])
    if image_scores.asked(config):
        _look(p, ctx, vectors, texts, of_pairs)
    if config.embeddings:
        _keep(ctx, vectors, pairs, of_pairs)


def _look(p: beam.Pipeline, ctx: Context, vectors: Any, texts: Any, of_pairs: Any) -> None:
    config = ctx.config.score
    ids = {image_scores.prompt_id(text) for said in config.prompts.values() for text in said}
    inputs = {
        "vectors": vectors,
        "prompts": texts
        | "OfPrompts" >> beam.Filter(lambda made: made.key in ids)
        | "PromptVector" >> beam.FlatMap(_with_vector).with_output_types(tuple[str, bytes]),
    }
    if config.near_images:
        sizes = (
            p
            | "Sizes" >> ReadTable(ctx.table("images/index"), ("image_url", "status", "width", "height"))
            | "SizeOfStored" >> beam.Filter(lambda row: row["status"] == "ok")
            | "Pixels"
            >> beam.Map(lambda row: (row["image_url"], row["width"] * row["height"])).with_output_types(tuple[str, int])
        )
        inputs["of_pairs"] = (
            {
                "pixels": sizes,
                "vectors": of_pairs
                | "PairImages" >> beam.Map(lambda item: item[1][:2]).with_output_types(tuple[str, bytes]),
            }
            | "JoinSizes" >> beam.CoGroupByKey()
            | "Sized" >> beam.FlatMapTuple(_sized).with_output_types(tuple[str, tuple[int, bytes]])
        )
    _ = (
        inputs
        | "Look" >> Look(config)
        | "WriteLooks" >> WriteTable(ctx.path("image_scores"), IMAGE_SCORES, config.buckets)
    )


def _keep(ctx: Context, vectors: Any, pairs: Any, of_pairs: Any) -> None:
    config, row = ctx.config.score, tuple[str, Any]
    _ = (
        vectors
        | "ImageRow" >> beam.Map(lambda item: (item[0], ((item[1],), (item[0],)))).with_output_types(row)
        | "KeepImages" >> WriteVectors(ctx.path("embeddings", "images"), IMAGES, config.buckets)
    )
    _ = (
        {
            "vectors": of_pairs,
            "captions": pairs
            | "Caption" >> beam.Map(lambda unit: (unit[1], unit[2][0])).with_output_types(tuple[str, str]),
        }
        | "JoinCaptions" >> beam.CoGroupByKey()
        | "PairRow" >> beam.FlatMapTuple(_pair_row).with_output_types(row)
        | "KeepPairs" >> WriteVectors(ctx.path("embeddings", "pairs"), PAIRS, config.buckets)
    )


def _with_vector(made: clip.Embedding) -> Iterator[tuple[str, bytes]]:
    if made.vector:
        yield made.key, made.vector


def _sized(key: str, found: dict[str, Iterable[Any]]) -> Iterator[tuple[str, tuple[int, bytes]]]:
    for pixels in found["pixels"]:
        for vector in sorted(set(found["vectors"])):
            yield key, (pixels, vector)


def _pair_row(key: str, found: dict[str, Iterable[Any]]) -> Iterator[tuple[str, Any]]:
    for url, image, text in found["vectors"]:
        for caption in found["captions"]:
            yield key, ((image, text), (url, caption, key, clip.similarity(image, text)))
