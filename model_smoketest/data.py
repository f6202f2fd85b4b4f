"""Shards in, batches out: deterministic, mixed in Kosmos-1's proportion, resumable at any step.

    indexes ─► Stream (one a corpus, endless) ─► Mixture: the tickets of a step ─► micro-batches ─ read, cut ─► Batch

The order of an epoch is a hash of (seed, epoch, shard or key), so a position is three numbers: epoch, shard and
sample. Shards are plain tars with an index: samples are read in any order, which needs no shuffle buffer and hence
nothing else in a checkpoint. (webdataset reads the same files; it cannot resume.)

A step is planned from the indexes alone, which tell how long each sample is: every process of a training plans the
same step and reads its own part of it. So there is one position for all, and it holds for any number of processes.

A step takes the corpora in proportion to `train.mix_*`, as tokens. A sample is never split over two steps: what
one takes too many, the corpus takes fewer the next time.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from weft.model_smoketest import shard_files
from weft.model_smoketest.tars import Sample, Tar, damaged
from weft.schemas import shards as contract
from weft.schemas.config import Train
from weft.schemas.parameters import ConfigError
from weft.schemas.records import hash_unit
from weft.schemas.shards import Vocabulary

Log = Callable[[str], None]
Listed = list[contract.ShardInfo]
State = dict[str, dict[str, float]]  # corpus → the fields of its Position

LITTLE = 64  # tokens of padding that cost less than a micro-batch of their own


class Batch(NamedTuple):
    """Sequences of any corpora, padded on the right to T tokens."""

    ids: Tensor  # (B, T) int64
    places: Tensor  # (Y,) int64: the token before each target, in the flattened ids
    labels: Tensor  # (Y,) int64: the targets, row by row
    corpora: Tensor  # (Y,) int64: the corpus that each is of
    rows: Tensor  # (N,) int64: the sequence of each image
    slots: Tensor  # (N, K) int64: its places there
    images: list[bytes]  # N
    tokens: int  # without padding
    counts: list[int]  # targets of each sequence


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


def with_images_foretold(sample: Sample, vocabulary: Vocabulary) -> Sample:
    """The sample with the first `<image>` of each image, which says that one comes, as a target too."""
    mask = sample.mask.copy()
    mask[contract.image_slots(sample.ids, vocabulary)[:, 0] - 1] = 1
    return sample._replace(mask=mask)


def texts_of(sample: Sample, vocabulary: Vocabulary) -> list[list[int]]:
    """A document's texts as ids: one before, between and after its images; a text may be empty."""
    ids = sample.ids.tolist()
    texts: list[list[int]] = []
    start = int(ids[0] == vocabulary.bos)  # a text may begin inside a document
    for span in contract.image_slots(sample.ids, vocabulary):
        texts.append(ids[start : int(span[0]) - 1])
        start = int(span[-1]) + 2
    return [*texts, [token for token in ids[start:] if token != vocabulary.eos]]


def collate(
    samples: Sequence[Sample], vocabulary: Vocabulary, length: int = 0, corpora: Sequence[int] | None = None
) -> Batch:
    """Samples side by side, padded on the right to the longest or to `length`; padding is never a target.

    Token t of a sample is a target where its mask is 1 and t > 0.
    """
    length = max(length, *(len(s.ids) for s in samples))
    ids = np.full((len(samples), length), vocabulary.pad, np.int64)
    places, labels, rows = [], [], []
    slots = [np.zeros((0, vocabulary.image_tokens), np.int64)]
    for row, sample in enumerate(samples):
        ids[row, : len(sample.ids)] = sample.ids
        targets = np.flatnonzero(sample.mask[1:])  # the place before each
        places.append(row * length + targets)
        labels.append(sample.ids[1:][targets])
        slots.append(contract.image_slots(sample.ids, vocabulary))
        rows += [row] * len(sample.images)
    counts = [len(found) for found in places]
    return Batch(
        torch.from_numpy(ids),
        torch.from_numpy(np.concatenate(places)),
        torch.from_numpy(np.concatenate(labels)),
        torch.tensor(np.repeat(corpora or [0] * len(samples), counts), dtype=torch.int64),
        torch.tensor(rows, dtype=torch.int64),
        torch.from_numpy(np.concatenate(slots)),
        [image for sample in samples for image in sample.images],
        sum(len(s.ids) for s in samples),
        counts,
    )


class Ticket(NamedTuple):
    """A sample of a step, not yet read."""

    corpus: str
    tar: Tar
    key: str
    length: int  # tokens; of a document that is cut, at most
    salt: str  # of its epoch

    def read(self, vocabulary: Vocabulary, max_length: int) -> Sample:
        """The sample, cut to what is trained on.

        A long text gives another window each epoch. A document gives its beginning: a window might open
        inside an image. An instruction gives its end, which is the answer.
        """
        sample = self.tar.read(self.corpus, self.key, vocabulary)
        # Not by what orders the samples: else a shard's first would all give their beginning, and its last their end.
        at = 0.0 if sample.images else hash_unit(sample.key, f"{self.salt}:window")
        return _window(sample, self.corpus, at, max_length, vocabulary)


def _window(sample: Sample, corpus: str, at: float, max_length: int, vocabulary: Vocabulary) -> Sample:
    """At most `max_length` tokens, `at` 0 to below 1 of the places where they may begin; of an instruction the last."""
    room = max(0, len(sample.ids) - max_length)
    start = room if corpus == contract.INSTRUCTIONS else int(at * (room + 1))
    return cut(sample, start, max_length, vocabulary)


class MicroBatch(NamedTuple):
    """Samples that go through the model together."""

    tickets: list[Ticket]
    length: int  # tokens that each is padded to


def micro_batches(tickets: Sequence[Ticket], most: int) -> list[MicroBatch]:
    """The samples of a step by length, the longest first, so that little is padded and shapes are few.

    A micro-batch has at most `most` tokens with padding (one sample may be longer). It takes shorter samples while an
    eighth of it is padding at most, or so little that one batch more would cost as much.
    """
    made: list[MicroBatch] = []
    padding = 0
    for ticket in sorted(tickets, key=lambda one: (-one.length, one.corpus, one.key, one.salt)):
        if made:
            group, length = made[-1]
            padding += length - ticket.length
            size = (len(group) + 1) * length
            if size <= most and padding <= max(size // 8, LITTLE):
                group.append(ticket)
                continue
        made.append(MicroBatch([ticket], rounded(ticket.length)))
        padding = made[-1].length - ticket.length
    return made


def rounded(length: int) -> int:
    """The next length of few: eight between a power of two and the next, multiples of 8 below 128."""
    step = max(8, (1 << (length - 1).bit_length()) // 16)
    return -(-length // step) * step


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

    def epochs(self, at: Position) -> float:
        """How often the corpus has been gone through at a position; opens the shard where that is."""
        shards = self._shards(f"train:{self._seed}:{at.epoch}")
        of = len(shards[at.shard].samples) if at.shard < len(shards) else 0
        return at.epoch + (at.shard + (at.sample / of if of else 0)) / len(shards)

    def take(self, tokens: float) -> list[Ticket]:
        """The next samples: `tokens` of them on average over many calls, often none in a single one."""
        at, taken = self.position, []
        at.owed += tokens
        while at.owed > 0:
            taken.append(self._next())
            at.owed -= taken[-1].length
        return taken

    def _next(self) -> Ticket:
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
                tar, key = shards[at.shard], keys[at.sample - 1]
                try:
                    length = tar.length(key, self._vocabulary)
                except KeyError:
                    raise damaged(tar.path, f"sample {key} has no {contract.INPUT_IDS}") from None
                return Ticket(self.corpus, tar, key, min(length, self._max_length), salt)

    def _shards(self, salt: str) -> list[Tar]:
        if self._shard_order[0] != salt:
            by_hash = sorted(self._tars, key=lambda tar: (hash_unit(tar.name, salt), tar.name))
            self._shard_order = (salt, by_hash)
        return self._shard_order[1]

    def _keys(self, tar: Tar, salt: str) -> list[str]:
        if self._key_order[0] != (tar.path, salt):
            self._key_order = ((tar.path, salt), tar.order(salt))
        return self._key_order[1]


def check(config: Train, image_tokens: int) -> None:
    """Raise ConfigError for sequences that hold no image, and where no corpus is to be learned from."""
    shortest = image_tokens + 4  # <s> <image> … </image> and one token to predict
    if config.max_length < shortest:
        raise ConfigError(f"train.max_length = {config.max_length} leaves no room for an image: {shortest} at least")
    if not any(getattr(config, f"mix_{corpus}") for corpus in contract.TRAINED):
        raise ConfigError("every train.mix_… is 0: one at least is more")


class Mixture:
    """The training data: `step()` plans the next step."""

    def __init__(
        self, shards: str, vocabulary: Vocabulary, config: Train, log: Log, without: frozenset[str] = frozenset()
    ) -> None:
        """Finds what there is; a corpus without samples is told and its share goes to the others.

        What is of the documents in `without`, by doc_id, is left out.

        Raises:
            ConfigError: no corpus has a sample, or every one that has is switched off.
        """
        check(config, vocabulary.image_tokens)
        self._vocabulary, self._max_length, self._foretold = vocabulary, config.max_length, config.predict_images
        self.streams: dict[str, Stream] = {}
        weights = {c: getattr(config, f"mix_{c}") for c in contract.TRAINED}
        known = listed(shards)
        for corpus, weight in weights.items():
            paths = tars_of(shards, corpus, "train", known) if weight > 0 else []
            tars = [Tar(path, without) for path in paths]
            if any(tar.samples for tar in tars):  # opens the first that has some
                self.streams[corpus] = Stream(corpus, tars, vocabulary, config.max_length, config.seed)
        if not self.streams:
            raise ConfigError(f"{shards} holds no training sample: run `weft pack` first, or with a milder recipe")
        for corpus, weight in weights.items():
            if weight > 0 and corpus in contract.CORPORA and corpus not in self.streams:
                log(f"train: the {corpus} corpus is empty; its share of each batch goes to the others")
        total = sum(weights[c] for c in self.streams)
        self.tokens = {c: config.batch_tokens * weights[c] / total for c in self.streams}

    def step(self) -> list[Ticket]:
        """The samples of the next step; a corpus that is ahead of its share may be missing."""
        tickets: list[Ticket] = []
        while not tickets:
            for corpus, stream in self.streams.items():
                tickets += stream.take(self.tokens[corpus])
        return tickets

    def read(self, batch: MicroBatch) -> Batch:
        """The samples of a micro-batch, from the shards; of one without any, tokens that teach nothing."""
        if not batch.tickets:
            nothing = Sample("", np.full(2, self._vocabulary.pad), np.zeros(2, np.uint8), ())
            return collate([nothing], self._vocabulary)._replace(tokens=0)
        samples = [ticket.read(self._vocabulary, self._max_length) for ticket in batch.tickets]
        if self._foretold:
            samples = [with_images_foretold(sample, self._vocabulary) for sample in samples]
        corpora = [contract.TRAINED.index(ticket.corpus) for ticket in batch.tickets]
        return collate(samples, self._vocabulary, batch.length, corpora)

    def epochs(self, state: State) -> dict[str, float]:
        """How often each corpus has been gone through at a position."""
        at = {corpus: Position(**state[corpus]) for corpus in self.streams}  # type: ignore[arg-type]
        return {corpus: round(stream.epochs(at[corpus]), 2) for corpus, stream in self.streams.items()}

    def state(self) -> State:
        """Positions, ready for a checkpoint."""
        return {corpus: dataclasses.asdict(stream.position) for corpus, stream in self.streams.items()}

    def restore(self, state: State) -> None:
        """The inverse of `state`."""
        for corpus, position in state.items():
            self.streams[corpus].position = Position(**position)  # type: ignore[arg-type]


def validation(shards: str, corpus: str, vocabulary: Vocabulary, config: Train) -> Iterator[Sample]:
    """Up to `eval_samples` held-out samples, cut as in training but texts always from the beginning."""
    left = config.eval_samples
    for tar, key in places_of(shards, corpus, "val", "val"):
        if left <= 0:
            return
        sample = _window(tar.read(corpus, key, vocabulary), corpus, 0.0, config.max_length, vocabulary)
        if sample.mask[1:].any():
            left -= 1
            yield sample


def places_of(shards: str, corpus: str, split: str, salt: str = "") -> Iterator[tuple[Tar, str]]:
    """(shard, key) of each sample, shard by shard: by their keys, which are hashes, or in the order of a salt.

    A shard is opened, which reads all its headers, when its first sample is asked for.
    """
    for tar in map(Tar, tars_of(shards, corpus, split)):
        for key in tar.order(salt) if salt else sorted(tar.samples):
            yield tar, key


def is_text(ids: npt.NDArray[np.integer[Any]], vocabulary: Vocabulary) -> npt.NDArray[np.bool_]:
    """Which ids are a text's own: neither special, nor of an image."""
    return contract.loss_mask(ids, vocabulary).astype(bool) & (ids != vocabulary.eos)


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


def tars_of(shards: str, corpus: str, split: str, known: Listed | None = None) -> list[str]:
    """The shards of one corpus and split, in order of their names; none where there is no such directory.

    `known` is what `listed` gives, where it was asked before.

    Raises:
        ConfigError: they are not those that the manifest lists, each of its size; without a manifest all is taken.
    """
    there = dict(shard_files.tars(shard_files.join(shards, corpus, split)))
    folder = f"{corpus}/{split}/"
    if (known := known or listed(shards)) is not None:
        told = {shard_files.join(shards, one.name): one.bytes for one in known if one.name.startswith(folder)}
        for path in sorted(told.keys() | there.keys()) if told != there else ():
            if path not in there:
                raise damaged(path, "listed in the manifest, and not there")
            if path not in told:
                raise damaged(path, "not listed in the manifest")
            if there[path] != told[path]:
                raise damaged(path, f"{there[path]:,} bytes, {told[path]:,} in the manifest")
    return sorted(there)


def listed(shards: str) -> Listed | None:
    """What the manifest lists; None where there is none."""
    try:
        return list(contract.load_manifest(shard_files.read_text(shard_files.join(shards, contract.MANIFEST))))
    except FileNotFoundError:
        return None


def fingerprint(shards: str, vocabulary: Vocabulary) -> dict[str, Any]:
    """What identifies the training data: names and content hashes (sizes where the manifest is missing)."""
    found: dict[str, Any] = {"vocabulary": dataclasses.asdict(vocabulary)}
    known = listed(shards)
    for corpus in contract.TRAINED:
        if known:
            found[corpus] = {info.name: info.sha256 for info in known if info.name.startswith(f"{corpus}/train/")}
        else:
            there = shard_files.tars(shard_files.join(shards, corpus, "train"))
            found[corpus] = {path.rpartition("/")[2]: size for path, size in there}
    return found
