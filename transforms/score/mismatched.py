"""What a similarity is worth: the same captions beside pictures that they were not written for.

pairs (id, picture's vector, caption's vector) → a sample of them, each with its own similarity and with that of
another's caption.

CLIP's similarities of pictures and captions that have nothing to do with each other are not nought, and how far above
they are depends on the model. A threshold says something where few strangers pass it and many pairs do.

The sample is the pairs whose ids hash smallest, in the order of their hashes, each picture and each caption once, told
apart by their vectors; each picture meets the caption of the pair after it, the last that of the first. So nobody meets
their own, and the same pairs meet on every runner.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import apache_beam as beam
import numpy as np

from weft.schemas.records import hash_unit

SAMPLE = 5_000  # pairs: a share is right to about half a point, and their vectors fit beside each other
DECIMALS = 5


class Candidate(NamedTuple):
    """A pair that may be in the sample."""

    pair_id: str
    image: bytes  # float32 vector
    text: bytes


class Strangers(NamedTuple):
    """A pair, its similarity and that of its picture with the caption of another pair."""

    pair_id: str
    similarity: float
    other_id: str
    baseline: float


def derange(candidates: Iterable[Candidate], salt: str) -> Iterator[Strangers]:
    """Each of the sampled pairs with the caption of the next; none where there are not two to tell apart."""
    seen: set[bytes] = set()
    chosen = []
    for one in sorted(set(candidates), key=lambda one: (rank(one.pair_id, salt), one)):
        if one.image not in seen and one.text not in seen:
            seen |= {one.image, one.text}
            chosen.append(one)
    if len(chosen) < 2:
        return
    for one, other in zip(chosen, [*chosen[1:], chosen[0]], strict=True):
        yield Strangers(one.pair_id, _cosine(one, one), other.pair_id, _cosine(one, other))


def rank(pair_id: str, salt: str) -> float:
    """Where a pair stands in the order that the sample is taken from."""
    return hash_unit(pair_id, f"{salt}strangers")


def _cosine(image: Candidate, text: Candidate) -> float:
    a, b = np.frombuffer(image.image, np.float32), np.frombuffer(text.text, np.float32)
    return round(float(np.dot(a.astype(np.float64), b.astype(np.float64))), DECIMALS)


@dataclasses.dataclass
class Baseline(beam.PTransform):
    """Candidate → Strangers, of at most `sample` pairs."""

    salt: str
    sample: int = SAMPLE

    def expand(self, pairs: beam.PCollection[Candidate]) -> beam.PCollection[Strangers]:
        salt = self.salt
        # Ranks first and vectors after: what is sampled is a few megabytes, and all vectors would not be.
        last = (
            pairs
            | "Rank" >> beam.Map(lambda one: rank(one.pair_id, salt)).with_output_types(float)
            | "Smallest" >> beam.combiners.Top.Smallest(self.sample)
            | "Last" >> beam.Map(lambda ranks: max(ranks, default=-1.0))
        )
        return (
            pairs
            | "Sample" >> beam.Filter(lambda one, most: rank(one.pair_id, salt) <= most, beam.pvalue.AsSingleton(last))
            | "OneKey" >> beam.Map(lambda one: (0, tuple(one))).with_output_types(tuple[int, tuple[str, bytes, bytes]])
            | "Together" >> beam.GroupByKey()
            | "Derange"
            >> beam.FlatMapTuple(lambda _, found: derange([Candidate(*one) for one in found], salt)).with_output_types(
                Strangers
            )
        )
