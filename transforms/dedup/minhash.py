"""MinHash signatures of texts, and the bands of them that find similar pairs with a stated recall.

texts → shingle hashes (shingles.py) → signatures → band keys; pairs of signatures → estimated similarity.

MinHash (Broder 1997) estimates the Jaccard similarity of two shingle sets by the share of equal signature values;
banding (Leskovec et al., Mining of Massive Datasets, 3.4) finds pairs that are likely to be similar without
comparing all. The permutations are datasketch's "affine32" scheme: over the same shingle hashes a signature is bit
for bit datasketch's.

Peers choose bands where false positives and false negatives balance, which at a "threshold" of 0.8 finds 40 % of the
pairs that are 0.8 similar. Here `recall` is what it says: the share of pairs at `threshold` that are found in the end,
after candidates have been compared. `choose` looks for the sharpest bands and the highest least similarity that
reach it, and `found` gives the chance at any other similarity.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import xxhash

from weft.schemas.parameters import ConfigError, Similarity
from weft.transforms.dedup import shingles
from weft.transforms.dedup.shingles import Hashes

SEED = 1  # datasketch's default
KEY_BYTES = 10  # of a band key
_ROWS = 8  # permutations at once: long rows keep numpy's inner loops long,
_COLUMNS = 16_384  # and a whole batch fits in the columns: a row is cut at few places
_MAX = np.uint32(0xFFFFFFFF)


def sign(texts: Sequence[str], similarity: Similarity) -> list[bytes]:
    """MinHash signatures of `permutations` values, 4 little-endian bytes each; b"" for a text without a word.

    >>> one, other = sign(["to be or not to be", "To be, or not to be?"], Similarity(permutations=64))
    >>> len(one), one == other
    (256, True)
    """
    normalised = [shingles.normalise(text) for text in texts]
    signed: list[bytes] = []
    for part in shingles.batches(normalised):
        signed += signatures(*shingles.shingles(normalised[part], similarity), similarity.permutations)
    return signed


def signatures(hashes: Hashes, counts: npt.NDArray[np.int64], permutations: int) -> list[bytes]:
    """MinHash values of sets of shingle hashes that stand one after another, `counts` of each."""
    a, b = _permutations(permutations)
    mixed = _fmix32(hashes)
    filled = np.flatnonzero(counts)
    starts = np.cumsum(counts[filled]) - counts[filled]
    lowest = np.full((permutations, len(filled)), _MAX, np.uint32)
    for column in range(0, len(mixed), _COLUMNS):
        values = mixed[None, column : column + _COLUMNS]
        first = int(np.searchsorted(starts, column, "right")) - 1  # the set that the first column belongs to
        last = int(np.searchsorted(starts, column + values.shape[1]))
        edges = np.maximum(starts[first:last] - column, 0)
        block = np.empty((_ROWS, values.shape[1]), np.uint32)
        for row in range(0, permutations, _ROWS):
            used = block[: min(_ROWS, permutations - row)]
            np.multiply(a[row : row + _ROWS], values, out=used)
            np.add(used, b[row : row + _ROWS], out=used)
            into = lowest[row : row + _ROWS, first:last]
            np.minimum(into, np.minimum.reduceat(used, edges, axis=1), out=into)
    rows = np.ascontiguousarray(lowest.T, "<u4")
    signed = [b""] * len(counts)
    for index, row in zip(filled.tolist(), rows, strict=True):
        signed[index] = row.tobytes()
    return signed


def estimate(first: bytes, second: bytes) -> float:
    """Estimated Jaccard similarity of two signatures; 0 where either is empty."""
    if not first or not second:
        return 0.0
    return float(np.mean(np.frombuffer(first, "<u4") == np.frombuffer(second, "<u4")))


def jaccard(first: bytes, second: bytes) -> float:
    """Jaccard similarity of two sets of distinct shingle hashes, 4 little-endian bytes each; 0 if either is empty."""
    if not first or not second:
        return 0.0
    one, two = np.frombuffer(first, "<u4"), np.frombuffer(second, "<u4")
    common = len(np.intersect1d(one, two, assume_unique=True))
    return common / (len(one) + len(two) - common)


@dataclasses.dataclass(frozen=True)
class Bands:
    """How near-duplicates are found.

    Attributes:
        bands: documents that agree in all rows of one of these are candidates.
        rows: signature values in a band.
        least: candidates of at least this similarity are duplicates; 0 where candidates are not compared.
        exact: whether `least` is of the Jaccard similarity itself and not of the signatures' estimate of it.
    """

    bands: int
    rows: int
    least: float
    exact: bool = False


def found(similarity: float, how: Bands, permutations: int) -> float:
    """The chance that a pair of this Jaccard similarity shares a band and, compared, is similar enough.

    The two are not independent, as both rest on the same values. With s the similarity, the number of equal values in a
    band is binomial (rows, s) and the bands are independent of each other; so P(no band full, m values equal) is
    a convolution of `bands` truncated binomials and one of the values outside the bands.
    """
    candidate = 1.0 - (1.0 - similarity**how.rows) ** how.bands
    if how.exact or how.least <= 0:
        return candidate if similarity >= how.least else 0.0
    band = _binomial(how.rows, similarity)
    band[-1] = 0.0  # not full
    missed = _binomial(permutations - how.bands * how.rows, similarity)
    for _ in range(how.bands):
        missed = np.convolve(missed, band)
    missed = np.pad(missed, (0, permutations + 1 - len(missed)))
    passing = np.arange(permutations + 1) / permutations >= how.least
    return float(np.clip((_binomial(permutations, similarity) - missed)[passing].sum(), 0.0, 1.0))


def curve(how: Bands, permutations: int) -> list[tuple[float, float]]:
    """(similarity, probability to be found) in steps of 0.05."""
    return [(step / 20, round(found(step / 20, how, permutations), 4)) for step in range(21)]


def bands_for(similarity: Similarity) -> Bands:
    """How candidates are found and compared.

    Raises:
        ConfigError: no bands reach the recall.
    """
    compared = similarity.verify if similarity.cluster == "verified" else ""
    return choose(similarity.threshold, similarity.recall, similarity.permutations, compared)


def choose(threshold: float, recall: float, permutations: int, compared: str = "signature") -> Bands:
    """Bands, rows and least similarity that find `recall` of the pairs at `threshold` and as few as can be below it.

    Of the pairs that may be missed, half may be missed by the bands: for each number of rows, the fewest bands that
    keep to that; of these choices the one with the smallest area under the curve from 0 to the threshold (the false
    positives of datasketch's optimiser). The other half may fail the comparison: the highest least similarity that
    leaves the recall. Where signatures are not compared, the bands may miss all that may be missed.

    Args:
        compared: what candidates are compared by: "signature", "exact" (their least similarity is then `threshold`) or
            "" where they are not.

    Raises:
        ConfigError: no bands can do it with so many permutations, or a value makes no sense.
    """
    if not 0.0 < threshold <= 1.0 or not 0.0 < recall < 1.0 or permutations < 1:
        raise ConfigError(
            "dedup.threshold lies above 0 and up to 1, dedup.recall between 0 and 1, dedup.permutations is 1 or more"
        )
    by_signature = compared == "signature"
    wanted = (1.0 + recall) / 2 if by_signature else recall
    best = _sharpest(threshold, wanted, permutations)
    if best is None:
        raise ConfigError(
            f"{permutations} permutations cannot find {recall:.0%} of the pairs at similarity {threshold}: "
            "raise dedup.permutations or dedup.threshold, or lower dedup.recall"
        )
    if not by_signature:
        return Bands(*best, least=threshold if compared else 0.0, exact=bool(compared))
    for equal in range(round(threshold * permutations), 0, -1):
        how = Bands(*best, least=equal / permutations)
        if found(threshold, how, permutations) >= recall:
            return how
    return Bands(*best, least=0.0)


def _sharpest(threshold: float, recall: float, permutations: int) -> tuple[int, int] | None:
    grid = np.linspace(0.0, threshold, 1001)
    best: tuple[float, int, int] | None = None
    for rows in range(1, permutations + 1):
        miss = 1.0 - threshold**rows
        bands = 1 if miss <= 0 else int(np.ceil(np.log(1.0 - recall) / np.log(miss))) if miss < 1 else permutations + 1
        if bands * rows <= permutations:
            area = float(np.trapezoid(1.0 - (1.0 - grid**rows) ** bands, grid))
            best = min(best, (area, bands, rows)) if best else (area, bands, rows)
    return best[1:] if best else None


def band_keys(signed: bytes, bands: int, rows: int) -> Iterator[bytes]:
    """10 bytes per band: its number and a hash of its rows. Chance collisions are rare and fail the comparison."""
    for band in range(bands):
        piece = signed[band * rows * 4 : (band + 1) * rows * 4]
        yield band.to_bytes(2, "big") + xxhash.xxh3_64_digest(piece)


def _binomial(n: int, p: float) -> npt.NDArray[np.float64]:
    """P(k of n) for k = 0..n."""
    made = np.ones(1)
    for _ in range(n):
        made = np.convolve(made, (1.0 - p, p))
    return made


def _fmix32(values: Hashes) -> Hashes:
    """MurmurHash3's finaliser, as datasketch applies before its affine permutations."""
    mixed = values ^ (values >> np.uint32(16))
    mixed *= np.uint32(0x85EBCA6B)
    mixed ^= mixed >> np.uint32(13)
    mixed *= np.uint32(0xC2B2AE35)
    mixed ^= mixed >> np.uint32(16)
    return mixed


@lru_cache(maxsize=4)
def _permutations(count: int) -> tuple[Hashes, Hashes]:
    """Multipliers, odd ones, and offsets as columns, as datasketch draws them: to import it brings scipy (.4 CPU s)."""
    drawn = np.random.RandomState(SEED)  # whose numbers are the same in every version of numpy (NEP 19)
    a = drawn.randint(0, 1 << 31, count, np.uint32) * np.uint32(2) + np.uint32(1)
    b = drawn.randint(0, 1 << 32, count, np.uint32)
    return a[:, None], b[:, None]
