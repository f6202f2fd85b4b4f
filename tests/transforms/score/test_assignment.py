"""The assignment beside every other one that there is, and what it does with ties, gaps and too few texts."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from weft.transforms.score import assignment
from weft.transforms.score.assignment import NONE, Match

COSINES = st.integers(-assignment.UNIT, assignment.UNIT).map(lambda n: n / assignment.UNIT)
FEW = st.sampled_from([-0.2, 0.0, 0.1, 0.3])  # ties everywhere
GAPS = st.one_of(COSINES, FEW, st.just(float("nan")))


def matrices(values):
    return st.tuples(st.integers(1, 5), st.integers(1, 5)).flatmap(
        lambda shape: arrays(np.float64, shape, elements=values)
    )


def brute_force(matrix):
    """(rows that have a text of their own, sum of similarities) of the best of all one-to-one assignments."""
    rows, columns = matrix.shape
    best = (0, 0.0)
    places = [*range(columns), *[None] * rows]  # a row may go without
    for chosen in set(itertools.permutations(places, rows)):
        found = [matrix[row, column] for row, column in enumerate(chosen) if column is not None]
        if not np.isnan(found).any():
            best = max(best, (len(found), round(sum(found), 6)))
    return best


def own(matrix, columns):
    """The same of an assignment, once the rows that share a column are taken away as well as can be."""
    chosen = [(row, column) for row, column in enumerate(columns) if column != NONE]
    best = (0, 0.0)
    for size in range(len(chosen) + 1):
        for some in itertools.combinations(chosen, size):
            if len({column for _, column in some}) == size:
                best = max(best, (size, round(sum(matrix[row, column] for row, column in some), 6)))
    return best


@settings(max_examples=300, deadline=None)
@given(matrices(GAPS))
def test_it_is_the_optimum_of_all_assignments(matrix):
    columns = assignment.assign(matrix)
    assert own(matrix, columns) == brute_force(matrix)


@settings(max_examples=200, deadline=None)
@given(matrices(COSINES))
def test_no_text_is_given_twice_where_there_are_enough(matrix):
    columns = assignment.assign(matrix).tolist()
    rows, width = matrix.shape
    assert NONE not in columns
    if rows <= width:
        assert len(set(columns)) == rows
    else:
        assert set(columns) == set(range(width))


@settings(max_examples=200, deadline=None)
@given(matrices(GAPS))
def test_a_gap_is_never_a_match_and_only_a_row_of_gaps_has_none(matrix):
    for row, column in enumerate(assignment.assign(matrix)):
        assert (column == NONE) == np.isnan(matrix[row]).all()
        assert column == NONE or not np.isnan(matrix[row, column])


def test_a_surplus_image_takes_its_best_text():
    matrix = np.array([[0.9, 0.1], [0.8, 0.2], [0.7, 0.6]])
    assert assignment.assign(matrix).tolist() == [0, 0, 1]


def test_of_equal_sums_the_images_nearest_their_texts_in_the_document():
    same = np.full((2, 3), 0.25)
    assert assignment.assign(same, [1, 5], [0, 4, 6]).tolist() in ([0, 1], [0, 2])
    assert assignment.assign(same, [5, 1], [0, 4, 6]).tolist() in ([1, 0], [2, 0])
    assert assignment.assign(np.array([[0.3, 0.30001]]), [0], [1, 999]).tolist() == [1]  # similarity comes first


def test_ties_that_no_distance_breaks_fall_as_they_always_do():
    assert assignment.assign(np.full((3, 3), 0.1)).tolist() == [0, 1, 2]
    assert assignment.assign(np.full((2, 3), 0.1), [1, 1], [0, 2, 4]).tolist() == [0, 1]


def test_numbers_too_large_for_distances_are_still_the_optimum():
    matrix = np.random.default_rng(0).uniform(-1, 1, (60, 400)).round(5)
    far = [n * 10**9 for n in range(60)], [n * 10**9 + 1 for n in range(400)]
    assert (matrix[range(60), assignment.assign(matrix, *far)]).sum() == pytest.approx(
        matrix[range(60), assignment.assign(matrix)].sum(), abs=1e-9
    )


def test_a_document_in_any_order_gives_each_image_its_text():
    rows = [(2, 0, 0.3), (2, 3, 0.1), (4, 0, 0.29), (4, 3, 0.2), (9, 0, float("nan"))]
    found = assignment.match(rows[::-1])
    assert found[2] == Match(0, 0.3) and found[4] == Match(3, 0.2)
    assert found[9].text == NONE and np.isnan(found[9].similarity)
    assert repr(assignment.match(rows)) == repr(found)
    assert assignment.match([]) == {}


def test_of_more_than_can_be_assigned_each_image_takes_its_best_the_nearest_and_first_of_equal_ones(monkeypatch):
    rows = [(5, 4, 0.3), (5, 6, 0.3), (5, 9, 0.2), (7, 6, 0.1), (7, 9, 0.30000001), (8, 6, float("nan"))]
    monkeypatch.setattr(assignment, "MOST", 8)
    assert assignment.match(rows[::-1])[8].text == NONE
    assert assignment.match(rows[:3]) == {5: Match(4, 0.3)}  # few enough: as it always was
    found = assignment.match(rows[::-1])
    assert (found[5], found[7].text) == (Match(4, 0.3), 9)


def test_the_share_of_images_that_fit():
    matches = assignment.match([(0, 1, 0.3), (2, 3, 0.25), (4, 5, 0.9), (6, 7, float("nan"))]).values()
    assert assignment.share_above(matches, 0.25) == 0.5
    assert assignment.share_above([], 0.25) == 1.0
