"""Probabilities against what is known of them."""

import math
from statistics import NormalDist

import numpy as np
import pytest

from weft.model_smoketest import chance


def test_the_tail_of_a_binomial_is_its_sum():
    assert chance.tail(0, 10, 0.3) == 1.0 and chance.tail(3, 10, 0.0) == 0.0
    assert chance.tail(10, 10, 0.5) == pytest.approx(2**-10)
    assert chance.tail(2, 3, 0.5) == pytest.approx(0.5)
    assert chance.tail(60, 1000, 0.05) == pytest.approx(1 - NormalDist(50, math.sqrt(47.5)).cdf(59.5), rel=0.2)


def test_a_mean_above_zero_is_told_from_one_that_is_not():
    noise = np.random.default_rng(1).normal(size=60)
    assert chance.above_zero(noise + 1) < 0.001 < 0.05 < chance.above_zero(noise - noise.mean())
    assert chance.above_zero(-abs(noise)) == 1.0 == chance.above_zero([])
    assert chance.above_zero(noise + 0.2) == chance.above_zero(noise + 0.2)


def test_under_the_null_one_in_ten_is_under_a_tenth():
    draws = np.random.default_rng(2).normal(size=(100, 20))
    under = sum(chance.above_zero(row.tolist()) < 0.1 for row in draws)
    assert 2 <= under <= 19  # 10 on average, deviation 3


def test_a_check_fails_below_alpha_and_says_what_it_saw():
    good, bad = (chance.share("x", found, 200, 0.02, "are bad") for found in (5, 20))
    assert not good.failed and bad.failed and bad.row()["failed"]
    assert bad.row()["value"] == 0.1 and bad.told == "20 of 200 are bad"
    assert chance.standard_error([1.0, 3.0]) == 1.0 and math.isinf(chance.standard_error([1.0]))


def test_few_values_have_the_p_of_all_their_signs_and_cannot_show_more():
    for count in (1, 3, 6, 7, 13):
        assert chance.above_zero([5.0] * count) == 2.0**-count
        assert chance.can_show(count) == (chance.above_zero([5.0] * count) < chance.ALPHA)


def test_a_figure_that_is_wanted_fails_where_it_is_not_shown():
    for p in (1e-5, 0.5):
        there, wanted = (chance.Check("x", 1.0, 0.0, p, 9, "", wanted) for wanted in (False, True))
        assert there.failed == (p < chance.ALPHA) == (not wanted.failed)
        assert wanted.row()["p"] == p and wanted.row()["failed"] == wanted.failed
