"""Sorting in bounded memory gives what sorting in memory gives."""

import random
import tracemalloc

import pytest

from weft.schemas.records import Fate
from weft.transforms.io import sorting


@pytest.mark.parametrize("run_chars", [1, 700, 5_000, sorting.RUN_CHARS])
@pytest.mark.parametrize("count", [0, 1, 400])
def test_rows_are_sorted_and_distinct_however_many_fit(count: int, run_chars: int) -> None:
    chance = random.Random(count)
    rows = [Fate("s", "image", f"key{chance.randrange(count)}", "kept", "", "") for _ in range(count)]
    assert list(sorting.distinct(iter(rows), run_chars)) == sorted(set(rows), key=repr)


def test_lists_in_rows_and_rows_that_come_again_in_every_run() -> None:
    rows = [("b", [1]), ("a", [2]), ("b", [1])] * 50
    assert list(sorting.distinct(rows, 40)) == [("a", [2]), ("b", [1])]


def test_memory_follows_the_run_and_not_the_rows() -> None:
    def peak(count: int) -> int:
        tracemalloc.start()
        found = sum(1 for _ in sorting.distinct((("k" * 50, number) for number in range(count)), 100_000))
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert found == count
        return most

    assert peak(40_000) < 2 * peak(10_000)
