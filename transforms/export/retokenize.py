"""A finished shard → the same shard by another tokenizer: nothing is fetched, scored or decided again.

A shard holds its texts and pictures, and which sample stands where is a hash of ids, not of tokens. So each shard is
made from its own namesake, and the result is byte for byte what `pack` with that tokenizer would have written; but for
what `pack.max_document_chunks` had cut off, which is in no shard.
"""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np

from weft.schemas import shards
from weft.schemas.parameters import ConfigError
from weft.schemas.shards import ShardInfo
from weft.transforms.io import files
from weft.transforms.pack import sequences
from weft.transforms.pack.pack_shards import write_shard
from weft.transforms.pack.samples import PackDocument, PlacedImage, Sample, SampleMaker, canonical

_OF_A_CHUNK = ("chunk", "chunks", "spans", "images", "texts")  # of KEY.json of a document with pictures


class _Stored(NamedTuple):
    """A sample as it stands: KEY.json, and where each picture's bytes are."""

    key: str
    told: dict[str, Any]
    pictures: list[tuple[int, int]]  # (offset, length), in order


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
    make = {"interleaved": _documents, "pairs": _pairs, "text": _texts}[name.split("/")[0]]
    try:
        return write_shard((name, make(path, maker)), output, maker.encoder.vocabulary, salt)
    except KeyError as error:
        raise ConfigError(f"{path} holds no {error}: it was packed by an older version; run `weft pack`") from None
    except tarfile.TarError as error:
        raise ConfigError(f"{path} is damaged ({error}): run `weft pack` again") from None


def _documents(path: str, maker: SampleMaker) -> Iterator[Sample]:
    for doc_id, chunks in groupby(_samples(path), key=lambda one: one.told["doc_id"]):
        texts: dict[int, str] = {}
        images: list[PlacedImage] = []
        source: dict[str, Any] = {}
        for _, told, pictures in chunks:
            source = source or {key: value for key, value in told.items() if key not in _OF_A_CHUNK}
            for entry, (offset, length) in zip(told["images"], pictures, strict=True):
                images.append(PlacedImage(entry["position"], path, offset, length, canonical(entry)))
            drawn = {entry["position"] for entry in told["images"]}
            for (position, _, _), text in zip(told["spans"], told["texts"], strict=True):
                if position not in drawn and text is not None:
                    texts[position] = text
        last = max([*texts, *(image.position for image in images)], default=-1)
        row = PackDocument(doc_id, [texts.get(n) for n in range(last + 1)], images, canonical(source))
        yield from (sample for _, sample in maker.document(row))


def _pairs(path: str, maker: SampleMaker) -> Iterator[Sample]:
    encoder = maker.encoder
    for key, told, ((offset, length),) in _samples(path):
        ids = sequences.caption(encoder.encode(told["text"]), encoder.vocabulary)
        image = PlacedImage(0, path, offset, length, canonical({"url": told.get("image_url", "")}))
        yield Sample(key, np.asarray(ids, encoder.vocabulary.dtype).tobytes(), canonical(told), [image])


def _texts(path: str, maker: SampleMaker) -> Iterator[Sample]:
    for _, told, _ in _samples(path):
        for entry in told["documents"]:
            if "text" in entry:  # else it goes on from the sequence before
                source = {key: value for key, value in entry.items() if key not in ("text", "span")}
                row = PackDocument(entry["doc_id"], [entry["text"]], [], canonical(source))
                yield from (sample for _, sample in maker.document(row))
            elif entry is not told["documents"][0]:
                raise KeyError("text")


def _samples(path: str) -> Iterator[_Stored]:
    with files.open_read(path) as stream, tarfile.open(fileobj=stream, mode="r:") as tar:
        for key, members in groupby(tar, key=lambda info: info.name.partition(".")[0]):
            told: dict[str, Any] = {}
            pictures: list[tuple[int, int, int]] = []
            for info in members:
                suffix = info.name.partition(".")[2]
                if suffix == shards.META:
                    file = tar.extractfile(info)
                    told = json.loads(file.read() if file else b"")
                elif shards.is_image(suffix):
                    number = int(suffix.split(".")[0]) if "." in suffix else 0
                    pictures.append((number, info.offset_data, info.size))
            yield _Stored(key, told, [(offset, size) for _, offset, size in sorted(pictures)])
