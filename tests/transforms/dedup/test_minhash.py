"""Signatures against a plain reference, estimates against datasketch's, bands against their promise."""

import numpy as np
import numpy.typing as npt
import pytest
from datasketch import MinHash
from scipy.stats import binom

from weft.schemas.parameters import ConfigError, Similarity
from weft.schemas.records import hash_bucket
from weft.transforms.dedup import minhash, shingles
from weft.transforms.dedup.minhash import Bands, choose, found

VOCABULARY = [f"word{i}" for i in range(2_000)]
WORDS = Similarity()


def make_words(name: str, count: int) -> list[str]:
    return [VOCABULARY[hash_bucket(f"{name}/{i}", len(VOCABULARY))] for i in range(count)]


def perturb(words: list[str], every: int, offset: int = 0) -> list[str]:
    """Replace one word in `every`, from `offset` on."""
    return [f"new{i}" if i % every == offset else word for i, word in enumerate(words)]


def runs(words: list[str], ngram: int) -> set[str]:
    return {" ".join(words[i : i + ngram]) for i in range(len(words) - ngram + 1)}


def exact_jaccard(one: list[str], two: list[str], ngram: int) -> float:
    a, b = runs(one, ngram), runs(two, ngram)
    return len(a & b) / len(a | b)


def reference(hashes: npt.NDArray[np.uint32], permutations: int) -> bytes:
    """MurmurHash3's finaliser, then the least of a * h + b modulo 2^32 for each of datasketch's permutations."""
    if not len(hashes):
        return b""
    a, b = MinHash(num_perm=permutations, seed=minhash.SEED, scheme="affine32").permutations
    h = hashes.astype(np.uint64)
    h ^= h >> np.uint64(16)
    h = h * np.uint64(0x85EBCA6B) % np.uint64(1 << 32)
    h ^= h >> np.uint64(13)
    h = h * np.uint64(0xC2B2AE35) % np.uint64(1 << 32)
    h ^= h >> np.uint64(16)
    least = [int(((h * np.uint64(m) + np.uint64(c)) % np.uint64(1 << 32)).min()) for m, c in zip(a, b, strict=True)]
    return np.array(least, "<u4").tobytes()


@pytest.mark.parametrize("count", [1, 64, 117, 128, 999])
def test_permutations_are_datasketchs(count: int) -> None:
    theirs = MinHash(num_perm=count, seed=minhash.SEED, scheme="affine32").permutations
    assert [column[:, 0].tolist() for column in minhash._permutations(count)] == [*map(np.ndarray.tolist, theirs)]


def unlike(similarity: float, how: Bands, permutations: int, pairs: int, seed: int) -> float:
    """Share of simulated pairs that are found: every value equal with this probability, by itself."""
    equal = np.random.default_rng(seed).random((pairs, permutations)) < similarity
    used = equal[:, : how.bands * how.rows].reshape(pairs, how.bands, how.rows)
    candidate = used.all(axis=2).any(axis=1)
    if how.exact:
        return float(candidate.mean()) if similarity >= how.least else 0.0
    return float((candidate & (equal.mean(axis=1) >= how.least)).mean())


@pytest.mark.parametrize("permutations", [1, 13, 128])
def test_signatures_are_the_least_of_each_permutation(permutations: int) -> None:
    sizes = [0, 1, 8_191, 1, 0, 0, 8_192, 8_193, 3, 20_000, 1, 1, 16_384, 5, 0]
    for seed in range(3):
        rng = np.random.default_rng(seed)
        counts = np.array(rng.permutation(sizes), np.int64)
        hashes = rng.integers(0, 1 << 32, counts.sum(), np.uint32)
        sets = np.split(hashes, np.cumsum(counts)[:-1])
        assert minhash.signatures(hashes, counts, permutations) == [reference(one, permutations) for one in sets]


def test_random_documents_are_signed_as_the_reference_does() -> None:
    texts = [" ".join(make_words(f"doc{i}", hash_bucket(str(i), 30) ** 3 // 4)) for i in range(60)]
    assert sum(map(len, texts)) > 3 * shingles.BATCH_BYTES and "" in texts
    signed = minhash.sign(texts, Similarity(permutations=32))
    for text, ours in zip(texts, signed, strict=True):
        hashes, _ = shingles.shingles([shingles.normalise(text)], WORDS)
        assert ours == reference(hashes, 32)
    assert minhash.sign([], Similarity(permutations=32)) == []
    assert minhash.sign(["", ""], Similarity(permutations=32)) == [b"", b""]


def test_a_signature_is_datasketchs_over_the_same_hashes() -> None:
    hashes, counts = shingles.shingles([" ".join(make_words("a", 20_000)).encode()], WORDS)
    for permutations in (16, 128):
        theirs = MinHash(num_perm=permutations, seed=minhash.SEED, scheme="affine32", hashfunc=int)
        theirs.update_batch(hashes)
        (ours,) = minhash.signatures(hashes, counts, permutations)
        assert np.array_equal(np.frombuffer(ours, "<u4"), theirs.hashvalues)


def test_no_words_are_like_nothing() -> None:
    empty, word = minhash.sign(["", "a"], Similarity(permutations=128))
    assert empty == b""
    assert minhash.estimate(empty, empty) == minhash.estimate(empty, word) == minhash.jaccard(b"", b"") == 0.0
    assert minhash.estimate(word, word) == 1.0


def test_jaccard_of_sets_is_exact() -> None:
    def packed(*values: int) -> bytes:
        return np.array(values, "<u4").tobytes()

    assert minhash.jaccard(packed(1, 2, 3), packed(2, 3, 4, 5)) == 2 / 5
    assert minhash.jaccard(packed(1, 2), packed(1, 2)) == 1.0
    assert minhash.jaccard(packed(1), packed(2)) == minhash.jaccard(packed(1), b"") == 0.0


def test_estimates_are_unbiased_and_as_sharp_as_datasketchs() -> None:
    ours, theirs, variances = [], [], []
    for number in range(400):
        one = make_words(f"doc{number}", 150)
        two = perturb(one, every=5 + number % 60)
        truth = exact_jaccard(one, two, 5)
        a, b = minhash.sign([" ".join(one), " ".join(two)], Similarity(permutations=128))
        ours.append(minhash.estimate(a, b) - truth)
        hashed = []
        for words in (one, two):
            made = MinHash(num_perm=128, scheme="affine32")
            made.update_batch([run.encode() for run in runs(words, 5)])
            hashed.append(made)
        theirs.append(hashed[0].jaccard(hashed[1]) - truth)
        variances.append(truth * (1 - truth) / 128)
    rmse, their_rmse = (np.sqrt(np.mean(np.square(errors))) for errors in (ours, theirs))
    assert abs(np.mean(ours)) < 0.01
    assert rmse < 1.15 * their_rmse
    assert rmse < 1.15 * np.sqrt(np.mean(variances))


@pytest.mark.parametrize("compared", ["signature", "exact", ""])
@pytest.mark.parametrize("threshold", [0.5, 0.7, 0.8, 0.9])
@pytest.mark.parametrize("recall", [0.5, 0.9, 0.99])
def test_bands_and_cut_reach_the_recall_with_the_least_below(threshold: float, recall: float, compared: str) -> None:
    how = choose(threshold, recall, 128, compared)
    candidates = (1 + recall) / 2 if compared == "signature" else recall
    assert how.bands * how.rows <= 128
    assert found(threshold, how, 128) >= recall
    assert 1 - (1 - threshold**how.rows) ** how.bands >= candidates
    below = np.arange(0, threshold, 0.001)
    area = float(np.sum(1 - (1 - below**how.rows) ** how.bands))
    for r in range(1, 129):
        for b in range(1, 128 // r + 1):
            if 1 - (1 - threshold**r) ** b >= candidates:
                assert area <= float(np.sum(1 - (1 - below**r) ** b)) * 1.001
    if compared == "signature":
        higher = Bands(how.bands, how.rows, how.least + 1 / 128)
        assert not how.exact and 0 < how.least <= threshold
        assert found(threshold, higher, 128) < recall or higher.least > threshold
    else:
        assert (how.least, how.exact) == ((threshold, True) if compared else (0.0, False))


@pytest.mark.parametrize("compared", ["signature", "exact", ""])
@pytest.mark.parametrize(("threshold", "recall", "permutations"), [(0.8, 0.9, 128), (0.6, 0.99, 100), (0.9, 0.5, 64)])
def test_what_is_found_is_what_was_promised(threshold: float, recall: float, permutations: int, compared: str) -> None:
    how = choose(threshold, recall, permutations, compared)
    pairs = 20_000
    for step in (-0.2, -0.1, -0.03, 0.0, 0.05):
        similarity = threshold + step
        promised = found(similarity, how, permutations)
        low, high = binom.interval(0.99, pairs, promised)
        share = unlike(similarity, how, permutations, pairs, seed=round(1_000 * similarity))
        assert low <= share * pairs <= high
        if step >= 0:
            assert share >= recall - 3 * np.sqrt(recall * (1 - recall) / pairs)


def test_the_cut_and_the_bands_are_not_taken_as_independent() -> None:
    how = Bands(13, 7, 100 / 128)
    candidate = found(0.8, Bands(13, 7, 0.0), 128)
    passing = binom.sf(99, 128, 0.8)
    assert candidate == pytest.approx(1 - (1 - 0.8**7) ** 13)
    assert candidate * passing + 0.005 < found(0.8, how, 128) < passing
    assert found(1.0, how, 128) == 1.0 and found(0.0, how, 128) == 0.0


def test_bands_of_the_default_configuration() -> None:
    assert choose(0.8, 0.9, 128) == Bands(13, 7, 95 / 128)
    assert choose(0.8, 0.9, 128, "exact") == Bands(13, 8, 0.8, exact=True)
    assert choose(0.8, 0.9, 128, "") == Bands(13, 8, 0.0)
    shown = dict(minhash.curve(Bands(13, 7, 95 / 128), 128))
    assert 0.9 <= shown[0.8] < 0.95 and shown[0.5] < 0.001 and shown[1.0] == 1.0


@pytest.mark.parametrize("compared", ["signature", "exact", ""])
@pytest.mark.parametrize(
    "values", [(0.3, 0.999999, 4), (0.0, 0.9, 128), (0.8, 1.0, 128), (0.8, 0.0, 128), (1.5, 0.9, 128), (0.8, 0.9, 0)]
)
def test_impossible_demands_are_refused(values: tuple[float, float, int], compared: str) -> None:
    with pytest.raises(ConfigError, match="dedup"):
        choose(*values, compared)


def test_band_keys_are_equal_where_all_rows_are() -> None:
    one = bytes(range(48))
    two = one[:16] + b"\xff" + one[17:]
    keys, others = list(minhash.band_keys(one, 3, 4)), list(minhash.band_keys(two, 3, 4))
    assert [a == b for a, b in zip(keys, others, strict=True)] == [True, False, True]
    assert {len(key) for key in keys} == {minhash.KEY_BYTES}
    assert len(set(minhash.band_keys(bytes(48), 3, 4))) == 3  # equal rows in other bands are no match
