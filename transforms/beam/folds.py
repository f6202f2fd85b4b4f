"""One value of the many of a key, combined two by two wherever they are: sums, least ones, first ones.

    Fold    (key, value) → (key, value)    by a function of two values that may be applied in any order
    Once    rows → the same rows, each once

Beam's CombinePerKey with a plain function keeps partial results in lists, and its own sums in objects, and pickles both
where it sends them. Here a partial result is a value like those that came in, and travels in their coder.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from typing import Any

import apache_beam as beam
from apache_beam.typehints import typehints
from apache_beam.typehints.native_type_compatibility import convert_to_beam_type

Two = Callable[[Any, Any], Any]


class _Folded(beam.CombineFn):
    def __init__(self, two: Two, value: Any) -> None:
        self._two, self._value = two, value

    def create_accumulator(self) -> Any:
        return None

    def add_input(self, found: Any, value: Any) -> Any:
        return value if found is None else self._two(found, value)

    def merge_accumulators(self, several: Iterable[Any]) -> Any:
        found = None
        for one in several:
            if one is not None:
                found = self.add_input(found, one)
        return found

    def extract_output(self, found: Any) -> Any:
        return found

    def get_accumulator_coder(self) -> beam.coders.Coder:
        return beam.coders.registry.get_coder(typehints.Optional[self._value])


@dataclasses.dataclass
class Fold(beam.PTransform):
    """(key, value) → (key, what `two` makes of all values of the key); the type is that of the rows.

    Args:
        two: associative and commutative: runners choose the order, and apply it before and after they shuffle.
    """

    two: Two

    def expand(self, rows: beam.PCollection[tuple[Any, Any]]) -> beam.PCollection[tuple[Any, Any]]:
        hint = convert_to_beam_type(rows.element_type)
        if not isinstance(hint, typehints.TupleConstraint) or len(hint.tuple_types) != 2:
            raise TypeError(f"what is folded is no (key, value), but {rows.element_type}")
        value = hint.tuple_types[1]
        folded = _Folded(self.two, value).with_input_types(value).with_output_types(value)
        return rows | "PerKey" >> beam.CombinePerKey(folded)


@dataclasses.dataclass
class Once(beam.PTransform):
    """Rows that may be keys (strings, bytes, tuples of them) → each once."""

    def expand(self, rows: beam.PCollection[Any]) -> beam.PCollection[Any]:
        row = convert_to_beam_type(rows.element_type)
        return (
            rows
            | "Row" >> beam.Map(lambda row: (row, True)).with_output_types(typehints.Tuple[row, bool])
            | "Any" >> Fold(_either)
            | "Key" >> beam.Keys().with_output_types(row)
        )


def _either(one: bool, other: bool) -> bool:
    return one or other
