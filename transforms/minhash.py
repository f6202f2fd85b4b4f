"""Near-duplicate texts: MinHash signatures, bands chosen for a recall, and pairs checked before they count.

text → words → word n-grams (shingles) → signature → band keys → candidate pairs → pairs that really are similar.

MinHash (Broder 1997) estimates the Jaccard similarity of two shingle sets by the share of equal signature values;
banding (Leskovec et al., Mining of Massive Datasets, 3.4) finds pairs that are likely to be similar without
comparing all. The permutations are datasketch's "affine32" scheme, so that over the same shingle hashes a signature
is bit for bit datasketch's; but each word is hashed once and n-grams are mixed from word hashes in numpy, because
making and hashing the n-gram strings is what costs, not the permutations.

Peers choose bands where false positives and false negatives balance, which at a "threshold" of 0.8 finds 40 % of the
pairs that are 0.8 similar. Here the bands are the sharpest ones that find `recall` of them, and what they find wrongly
is removed by comparing whole signatures.
"""

from __future__ import annotations

import dataclasses
import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import lru_cache

import apache_beam as beam
import numpy as np
import numpy.typing as npt
import xxhash
from apache_beam.metrics import Metrics

from schemas.config import ConfigError

SEED = 1  # datasketch's default
WINDOW = 8  # members of a bucket are compared with as many neighbours, and all with the first
WINDOW_IN_LARGE = 4  # neighbours in a bucket of more than LARGE_BUCKET members
LARGE_BUCKET = 32
_BLOCK = 512  # shingles at a time: permutations x block stays in the L2 cache
_MAX = np.uint32(0xFFFFFFFF)
_MIX = np.uint64(0x9E3779B97F4A7C15)  # 2^64 over the golden ratio, odd: multiplication is a bijection
_SEPARATOR = "\x1f"  # between two ids in one key

Hashes = npt.NDArray[np.uint32]

# A byte of a word: letters and digits of ASCII, and everything outside ASCII that is not punctuation (below).
_WORD_BYTES = bytes(c if c >= 128 or chr(c).isalnum() else 32 for c in range(256))
# Latin-1 symbols, general punctuation (curly quotes, dashes, bullets) and CJK punctuation, in UTF-8. One pattern per
# lead byte: `re` then skips ahead to that byte five times faster than it tries alternatives.
_PUNCTUATION = tuple(
    re.compile(pattern) for pattern in (rb"\xc2[\x80-\xbf]", rb"\xe2[\x80\x81][\x80-\xbf]", rb"\xe3\x80[\x80-\xbf]")
)
# Kana and ideographs, which are written without spaces: each is a word.
_IDEOGRAPH = re.compile(rb"[\xe3-\xe9][\x80-\xbf]{2}")
_IDEOGRAPH_LEADS = tuple(bytes([lead]) for lead in range(0xE3, 0xEA))


def words(text: str) -> list[bytes]:
    """Words for comparison: compatibility forms, case and punctuation folded away; an ideograph is a word."""
    if text.isascii():
        return text.lower().encode().translate(_WORD_BYTES).split()
    raw = unicodedata.normalize("NFKC", text).lower().encode("utf-8", "surrogatepass")
    for pattern in _PUNCTUATION:
        raw = pattern.sub(b" ", raw)
    if any(lead in raw for lead in _IDEOGRAPH_LEADS):
        raw = _IDEOGRAPH.sub(rb" \g<0> ", raw)
    return raw.translate(_WORD_BYTES).split()


def shingles(tokens: list[bytes], ngram: int) -> Hashes:
    """A 32-bit hash of every run of `ngram` words; of all the words together where there are fewer."""
    if not tokens:
        return np.empty(0, np.uint32)
    hashed = np.fromiter(map(xxhash.xxh3_64_intdigest, tokens), np.uint64, len(tokens))
    size = min(ngram, len(tokens))
    count = len(tokens) - size + 1
    mixed = hashed[:count].copy()
    for step in range(1, size):  # order matters: multiply, fold the high half down, then the next word
        mixed *= _MIX
        mixed ^= mixed >> np.uint64(32)
        mixed += hashed[step : step + count]
    mixed *= _MIX
    return (mixed >> np.uint64(32)).astype(np.uint32)


def signature(hashes: Hashes, permutations: int) -> bytes:
    """MinHash values of a set of shingle hashes, 4 little-endian bytes each; b"" for the empty set."""
    if not len(hashes):
        return b""
    a, b = _permutations(permutations)
    mixed = _fmix32(hashes)
    lowest = np.full(permutations, _MAX, np.uint32)
    for start in range(0, len(mixed), _BLOCK):
        block = a * mixed[None, start : start + _BLOCK]
        block += b
        np.minimum(lowest, block.min(axis=1), out=lowest)
    return lowest.astype("<u4").tobytes()


def sign(text: str, ngram: int, permutations: int) -> bytes:
    """Signature of a text; b"" where it has no word."""
    return signature(shingles(words(text), ngram), permutations)


def estimate(first: bytes, second: bytes) -> float:
    """Estimated Jaccard similarity of two signatures; 0 where either is empty."""
    if not first or not second:
        return 0.0
    return float(np.mean(np.frombuffer(first, "<u4") == np.frombuffer(second, "<u4")))


def probability(similarity: float, bands: int, rows: int) -> float:
    """P(two documents of this similarity share a band)."""
    return float(1.0 - (1.0 - similarity**rows) ** bands)


def curve(bands: int, rows: int) -> list[tuple[float, float]]:
    """(similarity, probability to be found) in steps of 0.05."""
    return [(step / 20, round(probability(step / 20, bands, rows), 4)) for step in range(21)]


def choose_bands(threshold: float, recall: float, permutations: int) -> tuple[int, int]:
    """Bands and rows that find `recall` of the pairs at `threshold` with the least work below it.

    For a number of rows the fewest bands that reach the recall are the best; among those pairs the one with the
    smallest area under the curve from 0 to the threshold wins (the false positives of datasketch's optimiser).

    Raises:
        ConfigError: no bands can do it with so many permutations, or a value makes no sense.
    """
    if not 0.0 < threshold <= 1.0 or not 0.0 < recall < 1.0 or permutations < 1:
        raise ConfigError(
            "dedup.threshold lies above 0 and up to 1, dedup.recall between 0 and 1, dedup.permutations is 1 or more"
        )
    grid = np.linspace(0.0, threshold, 1001)
    best: tuple[float, int, int] | None = None
    for rows in range(1, permutations + 1):
        bands = next((b for b in range(1, permutations // rows + 1) if probability(threshold, b, rows) >= recall), 0)
        if bands:
            area = float(np.trapezoid(1.0 - (1.0 - grid**rows) ** bands, grid))
            best = min(best, (area, bands, rows)) if best else (area, bands, rows)
    if best is None:
        raise ConfigError(
            f"{permutations} permutations cannot find {recall:.0%} of the pairs at similarity {threshold}: "
            "raise dedup.permutations or dedup.threshold, or lower dedup.recall"
        )
    return best[1], best[2]


def band_keys(signed: bytes, bands: int, rows: int) -> Iterator[bytes]:
    """10 bytes per band: its number and a hash of its rows. Chance collisions are rare and fail the check."""
    for band in range(bands):
        piece = signed[band * rows * 4 : (band + 1) * rows * 4]
        yield band.to_bytes(2, "big") + xxhash.xxh3_64_digest(piece)


def bucket_pairs(ids: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Pairs (smaller, larger) to compare inside a bucket: all where it is small, a bounded number each where not.

    A star around one member would be enough to connect a true cluster, but its centre may be the odd one out and
    fail every check; so each member also meets its next neighbours, fewer in a large bucket, which is a page template
    in every band and would otherwise cost its square.
    """
    members = sorted(set(ids))
    reach = WINDOW if len(members) <= LARGE_BUCKET else WINDOW_IN_LARGE
    for index, smaller in enumerate(members):
        for larger in members[index + 1 : index + 1 + reach]:
            yield smaller, larger
        if index > reach:
            yield members[0], smaller


@dataclasses.dataclass
class SimilarPairs(beam.PTransform):
    """(id, signature), ids unique → (smaller id, larger id) of pairs that are estimated to be similar enough.

    Across shuffles go band keys with ids, then each candidate pair with its two signatures.

    Args:
        threshold: least estimated Jaccard similarity of a pair that is let through.
        bands, rows: as `choose_bands` says.
    """

    threshold: float
    bands: int
    rows: int

    def expand(self, signed: beam.PCollection[tuple[str, bytes]]) -> beam.PCollection[tuple[str, str]]:
        bands, rows = self.bands, self.rows
        candidates = (
            signed
            | "Bands" >> beam.FlatMap(_band_records, bands, rows).with_output_types(tuple[bytes, str])
            | "Buckets" >> beam.GroupByKey()
            | "Candidates" >> beam.FlatMap(_both_ways).with_output_types(tuple[str, str])
        )
        return (
            {"signature": signed, "others": candidates}
            | "JoinSignatures" >> beam.CoGroupByKey()
            | "Ends" >> beam.FlatMap(_ends).with_output_types(tuple[str, bytes])
            | "Meet" >> beam.GroupByKey()
            | "Check" >> beam.FlatMap(_check, self.threshold).with_output_types(tuple[str, str])
        )


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
    """Multipliers and offsets as columns, from datasketch itself; imported late, for it brings scipy along."""
    from datasketch import MinHash

    a, b = MinHash(num_perm=count, seed=SEED, scheme="affine32").permutations
    return np.ascontiguousarray(a)[:, None], np.ascontiguousarray(b)[:, None]


def _band_records(item: tuple[str, bytes], bands: int, rows: int) -> Iterator[tuple[bytes, str]]:
    for key in band_keys(item[1], bands, rows):
        yield key, item[0]


def _both_ways(bucket: tuple[bytes, Iterable[str]]) -> Iterator[tuple[str, str]]:
    for smaller, larger in bucket_pairs(bucket[1]):
        yield smaller, larger
        yield larger, smaller


def _ends(item: tuple[str, dict[str, Iterable[bytes | str]]]) -> Iterator[tuple[str, bytes]]:
    name, groups = item
    for signed in groups["signature"]:
        for other in set(groups["others"]):
            yield _SEPARATOR.join(sorted((name, str(other)))), signed  # type: ignore[misc]


def _check(item: tuple[str, Iterable[bytes]], threshold: float) -> Iterator[tuple[str, str]]:
    first, second = item[1]
    Metrics.counter("dedup", "pairs_compared").inc()
    if estimate(first, second) >= threshold:
        Metrics.counter("dedup", "pairs_similar").inc()
        smaller, larger = item[0].split(_SEPARATOR)
        yield smaller, larger
