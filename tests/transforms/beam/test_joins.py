"""Joins in the coders of their inputs' types: small, whole, and refused where Beam would pickle."""

import pickle
from typing import Any, NamedTuple

import apache_beam as beam
import pytest
from apache_beam.testing.util import assert_that, equal_to
from apache_beam.typehints import typehints

from weft.pipeline.runners import beam_options
from weft.transforms.beam import coders, joins
from weft.transforms.beam.joins import Join, Tagged


class Row(NamedTuple):
    name: str
    inner: tuple[int, ...]


def test_values_come_back_by_name_and_nothing_stands_for_nothing() -> None:
    with beam_options.pipeline((), 1) as p:
        rows = p | "Rows" >> beam.Create([("a", Row("x", (1, 2))), ("b", Row("y", ()))]).with_output_types(
            tuple[str, Row]
        )
        numbers = p | "Numbers" >> beam.Create([("a", 1), ("a", 2), ("c", 3)]).with_output_types(tuple[str, int])
        joined = (
            {"rows": rows, "numbers": numbers}
            | Join()
            | beam.MapTuple(lambda key, of: (key, of["rows"], sorted(of["numbers"])))
        )
        assert_that(joined, equal_to([("a", [Row("x", (1, 2))], [1, 2]), ("b", [Row("y", ())], []), ("c", [], [3])]))


def test_a_tagged_value_takes_a_byte_more_than_the_value() -> None:
    coders.register(Row)
    coder = beam.coders.registry.get_coder(Tagged([Row, int]))
    alone = beam.coders.registry.get_coder(Row)
    for value in (0, Row("日本", (2**60, -1))), (1, -7):
        assert coder.decode(coder.encode(value)) == value
    assert len(coder.encode((0, Row("x", (1,))))) == 1 + len(alone.encode(Row("x", (1,))))
    assert (
        len(coder.encode((0, Row("x", (1,)))))
        < len(beam.coders.registry.get_coder(Any).encode((0, Row("x", (1,))))) / 2
    )
    again = pickle.loads(pickle.dumps(coder))
    assert again == coder and again.decode(coder.encode((1, 5))) == (1, 5)


@pytest.mark.parametrize(
    ("hint", "said"), [(tuple[str, Any], "pickled"), (str, "no .key, value"), (tuple[int, int], "never equal")]
)
def test_what_would_be_pickled_or_never_meet_is_refused(hint: Any, said: str) -> None:
    p = beam.Pipeline()
    rows = p | "Rows" >> beam.Create([]).with_output_types(tuple[str, int])
    other = p | "Other" >> beam.Create([]).with_output_types(hint)
    with pytest.raises(TypeError, match=said):
        _ = {"rows": rows, "other": other} | Join()


def test_types_of_equal_parts_are_equal() -> None:
    assert Tagged([int, str]) == Tagged([int, str]) != Tagged([str, int])
    assert len({Tagged([int]), Tagged([int])}) == 1
    assert isinstance(joins.Tagged([int]), typehints.TypeConstraint)
