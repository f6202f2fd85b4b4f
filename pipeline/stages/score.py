"""score: images and texts that belong together → CLIP similarities.

    images/index ──► Embed ───────────────┐ by image                              ┌──► scores/
          │                               ├──► by document or pair ──► Compare ───┤
          └─► owners with an image ─┐     │ by text                               └──► fates of pairs
    documents, pairs (kept) ────────┴─► texts ──► Embed

Every pair gets one similarity, every document one for each of its texts with each of its images. Vectors, ids and
positions cross shuffles; images never do. A picture is embedded once under however many addresses its bytes were found,
a text once however often it stands somewhere, and only where an image of its document or pair was stored.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import apache_beam as beam
from apache_beam.metrics import MetricsFilter

from weft.pipeline.run.context import Context
from weft.pipeline.runners import beam_options
from weft.pipeline.stages import score_tables
from weft.schemas.config import Score as ScoreConfig
from weft.schemas.records import DROPPED, KEPT, Fate, Score, stable_id
from weft.schemas.tables import FATES, SCORES
from weft.transforms.dedup import repeated_lines
from weft.transforms.dedup.repeated_lines import Cuts
from weft.transforms.io.parquet import ReadTable, WriteTable, read_rows
from weft.transforms.pack import assignment
from weft.transforms.score import clip, clip_models
from weft.transforms.score.clip import Embed, ImageRef, TextRef
from weft.transforms.urls import image_key

OUTPUTS = ("scores", "image_scores", "baseline", "embeddings")
STAGE = "score"
_Use = tuple[str, int]  # owner ("document/ID" or "pair/ID"), position
_IMAGE, _TEXT = 0, 1


class _Side(NamedTuple):
    """One image or text of an owner, as `_compare` meets it."""

    side: int  # _IMAGE or _TEXT
    position: int
    key: str  # the image's
    vectors: list[bytes]  # none where there is a problem
    problem: str


def run(ctx: Context) -> dict[str, int]:
    """Score what was kept; returns how many images, pairs and documents there were."""
    config = ctx.config.score
    clip_models.validate(config)
    score_tables.check(ctx.config)
    p = ctx.pipeline(2 * config.buckets)
    with p:
        documents, pairs = _kept(p, ctx)
        units = (documents, pairs) | "Units" >> beam.Flatten()
        stored = (
            p
            | "Index"
            >> ReadTable(ctx.table("images/index"), ("image_url", "image_id", "status", "blob", "offset", "length"))
            | "Stored" >> beam.Filter(lambda row: row["status"] == "ok")
        )
        image_refs = (
            stored
            | "Places" >> beam.Map(_place, ctx.output.rstrip("/")).with_output_types(tuple[str, tuple[str, int, int]])
            | "OnePlace" >> beam.CombinePerKey(min)
            | "Refs" >> beam.MapTuple(lambda key, place: ImageRef(key, *place)).with_output_types(ImageRef)
        )
        asked = {
            "stored": stored
            | "StoredId"
            >> beam.Map(lambda row: (row["image_url"], row["image_id"] or row["image_url"])).with_output_types(
                tuple[str, str]
            ),
            "uses": units | "ImageUses" >> beam.FlatMap(_images).with_output_types(tuple[str, _Use]),
        } | "JoinStored" >> beam.CoGroupByKey()
        text_uses = _texts_of_pictured(units, asked, config.max_text_chars)
        text_refs = text_uses | "TextRefs" >> beam.Map(lambda item: TextRef(item[0], item[1][0])).with_output_types(
            TextRef
        )
        if config.prompts:
            text_refs = (text_refs, p | "Prompts" >> score_tables.Prompts(config)) | "WithPrompts" >> beam.Flatten()
        hints = accelerated(config, ctx.flags)
        images = image_refs | "EmbedImages" >> Embed(config, "image").with_resource_hints(**hints)
        texts = text_refs | "EmbedTexts" >> Embed(config, "text").with_resource_hints(**hints)
        made = tuple[str, tuple[list[bytes], str]]
        joined_images = {
            "made": images | "ImageVector" >> beam.Map(_vectors).with_output_types(made),
            "uses": asked | "OfStored" >> beam.FlatMap(_of_stored).with_output_types(tuple[str, tuple[str, str, int]]),
        } | "JoinImages" >> beam.CoGroupByKey()
        by_address = joined_images | "ByAddress" >> beam.FlatMap(_by_address).with_output_types(clip.Embedding)
        joined_texts = {
            "made": texts | "TextVector" >> beam.Map(_vectors).with_output_types(made),
            "uses": text_uses
            | "TextUses" >> beam.Map(lambda item: (item[0], item[1][1])).with_output_types(tuple[str, _Use]),
        } | "JoinTexts" >> beam.CoGroupByKey()
        side = tuple[str, tuple[int, int, str, list[bytes], str]]
        owned = (
            (
                joined_images | "OfImages" >> beam.FlatMap(_spread_images).with_output_types(side),
                asked | "NotStored" >> beam.FlatMap(_not_stored).with_output_types(side),
                joined_texts | "OfTexts" >> beam.FlatMap(_spread_texts).with_output_types(side),
            )
            | "Sides" >> beam.Flatten()
            | "ByOwner" >> beam.GroupByKey()
        )
        of_pairs = owned | "OfPairs" >> beam.FlatMap(_pair_vectors).with_output_types(
            tuple[str, tuple[str, bytes, bytes]]
        )
        score_tables.write(p, ctx, by_address, texts, pairs, of_pairs)
        _ = (
            owned
            | "Compare" >> beam.FlatMap(_compare)
            | "Write" >> WriteTable(ctx.path("scores"), SCORES, config.buckets, key=lambda row: row[1])
        )
        _ = (
            (
                by_address | "ImageFates" >> beam.Map(_image_fate).with_output_types(Fate),
                owned | "PairFates" >> beam.FlatMap(_pair_fates).with_output_types(Fate),
                documents
                | "DocumentFates"
                >> beam.Map(lambda unit: Fate(STAGE, "document", unit[1], KEPT, "", "")).with_output_types(Fate),
            )
            | "Fates" >> beam.Flatten()
            | "WriteFates" >> WriteTable(ctx.path("fates", STAGE), FATES, config.buckets, key=lambda row: row[2])
        )
    _tell_of_halved(ctx, p)
    return _entered(ctx)


def accelerated(config: ScoreConfig, flags: tuple[str, ...]) -> dict[str, str]:
    """Resource hints of the steps that run CLIP; none but on Dataflow, because they break fusion elsewhere."""
    if not beam_options.is_dataflow(flags):
        return {}
    hints = {"accelerator": config.accelerator, "min_ram": config.min_ram}
    return {name: value for name, value in hints.items() if value}


def _tell_of_halved(ctx: Context, p: beam.Pipeline) -> None:
    found = p.result.metrics().query(MetricsFilter().with_namespace(clip.NAMESPACE).with_name(clip.HALVED))
    halved = sum(counter.result or 0 for counter in found["counters"])
    if halved:
        ctx.say(f"memory did not suffice for score.batch_size = {ctx.config.score.batch_size}: halved {halved} times")


def _texts_of_pictured(units: Any, asked: Any, most: int) -> Any:
    """(id of a text, (the text, its use)) of the documents and pairs of which an image was stored."""
    pictured = (
        asked
        | "Pictured"
        >> beam.FlatMap(
            lambda item: [(owner, True) for owner, _ in item[1]["uses"]] if list(item[1]["stored"]) else []
        ).with_output_types(tuple[str, bool])
        | "PicturedOnce" >> beam.CombinePerKey(any)
    )
    owned = units | "OwnerTexts" >> beam.Map(lambda unit: (f"{unit[0]}/{unit[1]}", unit[2])).with_output_types(
        tuple[str, list[str]]
    )
    return (
        {"texts": owned, "pictured": pictured}
        | "JoinPictured" >> beam.CoGroupByKey()
        | "Texts" >> beam.FlatMap(_texts, most).with_output_types(tuple[str, tuple[str, _Use]])
    )


_Unit = tuple[str, str, list[str], list[str]]  # kind, id, texts ("" for an image), image keys ("" for a text)


def _kept(p: beam.Pipeline, ctx: Context) -> tuple[beam.PCollection[_Unit], beam.PCollection[_Unit]]:
    """Kept documents and pairs as units of one shape: a pair is a document of one text and one image."""
    unit = tuple[str, str, list[str], list[str]]
    most, dedup = ctx.config.score.max_text_chars, ctx.config.dedup
    cuts = dedup.lines_once or dedup.lines_per_host
    kept = p | "Kept" >> ReadTable(ctx.table("kept"))
    documents = {
        "rows": p
        | "Documents" >> ReadTable(ctx.table("documents"), ("doc_id", "warc_file", "warc_offset", "texts", "images"))
        # what a document loses is counted in lines of the whole texts: they are cut to size after that
        | "DocumentKey" >> beam.Map(_document, None if cuts else most),
        "kept": kept
        | "KeptDocuments" >> beam.Filter(lambda row: row["kind"] == "document")
        | "KeptDocumentKey" >> beam.Map(lambda row: (row["doc_id"], (row["warc_file"], row["warc_offset"]))),
        "cuts": p | "Cuts" >> Cuts(ctx.table("cuts")),
    }
    pairs = {
        "rows": p
        | "Pairs" >> ReadTable(ctx.table("pairs"), ("doc_id", "pair_id", "image_url", "text"))
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


def _one_document(
    item: tuple[str, dict[str, Iterable[Any]]], line_unit: repeated_lines.Unit, most: int
) -> Iterator[_Unit]:
    places = {tuple(place) for place in item[1]["kept"]}
    for warc_file, offset, texts, keys in sorted(item[1]["rows"], key=repr):
        if (warc_file, offset) in places:
            for dropped in item[1]["cuts"]:
                texts = repeated_lines.cut(texts, dropped, line_unit)
            yield "document", item[0], [(text or "")[:most] for text in texts], list(keys)
            return


def _one_pair(item: tuple[str, dict[str, Iterable[Any]]]) -> Iterator[_Unit]:
    rows = sorted(item[1]["rows"])
    if rows and list(item[1]["kept"]):
        text, url = rows[0]
        yield "pair", item[0], [text], [image_key(url)]


def _texts(item: tuple[str, dict[str, Iterable[Any]]], most: int) -> Iterator[tuple[str, tuple[str, _Use]]]:
    owner, found = item
    if list(found["pictured"]):
        for texts in found["texts"]:
            for position, text in enumerate(texts):
                said = " ".join(text[:most].split())
                if said:
                    yield stable_id("text", said), (said, (owner, position))


def _images(unit: _Unit) -> Iterator[tuple[str, _Use]]:
    kind, name, _, keys = unit
    for position, key in enumerate(keys):
        if key:
            yield key, (f"{kind}/{name}", position)


def _place(row: dict[str, Any], base: str) -> tuple[str, tuple[str, int, int]]:
    return row["image_id"] or row["image_url"], (f"{base}/{row['blob']}", row["offset"], row["length"])


def _of_stored(item: tuple[str, dict[str, Iterable[Any]]]) -> Iterator[tuple[str, tuple[str, str, int]]]:
    """Where a picture is used, by its id: (address, owner, position), and once the address with no owner."""
    for image_id in item[1]["stored"]:
        yield image_id, (item[0], "", 0)
        for owner, position in item[1]["uses"]:
            yield image_id, (item[0], owner, position)


def _not_stored(
    item: tuple[str, dict[str, Iterable[Any]]],
) -> Iterator[tuple[str, tuple[int, int, str, list[bytes], str]]]:
    if not list(item[1]["stored"]):
        for owner, position in item[1]["uses"]:
            yield owner, (_IMAGE, position, item[0], [], "not fetched")


def _vectors(made: clip.Embedding) -> tuple[str, tuple[list[bytes], str]]:
    return made.key, (list(made.vectors), made.problem)


def _spread_images(
    item: tuple[str, dict[str, Iterable[Any]]],
) -> Iterator[tuple[str, tuple[int, int, str, list[bytes], str]]]:
    """What became of a picture, to every document and pair that uses it."""
    for vectors, problem in item[1]["made"]:
        for address, owner, position in item[1]["uses"]:
            if owner:
                yield owner, (_IMAGE, position, address, list(vectors), problem)


def _by_address(item: tuple[str, dict[str, Iterable[Any]]]) -> Iterator[clip.Embedding]:
    """What became of a picture, for each of its addresses."""
    for vectors, problem in item[1]["made"]:
        for address, owner, _ in item[1]["uses"]:
            if not owner:
                yield clip.Embedding(address, list(vectors), problem)


def _spread_texts(
    item: tuple[str, dict[str, Iterable[Any]]],
) -> Iterator[tuple[str, tuple[int, int, str, list[bytes], str]]]:
    """What became of a text, to every document and pair in which it stands."""
    for vectors, problem in item[1]["made"]:
        for owner, position in item[1]["uses"]:
            yield owner, (_TEXT, position, "", list(vectors), problem)


def _sides(values: Iterable[Any]) -> tuple[list[_Side], list[_Side]]:
    """(images, texts) of one owner, in reading order and once each."""
    found: dict[tuple[int, int], _Side] = {}
    for value in values:
        one = _Side(*value)
        found[one.side, one.position] = one
    ordered = [found[place] for place in sorted(found)]
    return [one for one in ordered if one.side == _IMAGE], [one for one in ordered if one.side == _TEXT]


def _compare(item: tuple[str, Iterable[Any]]) -> Iterator[Score]:
    kind, name = item[0].split("/", 1)
    images, texts = _sides(item[1])
    name = name.split(":", 1)[1] if kind == "pair" else name
    found = []
    for image in images:
        for text in texts:
            if image.vectors and text.vectors:
                value, *others = map(clip.similarity, image.vectors, text.vectors)
                found.append(Score(kind, name, image.position, text.position, image.key, value, tuple(others)))
    matches = assignment.match((one.image_position, one.text_position, one.similarity) for one in found)
    for one in found:
        yield one._replace(matched=matches[one.image_position].text == one.text_position)


def _pair_vectors(item: tuple[str, Iterable[Any]]) -> Iterator[tuple[str, tuple[str, bytes, bytes]]]:
    """(key of a pair, (image key, its vector, its caption's vector)) of each pair that has both, by score.model."""
    kind, name = item[0].split("/", 1)
    if kind == "pair":
        for image, text in zip(*_sides(item[1])):
            if image.vectors and text.vectors:
                yield name, (image.key, image.vectors[0], text.vectors[0])


def _image_fate(made: clip.Embedding) -> Fate:
    reason = "" if not made.problem else made.problem if made.problem == clip.NOT_FINITE else "unreadable"
    return Fate(STAGE, "image", made.key, DROPPED if made.problem else KEPT, reason, made.problem)


def _pair_fates(item: tuple[str, Iterable[Any]]) -> Iterator[Fate]:
    """A pair stands or falls with its image, and with a text that the model makes something of."""
    kind, name = item[0].split("/", 1)
    if kind == "pair":
        (image,), texts = _sides(item[1])
        if image.problem:
            yield Fate(STAGE, "pair", name, DROPPED, "image_missing", image.key)
        elif not texts or texts[0].problem:
            yield Fate(STAGE, "pair", name, DROPPED, texts[0].problem if texts else "no_text", "")
        else:
            yield Fate(STAGE, "pair", name, KEPT, "", "")


def _entered(ctx: Context) -> dict[str, int]:
    counts = {"image": 0, "pair": 0, "document": 0}
    for path in ctx.parts("images/index"):
        counts["image"] += sum(row["status"] == "ok" for row in read_rows(path, ("status",)))
    for path in ctx.parts("kept"):
        for row in read_rows(path, ("kind",)):
            counts[row["kind"]] += 1
    return counts
