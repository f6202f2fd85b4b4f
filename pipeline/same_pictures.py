"""Of pairs that look and read the same, the one with the largest picture: COYO-700M's rule.

(pair_id, {row, scores}) of all pairs → the same, with the pair that is kept in its place beside every one that is not.

"Same" is an equal perceptual hash with the same words, case and punctuation aside. A picture without structure looks
like any other such picture and does not count. Only pairs that the recipe would keep take part, so none is lost for
one that is dropped itself. Keys and sizes cross the shuffle, no texts and no images.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Iterator
from typing import Any

import apache_beam as beam

from pipeline.packing import Maker, Stored
from schemas.records import stable_id
from transforms import hot
from transforms.evaluation_images import DULL
from transforms.shingles import words

_Best = tuple[int, int, str]  # how many, -pixels of the best, its key


@dataclasses.dataclass
class SamePictures(beam.PTransform):
    """Joined pairs → joined pairs with `twins`: (key of a pair, key of the one that stays)."""

    maker: Maker

    def expand(self, pairs: beam.PCollection[tuple[str, dict[str, Iterable[Any]]]]) -> beam.PCollection[Any]:
        looks = pairs | "Looks" >> beam.FlatMap(_looks, self.maker).with_output_types(tuple[str, tuple[int, int, str]])
        best = looks | "Best" >> beam.CombinePerKey(_best) | "Shared" >> beam.Filter(lambda item: item[1][0] > 1)
        crowded = best | "Crowded" >> beam.FlatMapTuple(
            lambda key, found: [(key, -(-found[0] // hot.MOST))] if found[0] > hot.MOST else []
        )
        twins = (
            {
                "rows": looks
                | "Keys" >> beam.MapTuple(lambda key, one: (key, one[2])).with_output_types(tuple[str, str]),
                "one": best,
            }
            | "Others" >> hot.Attach(crowded)
            | "NotItself" >> beam.Filter(lambda row: row[0] != row[1][2])
            | "ByPairId"
            >> beam.Map(lambda row: (row[0].partition(":")[2], (row[0], row[1][2]))).with_output_types(
                tuple[str, tuple[str, str]]
            )
        )
        again = pairs | "Again" >> beam.Map(
            lambda item: (item[0], {name: list(values) for name, values in item[1].items()})
        ).with_output_types(tuple[str, Any])
        return (
            {"pair": again, "twins": twins}
            | "Join" >> beam.CoGroupByKey()
            | "Beside" >> beam.FlatMap(_beside).with_output_types(tuple[str, Any])
        )


def _looks(item: tuple[str, dict[str, Iterable[Any]]], maker: Maker) -> Iterator[tuple[str, _Best]]:
    scores = list(item[1]["scores"])
    for text, stored in item[1]["row"]:
        row = json.loads(text)
        said = words(row["text"])
        if not said or maker.judge(stored, scores)[0]:
            continue
        found = Stored(*stored)
        if found.phash not in DULL and not found.single_colour:
            key = stable_id("look", found.phash, b" ".join(said).decode("utf-8", "surrogatepass"))
            yield key, (1, -found.width * found.height, f"{row['doc_id']}:{row['pair_id']}")


def _best(found: Iterable[_Best]) -> _Best:
    some = [one for one in found if one[0]]
    return sum(one[0] for one in some), *min((one[1:] for one in some), default=(0, ""))


def _beside(item: tuple[str, dict[str, Iterable[Any]]]) -> Iterator[tuple[str, dict[str, Any]]]:
    for pair in item[1]["pair"]:
        yield item[0], {**pair, "twins": list(item[1]["twins"])}
