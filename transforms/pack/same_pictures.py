"""Of pairs whose pictures are the same, and their captions (COYO-700M's rule) or not, those with the largest picture.

(Captioned, Stored) and (key, similarity) of all pairs → (key of a pair, what stays in its place).

NearPictures: score has said of which larger picture one is a repeat.
SamePictures: "same" is an equal perceptual hash with the same words, case and punctuation aside. A picture without
structure has the hash of any other such picture and does not count.

Only pairs that the recipe would keep take part. Near ones go first; where a recipe has both, what stays of these is a
picture with a pair that stays of the same ones too: no pair is lost for one that is dropped itself.
Keys, sizes and places cross the shuffle, no texts and no images.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from operator import itemgetter
from typing import Any, NamedTuple

import apache_beam as beam

from weft.schemas.records import PairKey, stable_id
from weft.transforms.beam import coders, hot_keys
from weft.transforms.beam.folds import Fold
from weft.transforms.beam.joins import Join
from weft.transforms.dedup.shingles import words
from weft.transforms.fetch.looks import dull
from weft.transforms.pack.decide import Judge, Stored


class Captioned(NamedTuple):
    """A pair without its words."""

    key: str  # str(PairKey)
    image_key: str
    language: str
    said: str  # hash of its words (`said`), "" where there are none or nobody compares them


class _Candidate(NamedTuple):
    """A pair, or its picture, that may stay in the place of others."""

    content: str  # the same for pairs with the same picture, and the same words where these count
    rank: str  # of those of one size the smallest stays
    name: str  # of what stays
    language: str
    stored: Stored


_Best = tuple[int, int, str, str]  # how many, -pixels of the best, its rank, its name
for _record in (Captioned, _Candidate):
    coders.register(_record)


def said(text: str) -> str:
    """Hash of a caption's words, the same whatever their case and punctuation; "" for a caption without words."""
    found = words(text)
    return stable_id("said", b" ".join(found).decode("utf-8", "surrogatepass")) if found else ""


@dataclasses.dataclass
class SamePictures(beam.PTransform):
    """{"seen": (Captioned, Stored), "scores": (key, similarity)} → (key, key of the one that stays) of all others.

    Those that are "lost" (what NearPictures gives) take no part.

    Args:
        judge: says which pairs would be kept.
        most: pairs with the same content that may be on one worker.
    """

    judge: Judge
    most: int = hot_keys.MOST

    def expand(self, inputs: dict[str, beam.PCollection[Any]]) -> beam.PCollection[tuple[str, str]]:
        candidates = inputs["seen"] | "Candidates" >> beam.FlatMapTuple(_candidates).with_output_types(
            tuple[str, _Candidate]
        )
        joined = {"row": candidates} | {name: inputs[name] for name in ("scores", "lost") if name in inputs}
        by_content = (
            joined
            | "JoinScores" >> Join()
            | "ByContent" >> beam.FlatMap(_by_content, self.judge).with_output_types(tuple[str, _Best])
        )
        best = (
            by_content
            | "Best" >> Fold(_best)
            | "Shared" >> beam.Filter(lambda item: item[1][0] > 1).with_output_types(tuple[str, _Best])
        )
        sizes = best | "Sizes" >> hot_keys.Sizes()
        keys = by_content | "Keys" >> beam.MapTuple(lambda content, one: (content, one[3])).with_output_types(
            tuple[str, str]
        )
        return (
            {"rows": keys, "one": best, "sizes": sizes}
            | "Others" >> hot_keys.Attach(most=self.most)
            | "NotItself" >> beam.Filter(lambda row: row[0] != row[1][3])
            | "Stays" >> beam.Map(lambda row: (row[0], row[1][3])).with_output_types(tuple[str, str])
        )


@dataclasses.dataclass
class NearPictures(beam.PTransform):
    """What SamePictures takes → (key, key of the picture that stays) of pairs whose pictures repeat that one.

    Of those with one look the largest stays that is in a pair that the recipe would keep and that is not "lost".

    Args:
        judge: says which pairs would be kept.
        most: pairs with repeats of one picture that may be on one worker.
    """

    judge: Judge
    most: int = hot_keys.MOST

    def expand(self, inputs: dict[str, beam.PCollection[Any]]) -> beam.PCollection[tuple[str, str]]:
        looks = inputs["seen"] | "Looks" >> beam.MapTuple(_look).with_output_types(tuple[str, _Candidate])
        stays = (
            ({"row": looks} | {name: inputs[name] for name in ("scores", "lost") if name in inputs})
            | "JoinScores" >> Join()
            | "ByPicture" >> beam.FlatMap(_by_content, self.judge).with_output_types(tuple[str, _Best])
            | "OnePicture" >> Fold(_best)
        )
        repeats = inputs["seen"] | "Repeats" >> beam.FlatMapTuple(_repeats).with_output_types(
            tuple[str, tuple[str, str]]
        )
        return (
            {"rows": repeats, "one": stays}
            | "OfOneThatStays" >> hot_keys.Attach(itemgetter(0), self.most)
            | "NotItself" >> beam.Filter(lambda row: row[0][1] != row[1][3])
            | "Stays" >> beam.Map(lambda row: (row[0][0], row[1][3])).with_output_types(tuple[str, str])
        )


def _repeated(stored: Stored) -> str:
    """Key of the picture that this one repeats, "" for none."""
    return stored.answers.repeat_of if stored.answers else ""


def _look(pair: Captioned, stored: Stored) -> tuple[str, _Candidate]:
    first, mine = _repeated(stored), pair.image_key
    return pair.key, _Candidate(first or mine, mine if first else "", mine, pair.language, stored)


def _repeats(pair: Captioned, stored: Stored) -> Iterator[tuple[str, tuple[str, str]]]:
    """Of those alone that repeat another: where that is not what stays, the recipe drops its pairs."""
    if first := _repeated(stored):
        yield first, (pair.key, pair.image_key)


def _candidates(pair: Captioned, stored: Stored) -> Iterator[tuple[str, _Candidate]]:
    if pair.said and not stored.single_colour and not dull(stored.phash):
        look, pair_id = stable_id("look", stored.phash, pair.said), PairKey.parse(pair.key).pair_id
        yield pair.key, _Candidate(look, pair_id, pair.key, pair.language, stored)


def _by_content(item: tuple[str, dict[str, Iterable[Any]]], judge: Judge) -> Iterator[tuple[str, _Best]]:
    if next(iter(item[1].get("lost", ())), None):
        return
    similarity = next(iter(item[1]["scores"]), None)
    for content, rank, name, language, stored in item[1]["row"]:
        if not judge.pair(stored, similarity, language)[0]:
            yield content, (1, -stored.width * stored.height, rank, name)


def _best(one: _Best, other: _Best) -> _Best:
    return one[0] + other[0], *min(one[1:], other[1:])
