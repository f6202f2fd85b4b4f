"""What a similarity is worth: the same captions beside pictures that they were not written for.

pairs (id, picture's vector, caption's vector) → a sample of them, each with its similarity to its own caption and to
another's.

CLIP's similarities of pictures and captions that have nothing to do with each other are not nought, and how far above
they are depends on the model. A threshold says something where few mismatched pairs pass it and many real ones do.

The sample is the pairs whose ids hash smallest, in the order of their hashes, each picture and each caption once, told
apart by their vectors. Each picture is compared with the caption of the pair after it, the last one with that of the
first: no picture meets its own caption, and the same pictures and captions meet on every runner.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import apache_beam as beam

from weft.schemas.records import hash_unit
from weft.transforms.beam import coders
from weft.transforms.beam.folds import Fold, Once
from weft.transforms.score.vectors import similarity

SAMPLE = 5_000  # pairs: a share is right to about half a point, and their vectors fit beside each other


class Candidate(NamedTuple):
    """A pair that may be in the sample."""

    pair_id: str
    image: bytes  # float32 vector
    text: bytes


class MismatchedPair(NamedTuple):
    """A pair, its similarity and that of its picture with the caption of another pair."""

    pair_id: str
    similarity: float
    other_id: str
    baseline: float  # as the column of baseline/ is called


def mismatch(candidates: Iterable[Candidate], salt: str) -> Iterator[MismatchedPair]:
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
        yield MismatchedPair(
            one.pair_id, similarity(one.image, one.text), other.pair_id, similarity(one.image, other.text)
        )


def rank(pair_id: str, salt: str) -> float:
    """Where a pair stands in the order that the sample is taken from."""
    return hash_unit(pair_id, f"{salt}strangers")


@dataclasses.dataclass
class MismatchPairs(beam.PTransform):
    """Candidate → MismatchedPair, of at most `sample` pairs."""

    salt: str
    sample: int = SAMPLE

    def expand(self, pairs: beam.PCollection[Candidate]) -> beam.PCollection[MismatchedPair]:
        salt = self.salt
        # Ranks first and vectors after: what is sampled is a few megabytes, and all vectors would not be. A pair that
        # stands on many pages (a picture of a shop with its words) has one rank, and is one of the sample.
        last = (
            pairs
            | "Id" >> beam.Map(lambda one: one.pair_id).with_output_types(str)
            | "OncePerId" >> Once()
            | "Rank" >> beam.Map(lambda pair_id: rank(pair_id, salt)).with_output_types(float)
            | "Smallest" >> beam.combiners.Top.Smallest(self.sample)
            | "Last" >> beam.Map(lambda ranks: max(ranks, default=-1.0))
        )
        coders.register(Candidate)
        coders.register(MismatchedPair)
        return (
            pairs
            | "Sample" >> beam.Filter(lambda one, most: rank(one.pair_id, salt) <= most, beam.pvalue.AsSingleton(last))
            | "ById" >> beam.Map(lambda one: (one.pair_id, one)).with_output_types(tuple[str, Candidate])
            | "OncePerPair" >> Fold(min)
            | "OneKey" >> beam.MapTuple(lambda _, one: (0, one)).with_output_types(tuple[int, Candidate])
            | "Together" >> beam.GroupByKey()
            | "Mismatch" >> beam.FlatMapTuple(lambda _, found: mismatch(found, salt)).with_output_types(MismatchedPair)
        )
