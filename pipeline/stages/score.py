"""score: images and texts that belong together → CLIP similarities, and what image vectors say by themselves.

    images/index ──► EmbedImages ─► embeddings/blobs ─┐                        ┌─► scores/      a row a text and image
                                                      ├─► by document or pair ─┼─► baseline/    with others' captions
    documents, pairs ─► EmbedTexts ► embeddings/texts ┘                        ├─► embeddings/  where asked for
    (what dedup kept)                                 └─► AskImages            └─► fates/score
                                                          └─► image_scores/  heads, prompts, repeats; where asked for

Two jobs. The first is CLIP's, and the only one that wants a GPU: a blob of images, or a bucket of texts, is a unit of
it with a file and a marker of its own, and nothing is embedded that nobody asks for (transforms/score/needs.py). The
second compares what lies there. What is compared with what is in transforms/score/similarities.py; here are the tables
that it comes from and goes to.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any, NamedTuple

import apache_beam as beam
from apache_beam.metrics import MetricsFilter

from weft.pipeline.run import decides, integrity, spread
from weft.pipeline.run.context import Context
from weft.pipeline.runners import beam_options
from weft.pipeline.stages import entered
from weft.pipeline.stages.kept import KeptDocuments, KeptPairs
from weft.schemas import config as configuration
from weft.schemas.records import KEPT, Fate, PairKey, Score
from weft.schemas.tables import BASELINE, FATES, IMAGE_SCORES, SCORES
from weft.transforms.beam import joins
from weft.transforms.beam.folds import Fold
from weft.transforms.io import files, parquet
from weft.transforms.io.parquet import WriteTable
from weft.transforms.score import clip_models, image_scores, needs, neighbours
from weft.transforms.score.embedding_files import IMAGES, PAIRS, WriteVectors, image_row, pair_rows
from weft.transforms.score.image_scores import AskImages, Pixels, Prompts, Sized
from weft.transforms.score.mismatched import Candidate, MismatchPairs
from weft.transforms.score.near_pictures import LooksOfPairs
from weft.transforms.score.needs import Needs
from weft.transforms.score.similarities import (
    STAGE,
    FindImages,
    ImagesOfOwners,
    ImageUse,
    OfOwners,
    OncePerContent,
    Owner,
    PairVectors,
    StoredImage,
    TextUse,
    UsedImages,
    WithImage,
    compare,
    image_fate,
    pair_fate,
    pair_vectors,
    text_uses,
)
from weft.transforms.score.vector_files import ReadVectors
from weft.transforms.score.vectors import Embedding, TextRef
from weft.transforms.urls import image_key

OUTPUTS = ("scores", "image_scores", "baseline", "embeddings")
BLOBS, TEXTS, SCALE = "embeddings/blobs", "embeddings/texts", "embeddings/logit_scale"
KEPT_A_UNIT = 10_000  # documents and pairs whose texts are one unit: some 100,000 texts and 20 MB, minutes of a GPU


class _Shown(NamedTuple):
    doc_id: str
    warc_file: str
    warc_offset: int
    images: list[str | None]


class _Page(NamedTuple):
    doc_id: str
    warc_file: str
    warc_offset: int
    texts: list[str | None]


class _Picture(NamedTuple):
    doc_id: str
    pair_id: str
    image_url: str


class _Caption(NamedTuple):
    doc_id: str
    pair_id: str
    text: str


class _Indexed(NamedTuple):
    image_url: str
    image_id: str | None
    status: str
    blob: str | None
    offset: int | None
    length: int | None
    width: int | None
    height: int | None
    digest: str | None = None
    phash: str | None = None
    single_colour: bool | None = None


class _Kind(NamedTuple):
    kind: str


def run(ctx: Context) -> dict[str, int]:
    """Score what was kept; returns how many images, pairs and documents there were."""
    ctx = _spread(ctx)
    config = ctx.config.score
    asked = needs.of(config, ctx.config.pack)
    if asked.line():
        ctx.say(asked.line())
    check(ctx)
    if any(asked) and (
        files.listing(_blobs(ctx)) or _promised(ctx)
    ):  # else there is nothing to compare, and no model is loaded
        embed(ctx, asked)
    with ctx.pipeline(2 * config.buckets) as p:
        documents, pairs = p | "Documents" >> Documents(ctx), p | "Pairs" >> Pairs(ctx)
        index = p | "Index" >> parquet.Read(ctx.table("images/index"), _Indexed)
        made = {"documents": documents, "pairs": pairs, "index": index} | "Vectors" >> VectorsOfOwners(
            ctx, asked.documents
        )
        made["compared"] = made["sides"] | "Asked" >> beam.Filter(lambda of: getattr(asked, f"{of.kind}s"))
        vectors = made | "Pairs' vectors" >> _OfPairs()
        _ = (
            made["compared"]
            | "Compare" >> beam.FlatMap(compare).with_output_types(Score)
            | "Write" >> _write(ctx, "scores", SCORES, by=1)
        )
        _ = made | "Fates" >> _Fates() | "WriteFates" >> _write(ctx, f"fates/{STAGE}", FATES, by=2)
        _ = (
            vectors
            | "Candidates" >> beam.Map(_candidate).with_output_types(Candidate)
            | "Mismatch" >> MismatchPairs(ctx.config.salt)
            | "WriteBaseline" >> ctx.write("baseline", BASELINE, 1)
        )
        every = {**made, "vectors": vectors, "index": index, "pairs": pairs}
        if image_scores.asked(config):
            _ = every | "Ask" >> AskAll(ctx) | "WriteAnswers" >> _write(ctx, "image_scores", IMAGE_SCORES, by=0)
        if config.embeddings:
            _ = every | "KeepVectors" >> KeepVectors(ctx)
        _ = index | "Entered" >> _Entered(ctx)
    return entered.read(ctx, STAGE)


def _spread(ctx: Context) -> Context:
    """The context with as many buckets as the input asks for."""
    rows = sum(integrity.count_rows(ctx.output, name) for name in ("images/index", "kept"))
    buckets = spread.parts(ctx.config.score.buckets, rows, spread.SCORED_A_FILE, 8)
    section = dataclasses.replace(ctx.config.score, buckets=buckets)
    return dataclasses.replace(ctx, config=dataclasses.replace(ctx.config, score=section))


class _Blob(NamedTuple):
    blob: str | None


def _promised(ctx: Context) -> bool:
    """Whether the index knows of stored images: where no blob is found, the job says which one is gone."""
    return any(row.blob for path, _ in files.listing(ctx.table("images/index")) for row in parquet.read(path, _Blob))


def _blobs(ctx: Context) -> str:
    return files.join(ctx.output, "images", "blobs", "*.bin")


def embed(ctx: Context, asked: Needs) -> None:
    """The job that runs CLIP; what it wrote before it was killed stands."""
    blobs = len(files.listing(_blobs(ctx)))
    texts = _text_units(ctx)
    ctx.expect(blobs + texts)
    p = ctx.pipeline(blobs + texts)
    with p:
        owners = []
        if asked.documents:
            owners.append(p | "Documents" >> Documents(ctx))
        if asked.pairs:
            owners.append(p | "Pairs" >> Pairs(ctx))
        stored = p | "Index" >> parquet.Read(ctx.table("images/index"), _Indexed) | "Stored" >> _Stored(ctx)
        inputs = {"stored": stored}
        if owners:
            inputs["owners"] = tuple(owners) | "Owners" >> beam.Flatten()
        _ = inputs | "Embed" >> EmbedAsked(ctx, asked, texts)
    _tell_of_halved(ctx, p)


def _text_units(ctx: Context) -> int:
    """Units of texts: from the number of documents and pairs that were kept, never from the runner."""
    return max(ctx.config.score.buckets, -(-integrity.count_rows(ctx.output, "kept") // KEPT_A_UNIT))


def check(ctx: Context) -> None:
    """Raise ConfigError, before anything runs, for a model that does not load or that heads and vectors do not fit."""
    config = ctx.config
    image_scores.check(config.score, config.pack)
    if not any(needs.of(config.score, config.pack)):
        return
    clip_models.validate(config.score)
    if config.score.device == "cuda" and beam_options.is_direct(ctx.flags):
        clip_models.device_of(config.score)
    width = clip_models.vector_width(config.score)
    if width:  # else where the model is loaded
        image_scores.load_heads(config.score, width)
        if config.score.evaluation_embeddings:
            neighbours.load(config.score.evaluation_embeddings, width)


def accelerated(config: configuration.Score, flags: tuple[str, ...]) -> dict[str, str]:
    """Resource hints of the steps that run CLIP; none but on Dataflow, because they break fusion elsewhere."""
    if not beam_options.is_dataflow(flags):
        return {}
    hints = {"accelerator": config.accelerator, "min_ram": config.min_ram}
    return {name: value for name, value in hints.items() if value}


@dataclasses.dataclass
class Documents(beam.PTransform):
    """PBegin → Owner of every kept document."""

    ctx: Context

    def expand(self, begin: beam.pvalue.PBegin) -> beam.PCollection[Owner]:
        return (
            begin | "Kept" >> KeptDocuments(self.ctx, _Shown) | "Owner" >> beam.Map(_document).with_output_types(Owner)
        )


@dataclasses.dataclass
class Pairs(beam.PTransform):
    """PBegin → Owner of every kept pair."""

    ctx: Context

    def expand(self, begin: beam.pvalue.PBegin) -> beam.PCollection[Owner]:
        return begin | "Kept" >> KeptPairs(self.ctx, _Picture) | "Owner" >> beam.Map(_pair).with_output_types(Owner)


@dataclasses.dataclass
class Texts(beam.PTransform):
    """ImageUse → TextUse of the texts of owners of which an image was stored, read where they lie.

    Args:
        documents, pairs: whose texts.
    """

    ctx: Context
    documents: bool = True
    pairs: bool = True

    def expand(self, uses: beam.PCollection[ImageUse]) -> beam.PCollection[TextUse]:
        ctx, most, found = self.ctx, self.ctx.config.score.max_text_chars, []
        if self.documents:
            beside = {"image": uses | "DocumentsWith" >> WithImage("document")}
            pages = uses.pipeline | "Pages" >> KeptDocuments(ctx, _Page, beside=beside)
            found.append(pages | "OfPages" >> beam.FlatMap(_of_page, most).with_output_types(TextUse))
        if self.pairs:
            beside = {"image": uses | "PairsWith" >> WithImage("pair")}
            captions = uses.pipeline | "Captions" >> KeptPairs(ctx, _Caption, beside=beside)
            found.append(captions | "OfCaptions" >> beam.FlatMap(_of_caption, most).with_output_types(TextUse))
        return found | "Both" >> beam.Flatten()


@dataclasses.dataclass
class _Stored(beam.PTransform):
    """Rows of images/index → StoredImage of each that has bytes."""

    ctx: Context

    def expand(self, index: beam.PCollection[_Indexed]) -> beam.PCollection[StoredImage]:
        return (
            index
            | "Ok" >> beam.Filter(lambda row: row.status == "ok")
            | "Place" >> beam.Map(_stored, self.ctx.output.rstrip("/")).with_output_types(StoredImage)
        )


@dataclasses.dataclass
class EmbedAsked(beam.PTransform):
    """{"stored": StoredImage, and "owners": Owner where there are any} → files of vectors of what is asked for."""

    ctx: Context
    asked: Needs
    text_units: int

    def expand(self, inputs: dict[str, Any]) -> None:
        from weft.transforms.score.units import EmbedBlobs, EmbedTextUnits, NoteScale

        ctx, config = self.ctx, self.ctx.config.score
        hints, fingerprint = accelerated(config, ctx.flags), decides.vectors(ctx.config)
        standing = tuple(filter(None, (ctx.finished, ctx.output if ctx.aside else "")))
        stored, refs = inputs["stored"], []
        images = stored | "OncePerContent" >> OncePerContent()
        if "owners" in inputs:
            owners = inputs["owners"]
            uses = {"owners": owners, "stored": stored} | "FindImages" >> FindImages()
            text_uses = uses | "FindTexts" >> Texts(ctx, self.asked.documents, self.asked.pairs)
            refs.append(
                text_uses
                | "TextById" >> beam.Map(lambda use: (use.text_id, use.text)).with_output_types(tuple[str, str])
                | "OncePerText" >> Fold(min)  # a caption of ten million pictures is one text
                | "TextRef" >> beam.MapTuple(TextRef).with_output_types(TextRef)
            )
            if not self.asked.images:
                images = {"uses": uses, "images": images} | "OfOwners" >> ImagesOfOwners()
        if config.prompts:
            refs.append(stored.pipeline | "Prompts" >> Prompts(config.prompts))
            _ = stored.pipeline | "Scale" >> NoteScale(config, ctx.path(SCALE)).with_resource_hints(**hints)
        blobs = EmbedBlobs(config, ctx.home, BLOBS, fingerprint, standing=standing)
        _ = images | "EmbedImages" >> blobs.with_resource_hints(**hints)
        if refs:
            texts = EmbedTextUnits(config, ctx.home, TEXTS, fingerprint, self.text_units, standing=standing)
            _ = tuple(refs) | "Texts" >> beam.Flatten() | "EmbedTexts" >> texts.with_resource_hints(**hints)


@dataclasses.dataclass
class VectorsOfOwners(beam.PTransform):
    """{"documents", "pairs": Owner, "index": rows of images/index} → what CLIP made of them.

    Outputs: "images" (Embedding of every stored address), "texts" (Embedding of every text, prompts among them),
    "sides" (Sides of every pair, and document where those are compared) and "documents" as they came. What nobody asked
    for has no vector and no problem.

    Args:
        compared: whether documents are; else their images and texts are not looked up.
    """

    ctx: Context
    compared: bool

    def expand(self, inputs: dict[str, beam.PCollection[Any]]) -> dict[str, beam.PCollection[Any]]:
        ctx, config = self.ctx, self.ctx.config.score
        owners = inputs["pairs"]
        if self.compared:
            owners = (inputs["documents"], owners) | "Owners" >> beam.Flatten()
        stored = inputs["index"] | "Stored" >> _Stored(ctx)
        uses = {"owners": owners, "stored": stored} | "FindImages" >> FindImages()
        text_uses = uses | "FindTexts" >> Texts(ctx, documents=self.compared)
        images = owners.pipeline | "Images" >> ReadVectors(ctx.path(BLOBS, "*.parquet"), config)
        texts = owners.pipeline | "Texts" >> ReadVectors(ctx.path(TEXTS, "*.parquet"), config)
        used = {"uses": uses, "made": images} | "UsedImages" >> UsedImages()
        parts = {"uses": uses, "images": used, "text_uses": text_uses, "texts": texts}
        return {
            "images": used | "ByAddress" >> beam.FlatMapTuple(_by_address).with_output_types(Embedding),
            "texts": texts,
            "sides": parts | "OfOwners" >> OfOwners(),
            "documents": inputs["documents"],
        }


class _OfPairs(beam.PTransform):
    def expand(self, made: dict[str, beam.PCollection[Any]]) -> beam.PCollection[PairVectors]:
        return made["compared"] | "Vectors" >> beam.FlatMap(pair_vectors).with_output_types(PairVectors)


class _Fates(beam.PTransform):
    def expand(self, made: dict[str, beam.PCollection[Any]]) -> beam.PCollection[Fate]:
        return (
            made["images"] | "Images" >> beam.Map(image_fate).with_output_types(Fate),
            made["sides"] | "Pairs" >> beam.FlatMap(pair_fate).with_output_types(Fate),
            made["documents"]
            | "Documents"
            >> beam.Map(lambda owner: Fate(STAGE, "document", owner.id, KEPT, "", "")).with_output_types(Fate),
        ) | "All" >> beam.Flatten()


@dataclasses.dataclass
class AskAll(beam.PTransform):
    """{"images", "texts": Embedding, "vectors": PairVectors, "pairs": Owner, "index"} → ImageScore, a row an image."""

    ctx: Context

    def expand(self, inputs: dict[str, beam.PCollection[Any]]) -> beam.PCollection[Any]:
        config, vector = self.ctx.config.score, tuple[str, bytes]
        ids = {image_scores.prompt_id(text) for said in config.prompts.values() for text in said}
        asked = {
            "vectors": inputs["images"] | "WithVector" >> beam.FlatMap(_with_vector).with_output_types(vector),
            "prompts": inputs["texts"]
            | "OfPrompts" >> beam.Filter(lambda made: made.key in ids)
            | "PromptVector" >> beam.FlatMap(_with_vector).with_output_types(vector),
        }
        if config.near_hash:
            asked["looks"] = inputs | "Looks" >> LooksOfPairs()
        if config.near_images:
            pixels = inputs["index"] | "Pixels" >> Pixels()
            images = inputs["vectors"] | "PairImages" >> beam.Map(
                lambda pair: (pair.image_key, pair.image)
            ).with_output_types(vector)
            asked["of_pairs"] = {"pixels": pixels, "vectors": images} | "Sized" >> Sized()
        scale = image_scores.scale(self.ctx.path(SCALE))
        return asked | "AskImages" >> AskImages(config, config.model, config.buckets, scale)


@dataclasses.dataclass
class KeepVectors(beam.PTransform):
    """{"images": Embedding, "vectors": PairVectors} → files of vectors below embeddings/."""

    ctx: Context

    def expand(self, inputs: dict[str, beam.PCollection[Any]]) -> None:
        buckets = self.ctx.config.score.buckets
        image = tuple[str, tuple[tuple[bytes, ...], tuple[str]]]
        pair = tuple[str, tuple[tuple[bytes, ...], tuple[str, str, str, float]]]
        _ = (
            inputs["images"]
            | "WithVector" >> beam.Filter(lambda made: made.vector)
            | "ImageRow" >> beam.Map(lambda made: image_row(made.key, made.vector)).with_output_types(image)
            | "KeepImages" >> WriteVectors(self.ctx.path("embeddings", "images"), IMAGES, buckets, self.ctx.slips)
        )
        captions = (
            inputs["images"].pipeline
            | "Captions" >> KeptPairs(self.ctx, _Caption)
            | "Caption"
            >> beam.Map(lambda row: (str(PairKey(row.doc_id, row.pair_id)), row.text)).with_output_types(
                tuple[str, str]
            )
        )
        by_pair = inputs["vectors"] | "ByPair" >> beam.Map(lambda pair: (pair.pair, pair)).with_output_types(
            tuple[str, PairVectors]
        )
        _ = (
            {"vectors": by_pair, "captions": captions}
            | "JoinCaptions" >> joins.Join()
            | "PairRow" >> beam.FlatMapTuple(pair_rows).with_output_types(pair)
            | "KeepPairs" >> WriteVectors(self.ctx.path("embeddings", "pairs"), PAIRS, buckets, self.ctx.slips)
        )


def _write(ctx: Context, table: str, schema: Any, by: int) -> WriteTable:
    """Rows → one of this stage's tables, spread by the column with this number."""
    return ctx.write(table, schema, ctx.config.score.buckets, key=lambda row: row[by])


def _document(row: _Shown) -> Owner:
    return Owner("document", row.doc_id, [image_key(url) if url else "" for url in row.images])


def _pair(row: _Picture) -> Owner:
    return Owner("pair", str(PairKey(row.doc_id, row.pair_id)), [image_key(row.image_url)])


def _of_page(item: tuple[_Page, dict[str, list[bool]]], most: int) -> Iterable[TextUse]:
    row, known = item
    return text_uses(f"document/{row.doc_id}", row.texts, most) if known["image"] else ()


def _of_caption(item: tuple[_Caption, dict[str, list[bool]]], most: int) -> Iterable[TextUse]:
    row, known = item
    key = PairKey(row.doc_id, row.pair_id)
    return text_uses(f"pair/{key}", [row.text], most) if known["image"] else ()


def _stored(row: _Indexed, base: str) -> StoredImage:
    """Where a stored image is; without an id of its content, its address stands for it."""
    place = f"{base}/{row.blob}", row.offset or 0, row.length or 0, row.digest or ""
    return StoredImage(row.image_url, row.image_id or row.image_url, *place)


def _by_address(use: Any, made: Embedding) -> list[Embedding]:
    return [] if use.owner else [made._replace(key=use.key)]


def _with_vector(made: Embedding) -> list[tuple[str, bytes]]:
    return [(made.key, made.vector)] if made.vector else []


def _candidate(pair: PairVectors) -> Candidate:
    return Candidate(PairKey.parse(pair.pair).pair_id, pair.image, pair.text)


def _tell_of_halved(ctx: Context, p: beam.Pipeline) -> None:
    from weft.transforms.score import clip

    found = p.result.metrics().query(MetricsFilter().with_namespace(clip.NAMESPACE).with_name(clip.HALVED))
    halved = sum(counter.result or 0 for counter in found["counters"])
    if halved:
        ctx.say(f"memory did not suffice for score.batch_size = {ctx.config.score.batch_size}: halved {halved} times")


@dataclasses.dataclass
class _Entered(beam.PTransform):
    """Rows of images/index → how much of each kind there is to score."""

    ctx: Context

    def expand(self, index: beam.PCollection[_Indexed]) -> beam.PCollection[Any]:
        kept = index.pipeline | "Kept" >> parquet.Read(self.ctx.table("kept"), _Kind)
        return {
            "image": index | "Images" >> beam.Filter(lambda row: row.status == "ok"),
            "pair": kept | "Pairs" >> beam.Filter(lambda row: row.kind == "pair"),
            "document": kept | "Documents" >> beam.Filter(lambda row: row.kind == "document"),
        } | entered.Write(self.ctx, STAGE)
