"""What stands twice in a corpus: training samples that repeat another, held-out ones that are in training.

    val ── hashes of its samples and of their passages, in memory
    train ── each sample once, past them

Two samples are the same where tokens and images are. A held-out text or document is in training too where half of its
passages are, wherever they stand; of pairs and instructions only what is the same counts, as many are told alike.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt

from weft.model_smoketest import chance, data
from weft.model_smoketest.chance import Check
from weft.model_smoketest.tars import Sample
from weft.schemas.shards import Vocabulary

HELD_OUT = 4_000  # held-out samples of a corpus at most, the first in order of their keys, which are hashes
TRAINED = 200_000  # training samples of a corpus at most: a minute from a disk, an hour or two from an object store
GRAM = 8  # tokens: two texts that share one have a passage in common
LEAKED = 0.5  # of a sample's passages are also in training
SELDOM = 0.02  # allowed, as crawls do it now and then

Hashes = npt.NDArray[np.uint64]


def take(shards: str, corpus: str, vocabulary: Vocabulary) -> list[Check]:
    """The checks `repeated` and `leaked` of a corpus; none where it has no sample.

    Raises:
        ConfigError: shards are damaged.
    """
    held: list[tuple[int, Hashes]] = []
    for sample in _samples(shards, corpus, "val", vocabulary, HELD_OUT):
        passages = np.zeros(0, np.uint64)
        if corpus in ("interleaved", "text"):
            passages = grams(_text(sample, vocabulary), GRAM)
        held.append((_content(sample), passages))
    asked = np.unique(np.concatenate([np.zeros(0, np.uint64), *(passages for _, passages in held)]))
    known = np.zeros(len(asked), bool)
    contents = array("Q")
    for sample in _samples(shards, corpus, "train", vocabulary, TRAINED):
        contents.append(_content(sample))
        if len(asked):
            own = grams(_text(sample, vocabulary), GRAM)
            at = np.minimum(np.searchsorted(asked, own), len(asked) - 1)
            known[at[asked[at] == own]] = True
    different = set(contents)
    there = _there(shards, corpus)
    more = f"; {there - len(contents):,} training samples were not looked at" if there > len(contents) else ""
    checks = []
    if contents:
        again = len(contents) - len(different)
        told = f"training samples are repetitions{more}"
        checks.append(chance.share(f"{corpus}.repeated", again, len(contents), SELDOM, told))
    if held:
        leaked = sum(
            content in different or bool(len(own) and known[np.searchsorted(asked, own)].sum() >= LEAKED * len(own))
            for content, own in held
        )
        told = f"held-out samples are in training{more}"
        checks.append(chance.share(f"{corpus}.leaked", leaked, len(held), SELDOM, told))
    return checks


def grams(numbers: npt.NDArray[np.integer[Any]], length: int) -> Hashes:
    """Hashes of the different passages of `length` numbers, such as tokens, sorted."""
    if len(numbers) < length:
        return np.zeros(0, np.uint64)
    windows = np.lib.stride_tricks.sliding_window_view(numbers.astype(np.uint64), length)
    powers = np.array([pow(1_000_003, k, 1 << 64) for k in range(length)], np.uint64)
    with np.errstate(over="ignore"):
        return np.unique(((windows + np.uint64(1)) * powers).sum(1, dtype=np.uint64))


def _text(sample: Sample, vocabulary: Vocabulary) -> npt.NDArray[np.int64]:
    return sample.ids[data.is_text(sample.ids, vocabulary)]


def _content(sample: Sample) -> int:
    """A hash of tokens and images, 64 bits: of 200,000 no two are alike by chance once in a billion times."""
    parts = sample.ids.tobytes() + b"".join(sample.images)
    return int.from_bytes(hashlib.blake2b(parts, digest_size=8).digest())


def _samples(shards: str, corpus: str, split: str, vocabulary: Vocabulary, most: int) -> Iterator[Sample]:
    for tar, key in islice(data.places_of(shards, corpus, split), most):
        yield tar.read(corpus, key, vocabulary)


def _there(shards: str, corpus: str) -> int:
    """Training samples of a corpus, by the manifest; where there is none, all are taken for looked at up to TRAINED."""
    return sum(one.samples for one in data.listed(shards) or () if one.name.startswith(f"{corpus}/train/"))
