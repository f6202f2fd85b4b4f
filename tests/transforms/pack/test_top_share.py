"""The threshold beside a full sort, through Beam too, and at its edges."""

import apache_beam as beam
import numpy as np
import pytest
from apache_beam.testing.util import assert_that, equal_to
from hypothesis import given
from hypothesis import strategies as st

from weft.pipeline.runners import beam_options
from weft.transforms.pack import top_share
from weft.transforms.pack.top_share import TopShare

VALUES = st.lists(st.integers(-100_000, 100_000) | st.sampled_from([24_300, 24_301]), min_size=1, max_size=60)


def through_beam(values, share, expected):
    with beam_options.pipeline((), 1) as p:
        assert_that(p | beam.Create(values).with_output_types(float) | TopShare(share), equal_to(expected))


@given(VALUES, st.integers(1, 100))
def test_it_is_the_nth_of_a_sort(values, percent):
    n = -(-len(values) * percent // 100)
    assert top_share.threshold([(v, 1) for v in values], percent / 100) == sorted(values)[-n] / top_share.UNIT


@given(VALUES, st.floats(0.01, 1.0))
def test_at_least_the_share_reaches_it_and_without_its_ties_less_does(values, share):
    least = top_share.threshold([(v, 1) for v in values], share) * top_share.UNIT
    assert sum(v >= round(least) for v in values) >= share * len(values) - 1e-6
    assert sum(v > round(least) for v in values) < share * len(values)


def test_a_histogram_in_pieces_is_the_same():
    assert top_share.threshold([(5, 1), (7, 2), (5, 2), (1, 5)], 0.5) == 5 / top_share.UNIT
    assert top_share.threshold([(1, 5), (5, 3), (7, 2)], 0.5) == 5 / top_share.UNIT


def test_the_share_is_not_missed_by_the_last_bit_of_a_product():
    assert top_share.threshold([(n, 1) for n in range(1, 11)], 0.3) == 8 / top_share.UNIT
    assert top_share.threshold([(n, 1) for n in range(1, 11)], 0.1 + 0.2) == 8 / top_share.UNIT
    assert top_share.threshold([(n, 1) for n in range(1, 11)], 0.31) == 7 / top_share.UNIT


def test_of_nothing_there_is_no_threshold():
    assert top_share.threshold([], 0.3) is None
    through_beam([], 0.3, [])
    through_beam([float("nan")], 0.3, [])


@pytest.mark.parametrize("share", [0.001, 0.3, 0.5, 1.0])
def test_a_pipeline_gives_what_a_sort_gives(share):
    values = np.random.default_rng(1).normal(0.24, 0.05, 3_000).round(5).tolist()
    wanted = sorted(values)[-int(np.ceil(3_000 * share - 1e-9))]
    through_beam(np.float32(values).tolist() + [float("nan")] * 5, share, [wanted])


def test_all_that_are_equal_are_in():
    through_beam([0.3] * 50 + [0.1] * 50, 0.2, [0.3])
