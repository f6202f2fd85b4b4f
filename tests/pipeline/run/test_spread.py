"""How many files rows go into."""

import pytest

from weft.pipeline.run import spread
from weft.schemas.parameters import ConfigError


def test_what_is_configured_stands_whatever_the_input() -> None:
    assert spread.parts(3, 10**9, 10, 8) == 3
    with pytest.raises(ConfigError, match="0 leaves it to the input"):
        spread.parts(-1, 10, 10, 8)


def test_a_large_input_has_as_many_parts_as_none_is_too_large_and_double_of_it_never_more_than_double() -> None:
    for rows in (0, 1, 799, 800, 801, 12_345, 10**9):
        made = spread.parts(0, rows, 100, 8)
        assert made >= 8 and rows <= made * 100 and (made == 8 or made * 100 < 2 * rows)
        assert spread.parts(0, 2 * rows, 100, 8) in (made, 2 * made)
