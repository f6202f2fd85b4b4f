"""Rates of the user, and a sum whose parts add up."""

import pytest

from weft.pipeline.planning import money
from weft.schemas.parameters import ConfigError


def test_a_rate_is_set_and_the_others_stay():
    assert money.rates(["gpu_hour=2", "shuffled_tb=0"]) == money.RATES | {"gpu_hour": 2.0, "shuffled_tb": 0.0}


@pytest.mark.parametrize(
    "entry", ["gpu_hour", "gpu_hour=cheap", "gpu=2", "=2", "gpu_hour=nan", "gpu_hour=inf", "gpu_hour=-3"]
)
def test_a_rate_that_means_nothing_is_refused(entry):
    with pytest.raises(ConfigError, match="--rate takes NAME=DOLLARS"):
        money.rates([entry])


def test_the_parts_are_those_of_the_sum():
    amounts = dict.fromkeys(money.RATES, 0.0) | {"core_hour": 1_000, "stored_tb": 2}
    told = money.line(amounts, money.rates(["core_hour=.05"]))
    assert told == "money: $96, of it core_hour 50 (at 0.05), stored_tb 46 (at 23); --rate sets others"
