"""Of pairs that look and read the same, the one with the largest picture: COYO-700M's rule.

(pair_id, (row, image)) and (pair_id, similarity) of all pairs → (pair_id, (key of a pair, key of the one that stays)).

"Same" is an equal perceptual hash with the same words, case and punctuation aside. A picture without structure looks
like any other such picture and does not count. Only pairs that the recipe would keep take part, so none is lost for
one that is dropped itself. Keys, sizes and places cross the shuffle, no texts and no images.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Iterator
from typing import Any

import apache_beam as beam

from weft.schemas.records import stable_id
from weft.transforms.beam import hot_keys
from weft.transforms.dedup.shingles import words
from weft.transforms.pack.evaluation_images import dull
from weft.transforms.pack.samples import Maker, Stored

_Narrow = tuple[str, str, str, tuple[Any, ...]]  # look, key, language, image
_Best = tuple[int, int, str, str]  # how many, -pixels of the best, its pair_id, its key


@dataclasses.dataclass
class SamePictures(beam.PTransform):
    """{"row", "scores"} → (pair_id, (key, key of the one that stays)) of every pair that is not the one.

    Args:
        most: pairs of one look that may be on one worker.
    """

    maker: Maker
    most: int = hot_keys.MOST

    def expand(self, inputs: dict[str, beam.PCollection[Any]]) -> beam.PCollection[tuple[str, tuple[str, str]]]:
        narrow = inputs["row"] | "Narrow" >> beam.FlatMap(_narrow).with_output_types(tuple[str, _Narrow])
        looks = (
            {"row": narrow, "scores": inputs["scores"]}
            | "JoinScores" >> beam.CoGroupByKey()
            | "Looks" >> beam.FlatMap(_looks, self.maker).with_output_types(tuple[str, _Best])
        )
        best = looks | "Best" >> beam.CombinePerKey(_best) | "Shared" >> beam.Filter(lambda item: item[1][0] > 1)
        sizes = best | "Sizes" >> beam.MapTuple(lambda look, found: (look, found[0]))
        keys = looks | "Keys" >> beam.MapTuple(lambda look, one: (look, one[3])).with_output_types(tuple[str, str])
        return (
            {"rows": keys, "one": best, "sizes": sizes}
            | "Others" >> hot_keys.Attach(most=self.most)
            | "NotItself" >> beam.Filter(lambda row: row[0] != row[1][3])
            | "ByPairId"
            >> beam.Map(lambda row: (row[0].partition(":")[2], (row[0], row[1][3]))).with_output_types(
                tuple[str, tuple[str, str]]
            )
        )


def _narrow(item: tuple[str, tuple[str, tuple[Any, ...]]]) -> Iterator[tuple[str, _Narrow]]:
    pair_id, (text, stored) = item
    if not stored:
        return
    found, row = Stored(*stored), json.loads(text)
    said = words(row["text"])
    if said and not found.single_colour and not dull(found.phash):
        look = stable_id("look", found.phash, b" ".join(said).decode("utf-8", "surrogatepass"))
        yield pair_id, (look, f"{row['doc_id']}:{pair_id}", row.get("language") or "", tuple(stored))


def _looks(item: tuple[str, dict[str, Iterable[Any]]], maker: Maker) -> Iterator[tuple[str, _Best]]:
    scores = list(item[1]["scores"])
    for look, key, language, stored in item[1]["row"]:
        if not maker.judge(stored, scores, language)[0]:
            found = Stored(*stored)
            yield look, (1, -found.width * found.height, item[0], key)


def _best(found: Iterable[_Best]) -> _Best:
    some = [one for one in found if one[0]]
    return sum(one[0] for one in some), *min((one[1:] for one in some), default=(0, "", ""))
