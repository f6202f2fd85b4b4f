"""What perceptual hashes say of pictures: whether one says anything, and keys by which near ones are found.

A hash is that of decode.py: 64 bits as 16 hex digits. A resized or recompressed copy differs in a few of them.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import combinations, pairwise

BITS = 64
KEY_BYTES = 9  # of a band key
_HALF, _UNEVEN = 32, 8  # bits of a perceptual hash that are set, and how far from it a picture with structure may be


def dull(phash: str) -> bool:
    """Whether a perceptual hash tells too little for pictures to be called the same by it.

    A bit is set where a frequency is above the median of all 64: half of them, unless many are exactly the median
    because the picture does not have them. Of 300 drawn pictures each, 45% of pairs of gradients and 27% of pairs of
    symmetric icons are within 4 bits of each other, and none of either has 24 bits set.
    """
    return not phash or abs(int(phash, 16).bit_count() - _HALF) > _UNEVEN


def band_keys(phash: str, distance: int) -> list[bytes]:
    """Keys of KEY_BYTES: two hashes that differ in `distance` bits or fewer have one in common.

    The bits are cut into distance + 2 bands, of which at least two are then equal; each two are a key (Manku et al.,
    Detecting Near-Duplicates for Web Crawling, WWW 2007). So 3 bits make 10 keys of 25 or 26 bits.
    """
    value = int(phash, 16)
    return [bytes([n]) + (value & mask).to_bytes(8, "big") for n, mask in enumerate(_masks(distance))]


@lru_cache(maxsize=8)
def _masks(distance: int) -> list[int]:
    edges = [BITS * n // (distance + 2) for n in range(distance + 3)]
    bands = [(1 << end) - (1 << start) for start, end in pairwise(edges)]
    return [one | other for one, other in combinations(bands, 2)]
