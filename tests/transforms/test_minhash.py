"""Signatures against datasketch and against exact Jaccard, bands against their promise, pairs end to end."""

import apache_beam as beam
import numpy as np
import pytest
from apache_beam.testing.util import assert_that, equal_to
from datasketch import MinHash

from pipeline import runners
from schemas.config import ConfigError
from schemas.records import hash_bucket
from transforms import minhash

VOCABULARY = [f"word{i}" for i in range(2_000)]


def make_words(name: str, count: int) -> list[str]:
    return [VOCABULARY[hash_bucket(f"{name}/{i}", len(VOCABULARY))] for i in range(count)]


def perturb(words: list[str], every: int, offset: int = 0) -> list[str]:
    """Replace one word in `every`, from `offset` on."""
    return [f"new{i}" if i % every == offset else word for i, word in enumerate(words)]


def exact_jaccard(one: list[str], two: list[str], ngram: int) -> float:
    a, b = ({tuple(w[i : i + ngram]) for i in range(len(w) - ngram + 1)} for w in (one, two))
    return len(a & b) / len(a | b)


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("Hello, World!", "hello world"),
        ("“Don’t” — she said…", "Don't  she\nsaid"),
        ("\ufb01ne \uff21\uff22\uff23", "fine abc"),  # compatibility forms
        ("a\u00a0b", "a b"),
        ("caf\u0065\u0301", "café"),
        ("日本語、テスト。", "日 本 語 テ ス ト"),
    ],
)
def test_words_fold_what_does_not_matter(one: str, two: str) -> None:
    assert minhash.words(one) == minhash.words(two) != []


def test_words_keep_what_matters() -> None:
    assert minhash.words("Über 3 Straßen, 40%") == ["über".encode(), b"3", "straßen".encode(), b"40"]
    assert minhash.words(" .,;!… — ") == []
    assert minhash.words("ascii only") == minhash.words("ascii only\u2009")


def test_signature_is_datasketchs_over_the_same_hashes() -> None:
    hashes = minhash.shingles(minhash.words(" ".join(make_words("a", 3_000))), 5)  # several blocks
    for permutations in (16, 128):
        theirs = MinHash(num_perm=permutations, seed=minhash.SEED, scheme="affine32", hashfunc=int)
        theirs.update_batch(hashes)
        ours = np.frombuffer(minhash.signature(hashes, permutations), "<u4")
        assert np.array_equal(ours, theirs.hashvalues)


def test_signatures_are_the_same_for_ever() -> None:
    """A sketch on disk may be compared with one made by a later version: these bytes must not change."""
    assert minhash.sign("The quick brown fox jumps over the lazy dog", 5, 2).hex() == "e347e232db23e494"


def test_shingles_depend_on_order_and_number() -> None:
    tokens = [b"a", b"b", b"c", b"d", b"e", b"f"]
    assert len(minhash.shingles(tokens, 5)) == 2
    assert len(set(minhash.shingles([b"a"] * 9, 5).tolist())) == 1
    assert minhash.shingles([b"a", b"b"], 5).tolist() != minhash.shingles([b"b", b"a"], 5).tolist()
    assert len(minhash.shingles(tokens[:3], 5)) == 1  # the whole text, not nothing
    assert minhash.shingles(tokens[:3], 5).tolist() != minhash.shingles(tokens[:4], 5).tolist()
    assert len(minhash.shingles([], 5)) == 0


def test_no_words_are_like_nothing() -> None:
    empty = minhash.sign("", 5, 128)
    assert empty == b""
    assert minhash.estimate(empty, empty) == 0.0
    assert minhash.estimate(empty, minhash.sign("a", 5, 128)) == 0.0


def test_estimates_are_unbiased_and_as_sharp_as_theory_says() -> None:
    errors, variances = [], []
    for number in range(150):
        one = make_words(f"doc{number}", 300)
        two = perturb(one, every=5 + number % 60)
        truth = exact_jaccard(one, two, 5)
        a, b = (minhash.sign(" ".join(words), 5, 128) for words in (one, two))
        errors.append(minhash.estimate(a, b) - truth)
        variances.append(truth * (1 - truth) / 128)
    assert abs(np.mean(errors)) < 0.01
    assert np.sqrt(np.mean(np.square(errors))) < 1.25 * np.sqrt(np.mean(variances))


@pytest.mark.parametrize("threshold", [0.5, 0.7, 0.8, 0.9])
@pytest.mark.parametrize("recall", [0.5, 0.9, 0.99])
def test_bands_reach_the_recall_with_the_least_below(threshold: float, recall: float) -> None:
    bands, rows = minhash.choose_bands(threshold, recall, 128)
    assert bands * rows <= 128
    assert minhash.probability(threshold, bands, rows) >= recall
    below = np.arange(0, threshold, 0.001)
    area = sum(minhash.probability(similarity, bands, rows) for similarity in below)
    for r in range(1, 129):
        for b in range(1, 128 // r + 1):
            if minhash.probability(threshold, b, r) >= recall:
                other = float(np.sum(1 - (1 - below**r) ** b))
                assert area <= other * 1.001


def test_bands_of_the_default_configuration() -> None:
    assert minhash.choose_bands(0.8, 0.9, 128) == (13, 8)
    assert dict(minhash.curve(13, 8))[0.8] == pytest.approx(0.908, abs=0.001)


@pytest.mark.parametrize(
    "values", [(0.3, 0.999999, 4), (0.0, 0.9, 128), (0.8, 1.0, 128), (1.5, 0.9, 128), (0.8, 0.9, 0)]
)
def test_impossible_demands_are_refused(values: tuple[float, float, int]) -> None:
    with pytest.raises(ConfigError, match="dedup"):
        minhash.choose_bands(*values)


def test_small_buckets_meet_in_full_and_large_ones_stay_connected() -> None:
    small = [f"{i:03}" for i in range(minhash.WINDOW + 1)]
    assert len(list(minhash.bucket_pairs(reversed(small)))) == len(small) * (len(small) - 1) // 2
    large = [f"{i:03}" for i in range(200)]
    pairs = list(minhash.bucket_pairs(large))
    assert len(set(pairs)) == len(pairs) <= 200 * (minhash.WINDOW_IN_LARGE + 1)
    assert {("000", other) for other in large[1:]} <= set(pairs)
    assert all(a < b for a, b in pairs)


def test_similar_pairs_finds_planted_ones_and_nothing_else() -> None:
    signed, planted = [], []
    for number in range(60):
        base = make_words(f"base{number}", 200)
        signed.append((f"a{number:02}", minhash.sign(" ".join(base), 5, 128)))
        if number < 20:
            close = perturb(base, every=180, offset=90)  # 5 of 200 shingles differ: similarity 0.95
            signed.append((f"b{number:02}", minhash.sign(" ".join(close), 5, 128)))
            planted.append((f"a{number:02}", f"b{number:02}"))
        elif number < 40:
            far = perturb(base, every=20)  # similarity about 0.6: often in one bucket, never similar enough
            signed.append((f"c{number:02}", minhash.sign(" ".join(far), 5, 128)))
    with beam.Pipeline(options=runners.options((), 1)) as p:
        pairs = p | beam.Create(signed).with_output_types(tuple[str, bytes]) | minhash.SimilarPairs(0.8, 13, 8)
        assert_that(pairs, equal_to(planted))
