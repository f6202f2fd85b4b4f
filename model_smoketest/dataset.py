"""Finished shards in a PyTorch loop of one's own: an IterableDataset, with nothing else of weft to know.

    for sample in ShardDataset("out/shards", "interleaved"): …

Samples come whole, their pictures undecoded or as pixels of the size that a model takes, in an order that (seed, epoch)
decides. Between processes of torch.distributed and workers of a DataLoader every sample goes to exactly one, also where
their number changes in mid-epoch (`seen`). For training that mixes corpora see data.py.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, TypedDict

import torch
from torch import Tensor
from torch.utils.data import IterableDataset, get_worker_info

from weft.model_smoketest.data import read_vocabulary, tars_of
from weft.model_smoketest.tars import Sample, Tar, damaged
from weft.schemas import shards as contract
from weft.schemas.parameters import ConfigError
from weft.schemas.records import hash_unit


class ShardSample(TypedDict):
    """One training sequence of `length` tokens with `images` pictures."""

    key: str
    input_ids: Tensor  # (length,) int64
    loss_mask: Tensor  # (length,) uint8: 1 where the token is to be predicted
    image_slots: Tensor  # (images, image_tokens) int64: the positions that each picture's embeddings take
    images: list[bytes]  # JPEG, PNG or WebP, in the order of the slots
    pixels: Tensor  # (images, 3, side, side) uint8 of the same; (images, 3, 0, 0) where no side was asked for
    meta: dict[str, Any]  # KEY.json: where it comes from


class ShardDataset(IterableDataset[ShardSample]):
    """The samples of one corpus and split, once an epoch.

    Args:
        shards: a run's `shards/` directory, local or s3://, gs://.
        corpus: "interleaved", "pairs", "text", or "instructions" where the run has such.
        split: "train" or "val".
        seed: another one gives another order.
        side: of the square pictures that `pixels` holds: the shorter side resized to it, the middle cut out, as most
            CLIP models want it; 0 leaves them undecoded.

    Attributes:
        vocabulary: size and special ids of the tokenizer, and slots per image.
        epoch: set it before each pass for another order.
        seen: samples of this epoch that all readers together have had, where a pass goes on in the middle: as many
            readers of as many samples each, or any others, take the rest between them.

    Raises:
        ConfigError: no shards there, or a damaged one; of a damaged sample when it is reached.
    """

    def __init__(self, shards: str, corpus: str, split: str = "train", seed: int = 0, side: int = 0) -> None:
        if corpus not in contract.TRAINED or split not in contract.SPLITS:
            raise ConfigError(f"no {corpus}/{split} in shards: one of {contract.TRAINED}, one of {contract.SPLITS}")
        self.vocabulary = read_vocabulary(shards)
        self.corpus, self.seed, self.side = corpus, seed, side
        self._state = torch.zeros(2, dtype=torch.int64).share_memory_()  # workers that persist are copies made before
        self._tars = [Tar(path) for path in tars_of(shards, corpus, split)]
        self._sent: tuple[int, int] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_sent": _process()}  # to a worker that is started anew, which has joined no group

    def __len__(self) -> int:
        """Samples of an epoch, over all processes and workers."""
        return sum(len(tar.samples) for tar in self._tars)

    @property
    def epoch(self) -> int:
        return int(self._state[0])

    @epoch.setter
    def epoch(self, number: int) -> None:
        self._state[0] = number

    @property
    def seen(self) -> int:
        return int(self._state[1])

    @seen.setter
    def seen(self, count: int) -> None:
        self._state[1] = count

    def __iter__(self) -> Iterator[ShardSample]:
        salt = f"dataset:{self.seed}:{self.epoch}"
        mine, of = _place(self._sent)
        number = -self.seen
        for tar in sorted(self._tars, key=lambda tar: (hash_unit(tar.name, salt), tar.name)):
            for key in tar.order(salt):
                if number >= 0 and number % of == mine:
                    yield self._sample(tar, key)
                number += 1

    def _sample(self, tar: Tar, key: str) -> ShardSample:
        sample = tar.read(self.corpus, key, self.vocabulary, meta=True)
        return ShardSample(
            key=key,
            input_ids=torch.from_numpy(sample.ids),
            loss_mask=torch.from_numpy(sample.mask),
            image_slots=torch.from_numpy(contract.image_slots(sample.ids, self.vocabulary)),
            images=list(sample.images),
            pixels=self._pixels(tar, sample),
            meta=json.loads(sample.meta),
        )

    def _pixels(self, tar: Tar, sample: Sample) -> Tensor:
        if not (self.side and sample.images):
            return torch.zeros(len(sample.images), 3, self.side, self.side, dtype=torch.uint8)
        from weft.model_smoketest.pictures import square  # torchvision: a second, which not every loop needs

        try:
            return torch.stack([square(data, self.side) for data in sample.images])
        except ValueError as error:
            raise damaged(tar.path, f"sample {sample.key}: {error}") from None


def _process() -> tuple[int, int] | None:
    """(rank, how many) of this process, where torch.distributed has been told."""
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return None
    return torch.distributed.get_rank(), torch.distributed.get_world_size()


def _place(sent: tuple[int, int] | None) -> tuple[int, int]:
    """(this reader's number, how many there are) over processes and their loading workers.

    Args:
        sent: of the process that a worker was sent from; forked ones know it themselves.
    """
    worker = get_worker_info()
    rank, world = _process() or (sent if worker else None) or (0, 1)
    return (rank * worker.num_workers + worker.id, world * worker.num_workers) if worker else (rank, world)
