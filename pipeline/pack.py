"""pack: documents, pairs, images and scores → tokenized webdataset shards of three corpora.

    texts sample ──► tokenizer (trained, or the one that is named)
    images/index ⋈ occurrences ──► repeats ──┐
    scores ──────────────────────────────────┼─► document: recipe, tokens, sequences ──┐
    documents ⋈ kept ────────────────────────┘                                         ├─► by shard ──► tar
    pairs ⋈ fates/score ⋈ images/index ⋈ scores ──► pair: recipe, tokens ──────────────┘

What is gathered per shard are tokens and references; image bytes are read where the tar is written.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import apache_beam as beam
import numpy as np

from pipeline.context import Context
from schemas import shards
from schemas.config import Config, ConfigError, Pack
from schemas.records import DROPPED, KEPT, Fate, hash_bucket, hash_unit
from schemas.shards import ShardInfo, Vocabulary
from schemas.tables import FATES
from transforms import files, recipe, sequences, tokens
from transforms.recipe import Picture
from transforms.sinks import ReadTable, WriteTable, read_rows
from transforms.tars import write_tar
from transforms.urls import image_key

OUTPUTS = ("shards",)
STAGE = "pack"
FATE_FILES = 4
SAMPLE_TEXTS, SAMPLE_CHARS = 5_000, 4_000  # what a trained tokenizer sees: at most 20 MB
_INDEX = ("image_url", "image_id", "status", "width", "height", "single_colour", "blob", "offset", "length")


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


def run(ctx: Context) -> dict[str, int]:
    """Write all shards; returns how many documents, pairs and image occurrences entered."""
    config = ctx.config.pack
    tokenizer = config.tokenizer
    if config.context_length < config.image_tokens + 5:
        raise ConfigError(
            f"pack.context_length = {config.context_length} holds no image of pack.image_tokens = {config.image_tokens}"
        )
    if tokenizer == "train":
        tokenizer = ctx.path(STAGE, "trained", shards.TOKENIZER)
        if config.vocab_size < tokens.MIN_VOCABULARY:
            tokens.train([], config.vocab_size)  # says what is wrong before anything runs
        if not files.exists(tokenizer):
            files.write_atomic(tokenizer, tokens.train(_sample(ctx), config.vocab_size))
    encoder = tokens.Encoder(tokenizer, config.image_tokens, config.context_length)
    names = shard_names(config)
    ctx.expect(len(names))
    with ctx.pipeline(len(names)) as p:
        kept = p | "Kept" >> ReadTable(ctx.parts("kept"))
        index = (
            p
            | "Index" >> ReadTable(ctx.parts("images/index"), _INDEX)
            | "IndexKey" >> beam.Map(_stored).with_output_types(tuple[str, tuple[str, ...]])
        )
        scores = p | "Scores" >> ReadTable(ctx.parts("scores"))
        made = _Maker(ctx.config, tokenizer)
        rows = _kept_documents(p, ctx, kept)
        of_documents = _documents(rows, index, scores) | "Document" >> beam.FlatMap(made.document)
        of_pairs = _pairs(p, ctx, rows, index, scores) | "Pair" >> beam.FlatMap(made.pair)
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
        | "Documents" >> ReadTable(ctx.parts("documents"), columns)
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
        {"rows": rows, "kept": places}
        | "JoinKept" >> beam.CoGroupByKey()
        | "One" >> beam.FlatMap(_one_document).with_output_types(tuple[str, str])
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


def _pairs(p: Any, ctx: Context, documents: Any, index: Any, scores: Any) -> Any:
    """(pair key, ...) of every pair that score kept, with its page's record, its image and its similarity."""
    records = documents | "PageRecord" >> beam.Map(_record).with_output_types(tuple[str, str])
    entering = (
        p
        | "ScoreFates" >> ReadTable(ctx.parts("fates/score"), ("kind", "key", "fate"))
        | "EnteringPairs" >> beam.Filter(lambda row: row["kind"] == "pair" and row["fate"] == KEPT)
        | "EnteringKey" >> beam.Map(lambda row: (row["key"], True)).with_output_types(tuple[str, bool])
    )
    rows = (
        p
        | "Pairs" >> ReadTable(ctx.parts("pairs"))
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
    return {"row": pictured, "scores": compared} | "JoinPair" >> beam.CoGroupByKey()


def _stored(row: dict[str, Any]) -> tuple[str, tuple[Any, ...]]:
    return row["image_url"], tuple(row[name] for name in _INDEX[1:])


def _one_document(item: tuple[str, dict[str, Iterable[Any]]]) -> Iterator[tuple[str, str]]:
    places = {tuple(place) for place in item[1]["kept"]}
    for text in sorted(item[1]["rows"]):
        row = json.loads(text)
        if (row["warc_file"], row["warc_offset"]) in places:
            yield item[0], text
            return


def _record(item: tuple[str, str]) -> tuple[str, str]:
    """Where a document comes from: what a pair's own row does not say."""
    row = json.loads(item[1])
    return item[0], json.dumps({"record_id": row["record_id"], **_archive(row)}, sort_keys=True)


def _archive(row: dict[str, Any]) -> dict[str, Any]:
    # The archive's name, not its path: the same archive elsewhere must give the same shard.
    return {"warc_file": row["warc_file"].rsplit("/", 1)[-1], "warc_offset": row["warc_offset"]}


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


_Sample = tuple[str, tuple[str, bytes, str, list[tuple[str, int, int]]]]  # shard, (key, ids, json, image places)


class _Maker:
    """Documents and pairs → samples and fates; the tokenizer is loaded where it is used."""

    def __init__(self, config: Config, tokenizer: str) -> None:
        self._config, self._path = config, tokenizer
        self._encoder: tokens.Encoder | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {"_config": self._config, "_path": self._path, "_encoder": None}

    @property
    def encoder(self) -> tokens.Encoder:
        if self._encoder is None:
            pack = self._config.pack
            self._encoder = tokens.Encoder(self._path, pack.image_tokens, pack.context_length)
        return self._encoder

    def _shard(self, corpus: str, doc_id: str, key: str) -> str:
        pack, salt = self._config.pack, self._config.salt
        split = recipe.split_of(doc_id, pack, salt)
        bucket = 0 if split == "val" else hash_bucket(key, pack.shards, f"{salt}{corpus}")
        return shards.shard_name(corpus, split, bucket)

    def document(self, item: tuple[str, dict[str, Iterable[Any]]]) -> Iterator[tuple[list[_Sample], list[Fate]]]:
        """A document's samples and the fates of it and its images."""
        doc_id, found = item
        texts = list(found["row"])
        if not texts:
            return
        row, pack = json.loads(texts[0]), self._config.pack
        similarities: dict[int, dict[int, float]] = {}
        for image, text, value in sorted(found["scores"]):
            similarities.setdefault(image, {})[text] = round(value, 5)
        known = {position: (repeats, stored) for position, repeats, stored in found["pictures"]}
        positions = [n for n, url in enumerate(row["images"]) if url is not None]
        pictures = [self._picture(known.get(n), similarities.get(n, {})) for n in positions]
        reasons = dict(zip(positions, recipe.judge_images(pictures, pack), strict=True))
        usable = [n for n in positions if not reasons[n]]
        has_text = any(text and text.strip() for text in row["texts"])
        corpus, reason = recipe.judge_document(doc_id, has_text, len(usable), pack, self._config.salt)
        if corpus != "interleaved":
            reasons = {n: r or ("document_text_only" if corpus else "document_dropped") for n, r in reasons.items()}
        samples = self._document_samples(row, corpus, usable, known, similarities) if corpus else []
        if corpus == "interleaved":  # pack.max_document_chunks may have cut some off
            placed = {image["position"] for _, (_, _, meta, _) in samples for image in json.loads(meta)["images"]}
            reasons = {n: r or ("" if n in placed else "document_cut") for n, r in reasons.items()}
        place = samples[0][0] if samples else ""
        fates = [Fate(STAGE, "document", doc_id, DROPPED if reason else KEPT, reason, place or row["url"])]
        fates += [
            Fate(STAGE, "image", f"{doc_id}:{n}", DROPPED if r else KEPT, r, row["images"][n])
            for n, r in reasons.items()
        ]
        yield samples, fates

    def _document_samples(
        self, row: dict[str, Any], corpus: str, usable: list[int], known: Any, similarities: Any
    ) -> list[_Sample]:
        doc_id = row["doc_id"]
        source = {**{k: row[k] for k in ("doc_id", "url", "record_id", "language", "title")}, **_archive(row)}
        shard = self._shard(corpus, doc_id, doc_id)
        if corpus == "text":
            ids = self.encoder.encode(sequences.joined(row["texts"]))
            return [(shard, (doc_id, self._bytes(ids), _json(source), []))]
        segments = sequences.segments(row["texts"], usable, self.encoder.encode)
        made = sequences.chunks(segments, self.encoder.vocabulary)
        limit = self._config.pack.max_document_chunks
        samples: list[_Sample] = []
        for number, chunk in enumerate(made[: limit or None]):
            images = [self._image_json(row, n, known[n][1], similarities.get(n, {})) for n in chunk.images]
            meta = {**source, "chunk": number, "chunks": len(made), "spans": chunk.spans, "images": images}
            places = [_place(known[n][1]) for n in chunk.images]
            samples.append((shard, (f"{doc_id}-{number:03d}", self._bytes(chunk.ids), _json(meta), places)))
        return samples

    def pair(self, item: tuple[str, dict[str, Iterable[Any]]]) -> Iterator[tuple[list[_Sample], list[Fate]]]:
        """The sample and fate of every pair with one pair_id."""
        similarity = next(iter(found), None) if (found := list(item[1]["scores"])) else None
        for text, stored in sorted(item[1]["row"]):
            row = json.loads(text)
            picture = self._picture((1, stored) if stored else None, {})
            reason = recipe.judge_pair(picture, 1.0 if similarity is None else similarity, self._config.pack)
            key = f"{row['doc_id']}:{row['pair_id']}"
            samples: list[_Sample] = []
            if not reason:
                ids = sequences.caption(self.encoder.encode(row["text"]), self.encoder.vocabulary)
                meta = {**row, **self._size_json(tuple(stored)), "similarity": similarity and round(similarity, 5)}
                name = f"{row['pair_id']}-{row['doc_id']}"
                shard = self._shard("pairs", row["doc_id"], name)
                samples = [(shard, (name, self._bytes(ids), _json(meta), [_place(stored)]))]
            detail = samples[0][0] if samples else row["image_url"]
            yield samples, [Fate(STAGE, "pair", key, DROPPED if reason else KEPT, reason, detail)]

    def _picture(self, known: tuple[int, tuple[Any, ...]] | None, similarities: dict[int, float]) -> Picture | None:
        if known is None or not known[1]:
            return None
        stored = Stored(*known[1])
        best = max(similarities.values(), default=1.0)
        return Picture(
            stored.status, stored.image_id, stored.width, stored.height, bool(stored.single_colour), known[0], best
        )

    def _image_json(self, row: dict[str, Any], n: int, stored: Any, similarities: dict[int, float]) -> dict[str, Any]:
        meta = row["image_meta"][n] or {}
        return {
            "position": n,
            "url": row["images"][n],
            "alt": meta.get("alt", ""),
            "caption": meta.get("caption", ""),
            "similarities": {str(text): value for text, value in sorted(similarities.items())},
            **self._size_json(tuple(stored)),
        }

    def _size_json(self, stored: tuple[Any, ...]) -> dict[str, Any]:
        found = Stored(*stored)
        return {"sha256": found.image_id, "width": found.width, "height": found.height}

    def _bytes(self, ids: list[int]) -> bytes:
        return np.asarray(ids, self.encoder.vocabulary.dtype).tobytes()


def _json(value: dict[str, Any]) -> str:
    return shards.json_bytes(value).decode("utf-8")


def _place(stored: Any) -> tuple[str, int, int]:
    found = Stored(*stored)
    return found.blob, found.offset, found.length


def write_shard(
    item: tuple[str, Iterable[tuple[str, bytes, str, list[tuple[str, int, int]]]]],
    output: str,
    vocabulary: Vocabulary,
    salt: str,
) -> ShardInfo:
    """One shard's samples → its tar."""
    name, values = item
    corpus = name.split("/")[0]
    rows = sorted(value for value in values if value[0])
    if corpus == "text":
        rows = _packed(rows, vocabulary, name, salt)
    counts = {"samples": len(rows), "tokens": 0, "images": 0}

    def members() -> Iterator[tuple[str, bytes]]:
        for key, raw, meta, places in rows:
            ids = np.frombuffer(raw, vocabulary.dtype)
            counts["tokens"] += len(ids)
            counts["images"] += len(places)
            stored = [_read(output, *place) for place in places]
            parts = {shards.INPUT_IDS: shards.npy(ids), shards.META: meta.encode("utf-8")}
            if corpus == "pairs":
                parts[shards.IMAGE] = stored[0]
                parts[shards.CAPTION] = json.loads(meta)["text"].encode("utf-8")
            elif corpus == "interleaved":
                parts[shards.LOSS_MASK] = shards.npy(shards.loss_mask(ids, vocabulary))
                parts.update({f"{n}.{shards.IMAGE}": data for n, data in enumerate(stored)})
            for suffix in sorted(parts):
                yield shards.member(key, suffix), parts[suffix]

    size, digest = write_tar(files.join(output, "shards", name), members())
    return ShardInfo(name, counts["samples"], counts["tokens"], counts["images"], size, digest)


def _read(output: str, blob: str, offset: int, length: int) -> bytes:
    """An image's stored bytes, all of them.

    Raises:
        OSError: the blob is shorter than the index says: writing on would put half a picture into a shard.
    """
    data = files.read_range(files.join(output, blob), offset, length)
    if len(data) != length:
        raise OSError(f"{blob} is shorter than images/index says: delete images/ and run `weft fetch` again")
    return data


def _packed(
    rows: list[tuple[str, bytes, str, list[Any]]], vocabulary: Vocabulary, name: str, salt: str
) -> list[tuple[str, bytes, str, list[Any]]]:
    """Text documents of one shard, in hash order, as packed sequences; a sequence is named by shard and number."""
    order = sorted(rows, key=lambda row: (hash_unit(row[0], f"{salt}order"), row[0]))
    sources = {row[0]: json.loads(row[2]) for row in rows}
    made = sequences.pack(((row[0], np.frombuffer(row[1], vocabulary.dtype).tolist()) for row in order), vocabulary)
    prefix = name.removesuffix(".tar").replace("/", "-")
    packed = []
    for number, sequence in enumerate(made):
        documents = [{**sources[doc_id], "span": [start, end]} for doc_id, start, end in sequence.documents]
        ids = np.asarray(sequence.ids, vocabulary.dtype).tobytes()
        packed.append((f"{prefix}-{number:08d}", ids, _json({"documents": documents}), []))
    return packed


def _finish(ctx: Context, encoder: tokens.Encoder, names: list[str]) -> None:
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
    tokens.save(encoder, ctx.path("shards"))
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
            | "Kept" >> ReadTable(ctx.parts("kept"), ("doc_id",))
            | "KeptId" >> beam.Map(lambda row: (row["doc_id"], True)).with_output_types(tuple[str, bool])
            | "KeptOnce" >> beam.Distinct()
        )
        rows = (
            p | "Documents" >> ReadTable(ctx.parts("documents"), ("doc_id", "texts")),
            p | "Pairs" >> ReadTable(ctx.parts("pairs"), ("doc_id", "text")),
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
