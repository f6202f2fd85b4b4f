"""The exact threshold that a share of all similarities reaches, however many there are.

similarities → the n-th largest, where n is a share of how many there are (DataComp takes the top 30 % by ViT-L/14).

Similarities are stored with five decimals, so a histogram of at most 200,001 columns holds all there is to know: it is
summed where the numbers are, and nothing sorts them all. All that are equal to the n-th are in, so that whether a pair
is in depends on its similarity alone, on every runner.
"""

from __future__ import annotations

import dataclasses
import math
import operator
from collections.abc import Iterable

import apache_beam as beam

from weft.transforms.beam.folds import Fold

UNIT = 100_000  # five decimals
_SLACK = 1e-9  # 0.3 of 10 is 3 and not 2.9999999999999996


def threshold(counts: Iterable[tuple[int, int]], share: float) -> float | None:
    """The largest value that at least `share` of the numbers reach, None where there are no numbers.

    Args:
        counts: (value in units of 1e-5, how many have it), each value once or more often.
        share: above 0, up to 1; of n numbers the ceil(n * share)-th largest is the threshold.
    """
    held: dict[int, int] = {}
    for value, count in counts:
        held[value] = held.get(value, 0) + count
    wanted = math.ceil(sum(held.values()) * share - _SLACK)
    seen = 0
    for value in sorted(held, reverse=True):
        seen += held[value]
        if seen >= max(wanted, 1):
            return value / UNIT
    return None


def unit(similarity: float) -> int | None:
    """A similarity as a whole number of units, None for NaN."""
    return None if math.isnan(similarity) else round(similarity * UNIT)


@dataclasses.dataclass
class TopShare(beam.PTransform):
    """Similarities → one number: the threshold of the top `share`; nothing where there are no similarities."""

    share: float

    def expand(self, similarities: beam.PCollection[float]) -> beam.PCollection[float]:
        share = self.share
        return (
            similarities
            | "Unit" >> beam.Map(unit)
            | "Number" >> beam.Filter(lambda value: value is not None)
            | "One" >> beam.Map(lambda value: (value, 1)).with_output_types(tuple[int, int])
            | "Histogram" >> Fold(operator.add)
            | "Gather" >> beam.Map(lambda row: (0, row)).with_output_types(tuple[int, tuple[int, int]])
            | "Together" >> beam.GroupByKey()
            | "Threshold" >> beam.MapTuple(lambda _, rows: threshold(rows, share))
        )
