"""pack: documents, pairs, images and scores → tokenized webdataset shards of three corpora.

    texts sample ──► tokenizer (trained, or the one that is named)
    images/index ⋈ occurrences ──► repeats ──┐
    scores ──────────────────────────────────┼─► document: recipe, tokens, sequences ──┐
    documents ⋈ kept ────────────────────────┘                                         ├─► by shard ──► tar
    pairs ⋈ fates/score ⋈ images/index ⋈ scores ──► pair: recipe, tokens ──────────────┘

The joins are here; what becomes of one document, pair or shard is in `packing.py`.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Iterator
from typing import Any

import apache_beam as beam

from weft.pipeline.run.context import Context
from weft.pipeline.stages import scored
from weft.schemas import shards
from weft.schemas.config import Pack
from weft.schemas.parameters import ConfigError
from weft.schemas.records import KEPT, Fate, hash_unit
from weft.schemas.shards import ShardInfo
from weft.schemas.tables import FATES
from weft.transforms.dedup import repeated_lines
from weft.transforms.dedup.repeated_lines import Cuts
from weft.transforms.fetch.placeholders import Mark
from weft.transforms.io import files
from weft.transforms.io.parquet import ReadTable, WriteTable, read_rows
from weft.transforms.pack import evaluation_images, recipe, sequences, tokenizer
from weft.transforms.pack.same_pictures import SamePictures
from weft.transforms.pack.samples import STAGE, Maker, archive, write_shard
from weft.transforms.score import image_scores
from weft.transforms.urls import image_key

OUTPUTS = ("shards",)
FATE_FILES = 4
SAMPLE_TEXTS, SAMPLE_CHARS = 5_000, 4_000  # what a trained tokenizer sees: at most 20 MB
_INDEX = ("image_url", "image_id", "status", "width", "height", "single_colour", "blob", "offset", "length", "phash")


def run(ctx: Context) -> dict[str, int]:
    """Write all shards; returns how many documents, pairs and image occurrences entered."""
    config = ctx.config.pack
    path = config.tokenizer
    if config.evaluation_images:
        if not 0 <= config.evaluation_distance <= 64:
            raise ConfigError(f"pack.evaluation_distance = {config.evaluation_distance} is no number of bits out of 64")
        evaluation_images.load(config.evaluation_images, ctx.config.fetch.max_side)
    image_scores.check(ctx.config.score, config)
    meant, used = config.similarity_model, ctx.config.score.model
    if meant and meant != used:
        ctx.say(
            f"thresholds on similarity are for {meant!r} and score.model is {used!r}: see the baseline in the report"
        )
    if config.context_length < config.image_tokens + 5:
        raise ConfigError(
            f"pack.context_length = {config.context_length} holds no image of pack.image_tokens = {config.image_tokens}"
        )
    if path == "train":
        path = ctx.path(STAGE, "trained", shards.TOKENIZER)
        if config.vocab_size < tokenizer.MIN_VOCABULARY:
            tokenizer.train([], config.vocab_size)  # says what is wrong before anything runs
        if not files.exists(path):
            files.write_atomic(path, tokenizer.train(_sample(ctx), config.vocab_size))
    top = scored.top(ctx)
    encoder = tokenizer.Encoder(path, config.image_tokens, config.context_length)
    names = shard_names(config)
    ctx.expect(len(names))
    with ctx.pipeline(len(names)) as p:
        kept = p | "Kept" >> ReadTable(ctx.table("kept"))
        index = (
            p
            | "Index" >> ReadTable(ctx.table("images/index"), _INDEX)
            | "IndexKey" >> beam.Map(_stored).with_output_types(tuple[str, tuple[str, ...]])
        )
        if ctx.parts("images/repeated"):
            repeated = p | "Repeated" >> ReadTable(ctx.table("images/repeated"), ("image_url", "urls"))
            index = {"stored": index, "repeated": repeated} | "Mark" >> Mark()
        if ctx.parts("image_scores"):
            looked = p | "ImageScores" >> ReadTable(ctx.table("image_scores"))
            index = {"stored": index, "rows": looked} | "Looked" >> scored.Looked()
        scores = p | "Scores" >> ReadTable(ctx.table("scores"))
        made = Maker(ctx.config, path, top)
        rows = _kept_documents(p, ctx, kept)
        of_documents = _documents(rows, index, scores) | "Document" >> beam.FlatMap(made.document)
        of_pairs = _pairs(p, ctx, rows, index, scores, made) | "Pair" >> beam.FlatMap(made.pair)
        both = (of_documents, of_pairs) | "Both" >> beam.Flatten()
        row = tuple[str, tuple[str, bytes, str, list[tuple[str, int, int]]]]
        samples = both | "Samples" >> beam.FlatMap(lambda made: made[0]).with_output_types(row)
        fates = both | "Fates" >> beam.FlatMap(lambda made: made[1]).with_output_types(Fate)
        every = p | "AllShards" >> beam.Create([(name, ("", b"", "", [])) for name in names]).with_output_types(row)
        written = (
            (samples, every)
            | "WithEmpty" >> beam.Flatten()
            | "ByShard" >> beam.GroupByKey()
            | "WriteShard" >> beam.Map(write_shard, ctx.output, encoder.vocabulary, ctx.config.salt)
        )
        _ = written | "Progress" >> beam.Map(
            lambda info, output: files.write_atomic(
                files.join(output, STAGE, "units", info.name.replace("/", "-") + ".json"),
                json.dumps(dataclasses.asdict(info), sort_keys=True),
            ),
            ctx.output,
        )
        _ = fates | "WriteFates" >> WriteTable(ctx.path("fates", STAGE), FATES, FATE_FILES, key=lambda row: row[2])
    _finish(ctx, encoder, names)
    return _entered(ctx)


def shard_names(config: Pack) -> list[str]:
    """Every shard that a run writes, empty or not."""
    counts = {"train": config.shards, "val": 1}
    return [shards.shard_name(c, s, n) for c in shards.CORPORA for s in shards.SPLITS for n in range(counts[s])]


def _kept_documents(p: Any, ctx: Context, kept: Any) -> Any:
    """(doc_id, row as JSON) of every kept document, once."""
    columns = (
        "doc_id", "url", "warc_file", "warc_offset", "record_id", "language", "title", "texts", "images", "image_meta",
    )  # fmt: skip
    rows = (
        p
        | "Documents" >> ReadTable(ctx.table("documents"), columns)
        | "DocumentKey" >> beam.Map(lambda row: (row["doc_id"], json.dumps(row))).with_output_types(tuple[str, str])
    )
    places = (
        kept
        | "KeptDocuments" >> beam.Filter(lambda row: row["kind"] == "document")
        | "KeptPlace"
        >> beam.Map(lambda row: (row["doc_id"], (row["warc_file"], row["warc_offset"]))).with_output_types(
            tuple[str, tuple[str, int]]
        )
    )
    return (
        {"rows": rows, "kept": places, "cuts": p | "Cuts" >> Cuts(ctx.table("cuts"))}
        | "JoinKept" >> beam.CoGroupByKey()
        | "One" >> beam.FlatMap(_one_document, ctx.config.dedup.line_unit).with_output_types(tuple[str, str])
    )


def _documents(only: Any, index: Any, scores: Any) -> Any:
    """(doc_id, {row, pictures, ...}) of every kept document, joined on doc_id."""
    uses = only | "Uses" >> beam.FlatMap(_uses).with_output_types(tuple[str, tuple[str, int]])
    pictured = (
        {"stored": index, "uses": uses}
        | "JoinImages" >> beam.CoGroupByKey()
        | "ByContent" >> beam.FlatMap(_by_content).with_output_types(tuple[str, tuple[str, int, tuple[Any, ...]]])
        | "SameContent" >> beam.GroupByKey()
        | "CountRepeats" >> beam.FlatMap(_repeats).with_output_types(tuple[str, tuple[int, int, tuple[Any, ...]]])
    )
    compared = (
        scores
        | "DocumentScores" >> beam.Filter(lambda row: row["kind"] == "document")
        | "DocumentScore"
        >> beam.Map(
            lambda row: (row["id"], (row["image_position"], row["text_position"], row["similarity"]))
        ).with_output_types(tuple[str, tuple[int, int, float]])
    )
    return {"row": only, "pictures": pictured, "scores": compared} | "JoinDocument" >> beam.CoGroupByKey()


def _pairs(p: Any, ctx: Context, documents: Any, index: Any, scores: Any, made: Maker) -> Any:
    """(pair key, ...) of every pair that score kept, with its page's record, its image and its similarity."""
    records = documents | "PageRecord" >> beam.Map(_record).with_output_types(tuple[str, str])
    entering = (
        p
        | "ScoreFates" >> ReadTable(ctx.table("fates/score"), ("kind", "key", "fate"))
        | "EnteringPairs" >> beam.Filter(lambda row: row["kind"] == "pair" and row["fate"] == KEPT)
        | "EnteringKey" >> beam.Map(lambda row: (row["key"], True)).with_output_types(tuple[str, bool])
    )
    rows = (
        p
        | "Pairs" >> ReadTable(ctx.table("pairs"))
        | "PairKey"
        >> beam.Map(
            lambda row: (f"{row['doc_id']}:{row['pair_id']}", json.dumps(row, sort_keys=True))
        ).with_output_types(tuple[str, str])
    )
    only = (
        {"rows": rows, "kept": entering}
        | "JoinEntering" >> beam.CoGroupByKey()
        | "OnePair"
        >> beam.FlatMap(
            lambda item: [(item[0].split(":")[0], row) for row in sorted(item[1]["rows"])[:1] if list(item[1]["kept"])]
        ).with_output_types(tuple[str, str])
    )
    by_image = (
        {"rows": only, "records": records}
        | "JoinPage" >> beam.CoGroupByKey()
        | "PairImage" >> beam.FlatMap(_with_record).with_output_types(tuple[str, str])
    )
    pictured = (
        {"stored": index, "rows": by_image}
        | "JoinPairImages" >> beam.CoGroupByKey()
        | "ByPair" >> beam.FlatMap(_by_pair).with_output_types(tuple[str, tuple[str, tuple[Any, ...]]])
    )
    compared = (
        scores
        | "PairScores" >> beam.Filter(lambda row: row["kind"] == "pair")
        | "PairScore" >> beam.Map(lambda row: (row["id"], row["similarity"])).with_output_types(tuple[str, float])
    )
    joined = {"row": pictured, "scores": compared}
    if ctx.config.pack.pair_same_picture:
        joined["twins"] = joined | "SamePictures" >> SamePictures(made)
    return joined | "JoinPair" >> beam.CoGroupByKey()


def _stored(row: dict[str, Any]) -> tuple[str, tuple[Any, ...]]:
    return row["image_url"], (*(row[name] for name in _INDEX[1:]), 0)


def _one_document(
    item: tuple[str, dict[str, Iterable[Any]]], line_unit: repeated_lines.Unit
) -> Iterator[tuple[str, str]]:
    places = {tuple(place) for place in item[1]["kept"]}
    for text in sorted(item[1]["rows"]):
        row = json.loads(text)
        if (row["warc_file"], row["warc_offset"]) in places:
            cut = row["texts"]
            for dropped in item[1]["cuts"]:
                cut = repeated_lines.cut(cut, dropped, line_unit)
            yield item[0], text if cut is row["texts"] else json.dumps(row | {"texts": cut})
            return


def _record(item: tuple[str, str]) -> tuple[str, str]:
    """Where a document comes from: what a pair's own row does not say."""
    row = json.loads(item[1])
    return item[0], json.dumps({"record_id": row["record_id"], **archive(row)}, sort_keys=True)


def _with_record(item: tuple[str, dict[str, Iterable[str]]]) -> Iterator[tuple[str, str]]:
    record = next((json.loads(text) for text in item[1]["records"]), {})
    for text in item[1]["rows"]:
        row = {**json.loads(text), **record}
        yield image_key(row["image_url"]), json.dumps(row, sort_keys=True)


def _uses(item: tuple[str, str]) -> Iterator[tuple[str, tuple[str, int]]]:
    for position, url in enumerate(json.loads(item[1])["images"]):
        if url is not None:
            yield image_key(url), (item[0], position)


def _by_content(item: tuple[str, dict[str, Iterable[Any]]]) -> Iterator[tuple[str, tuple[str, int, tuple[Any, ...]]]]:
    found = [tuple(stored) for stored in item[1]["stored"]]
    stored = found[0] if found else ()
    for doc_id, position in item[1]["uses"]:
        # What has no content is told apart by its URL, so that one dead URL is no hot key together with all others.
        yield (stored[0] if stored and stored[0] else item[0]), (doc_id, position, stored)


def _repeats(item: tuple[str, Iterable[Any]]) -> Iterator[tuple[str, tuple[int, int, tuple[Any, ...]]]]:
    uses = list(item[1])
    documents = len({doc_id for doc_id, _, _ in uses})
    for doc_id, position, stored in uses:
        yield doc_id, (position, documents, tuple(stored))


def _by_pair(item: tuple[str, dict[str, Iterable[Any]]]) -> Iterator[tuple[str, tuple[str, tuple[Any, ...]]]]:
    found = [tuple(stored) for stored in item[1]["stored"]]
    for row in item[1]["rows"]:
        yield json.loads(row)["pair_id"], (row, found[0] if found else ())


def _finish(ctx: Context, encoder: tokenizer.Encoder, names: list[str]) -> None:
    """Manifest, sizes, lengths and the tokenizer beside the tars."""
    infos = []
    for name in names:
        marker = ctx.path(STAGE, "units", name.replace("/", "-") + ".json")
        infos.append(ShardInfo(**json.loads(files.read_bytes(marker))))
    for corpus in shards.CORPORA:
        for split in shards.SPLITS:
            folder = f"{corpus}/{split}"
            sizes = {i.name.rsplit("/", 1)[1]: i.samples for i in infos if i.name.startswith(f"{folder}/")}
            files.write_atomic(ctx.path("shards", folder, shards.SIZES), json.dumps(sizes, sort_keys=True) + "\n")
            files.write_atomic(ctx.path("shards", folder, shards.LENGTH), str(sum(sizes.values())) + "\n")
    tokenizer.save(encoder, ctx.path("shards"))
    files.write_atomic(ctx.path("shards", shards.MANIFEST), shards.dump_manifest(infos))


def _sample(ctx: Context) -> list[str]:
    """Texts that a tokenizer is trained on: the kept documents and captions of train that hash smallest."""
    pack, salt = ctx.config.pack, ctx.config.salt
    found = ctx.path(STAGE, "sample.json")

    def texts(row: dict[str, Any]) -> Iterator[tuple[float, str]]:
        if recipe.split_of(row["doc_id"], pack, salt) == "train":
            said = row["text"] if "text" in row else sequences.joined(row["texts"])
            if said:
                yield hash_unit(said[:SAMPLE_CHARS], f"{salt}sample"), said[:SAMPLE_CHARS]

    with ctx.pipeline(1) as p:
        kept = (
            p
            | "Kept" >> ReadTable(ctx.table("kept"), ("doc_id",))
            | "KeptId" >> beam.Map(lambda row: (row["doc_id"], True)).with_output_types(tuple[str, bool])
            | "KeptOnce" >> beam.Distinct()
        )
        rows = (
            p | "Documents" >> ReadTable(ctx.table("documents"), ("doc_id", "texts")),
            p | "Pairs" >> ReadTable(ctx.table("pairs"), ("doc_id", "text")),
        ) | "Rows" >> beam.Flatten()
        said = rows | "Texts" >> beam.FlatMap(
            lambda row: [(row["doc_id"], text) for text in texts(row)]
        ).with_output_types(tuple[str, tuple[float, str]])
        _ = (
            {"kept": kept, "texts": said}
            | "JoinKept" >> beam.CoGroupByKey()
            | "OfKept" >> beam.FlatMap(lambda item: item[1]["texts"] if list(item[1]["kept"]) else [])
            | "Distinct" >> beam.Distinct()
            | "Smallest" >> beam.combiners.Top.Smallest(SAMPLE_TEXTS)
            | "WriteSample" >> beam.Map(lambda top: files.write_atomic(found, json.dumps(sorted(top))))
        )
    return [text for _, text in json.loads(files.read_bytes(found))]


def _entered(ctx: Context) -> dict[str, int]:
    """Counted from what pack reads, not from its fates."""
    counts = {"document": 0, "pair": 0, "image": 0}
    places: set[tuple[str, str, int]] = set()
    for path in ctx.parts("kept"):
        for row in read_rows(path):
            if row["kind"] == "document":
                places.add((row["doc_id"], row["warc_file"], row["warc_offset"]))
    counts["document"] = len(places)
    for path in ctx.parts("documents"):
        for row in read_rows(path, ("doc_id", "warc_file", "warc_offset", "images")):
            if (row["doc_id"], row["warc_file"], row["warc_offset"]) in places:
                places.discard((row["doc_id"], row["warc_file"], row["warc_offset"]))
                counts["image"] += sum(url is not None for url in row["images"])
    for path in ctx.parts("fates/score"):
        counts["pair"] += sum(
            row["kind"] == "pair" and row["fate"] == KEPT for row in read_rows(path, ("kind", "fate"))
        )
    return counts
