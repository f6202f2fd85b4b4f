"""Shards as tars: where each part of each sample stands, and samples read from there.

A tar costs nothing until a sample of it is asked for. Then its index is read, which the packer wrote beside it
(`000000.idx`), or the tar's own headers where there is none; the few that were used last are kept, so that a corpus of
any number of tars takes the memory of those. A sample is one read of one range.
"""

from __future__ import annotations

import io
import json
import os
import tarfile
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from weft.model_smoketest import shard_files
from weft.schemas import shards as contract
from weft.schemas.parameters import ConfigError
from weft.schemas.records import hash_unit
from weft.schemas.shards import Member, Parts, Vocabulary

OPEN = 8  # indexes that are kept
_OF_AN_INSTRUCTION = (contract.INPUT_IDS, contract.LOSS_MASK)
_OF_A_DOCUMENT = (*_OF_AN_INSTRUCTION, contract.IMAGE_BYTES, contract.DOCUMENT_IMAGES)


class Sample(NamedTuple):
    """One training sequence."""

    key: str
    ids: npt.NDArray[np.int64]  # (T,)
    mask: npt.NDArray[np.uint8]  # (T,) 1 where the token is a target
    images: tuple[bytes, ...]  # one for each image span, in order
    meta: bytes = b""  # KEY.json, where it was asked for


class Tar:
    """A shard."""

    def __init__(self, path: str | os.PathLike[str], without: frozenset[str] = frozenset()) -> None:
        """What is of the documents in `without`, by doc_id, is left out: a sample, or its span of a packed text."""
        self.path, self.without = os.fspath(path), without

    @property
    def samples(self) -> dict[str, Parts]:
        """Keys and, for each, its parts by suffix.

        Raises:
            ConfigError: the file is no whole tar.
        """
        return _samples(self)

    def order(self, salt: str) -> list[str]:
        """Keys in an order that `salt` decides."""
        return sorted(self.samples, key=lambda key: (hash_unit(key, salt), key))

    def length(self, key: str, vocabulary: Vocabulary) -> int:
        """Tokens of a sample, by the index.

        Raises:
            KeyError: it has none.
        """
        spans = _left(self).get(key) if self.without else None
        return contract.token_count(self.samples[key], vocabulary) if spans is None else _size(spans)

    def part(self, key: str, suffix: str) -> bytes:
        """One part of a sample, as it is."""
        return shard_files.read_range(self.path, *self.samples[key][suffix])

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]

    def read(self, corpus: str, key: str, vocabulary: Vocabulary, meta: bool = False) -> Sample:
        """A whole sample; with KEY.json where `meta` is set.

        Raises:
            ConfigError: a part is missing or does not fit the others.
        """
        parts = self.samples[key]
        told = corpus == "interleaved"
        asked = corpus == contract.INSTRUCTIONS
        own = (contract.INPUT_IDS, *filter(contract.is_image, parts))
        own = _OF_A_DOCUMENT if told else _OF_AN_INSTRUCTION if asked else own
        try:
            wanted = [parts[suffix] for suffix in (*own, *([contract.META] if meta else ()))]
            start = min(member.offset for member in wanted)
            content = shard_files.read_range(self.path, start, max(map(sum, wanted)) - start)

            def cut(one: Member) -> bytes:
                return content[one.offset - start : one.offset - start + one.size]

            ids = _array(cut(wanted[0])).astype(np.int64)
            if self.without and (spans := _left(self).get(key)):
                ids = np.concatenate([ids[start:end] for start, end in spans])
            mask = _array(cut(wanted[1])).astype(np.uint8) if told or asked else contract.loss_mask(ids, vocabulary)
            places = contract.image_places(cut(wanted[2]), wanted[3]) if told else wanted[1 + asked : len(own)]
            images = tuple(map(cut, places))
            slots = contract.image_slots(ids, vocabulary)
        except (KeyError, ValueError) as error:
            raise damaged(self.path, f"sample {key}: {error}") from None
        fits = len(ids) and mask.shape == ids.shape and int(ids.max()) < vocabulary.size
        if not fits or len(slots) != len(images):
            raise damaged(self.path, f"sample {key}: ids, mask and images do not fit each other or the vocabulary")
        return Sample(key, ids, mask, images, cut(wanted[-1]) if meta else b"")


def damaged(path: str, why: str) -> ConfigError:
    """The error of a shard that breaks the contract."""
    return ConfigError(f"{path} is damaged ({why}): delete its directory and run `weft pack` again")


def documents_of(tar: Tar, key: str) -> list[str]:
    """The doc_id of each document that a sample is of."""
    meta = json.loads(tar.part(key, contract.META))
    return [one["doc_id"] for one in meta.get("documents", [meta]) if "doc_id" in one]


@lru_cache(OPEN)  # by object, not by path: a tar that was written anew is another Tar
def _samples(tar: Tar) -> dict[str, Parts]:
    if tar.without:
        left = _left(tar)
        whole = Tar(tar.path).samples
        return {key: parts for key, parts in whole.items() if key not in left or _size(left[key]) > 1}
    index = tar.path.removesuffix("tar") + contract.INDEX
    try:
        return contract.load_index(shard_files.read_text(index))
    except FileNotFoundError:
        return _headers(tar.path)
    except ValueError as error:
        raise damaged(index, str(error)) from None


@lru_cache(OPEN)
def _left(tar: Tar) -> dict[str, list[tuple[int, int]]]:
    """Key → what stays of each sample that is of a document to be left out: none but of texts packed with others."""
    whole, found = Tar(tar.path), {}
    for key in whole.samples:
        meta = json.loads(whole.part(key, contract.META))
        of = meta.get("documents", [meta])
        stay = [one for one in of if one.get("doc_id") not in tar.without]
        if len(stay) < len(of):
            found[key] = [(one["span"][0], one["span"][1]) for one in stay]
    return found


def _size(spans: Sequence[tuple[int, int]]) -> int:
    return sum(end - start for start, end in spans)


def _headers(path: str) -> dict[str, Parts]:
    samples: dict[str, Parts] = {}
    try:
        with shard_files.open_buffered(path) as file, tarfile.open(fileobj=file, mode="r:") as tar:
            for info in tar:
                key, _, suffix = info.name.partition(".")
                samples.setdefault(key, {})[suffix] = Member(info.offset_data, info.size)
    except tarfile.TarError as error:
        raise damaged(path, str(error)) from None
    return samples


def _array(content: bytes) -> npt.NDArray[np.generic]:
    begins = 10 + int.from_bytes(content[8:10], "little")  # of a .npy of version 1
    shape, kind = _header(content[:begins])
    return np.frombuffer(content, kind, offset=begins).reshape(shape)


@lru_cache(4_096)  # there are as many as lengths; to parse one costs more than to read the numbers
def _header(content: bytes) -> tuple[tuple[int, ...], np.dtype[Any]]:
    stream = io.BytesIO(content)
    np.lib.format.read_magic(stream)
    shape, _, kind = np.lib.format.read_array_header_1_0(stream)
    return shape, kind
