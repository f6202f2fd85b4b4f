"""What pack makes of one joined document or pair, and of all samples of one shard.

    document + its images' rows + similarities ──► samples, fates       (Maker.document)
    pair + its image's row + similarity ─────────► sample, fate         (Maker.pair)
    samples of one shard ────────────────────────► tar                  (write_shard)

A sample crosses the shuffle as tokens, JSON and references; its images' bytes are read where the tar is written.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np

from weft.schemas import shards
from weft.schemas.config import Config, Pack
from weft.schemas.records import DROPPED, KEPT, Fate, hash_bucket, hash_unit
from weft.schemas.shards import ShardInfo, Vocabulary
from weft.transforms.io import files
from weft.transforms.io.tar import write_tar
from weft.transforms.pack import assignment, evaluation_images, recipe, sequences, tokenizer
from weft.transforms.pack.assignment import Match
from weft.transforms.pack.recipe import Picture
from weft.transforms.score import image_scores
from weft.transforms.score.image_scores import Looks

STAGE = "pack"


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
    shared: int = 0  # addresses of its host with the same picture, where those are many
    looks: str = ""  # what score says of its vector, as `Looks.dumps`; "" where nobody asked


def archive(row: dict[str, Any]) -> dict[str, Any]:
    """Where a document stands in its archive."""
    # The archive's name, not its path: the same archive elsewhere must give the same shard.
    return {"warc_file": row["warc_file"].rsplit("/", 1)[-1], "warc_offset": row["warc_offset"]}


_Sample = tuple[str, tuple[str, bytes, str, list[tuple[str, int, int]]]]  # shard, (key, ids, json, image places)


class Maker:
    """Documents and pairs → samples and fates; the tokenizer is loaded where it is used.

    Args:
        path: of the tokenizer.
        top: the similarity that a pair has to reach to be in `pack.pair_top_share` of all.
    """

    def __init__(self, config: Config, path: str, top: float = -math.inf) -> None:
        self._config, self._path, self._top = config, path, top
        self._encoder: tokenizer.Encoder | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_encoder": None}

    @property
    def encoder(self) -> tokenizer.Encoder:
        if self._encoder is None:
            pack = self._config.pack
            self._encoder = tokenizer.Encoder(self._path, pack.image_tokens, pack.context_length)
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
        matches = assignment.match(
            (image, text, value) for image in usable for text, value in similarities.get(image, {}).items()
        )
        matched = assignment.share_above(matches.values(), pack.matched_similarity)
        best = [max(similarities[image].values()) for image in usable if similarities.get(image)]
        mean = sum(best) / len(best) if best else -1.0
        judged = (doc_id, has_text, len(usable), pack, self._config.salt, matched, mean)
        corpus, reason = recipe.judge_document(*judged)
        if corpus != "interleaved":
            reasons = {n: r or ("document_text_only" if corpus else "document_dropped") for n, r in reasons.items()}
        samples = self._document_samples(row, corpus, usable, known, similarities, matches) if corpus else []
        if corpus == "interleaved":  # pack.max_document_chunks may have cut some off
            placed = {image["position"] for _, (_, _, meta, _) in samples for image in json.loads(meta)["images"]}
            reasons = {n: r or ("" if n in placed else "document_cut") for n, r in reasons.items()}
        place = samples[0][0] if samples else ""
        details = {n: _about(p, reasons[n], pack) for n, p in zip(positions, pictures, strict=True)}
        fates = [Fate(STAGE, "document", doc_id, DROPPED if reason else KEPT, reason, place or row["url"])]
        fates += [
            Fate(STAGE, "image", f"{doc_id}:{n}", DROPPED if r else KEPT, r, details[n] or row["images"][n])
            for n, r in reasons.items()
        ]
        yield samples, fates

    def _document_samples(
        self,
        row: dict[str, Any],
        corpus: str,
        usable: list[int],
        known: Any,
        similarities: Any,
        matches: dict[int, Match],
    ) -> list[_Sample]:
        doc_id = row["doc_id"]
        source = {**{k: row[k] for k in ("doc_id", "url", "record_id", "language", "title")}, **archive(row)}
        shard = self._shard(corpus, doc_id, doc_id)
        if corpus == "text":
            ids = self.encoder.encode(sequences.joined(row["texts"]))
            return [(shard, (doc_id, self._bytes(ids), _json(source), []))]
        segments = sequences.segments(row["texts"], usable, self.encoder.encode)
        made = sequences.chunks(segments, self.encoder.vocabulary)
        limit = self._config.pack.max_document_chunks
        samples: list[_Sample] = []
        for number, chunk in enumerate(made[: limit or None]):
            images = [
                self._image_json(row, n, known[n][1], similarities.get(n, {}), matches.get(n)) for n in chunk.images
            ]
            meta = {**source, "chunk": number, "chunks": len(made), "spans": chunk.spans, "images": images}
            places = [_place(known[n][1]) for n in chunk.images]
            samples.append((shard, (f"{doc_id}-{number:03d}", self._bytes(chunk.ids), _json(meta), places)))
        return samples

    def pair(self, item: tuple[str, dict[str, Iterable[Any]]]) -> Iterator[tuple[list[_Sample], list[Fate]]]:
        """The sample and fate of every pair with one pair_id."""
        scores = list(item[1]["scores"])
        similarity = next(iter(scores), None)
        twins = dict(item[1].get("twins", ()))
        for text, stored in sorted(item[1]["row"]):
            row = json.loads(text)
            reason, about = self.judge(stored, scores, row.get("language") or "")
            key = f"{row['doc_id']}:{row['pair_id']}"
            if not reason and key in twins:
                reason, about = "same_picture", twins[key]
            samples: list[_Sample] = []
            if not reason:
                ids = sequences.caption(self.encoder.encode(row["text"]), self.encoder.vocabulary)
                meta = {**row, **self._size_json(tuple(stored)), "similarity": similarity and round(similarity, 5)}
                name = f"{row['pair_id']}-{row['doc_id']}"
                shard = self._shard("pairs", row["doc_id"], name)
                samples = [(shard, (name, self._bytes(ids), _json(meta), [_place(stored)]))]
            detail = samples[0][0] if samples else about or row["image_url"]
            yield samples, [Fate(STAGE, "pair", key, DROPPED if reason else KEPT, reason, detail)]

    def judge(self, stored: tuple[Any, ...], scores: list[float], language: str = "") -> tuple[str, str]:
        """Why a pair with this image and similarity is dropped ("" to keep it), and what says so."""
        picture = self._picture((1, stored) if stored else None, {})
        similarity = round(scores[0], 5) if scores else 1.0  # a float32 of 0.26 is below 0.26
        reason = recipe.judge_pair(picture, similarity, self._config.pack, language, self._top)
        return reason, _about(picture, reason, self._config.pack)

    def _picture(self, known: tuple[int, tuple[Any, ...]] | None, similarities: dict[int, float]) -> Picture | None:
        if known is None or not known[1]:
            return None
        stored = Stored(*known[1])
        best, flat = max(similarities.values(), default=1.0), bool(stored.single_colour)
        pack, evaluation = self._config.pack, ""
        if pack.evaluation_images:
            seen = evaluation_images.load(pack.evaluation_images, self._config.fetch.max_side)
            evaluation = seen.find(stored.image_id, stored.phash, flat, pack.evaluation_distance)
        seen_in = Looks.loads(stored.looks) if stored.looks else None
        size = stored.width, stored.height
        return Picture(stored.status, stored.image_id, *size, flat, known[0], best, evaluation, seen_in, stored.shared)

    def _image_json(
        self, row: dict[str, Any], n: int, stored: Any, similarities: dict[int, float], match: Match | None
    ) -> dict[str, Any]:
        meta = row["image_meta"][n] or {}
        found = match is not None and match.text != assignment.NONE
        return {
            "position": n,
            "url": row["images"][n],
            "alt": meta.get("alt", ""),
            "caption": meta.get("caption", ""),
            "similarities": {str(text): value for text, value in sorted(similarities.items())},
            "matched_text": match.text if match and found else None,  # of the kept images: mmc4's matched_text_index
            "matched_similarity": match.similarity if match and found else None,
            **self._size_json(tuple(stored)),
        }

    def _size_json(self, stored: tuple[Any, ...]) -> dict[str, Any]:
        found = Stored(*stored)
        return {"sha256": found.image_id, "width": found.width, "height": found.height}

    def _bytes(self, ids: list[int]) -> bytes:
        return np.asarray(ids, self.encoder.vocabulary.dtype).tobytes()


def _about(picture: Picture | None, reason: str, config: Pack) -> str:
    """What a fate says of why an image was dropped, "" where its address says enough."""
    if picture is None or not reason:
        return ""
    if reason == "evaluation_image":
        return picture.evaluation
    if reason == "near_image" and picture.looks:
        return picture.looks.repeat_of
    if reason == "placeholder":
        return f"{picture.shared} addresses of its host"
    judged, about = image_scores.judge(picture.looks, config)
    return about if judged == reason else ""


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
                parts[shards.image_suffix(stored[0])] = stored[0]
                parts[shards.CAPTION] = json.loads(meta)["text"].encode("utf-8")
            elif corpus == "interleaved":
                parts[shards.LOSS_MASK] = shards.npy(shards.loss_mask(ids, vocabulary))
                parts.update({f"{n}.{shards.image_suffix(data)}": data for n, data in enumerate(stored)})
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
