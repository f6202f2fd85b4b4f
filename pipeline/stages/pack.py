"""pack: documents, pairs, images and scores → tokenized webdataset shards of three corpora, and of instructions.

    texts sample ──► tokenizer (trained, or the one that is named)
    images/index, images/repeated, image_scores ──► StoredImages ─┬─► BesideDocuments ─► where the document stands ─┐
    which images kept documents and pairs show, scores ───────────┴─► BesidePairs ─────► where the pair stands ─────┤
    shards/ ◄─ WriteShards ◄─ Packer: recipe, tokens ◄── documents, pairs, read beside what is known of them ◄──────┘
                              └─► fates/pack

The joins are in transforms/pack/joins.py, what becomes of one document or pair in decide.py, of one shard in
pack_shards.py; here are the tables that it comes from and goes to.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import apache_beam as beam

from weft.pipeline.run import integrity, spread
from weft.pipeline.run.context import Context
from weft.pipeline.stages import entered
from weft.pipeline.stages.kept import KeptDocuments, KeptPairs
from weft.schemas import shards
from weft.schemas.parameters import ConfigError
from weft.schemas.records import KEPT, Fate, ImageScore, Pair, PairKey, RepeatedImage, Score, hash_unit
from weft.schemas.shards import ShardInfo
from weft.schemas.tables import FATES
from weft.transforms.beam.folds import Once
from weft.transforms.beam.joins import Join
from weft.transforms.extract import exclusions, language, own_filters, quality
from weft.transforms.io import files, parquet, state
from weft.transforms.io.loaded import told
from weft.transforms.pack import evaluation_images, instructions, pack_shards, sequences, tokenizer
from weft.transforms.pack.decide import STAGE, Judge, Packer, Page
from weft.transforms.pack.joins import BesideDocuments, BesidePairs, Indexed, Shown, StoredImages
from weft.transforms.pack.pack_shards import WriteShards
from weft.transforms.pack.same_pictures import Captioned, said
from weft.transforms.pack.samples import Sample, SampleMaker, ShardLayout
from weft.transforms.pack.top_share import TopShare
from weft.transforms.score import image_scores
from weft.transforms.urls import image_key

OUTPUTS = ("shards",)
FATE_FILES = 4  # at least
SAMPLE_TEXTS, SAMPLE_CHARS = 5_000, 4_000  # what a trained tokenizer sees: at most 20 MB


class _ScoreFate(NamedTuple):
    kind: str
    key: str
    fate: str


class _Similarity(NamedTuple):
    kind: str
    similarity: float


class _Kept(NamedTuple):
    kind: str
    doc_id: str


class _Texts(NamedTuple):
    doc_id: str
    texts: list[str | None]


class _Text(NamedTuple):
    doc_id: str
    text: str


class _Picture(NamedTuple):
    doc_id: str
    pair_id: str
    image_url: str
    language: str | None


class _Caption(NamedTuple):
    doc_id: str
    pair_id: str
    image_url: str
    language: str | None
    text: str


def run(ctx: Context) -> dict[str, int]:
    """Write all shards; returns how many documents, pairs and image occurrences entered."""
    config, salt = ctx.config.pack, ctx.config.salt
    check(ctx)
    meant, used = config.similarity_model, ctx.config.score.model
    if meant and meant != used:
        ctx.say(
            f"thresholds on similarity are for {meant!r} and score.model is {used!r}: see the baseline in the report"
        )
    layout = shard_layout(ctx)
    path = _tokenizer(ctx, layout)
    judge = Judge(config, ctx.config.fetch.max_side, salt, top_share(ctx), tuple(told(config.evaluation_images)))
    maker = SampleMaker(path, config, layout)
    names = layout.names()
    fate_files = spread.parts(0, 3 * integrity.count_rows(ctx.output, "kept"), spread.ROWS_A_FILE, FATE_FILES)
    ctx.expect(len(names))
    with ctx.pipeline(len(names)) as p:
        inputs = p | "Inputs" >> Inputs(ctx)
        packer = Packer(judge, maker, own_filters.hashes(config.own_filters))
        beside = inputs | "BesideDocuments" >> BesideDocuments()
        of_documents = (
            p | "Pages" >> KeptDocuments(ctx, Page, beside=beside) | "Document" >> beam.FlatMapTuple(packer.document)
        )
        beside = inputs | "BesidePairs" >> BesidePairs(judge)
        of_pairs = (
            p | "Captions" >> KeptPairs(ctx, Pair, inputs["keys"], beside) | "Pair" >> beam.FlatMapTuple(packer.pair)
        )
        made = [of_documents, of_pairs]
        entering = {}
        if config.instructions:
            entering["instruction"] = (
                p
                | "InstructionFiles" >> beam.Create(config.instructions)
                | "Instructions" >> beam.FlatMap(instructions.read).with_output_types(instructions.Row)
                | "InstructionsOnce" >> Once()
            )
            exclude = ctx.config.exclude
            asker = instructions.Asker(STAGE, maker, exclude, exclusions.contents(exclude) if exclude else "")
            made.append(entering["instruction"] | "Instruction" >> beam.Map(asker))
        _ = inputs | "Entered" >> _Entered(ctx, entering)
        both = made | "Both" >> beam.Flatten()
        fates = both | "Fates" >> beam.FlatMap(lambda made: made[1]).with_output_types(Fate)
        _ = fates | "WriteFates" >> ctx.write(f"fates/{STAGE}", FATES, fate_files, key=lambda row: row[2])
        _ = (
            both
            | "Samples" >> beam.FlatMap(lambda made: made[0]).with_output_types(tuple[str, Sample])
            | "WriteShards" >> WriteShards(ctx.home, maker.encoder.vocabulary, layout, ctx.output)
            | "Progress" >> beam.Map(_mark_done, ctx.home)
        )
    infos = [_info(ctx.home, name) for name in names]
    pack_shards.finish(infos, maker.encoder, ctx.path("shards"))
    return entered.read(ctx, STAGE)


def check(ctx: Context) -> None:
    """Raise ConfigError, before anything runs, for what cannot be."""
    config = ctx.config.pack
    if config.tokenizer != "train":
        tokenizer.Encoder(config.tokenizer, config.image_tokens, config.context_length)
    if config.evaluation_images:
        evaluation_images.load(config.evaluation_images, ctx.config.fetch.max_side)
    for path in config.instructions:
        instructions.check(path)
    own_filters.hashes(config.own_filters)
    rules = ctx.config.extract
    language.check(config.pair_min_similarity_by_language, "pack.pair_min_similarity_by_language", rules.language_model)
    quality.check_limits(config.min_quality, config.max_quality, rules, "pack", not ctx.finished)
    image_scores.check(ctx.config.score, config)
    if config.context_length < config.image_tokens + 5:
        raise ConfigError(
            f"pack.context_length = {config.context_length} holds no image of pack.image_tokens = {config.image_tokens}"
        )


def shard_layout(ctx: Context) -> ShardLayout:
    """Which shards the configuration asks for, or the number of documents and pairs that were kept."""
    config, rows = ctx.config.pack, integrity.count_rows(ctx.output, "kept")
    train = spread.parts(config.shards, rows, spread.KEPT_A_SHARD, 4)
    held_out = 1 if config.shards else spread.parts(0, round(rows * config.val_fraction), spread.KEPT_A_SHARD, 1)
    corpora = shards.TRAINED if config.instructions else shards.CORPORA
    return ShardLayout(train, config.val_fraction, ctx.config.salt, held_out, corpora)


@dataclasses.dataclass
class Inputs(beam.PTransform):
    """PBegin → what the joins take: "pages" and "pairs" that enter, "images" that were stored, and "scores".

    "keys" are those of the pairs. What there is of pages and pairs says where they stand and what they show, not
    what they say.
    """

    ctx: Context

    def expand(self, begin: beam.pvalue.PBegin) -> dict[str, beam.PCollection[Any]]:
        ctx = self.ctx
        known = {"index": begin | "Index" >> parquet.Read(ctx.table("images/index"), Indexed)}
        if ctx.parts("images/repeated"):
            known["repeated"] = begin | "Repeated" >> parquet.Read(ctx.table("images/repeated"), RepeatedImage)
        if ctx.parts("image_scores"):
            known["answers"] = begin | "ImageScores" >> parquet.Read(ctx.table("image_scores"), ImageScore)
        entering = (
            begin
            | "ScoreFates" >> parquet.Read(ctx.table("fates/score"), _ScoreFate)
            | "EnteringPairs" >> beam.Filter(lambda row: row.kind == "pair" and row.fate == KEPT)
            | "EnteringKey" >> beam.Map(lambda row: PairKey.parse(row.key)).with_output_types(PairKey)
        )
        words = ctx.config.pack.pair_same_picture
        pairs = begin | "Pairs" >> KeptPairs(ctx, _Caption if words else _Picture, entering)
        return {
            "keys": entering,
            "pages": begin | "Pages" >> KeptDocuments(ctx, Shown),
            "pairs": pairs | "Captioned" >> beam.Map(_captioned).with_output_types(Captioned),
            "images": known | "Images" >> StoredImages(),
            "scores": begin | "Scores" >> parquet.Read(ctx.table("scores"), Score),
        }


def top_share(ctx: Context) -> float:
    """The similarity that a pair must reach to be in the top `pack.pair_top_share` of all; -inf where that is off."""
    share = ctx.config.pack.pair_top_share
    if not share:
        return -math.inf
    found = ctx.path(STAGE, "top.json")
    files.write_atomic(found, "null")  # where there are no pairs
    with ctx.pipeline(1) as p:
        _ = (
            p
            | "Scores" >> parquet.Read(ctx.table("scores"), _Similarity)
            | "OfPairs" >> beam.Filter(lambda row: row.kind == "pair")
            | "Similarity" >> beam.Map(lambda row: row.similarity).with_output_types(float)
            | "Top" >> TopShare(share)
            | "WriteTop" >> beam.Map(lambda least: files.write_atomic(found, json.dumps(least)))
        )
    least = json.loads(files.read_bytes(found))
    return -math.inf if least is None else float(least)


def _tokenizer(ctx: Context, layout: ShardLayout) -> str:
    """Path of the tokenizer; where the configuration names none, of one that is trained first."""
    config = ctx.config.pack
    if config.tokenizer != "train":
        return config.tokenizer
    path = ctx.path(STAGE, "trained", shards.TOKENIZER)
    if not files.exists(path):
        files.write_atomic(path, tokenizer.train(_training_texts(ctx, layout), config.vocab_size))
    return path


def _training_texts(ctx: Context, layout: ShardLayout) -> list[str]:
    """Texts that a tokenizer is trained on: the kept documents and captions of train that hash smallest, distinct.

    Hashes cross the shuffle first, and then the texts whose hashes are small enough.
    """
    salt, found = ctx.config.salt, ctx.path(STAGE, "sample.json")

    def ranked(doc_id: str, text: str) -> Iterator[tuple[str, tuple[float, str]]]:
        if text and layout.split_of(doc_id) == "train":
            yield doc_id, (hash_unit(text[:SAMPLE_CHARS], f"{salt}sample"), text[:SAMPLE_CHARS])

    text = tuple[str, tuple[float, str]]
    with ctx.pipeline(len(layout.names())) as p:
        kept = (
            p
            | "Kept" >> parquet.Read(ctx.table("kept"), _Kept)
            | "KeptId" >> beam.Map(lambda row: row.doc_id).with_output_types(str)
            | "KeptOnce" >> Once()
            | "KeptKey" >> beam.Map(lambda doc_id: (doc_id, True)).with_output_types(tuple[str, bool])
        )
        texts = (
            p
            | "Documents" >> parquet.Read(ctx.table("documents"), _Texts)
            | "Joined" >> beam.FlatMap(lambda r: ranked(r.doc_id, sequences.joined(r.texts))).with_output_types(text),
            p
            | "Pairs" >> parquet.Read(ctx.table("pairs"), _Text)
            | "Captions" >> beam.FlatMap(lambda row: ranked(row.doc_id, row.text)).with_output_types(text),
        ) | "Texts" >> beam.Flatten()
        ranks = texts | "Rank" >> beam.MapTuple(lambda doc_id, one: (doc_id, one[0])).with_output_types(
            tuple[str, float]
        )
        last = (
            {"kept": kept, "rows": ranks}
            | "RanksOfKept" >> _OfKept(float)
            | "DistinctRanks" >> Once()
            | "SmallestRanks" >> beam.combiners.Top.Smallest(SAMPLE_TEXTS)
            | "Last" >> beam.Map(lambda ranks: max(ranks, default=-1.0))
        )
        small = texts | "Small" >> beam.Filter(
            lambda row, most: row[1][0] <= most, beam.pvalue.AsSingleton(last)
        ).with_output_types(text)
        _ = (
            {"kept": kept, "rows": small}
            | "TextsOfKept" >> _OfKept(tuple[float, str])
            | "Distinct" >> Once()
            | "Smallest" >> beam.combiners.Top.Smallest(SAMPLE_TEXTS)
            | "WriteSample" >> beam.Map(lambda top: files.write_atomic(found, json.dumps(sorted(top))))
        )
    return [text for _, text in json.loads(files.read_bytes(found))]


@dataclasses.dataclass
class _OfKept(beam.PTransform):
    """{"kept": (doc_id, True), "rows": (doc_id, row)} → rows of what is kept."""

    row: Any

    def expand(self, inputs: dict[str, beam.PCollection[Any]]) -> beam.PCollection[Any]:
        return (
            inputs
            | "Join" >> Join()
            | "Rows"
            >> beam.FlatMap(lambda item: item[1]["rows"] if item[1]["kept"] else []).with_output_types(self.row)
        )


def _captioned(row: _Picture | _Caption) -> Captioned:
    text = row.text if isinstance(row, _Caption) else ""
    key = str(PairKey(row.doc_id, row.pair_id))
    return Captioned(key, image_key(row.image_url), row.language or "", said(text))


@dataclasses.dataclass
class _Entered(beam.PTransform):
    """Counts what pack reads, not its fates."""

    ctx: Context
    more: dict[str, beam.PCollection[Any]]  # by kind

    def expand(self, inputs: dict[str, beam.PCollection[Any]]) -> beam.PCollection[Any]:
        kept = inputs["pages"].pipeline | "Kept" >> parquet.Read(self.ctx.table("kept"), _Kept)
        return {
            "document": kept | "Documents" >> beam.Filter(lambda row: row.kind == "document"),
            "pair": inputs["keys"],
            "image": inputs["pages"] | "Images" >> beam.FlatMap(lambda page: filter(None, page.images)),
            **self.more,
        } | entered.Write(self.ctx, STAGE)


def _mark_done(info: ShardInfo, output: str) -> None:
    tar = files.Written(info.bytes, info.sha256)
    state.write(_marker(output, info.name), dataclasses.asdict(info) | {"files": {f"shards/{info.name}": tar}})


def _info(output: str, name: str) -> ShardInfo:
    said = state.read(_marker(output, name)) or {}
    return ShardInfo(**{field.name: said[field.name] for field in dataclasses.fields(ShardInfo)})


def _marker(output: str, name: str) -> str:
    return files.join(output, STAGE, "units", name.replace("/", "-") + ".json")
