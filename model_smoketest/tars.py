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
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from weft.model_smoketest import shard_files
from weft.schemas import shards as contract
from weft.schemas.parameters import ConfigError
from weft.schemas.records import hash_unit
from weft.schemas.shards import Member, Parts, Vocabulary

OPEN = 8  # indexes that are kept


class Sample(NamedTuple):
    """One training sequence."""

    key: str
    ids: npt.NDArray[np.int64]  # (T,)
    mask: npt.NDArray[np.uint8]  # (T,) 1 where the token is a target
    images: tuple[bytes, ...]  # one for each image span, in order


class Tar:
    """A shard."""

    def __init__(self, path: str | os.PathLike[str], without: frozenset[str] = frozenset()) -> None:
        """Samples of the documents in `without`, by doc_id, are left out."""
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

    def part(self, key: str, suffix: str) -> bytes:
        """One part of a sample, as it is."""
        return shard_files.read_range(self.path, *self.samples[key][suffix])

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]

    def read(self, corpus: str, key: str, vocabulary: Vocabulary) -> Sample:
        """A whole sample.

        Raises:
            ConfigError: a part is missing or does not fit the others.
        """
        parts = self.samples[key]
        spans = sorted(filter(contract.is_image, parts), key=_image_position)
        arrays = [contract.INPUT_IDS, contract.LOSS_MASK] if corpus == "interleaved" else [contract.INPUT_IDS]
        try:
            wanted = [parts[suffix] for suffix in (*arrays, *spans)]
            start = min(member.offset for member in wanted)
            content = shard_files.read_range(self.path, start, max(map(sum, wanted)) - start)
            found = [content[one.offset - start : one.offset - start + one.size] for one in wanted]
            ids = _array(found[0]).astype(np.int64)
            told = corpus == "interleaved"
            mask = _array(found[1]).astype(np.uint8) if told else contract.loss_mask(ids, vocabulary)
            images = tuple(found[len(arrays) :])
            slots = contract.image_slots(ids, vocabulary)
        except (KeyError, ValueError) as error:
            raise damaged(self.path, f"sample {key}: {error}") from None
        fits = len(ids) > 1 and mask.shape == ids.shape and int(ids.max()) < vocabulary.size
        if not fits or len(slots) != len(images):
            raise damaged(self.path, f"sample {key}: ids, mask and images do not fit each other or the vocabulary")
        return Sample(key, ids, mask, images)


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
        whole = Tar(tar.path)
        return {key: parts for key, parts in whole.samples.items() if tar.without.isdisjoint(documents_of(whole, key))}
    index = tar.path.removesuffix("tar") + contract.INDEX
    try:
        return contract.load_index(shard_files.read_text(index))
    except FileNotFoundError:
        return _headers(tar.path)
    except ValueError as error:
        raise damaged(index, str(error)) from None


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
    return np.lib.format.read_array(io.BytesIO(content), allow_pickle=False)


def _image_position(suffix: str) -> int:
    position = suffix.partition(".")[0]
    return int(position) if position.isdigit() else 0  # of a pair it is the suffix alone
