"""Keys of perceptual hashes: whoever is near shares one. What `dull` says is tested beside evaluation images."""

import random

import pytest

from weft.transforms.fetch import looks


@pytest.mark.parametrize("distance", range(1, 7))
def test_hashes_within_the_distance_share_a_key_and_few_others_do(distance: int) -> None:
    dice = random.Random(distance)
    shared = {more: 0 for more in (0, 3, 20)}
    for _ in range(2_000):
        one = dice.getrandbits(64)
        for more in shared:
            other = one
            for bit in dice.sample(range(64), distance + more):
                other ^= 1 << bit
            keys = [set(looks.band_keys(f"{value:016x}", distance)) for value in (one, other)]
            shared[more] += bool(keys[0] & keys[1])
    assert shared[0] == 2_000 > shared[3] > shared[20] < 200
    assert len(looks.band_keys("0" * 16, distance)) == len(set(looks.band_keys("0" * 16, distance)))


def test_three_bits_make_ten_keys_of_two_fifths_of_the_hash() -> None:
    keys = looks.band_keys("f" * 16, 3)
    assert len(keys) == 10 and {int.from_bytes(key[1:], "big").bit_count() for key in keys} <= {25, 26}
