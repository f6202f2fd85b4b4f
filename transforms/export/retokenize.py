"""A finished shard → the same shard by another tokenizer: nothing is fetched, scored or decided again.

A shard holds its texts and pictures, and which sample stands where is a hash of ids, not of tokens. So each shard is
made from its own namesake, and the result is byte for byte what `pack` with that tokenizer would have written; but for
what `pack.max_document_chunks` and `pack.passages` had cut off, and instructions that were too long by the first
tokenizer: these are in no shard. A long document with pictures lies in two: its sequences in interleaved/, its passages
without pictures in the shard of the same number in text/.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Any

import numpy as np

from weft.schemas import shards
from weft.schemas.shards import ShardInfo
from weft.transforms.export import items
from weft.transforms.io import files
from weft.transforms.pack import sequences
from weft.transforms.pack.pack_shards import write_shard
from weft.transforms.pack.samples import Instruction, PackDocument, PlacedImage, Sample, SampleMaker, canonical

_OF_A_CHUNK = ("chunk", "chunks", "spans", "images", "texts")  # of KEY.json of a document with pictures


def retokenize(base: str, name: str, output: str, maker: SampleMaker, salt: str) -> ShardInfo:
    """The shard `name` below `base` → output/shards/`name`.

    Args:
        base: directory of the finished shards.
        name: corpus/split/NNNNNN.tar.
        output: directory that shards/ is written below.
        maker: of samples, with the other tokenizer.
        salt: of the run, which orders texts.

    Raises:
        ConfigError: the shard is damaged, or of a version that kept no texts.
    """
    path = files.join(base, name)
    make = _MAKERS[name.split("/")[0]]
    with items.told_as_damage(path):
        return write_shard((name, make(path, maker)), output, maker.encoder.vocabulary, salt)


def _documents(path: str, maker: SampleMaker) -> Iterator[Sample]:
    return (sample for shard, sample in _rows(path, maker) if shard.startswith("interleaved/"))


def _rows(path: str, maker: SampleMaker) -> Iterator[tuple[str, Sample]]:
    """What the documents of a shard of interleaved/ are made into, there and in text/."""
    passages: dict[str, list[tuple[int, int, str]]] = {}  # doc_id → (position, first character, text)
    for entry in _entries(_beside(path, "text")):
        at, said = 0, entry.get("lead", "") + entry["text"]
        for position, start, end in entry.get("places", ()):
            passages.setdefault(entry["doc_id"], []).append((position, start, said[at : at + end - start]))
            at += end - start + len(sequences.PARAGRAPH)
    for doc_id, chunks in groupby(items.stored(path), key=lambda one: one.told["doc_id"]):
        parts: dict[int, list[str]] = {}
        images: list[PlacedImage] = []
        source: dict[str, Any] = {}
        for _, told, pictures in sorted(chunks, key=lambda one: one.told["chunk"]):  # -1000 stands before -999
            source = source or {key: value for key, value in told.items() if key not in _OF_A_CHUNK}
            for entry, (offset, length) in zip(told["images"], pictures, strict=True):
                images.append(PlacedImage(entry["position"], path, offset, length, canonical(entry)))
            for (position, _, _), text in zip(told["spans"], told["texts"], strict=True):
                if text is not None:
                    parts.setdefault(position, []).append(text)
        texts = _whole(parts, passages.get(doc_id, []))
        last = max([*texts, *(image.position for image in images)])
        row = PackDocument(doc_id, [texts.get(n) for n in range(last + 1)], images, canonical(source))
        yield from maker.document(row)


def _whole(parts: dict[int, list[str]], passages: list[tuple[int, int, str]]) -> dict[int, str]:
    """Position → its text, of the parts in sequences, in order, and of those in passages, which stand between them."""
    found = dict.fromkeys(sorted({*parts, *(position for position, _, _ in passages)}), "")
    left = {position: iter(texts) for position, texts in parts.items()}
    for position, start, text in sorted(passages):
        while len(found[position]) < start:
            found[position] += next(left[position])
        found[position] += text
    return {position: text + "".join(left.get(position, ())) for position, text in found.items()}


def _pairs(path: str, maker: SampleMaker) -> Iterator[Sample]:
    encoder = maker.encoder
    for key, told, ((offset, length),) in items.stored(path):
        ids = sequences.caption(encoder.encode(told["text"]), encoder.vocabulary)
        image = PlacedImage(0, path, offset, length, canonical({"url": told.get("image_url", "")}))
        yield Sample(key, np.asarray(ids, encoder.vocabulary.dtype).tobytes(), canonical(told), [image])


def _instructions(path: str, maker: SampleMaker) -> Iterator[Sample]:
    for _, told, _ in items.stored(path):
        row = Instruction(told["instruction"], told["input"], told["output"])
        yield from (sample for _, sample in maker.instruction(row))


def _texts(path: str, maker: SampleMaker) -> Iterator[Sample]:
    for entry in _entries(path):
        if "passage" not in entry:
            source = {key: value for key, value in entry.items() if key not in ("text", "span")}
            row = PackDocument(entry["doc_id"], [entry["text"]], [], canonical(source))
            yield from (sample for _, sample in maker.document(row))
    yield from (s for shard, s in _rows(_beside(path, "interleaved"), maker) if shard.startswith("text/"))


def _beside(path: str, corpus: str) -> str:
    """The shard of the same split and number in another corpus."""
    base, _, split, file = path.rsplit("/", 3)
    return f"{base}/{corpus}/{split}/{file}"


def _entries(path: str) -> Iterator[dict[str, Any]]:
    """What a shard of text/ tells of each text, `text` in it."""
    for _, told, _ in items.stored(path):
        for entry in told["documents"]:
            if "text" in entry:  # else it goes on from the sequence before
                yield entry
            elif entry is not told["documents"][0]:
                raise KeyError("text")


_MAKERS = {"interleaved": _documents, "pairs": _pairs, "text": _texts, shards.INSTRUCTIONS: _instructions}
