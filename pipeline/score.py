"""score: images and texts that belong together → CLIP similarities.

    images/index ──► Embed ──┐ by image                       ┌──► scores/
    documents, pairs (kept) ─┼─► by text ◄── Embed ◄── texts  │
                             └──────► by document or pair ────┘

Every pair gets one similarity, every document one for each of its texts with each of its images. Vectors, ids and
positions cross shuffles; images never do.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import apache_beam as beam

from pipeline import runners
from pipeline.context import Context
from schemas.records import DROPPED, KEPT, Fate, Score, stable_id
from schemas.tables import FATES, SCORES
from transforms import clip, lines
from transforms.clip import Embed, ImageRef, TextRef
from transforms.lines import Cuts
from transforms.sinks import ReadTable, WriteTable, read_rows
from transforms.urls import image_key

OUTPUTS = ("scores",)
STAGE = "score"
_GPU = {"accelerator": "type:nvidia-l4;count:1;install-nvidia-driver", "min_ram": "16GB"}
_Use = tuple[str, str, int]  # kind, id, position


def run(ctx: Context) -> dict[str, int]:
    """Score what was kept; returns how many images, pairs and documents there were."""
    config = ctx.config.score
    clip.validate(config)
    with ctx.pipeline(2 * config.buckets) as p:
        documents, pairs = _kept(p, ctx)
        image_refs = (
            p
            | "Index" >> ReadTable(ctx.parts("images/index"), ("image_url", "status", "blob", "offset", "length"))
            | "Stored" >> beam.Filter(lambda row: row["status"] == "ok")
            | "Refs"
            >> beam.Map(
                lambda row, base: ImageRef(row["image_url"], f"{base}/{row['blob']}", row["offset"], row["length"]),
                ctx.output.rstrip("/"),
            ).with_output_types(ImageRef)
        )
        uses = (documents, pairs) | "Uses" >> beam.Flatten()
        texts = uses | "Texts" >> beam.FlatMap(_texts, config.max_text_chars).with_output_types(
            tuple[str, tuple[str, tuple[str, str, int]]]
        )
        text_refs = texts | "TextRefs" >> beam.Map(lambda item: TextRef(item[0], item[1][0])).with_output_types(TextRef)
        embed_images, embed_texts = Embed(config, "image"), Embed(config, "text")
        if runners.is_dataflow(ctx.flags):  # hints break fusion elsewhere
            embed_images = embed_images.with_resource_hints(**_GPU)
            embed_texts = embed_texts.with_resource_hints(**_GPU)
        images = image_refs | "EmbedImages" >> embed_images
        image_uses = uses | "ImageUses" >> beam.FlatMap(_images).with_output_types(tuple[str, tuple[str, str, int]])
        joined_images = {
            "made": images | "ImageVector" >> beam.Map(_vector).with_output_types(tuple[str, tuple[bytes, str]]),
            "uses": image_uses,
        } | "JoinImages" >> beam.CoGroupByKey()
        joined_texts = {
            "made": text_refs
            | "EmbedTexts" >> embed_texts
            | "TextVector" >> beam.Map(_vector).with_output_types(tuple[str, tuple[bytes, str]]),
            "uses": texts
            | "TextUses"
            >> beam.Map(lambda item: (item[0], item[1][1])).with_output_types(tuple[str, tuple[str, str, int]]),
        } | "JoinTexts" >> beam.CoGroupByKey()
        side = tuple[str, tuple[int, int, str, bytes]]
        _ = (
            (
                joined_images | "OfImages" >> beam.FlatMap(_spread, 0).with_output_types(side),
                joined_texts | "OfTexts" >> beam.FlatMap(_spread, 1).with_output_types(side),
            )
            | "Sides" >> beam.Flatten()
            | "ByOwner" >> beam.GroupByKey()
            | "Compare" >> beam.FlatMap(_compare)
            | "Write" >> WriteTable(ctx.path("scores"), SCORES, config.buckets, key=lambda row: row[1])
        )
        _ = (
            (
                joined_images | "ImageFates" >> beam.FlatMap(_image_fates).with_output_types(Fate),
                documents
                | "DocumentFates"
                >> beam.Map(lambda unit: Fate(STAGE, "document", unit[1], KEPT, "", "")).with_output_types(Fate),
            )
            | "Fates" >> beam.Flatten()
            | "WriteFates" >> WriteTable(ctx.path("fates", STAGE), FATES, config.buckets, key=lambda row: row[2])
        )
    return _entered(ctx)


_Unit = tuple[str, str, list[str], list[str]]  # kind, id, texts ("" for an image), image keys ("" for a text)


def _kept(p: beam.Pipeline, ctx: Context) -> tuple[beam.PCollection[_Unit], beam.PCollection[_Unit]]:
    """Kept documents and pairs as units of one shape: a pair is a document of one text and one image."""
    unit = tuple[str, str, list[str], list[str]]
    most, dedup = ctx.config.score.max_text_chars, ctx.config.dedup
    cuts = dedup.lines_once or dedup.lines_per_host
    kept = p | "Kept" >> ReadTable(ctx.parts("kept"))
    documents = {
        "rows": p
        | "Documents" >> ReadTable(ctx.parts("documents"), ("doc_id", "warc_file", "warc_offset", "texts", "images"))
        # what a document loses is counted in lines of the whole texts: they are cut to size after that
        | "DocumentKey" >> beam.Map(_document, None if cuts else most),
        "kept": kept
        | "KeptDocuments" >> beam.Filter(lambda row: row["kind"] == "document")
        | "KeptDocumentKey" >> beam.Map(lambda row: (row["doc_id"], (row["warc_file"], row["warc_offset"]))),
        "cuts": p | "Cuts" >> Cuts(ctx.parts("cuts")),
    }
    pairs = {
        "rows": p
        | "Pairs" >> ReadTable(ctx.parts("pairs"), ("doc_id", "pair_id", "image_url", "text"))
        | "PairKey" >> beam.Map(lambda row: (f"{row['doc_id']}:{row['pair_id']}", (row["text"], row["image_url"]))),
        "kept": kept
        | "KeptPairs" >> beam.Filter(lambda row: row["kind"] == "pair")
        | "KeptPairKey" >> beam.Map(lambda row: (row["key"], True)),
    }
    return (
        documents
        | "JoinDocuments" >> beam.CoGroupByKey()
        | "OneDocument" >> beam.FlatMap(_one_document, dedup.line_unit, most).with_output_types(unit),
        pairs | "JoinPairs" >> beam.CoGroupByKey() | "OnePair" >> beam.FlatMap(_one_pair).with_output_types(unit),
    )


def _document(row: dict[str, Any], most: int | None) -> tuple[str, tuple[str, int, list[str | None], list[str]]]:
    texts = [text and text[:most] for text in row["texts"]]
    keys = [image_key(url) if url else "" for url in row["images"]]
    return row["doc_id"], (row["warc_file"], row["warc_offset"], texts, keys)


def _one_document(item: tuple[str, dict[str, Iterable[Any]]], line_unit: lines.Unit, most: int) -> Iterator[_Unit]:
    places = {tuple(place) for place in item[1]["kept"]}
    for warc_file, offset, texts, keys in sorted(item[1]["rows"], key=repr):
        if (warc_file, offset) in places:
            for dropped in item[1]["cuts"]:
                texts = lines.cut(texts, dropped, line_unit)
            yield "document", item[0], [(text or "")[:most] for text in texts], list(keys)
            return


def _one_pair(item: tuple[str, dict[str, Iterable[Any]]]) -> Iterator[_Unit]:
    rows = sorted(item[1]["rows"])
    if rows and list(item[1]["kept"]):
        text, url = rows[0]
        yield "pair", item[0], [text], [image_key(url)]


def _texts(unit: _Unit, most: int) -> Iterator[tuple[str, tuple[str, _Use]]]:
    kind, name, texts, keys = unit
    if not any(keys):
        return
    for position, text in enumerate(texts):
        said = " ".join(text[:most].split())
        if said:
            yield stable_id("text", said), (said, (kind, name, position))


def _images(unit: _Unit) -> Iterator[tuple[str, _Use]]:
    kind, name, _, keys = unit
    for position, key in enumerate(keys):
        if key:
            yield key, (kind, name, position)


def _vector(made: clip.Embedding) -> tuple[str, tuple[bytes, str]]:
    return made.key, (made.vector, made.problem)


def _spread(item: tuple[str, dict[str, Iterable[Any]]], side: int) -> Iterator[tuple[str, tuple[int, int, str, bytes]]]:
    """A vector to every document and pair that uses it: (owner, (side, position, image key, vector))."""
    key, found = item
    vectors = [vector for vector, problem in found["made"] if not problem]
    if vectors:
        for kind, name, position in found["uses"]:
            yield f"{kind}/{name}", (side, position, key if side == 0 else "", vectors[0])


def _compare(item: tuple[str, Iterable[tuple[int, int, str, bytes]]]) -> Iterator[Score]:
    kind, name = item[0].split("/", 1)
    found = sorted(set(item[1]))
    texts = [(position, vector) for side, position, _, vector in found if side == 1]
    name = name.split(":", 1)[1] if kind == "pair" else name
    for side, image_position, key, image in found:
        if side == 0:
            for text_position, text in texts:
                yield Score(kind, name, image_position, text_position, key, clip.similarity(image, text))


def _image_fates(item: tuple[str, dict[str, Iterable[Any]]]) -> Iterator[Fate]:
    """An image's own fate, and those of the pairs that stand or fall with it."""
    key, found = item
    made = list(found["made"])
    problem = made[0][1] if made else "not fetched"
    if made:
        yield Fate(STAGE, "image", key, DROPPED if problem else KEPT, "unreadable" if problem else "", problem)
    for kind, name, _ in set(found["uses"]):
        if kind == "pair":
            yield Fate(
                STAGE,
                "pair",
                name,
                DROPPED if problem else KEPT,
                "image_missing" if problem else "",
                key if problem else "",
            )


def _entered(ctx: Context) -> dict[str, int]:
    counts = {"image": 0, "pair": 0, "document": 0}
    for path in ctx.parts("images/index"):
        counts["image"] += sum(row["status"] == "ok" for row in read_rows(path, ("status",)))
    for path in ctx.parts("kept"):
        for row in read_rows(path, ("kind",)):
            counts[row["kind"]] += 1
    return counts
