"""A finished shard → its documents, pairs, texts or instructions, whole and readable, in the order of their keys."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import groupby
from typing import Any, NamedTuple

from weft.schemas import shards
from weft.schemas.parameters import ConfigError
from weft.transforms.io import files
from weft.transforms.pack.samples import Instruction


class Picture(NamedTuple):
    """An image as it is stored, and what the shard says of it."""

    data: bytes
    suffix: str  # one of shards.IMAGES
    meta: dict[str, Any]


class Item(NamedTuple):
    """A document, a pair, a text or an instruction. At each position exactly one of text and image is not None."""

    key: str  # holds no dot
    texts: list[str | None]
    images: list[Picture | None]
    meta: dict[str, Any]  # where it comes from
    places: list[int]  # where each stood in its document, some of whose pictures were left out

    @property
    def text(self) -> str:
        """Its texts, one after the other."""
        return "\n\n".join(text for text in self.texts if text)

    @property
    def pictures(self) -> list[Picture]:
        """Its images in order."""
        return [image for image in self.images if image is not None]


class Stored(NamedTuple):
    """A sample as it stands: KEY.json, and where each picture's bytes are."""

    key: str
    told: dict[str, Any]
    pictures: list[tuple[int, int]]  # (offset, length), in order


# Parts of KEY.json that speak of tokens, or that an Item has elsewhere.
_OWN = ("chunk", "chunks", "spans", "span", "images", "texts", "text", "places", "lead")


def read(path: str, corpus: str, sha256: str = "") -> Iterator[Item]:
    """The items of a shard: a document that was cut into several sequences comes as one, and so does a text.

    Raises:
        ConfigError: the shard is damaged, not that of `sha256`, or of a version that kept no texts.
    """
    check(path, sha256)
    made = {"interleaved": _documents, "pairs": _pairs, "text": _texts, shards.INSTRUCTIONS: _instructions}[corpus]
    with told_as_damage(path):
        yield from made(_samples(path))


@contextmanager
def told_as_damage(path: str) -> Iterator[None]:
    """What is wrong with a shard that is read inside, in one line, as a ConfigError."""
    try:
        yield
    except KeyError as error:
        raise ConfigError(
            f"{path} holds no {error}: it was packed by an older version; run `weft pack` again"
        ) from None
    except tarfile.TarError as error:
        raise ConfigError(f"{path} is damaged ({error}): run `weft pack` again") from None


def check(path: str, sha256: str) -> None:
    """Raise ConfigError for a shard that is not what its manifest says; nothing is known of one with sha256 = ""."""
    if sha256 and files.digest(path).sha256 != sha256:
        raise ConfigError(f"{path} is not what was written: run `weft pack --redo` to make it again")


def stored(path: str) -> Iterator[Stored]:
    """The samples of a shard, their pictures not read."""
    with files.open_read(path) as stream, tarfile.open(fileobj=stream, mode="r:") as tar:
        for key, members in groupby(tar, key=lambda info: info.name.partition(".")[0]):
            told, lengths = b"", b""
            pictures: list[tuple[int, int]] = []
            for info in members:
                suffix, place = info.name.partition(".")[2], shards.Member(info.offset_data, info.size)
                if suffix == shards.META:
                    told = _content(tar, info)
                elif suffix == shards.IMAGE_BYTES:  # stands before the images
                    lengths = _content(tar, info)
                elif suffix == shards.DOCUMENT_IMAGES:
                    pictures += shards.image_places(lengths, place)
                elif shards.is_image(suffix):
                    pictures.append(place)
            if len(pictures) != len((made := json.loads(told)).get("images", pictures)):
                raise KeyError(shards.DOCUMENT_IMAGES)
            yield Stored(key, made, pictures)


def _content(tar: tarfile.TarFile, info: tarfile.TarInfo) -> bytes:
    file = tar.extractfile(info)
    return file.read() if file else b""


_Sample = tuple[str, dict[str, Any], dict[str, bytes]]  # key, KEY.json, its other members by suffix


def _samples(path: str) -> Iterator[_Sample]:
    with files.open_read(path) as stream, tarfile.open(fileobj=stream, mode="r|") as tar:

        def members() -> Iterator[tuple[str, str, bytes]]:
            for info in tar:
                key, _, suffix = info.name.partition(".")
                yield key, suffix, _content(tar, info)

        for key, parts in groupby(members(), key=lambda member: member[0]):
            found = {suffix: data for _, suffix, data in parts}
            yield key, json.loads(found[shards.META]), found


def _documents(samples: Iterator[_Sample]) -> Iterator[Item]:
    for doc_id, chunks in groupby(samples, key=lambda sample: sample[1]["doc_id"]):
        texts: list[str | None] = []
        images: list[Picture | None] = []
        places: list[int] = []
        meta: dict[str, Any] = {}
        for _, told, parts in sorted(chunks, key=lambda sample: sample[1]["chunk"]):  # keys have three digits or more
            meta = meta or _source(told)
            stored = iter(_pictures(told["images"], parts))
            for (position, _, _), text in zip(told["spans"], told["texts"], strict=True):
                if text is None:
                    texts.append(None)
                    images.append(next(stored))
                    places.append(position)
                elif places and places[-1] == position:  # it goes on from the chunk before
                    texts[-1] = (texts[-1] or "") + text
                else:
                    texts.append(text)
                    images.append(None)
                    places.append(position)
        yield Item(doc_id, texts, images, meta, places)


def _pictures(told: list[dict[str, Any]], parts: dict[str, bytes]) -> list[Picture]:
    whole = parts[shards.DOCUMENT_IMAGES]
    places = shards.image_places(parts[shards.IMAGE_BYTES], shards.Member(0, len(whole)))
    images = [whole[at : at + length] for at, length in places]
    return [Picture(data, shards.image_suffix(data), meta) for data, meta in zip(images, told, strict=True)]


def _pairs(samples: Iterator[_Sample]) -> Iterator[Item]:
    for key, told, parts in samples:
        suffix = next(filter(shards.is_image, parts))
        yield Item(key, [None, told["text"]], [Picture(parts[suffix], suffix, told), None], _source(told), [0, 0])


def _texts(samples: Iterator[_Sample]) -> Iterator[Item]:
    for _, told, _ in samples:
        for entry in told["documents"]:
            if "text" in entry:  # else it goes on from the sequence before
                key = f"{entry['doc_id']}-{entry['passage']:03d}" if "passage" in entry else entry["doc_id"]
                yield Item(key, [entry["text"]], [None], _source(entry), [0])
            elif entry is not told["documents"][0]:
                raise KeyError("text")


def _instructions(samples: Iterator[_Sample]) -> Iterator[Item]:
    for key, told, _ in samples:
        row = Instruction(*(told[field] for field in Instruction._fields))
        yield Item(key, [f"{row.asked} {row.output}"], [None], row._asdict(), [0])


def _source(told: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in told.items() if name not in _OWN}
