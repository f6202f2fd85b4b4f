"""Shards in, batches out: deterministic, mixed in Kosmos-1's proportion, resumable at any step.

    tar ─ index ─► samples ─ cut ─► Stream (one a corpus, endless) ─► Mixture: one micro-batch of each corpus a step

The order of an epoch is a hash of (seed, epoch, shard or key), so a position is three numbers: epoch, shard and
sample. Shards are plain tars: their index is read once and samples are then read in any order, which needs no
shuffle buffer and hence nothing else in a checkpoint. (webdataset reads the same files; it cannot resume.)

A step takes the three corpora in proportion to `train.mix_*`, as tokens. A sample is never split over two steps: what
one takes too many, the corpus takes fewer the next time.
"""

from __future__ import annotations

import dataclasses
import io
import json
import os
import tarfile
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from weft.model_smoketest import shard_files
from weft.schemas import shards as contract
from weft.schemas.config import Train
from weft.schemas.parameters import ConfigError
from weft.schemas.records import hash_unit
from weft.schemas.shards import Vocabulary

Log = Callable[[str], None]


class Sample(NamedTuple):
    """One training sequence."""

    key: str
    ids: npt.NDArray[np.int64]  # (T,)
    mask: npt.NDArray[np.uint8]  # (T,) 1 where the token is a target
    images: tuple[bytes, ...]  # one for each image span, in order


class Batch(NamedTuple):
    """Sequences of one corpus, padded on the right."""

    corpus: str
    ids: Tensor  # (B, T) int64
    mask: Tensor  # (B, T) uint8
    rows: Tensor  # (N,) int64: the sequence of each image
    slots: Tensor  # (N, K) int64: its places there
    images: list[bytes]  # N
    tokens: int  # without padding


class Member(NamedTuple):
    """Where one part of a sample stands in its tar."""

    offset: int
    size: int


class Tar:
    """A shard: keys and, for each, its parts by suffix."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Reads the headers alone.

        Raises:
            ConfigError: the file is no whole tar.
        """
        self.path = os.fspath(path)
        self.samples: dict[str, dict[str, Member]] = {}
        try:
            with shard_files.open_buffered(self.path) as file, tarfile.open(fileobj=file, mode="r:") as tar:
                for info in tar:
                    key, _, suffix = info.name.partition(".")
                    self.samples.setdefault(key, {})[suffix] = Member(info.offset_data, info.size)
        except tarfile.TarError as error:
            raise damaged(self.path, str(error)) from None

    def order(self, salt: str) -> list[str]:
        """Keys in an order that `salt` decides."""
        return sorted(self.samples, key=lambda key: (hash_unit(key, salt), key))

    def part(self, key: str, suffix: str) -> bytes:
        """One part of a sample, as it is."""
        return self._bytes(self.samples[key][suffix])

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]

    def _bytes(self, member: Member) -> bytes:
        return shard_files.read_range(self.path, member.offset, member.size)

    def _array(self, member: Member) -> npt.NDArray[np.generic]:
        return np.lib.format.read_array(io.BytesIO(self._bytes(member)), allow_pickle=False)

    def read(self, corpus: str, key: str, vocabulary: Vocabulary) -> Sample:
        """A whole sample.

        Raises:
            ConfigError: a part is missing or does not fit the others.
        """
        parts = self.samples[key]
        spans = sorted(filter(contract.is_image, parts), key=_image_position)
        try:
            ids = self._array(parts[contract.INPUT_IDS]).astype(np.int64)
            if corpus == "interleaved":
                mask = self._array(parts[contract.LOSS_MASK]).astype(np.uint8)
            else:
                mask = contract.loss_mask(ids, vocabulary)
            images = tuple(self._bytes(parts[suffix]) for suffix in spans)
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


def _image_position(suffix: str) -> int:
    position = suffix.partition(".")[0]
    return int(position) if position.isdigit() else 0  # of a pair it is the suffix alone


def cut(sample: Sample, start: int, length: int, vocabulary: Vocabulary) -> Sample:
    """At most `length` tokens from `start`; an image span that would be cut in two ends the sequence before it.

    `start` must be 0 where the sample holds images.
    """
    end = min(len(sample.ids), start + length)
    slots = contract.image_slots(sample.ids, vocabulary)
    kept = 0
    for span in slots:
        if span[-1] + 1 < end:  # the slot after it is </image>
            kept += 1
        elif span[0] - 1 < end:
            end = int(span[0]) - 1
    return Sample(sample.key, sample.ids[start:end], sample.mask[start:end], sample.images[:kept])


def texts_of(sample: Sample, vocabulary: Vocabulary) -> list[list[int]]:
    """A document's texts as ids: one before, between and after its images; a text may be empty."""
    ids = sample.ids.tolist()
    texts: list[list[int]] = []
    start = 1  # after <s>
    for span in contract.image_slots(sample.ids, vocabulary):
        texts.append(ids[start : int(span[0]) - 1])
        start = int(span[-1]) + 2
    return [*texts, [token for token in ids[start:] if token != vocabulary.eos]]


def collate(corpus: str, samples: list[Sample], vocabulary: Vocabulary) -> Batch:
    """Samples side by side, padded on the right; padding is never a target."""
    length = max(len(s.ids) for s in samples)
    ids = np.full((len(samples), length), vocabulary.pad, np.int64)
    mask = np.zeros((len(samples), length), np.uint8)
    rows, slots = [], [np.zeros((0, vocabulary.image_tokens), np.int64)]
    for row, sample in enumerate(samples):
        ids[row, : len(sample.ids)] = sample.ids
        mask[row, : len(sample.ids)] = sample.mask
        slots.append(contract.image_slots(sample.ids, vocabulary))
        rows += [row] * len(sample.images)
    return Batch(
        corpus,
        torch.from_numpy(ids),
        torch.from_numpy(mask),
        torch.tensor(rows, dtype=torch.int64),
        torch.from_numpy(np.concatenate(slots)),
        [image for sample in samples for image in sample.images],
        sum(len(s.ids) for s in samples),
    )


@dataclasses.dataclass
class Position:
    """Where a stream stands: all that a checkpoint needs of it."""

    epoch: int = 0
    shard: int = 0  # in the epoch's order
    sample: int = 0  # the next one, in the shard's order
    owed: float = 0.0  # tokens that this corpus is still to deliver; negative after a sample that was too long


class Stream:
    """One corpus, epoch after epoch."""

    def __init__(self, corpus: str, tars: list[Tar], vocabulary: Vocabulary, max_length: int, seed: int) -> None:
        """`tars` hold at least one sample between them."""
        self.corpus, self.position = corpus, Position()
        self._tars, self._vocabulary, self._max_length, self._seed = tars, vocabulary, max_length, seed
        self._shard_order: tuple[str, list[Tar]] = ("", [])
        self._key_order: tuple[tuple[str, str], list[str]] = (("", ""), [])

    @property
    def shards(self) -> int:
        return len(self._tars)

    def take(self, tokens: float) -> list[Sample]:
        """The next samples: `tokens` of them on average over many calls, often none in a single one."""
        at, taken = self.position, []
        at.owed += tokens
        while at.owed > 0:
            taken.append(self._next())
            at.owed -= len(taken[-1].ids)
        return taken

    def _next(self) -> Sample:
        at = self.position
        while True:
            salt = f"train:{self._seed}:{at.epoch}"
            shards = self._shards(salt)
            if at.shard >= len(shards):
                at.epoch, at.shard, at.sample = at.epoch + 1, 0, 0
            elif at.sample >= len(keys := self._keys(shards[at.shard], salt)):
                at.shard, at.sample = at.shard + 1, 0
            else:
                at.sample += 1
                sample = shards[at.shard].read(self.corpus, keys[at.sample - 1], self._vocabulary)
                # A long text gives another window each epoch. A document gives its beginning: a window might
                # open inside an image.
                room = 0 if sample.images else max(0, len(sample.ids) - self._max_length)
                start = int(hash_unit(sample.key, salt) * (room + 1))
                return cut(sample, start, self._max_length, self._vocabulary)

    def _shards(self, salt: str) -> list[Tar]:
        if self._shard_order[0] != salt:
            by_hash = sorted(self._tars, key=lambda tar: (hash_unit(tar.name, salt), tar.name))
            self._shard_order = (salt, by_hash)
        return self._shard_order[1]

    def _keys(self, tar: Tar, salt: str) -> list[str]:
        if self._key_order[0] != (tar.path, salt):
            self._key_order = ((tar.path, salt), tar.order(salt))
        return self._key_order[1]


class Mixture:
    """The training data: `step()` gives one micro-batch of each corpus."""

    def __init__(
        self, shards: str, vocabulary: Vocabulary, config: Train, log: Log, without: frozenset[str] = frozenset()
    ) -> None:
        """Finds what there is; a corpus without samples is told and its share goes to the others.

        Samples of the documents in `without`, by doc_id, are left out.

        Raises:
            ConfigError: no corpus has a sample, or every one that has is switched off.
        """
        shortest = vocabulary.image_tokens + 4  # <s> <image> … </image> and one token to predict
        if config.max_length < shortest:
            raise ConfigError(
                f"train.max_length = {config.max_length} leaves no room for an image: {shortest} at least"
            )
        self._vocabulary = vocabulary
        self.streams: dict[str, Stream] = {}
        weights = {c: getattr(config, f"mix_{c}") for c in contract.CORPORA}
        for corpus, weight in weights.items():
            tars = [Tar(path) for path in tars_of(shards, corpus, "train")]
            for tar in tars if without else ():
                tar.samples = {k: parts for k, parts in tar.samples.items() if without.isdisjoint(documents_of(tar, k))}
            tars = [tar for tar in tars if tar.samples]
            if weight > 0 and tars:
                self.streams[corpus] = Stream(corpus, tars, vocabulary, config.max_length, config.seed)
        if not self.streams:
            raise ConfigError(f"{shards} holds no training sample: run `weft pack` first, or with a milder recipe")
        for corpus, weight in weights.items():
            if weight > 0 and corpus not in self.streams:
                log(f"train: the {corpus} corpus is empty; its share of each batch goes to the others")
        total = sum(weights[c] for c in self.streams)
        self.tokens = {c: config.batch_tokens * weights[c] / total for c in self.streams}

    def step(self) -> list[Batch]:
        """The micro-batches of the next step; a corpus that is ahead of its share may be missing."""
        batches: list[Batch] = []
        while not batches:
            for corpus, stream in self.streams.items():
                samples = stream.take(self.tokens[corpus])
                if samples:
                    batches.append(collate(corpus, samples, self._vocabulary))
        return batches

    def epochs(self) -> dict[str, float]:
        """How often each corpus has been gone through."""
        return {
            corpus: round(stream.position.epoch + stream.position.shard / stream.shards, 2)
            for corpus, stream in self.streams.items()
        }

    def state(self) -> dict[str, dict[str, float]]:
        """Positions, ready for a checkpoint."""
        return {corpus: dataclasses.asdict(stream.position) for corpus, stream in self.streams.items()}

    def restore(self, state: dict[str, dict[str, float]]) -> None:
        """The inverse of `state`."""
        for corpus, position in state.items():
            self.streams[corpus].position = Position(**position)  # type: ignore[arg-type]


def validation(shards: str, corpus: str, vocabulary: Vocabulary, config: Train) -> Iterator[Sample]:
    """Up to `eval_samples` held-out samples, cut as in training but always from the beginning."""
    left = config.eval_samples
    for tar in map(Tar, tars_of(shards, corpus, "val")):
        for key in tar.order("val"):
            if left <= 0:
                return
            sample = cut(tar.read(corpus, key, vocabulary), 0, config.max_length, vocabulary)
            if sample.mask[1:].any():
                left -= 1
                yield sample


def read_vocabulary(shards: str) -> Vocabulary:
    """The packer's tokenizer, as far as the model must know it.

    Raises:
        ConfigError: there is none: this is no directory of shards.
    """
    path = shard_files.join(shards, contract.TOKENIZER_INFO)
    try:
        return Vocabulary.loads(shard_files.read_text(path))
    except OSError:
        raise ConfigError(f"{path} is missing: run `weft pack` first") from None
    except (TypeError, json.JSONDecodeError):
        raise ConfigError(f"{path} is not what `weft pack` writes: run it again") from None


def tars_of(shards: str, corpus: str, split: str) -> list[str]:
    """The shards of one corpus and split, in order of their names; none where there is no such directory.

    Raises:
        ConfigError: they are not those that the manifest lists, each of its size; without a manifest all is taken.
    """
    there = dict(shard_files.tars(shard_files.join(shards, corpus, split)))
    folder = f"{corpus}/{split}/"
    if (known := _listed(shards)) is not None:
        listed = {shard_files.join(shards, one.name): one.bytes for one in known if one.name.startswith(folder)}
        for path in sorted(listed.keys() | there.keys()):
            if path not in there:
                raise damaged(path, "listed in the manifest, and not there")
            if path not in listed:
                raise damaged(path, "not listed in the manifest")
            if there[path] != listed[path]:
                raise damaged(path, f"{there[path]:,} bytes, {listed[path]:,} in the manifest")
    return sorted(there)


def _listed(shards: str) -> list[contract.ShardInfo] | None:
    """What the manifest lists; None where there is none."""
    try:
        return list(contract.load_manifest(shard_files.read_text(shard_files.join(shards, contract.MANIFEST))))
    except FileNotFoundError:
        return None


def fingerprint(shards: str, vocabulary: Vocabulary) -> dict[str, Any]:
    """What identifies the training data: names and content hashes (sizes where the manifest is missing)."""
    found: dict[str, Any] = {"vocabulary": dataclasses.asdict(vocabulary)}
    known = _listed(shards)
    for corpus in contract.CORPORA:
        if known:
            found[corpus] = {info.name: info.sha256 for info in known if info.name.startswith(f"{corpus}/train/")}
        else:
            there = shard_files.tars(shard_files.join(shards, corpus, "train"))
            found[corpus] = {path.rpartition("/")[2]: size for path, size in there}
    return found
