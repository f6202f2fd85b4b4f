"""Of pairs whose pictures and captions are the same, the one with the largest picture: COYO-700M's rule.

(pair_id, PairRow) and (pair_id, similarity) of all pairs → (pair_id, (key of a pair, key of the one that stays)).

"Same" is an equal perceptual hash with the same words, case and punctuation aside. A picture without structure has the
hash of any other such picture and does not count. Only pairs that the recipe would keep take part, so none is lost for
one that is dropped itself. Keys, sizes and places cross the shuffle, no texts and no images.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import apache_beam as beam

from weft.schemas.records import PairKey, stable_id
from weft.transforms.beam import coders, hot_keys
from weft.transforms.dedup.shingles import words
from weft.transforms.pack.decide import Judge, PairRow, Stored
from weft.transforms.pack.evaluation_images import dull


class _Candidate(NamedTuple):
    """A pair whose picture and caption can be told from others."""

    content: str  # the same for pairs with the same picture and words
    key: str  # str(PairKey)
    language: str
    stored: Stored


_Best = tuple[int, int, str, str]  # how many, -pixels of the best, its pair_id, its key
coders.register(_Candidate)


@dataclasses.dataclass
class SamePictures(beam.PTransform):
    """{"row", "scores"} → (pair_id, (key, key of the one that stays)) of every pair that is not the one.

    Args:
        judge: says which pairs would be kept.
        most: pairs with the same content that may be on one worker.
    """

    judge: Judge
    most: int = hot_keys.MOST

    def expand(self, inputs: dict[str, beam.PCollection[Any]]) -> beam.PCollection[tuple[str, tuple[str, str]]]:
        candidates = inputs["row"] | "Candidates" >> beam.FlatMap(_candidates).with_output_types(tuple[str, _Candidate])
        by_content = (
            {"row": candidates, "scores": inputs["scores"]}
            | "JoinScores" >> beam.CoGroupByKey()
            | "ByContent" >> beam.FlatMap(_by_content, self.judge).with_output_types(tuple[str, _Best])
        )
        best = by_content | "Best" >> beam.CombinePerKey(_best) | "Shared" >> beam.Filter(lambda item: item[1][0] > 1)
        sizes = best | "Sizes" >> beam.MapTuple(lambda content, found: (content, found[0]))
        keys = by_content | "Keys" >> beam.MapTuple(lambda content, one: (content, one[3])).with_output_types(
            tuple[str, str]
        )
        return (
            {"rows": keys, "one": best, "sizes": sizes}
            | "Others" >> hot_keys.Attach(most=self.most)
            | "NotItself" >> beam.Filter(lambda row: row[0] != row[1][3])
            | "ByPairId"
            >> beam.Map(lambda row: (PairKey.parse(row[0]).pair_id, (row[0], row[1][3]))).with_output_types(
                tuple[str, tuple[str, str]]
            )
        )


def _candidates(item: tuple[str, PairRow]) -> Iterator[tuple[str, _Candidate]]:
    pair_id, (pair, _, stored) = item
    if stored is None:
        return
    said = words(pair.text)
    if said and not stored.single_colour and not dull(stored.phash):
        content = stable_id("look", stored.phash, b" ".join(said).decode("utf-8", "surrogatepass"))
        yield pair_id, _Candidate(content, str(PairKey(pair.doc_id, pair_id)), pair.language or "", stored)


def _by_content(item: tuple[str, dict[str, Iterable[Any]]], judge: Judge) -> Iterator[tuple[str, _Best]]:
    similarity = next(iter(item[1]["scores"]), None)
    for content, key, language, stored in item[1]["row"]:
        if not judge.pair(stored, similarity, language)[0]:
            yield content, (1, -stored.width * stored.height, item[0], key)


def _best(found: Iterable[_Best]) -> _Best:
    some = [one for one in found if one[0]]
    return sum(one[0] for one in some), *min((one[1:] for one in some), default=(0, "", ""))
