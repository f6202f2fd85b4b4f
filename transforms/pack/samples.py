"""Documents and pairs whose pictures are decided → training sequences, as they travel to their shards.

    PackDocument, PackPair ──► SampleMaker ──► Sample (tokens, JSON, places of pictures)

A sample crosses the shuffle without its images' bytes: those are read where the tar is written (pack_shards.py).
"""

from __future__ import annotations

import dataclasses
import json
from itertools import takewhile
from typing import Any, NamedTuple

import numpy as np

from weft.schemas import shards
from weft.schemas.parameters import Sequencing
from weft.schemas.records import hash_bucket, hash_unit, stable_id
from weft.transforms.beam import coders
from weft.transforms.pack import sequences, tokenizer


class PlacedImage(NamedTuple):
    """A picture that stays: where it stands in its document, where its bytes are, and what is told of it."""

    position: int  # in the document; 0 in a pair
    path: str
    offset: int
    length: int
    meta: str  # a JSON object: an entry of "images" in KEY.json, of a pair a part of KEY.json itself
    digest: str = ""  # ImageRow.digest: what is read is checked against it; "" checks the length alone


class PackDocument(NamedTuple):
    """A document to pack: with pictures into interleaved/, without into text/."""

    doc_id: str
    texts: list[str | None]  # None where an image stood, whether it stays or not
    images: list[PlacedImage]  # those that stay, in reading order
    meta: str  # a JSON object, `doc_id` in it: the document's part of KEY.json


class PackPair(NamedTuple):
    """A pair to pack into pairs/."""

    pair_id: str
    doc_id: str  # of its page
    text: str
    image: PlacedImage
    meta: str  # a JSON object, `text` in it: the pair's part of KEY.json


class Instruction(NamedTuple):
    """What is asked, and what is to be answered."""

    instruction: str
    input: str  # "" where the instruction says all
    output: str

    @property
    def key(self) -> str:
        return stable_id("instruction", *self)

    @property
    def asked(self) -> str:
        """Instruction and input, as they are read."""
        return " ".join(part for part in self[:2] if part)


class Sample(NamedTuple):
    """One training sequence on its way to its shard; in text/ a document that is packed with others there."""

    key: str
    ids: bytes
    meta: str  # KEY.json
    images: list[PlacedImage]


for _record in (PlacedImage, PackDocument, PackPair, Instruction, Sample):
    coders.register(_record)


@dataclasses.dataclass(frozen=True)
class ShardLayout:
    """Which shard a sample belongs to."""

    train: int = 4  # shards per corpus
    val_fraction: float = 0.05  # of documents, by hash; a pair goes where its page goes
    salt: str = "weft"
    val: int = 1  # shards per corpus
    corpora: tuple[str, ...] = shards.CORPORA

    def names(self) -> list[str]:
        """Every shard that is written, empty or not."""
        counts = {"train": self.train, "val": self.val}
        return [shards.shard_name(c, s, n) for c in self.corpora for s in shards.SPLITS for n in range(counts[s])]

    def split_of(self, doc_id: str) -> str:
        """Split of a document, "train" or "val": a page goes whole to one of them, and its pairs with it."""
        return "val" if hash_unit(doc_id, f"{self.salt}split") < self.val_fraction else "train"

    def shard_of(self, corpus: str, doc_id: str, key: str) -> str:
        """Name of the shard of a sample of this corpus; `key` is hashed, and chooses among those of the split."""
        split = self.split_of(doc_id)
        bucket = hash_bucket(key, self.val if split == "val" else self.train, f"{self.salt}{corpus}")
        return shards.shard_name(corpus, split, bucket)


class SampleMaker:
    """Documents and pairs → (shard, Sample); the tokenizer is loaded where it is used.

    Args:
        path: of the tokenizer, a tokenizer.json or a sentencepiece .model.
    """

    def __init__(self, path: str, sequencing: Sequencing, layout: ShardLayout) -> None:
        self._path, self._sequencing, self._layout = path, sequencing, layout
        self._encoder: tokenizer.Encoder | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_encoder": None}

    @property
    def encoder(self) -> tokenizer.Encoder:
        if self._encoder is None:
            given = self._sequencing
            self._encoder = tokenizer.Encoder(self._path, given.image_tokens, given.context_length)
        return self._encoder

    def make(self, row: PackDocument | PackPair) -> list[tuple[str, Sample]]:
        """The samples of a document or pair, each with the name of its shard."""
        return self.document(row) if isinstance(row, PackDocument) else self.pair(row)

    def document(self, row: PackDocument) -> list[tuple[str, Sample]]:
        """One sample of a document without pictures; of another as many as it takes, or as are allowed.

        What of that is near no picture is samples of text/, after the others, in the shard there of the same number.
        """
        source = json.loads(row.meta)
        if not row.images:
            return [self._text(self._layout.shard_of("text", row.doc_id, row.doc_id), row.doc_id, row.texts, source)]
        shard = self._layout.shard_of("interleaved", row.doc_id, row.doc_id)
        by_position = {image.position: image for image in row.images}
        made, passages = sequences.chunks(row.texts, list(by_position), self.encoder.encode, self.encoder.vocabulary)
        most = self._sequencing.max_document_chunks or len(made) + 1
        samples = []
        for number, chunk in enumerate(made[:most]):
            images = [by_position[n] for n in chunk.images]
            meta = {
                **source,
                "chunk": number,
                "chunks": len(made),
                "spans": chunk.spans,
                "images": [json.loads(image.meta) for image in images],
                "texts": chunk.texts,
            }
            key = f"{row.doc_id}-{number:03d}"
            samples.append((shard, Sample(key, self._bytes(chunk.ids), canonical(meta), images)))
        aside = shard.replace("interleaved/", "text/", 1)
        for number, passage in enumerate(passages if self._sequencing.passages == "text" else ()):
            if passage.after < most:
                text = passage.text.lstrip()
                told = {**source, "passage": number, "places": passage.places, "lead": passage.text.removesuffix(text)}
                samples.append(self._text(aside, f"{row.doc_id}-{number:03d}", [text], told))
        return samples

    def _text(self, shard: str, key: str, texts: list[str | None], told: dict[str, Any]) -> tuple[str, Sample]:
        text = sequences.joined(texts)
        meta = canonical({**told, "text": text})
        return shard, Sample(key, self._bytes(self.encoder.encode(text)), meta, [])

    def pair(self, row: PackPair) -> list[tuple[str, Sample]]:
        """The one sample of a pair."""
        ids = sequences.caption(self.encoder.encode(row.text), self.encoder.vocabulary)
        key = f"{row.pair_id}-{row.doc_id}"
        meta = canonical({**json.loads(row.meta), **json.loads(row.image.meta)})
        return [(self._layout.shard_of("pairs", row.doc_id, key), Sample(key, self._bytes(ids), meta, [row.image]))]

    def instruction(self, row: Instruction) -> list[tuple[str, Sample]]:
        """The one sample of an instruction; none where it is longer than a sequence."""
        vocabulary, key = self.encoder.vocabulary, row.key
        asked, whole = (self.encoder.encode(text) for text in (row.asked, f"{row.asked} {row.output}"))
        same = takewhile(
            lambda two: two[0] == two[1], zip(asked, whole, strict=False)
        )  # what the output does not change
        ids = shards.encode_text(whole, vocabulary)
        if len(ids) > vocabulary.context_length:
            return []
        told = canonical({**row._asdict(), "asked": 1 + len(list(same))})  # tokens, with `<s>`
        shard = self._layout.shard_of(shards.INSTRUCTIONS, key, key)
        return [(shard, Sample(key, self._bytes(ids), told, []))]

    def _bytes(self, ids: list[int]) -> bytes:
        return np.asarray(ids, self.encoder.vocabulary.dtype).tobytes()


def canonical(value: dict[str, Any]) -> str:
    """JSON as it stands in shards."""
    return shards.json_bytes(value).decode("utf-8")
