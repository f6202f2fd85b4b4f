"""Folds: what a plain loop gives, and partial results that travel as the values do."""

import apache_beam as beam
import pytest
from apache_beam.testing.util import assert_that, equal_to

from weft.pipeline.runners import beam_options
from weft.transforms.beam import coders
from weft.transforms.beam.folds import Fold, Once, _Folded


def test_a_fold_is_the_plain_loop() -> None:
    rows = [(f"key{n % 7}", (n % 5, f"{n % 11:02}")) for n in range(500)]
    expected = {key: min(value for k, value in rows if k == key) for key, _ in rows}
    with beam_options.pipeline((), 1) as p:
        typed = p | beam.Create(rows).with_output_types(tuple[str, tuple[int, str]])
        assert_that(typed | Fold(min), equal_to(list(expected.items())))


def test_each_row_once() -> None:
    with beam_options.pipeline((), 1) as p:
        rows = p | beam.Create(["b", "a", "b", "c", "a"]).with_output_types(str)
        assert_that(rows | Once(), equal_to(["a", "b", "c"]))


def test_partial_results_are_typed_and_may_be_empty() -> None:
    folded = _Folded(max, int)
    coder = folded.get_accumulator_coder()
    assert coders.is_typed(coder) and coder.decode(coder.encode(None)) is None
    assert folded.merge_accumulators([None, folded.add_input(None, 3), folded.add_input(5, 4), None]) == 5
    assert folded.merge_accumulators([None, None]) is None


def test_what_has_no_key_is_refused() -> None:
    rows = beam.Pipeline() | beam.Create([]).with_output_types(str)
    with pytest.raises(TypeError, match=r"no \(key, value\)"):
        _ = rows | Fold(min)
