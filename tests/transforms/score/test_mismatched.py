"""No picture meets its own caption, the same ones meet in any order, and the sample is what hashes smallest."""

import random

import apache_beam as beam
import numpy as np
import pytest
from apache_beam.testing.util import assert_that, equal_to
from hypothesis import given
from hypothesis import strategies as st

from weft.pipeline.runners import beam_options
from weft.transforms.score import mismatched
from weft.transforms.score.mismatched import Candidate, MismatchPairs


def pair(n, image=None, text=None):
    rng = np.random.default_rng(n)
    vectors = [rng.normal(size=8) for _ in range(2)]
    made = [(v / np.linalg.norm(v)).astype(np.float32).tobytes() for v in vectors]
    return Candidate(
        f"p{n}", PAIRS[image].image if image is not None else made[0], PAIRS[text].text if text is not None else made[1]
    )


PAIRS: list[Candidate] = []
PAIRS += [pair(n) for n in range(40)]


def cosine(a, b):
    return float(np.frombuffer(a, np.float32) @ np.frombuffer(b, np.float32))


@given(st.integers(2, 40), st.text(max_size=5))
def test_it_is_a_permutation_that_leaves_nobody_where_they_were(count, salt):
    found = list(mismatched.mismatch(PAIRS[:count], salt))
    ids = {one.pair_id for one in PAIRS[:count]}
    assert {one.pair_id for one in found} == {one.other_id for one in found} == ids
    assert all(one.pair_id != one.other_id for one in found)


def test_both_similarities_are_those_of_the_vectors():
    by_id = {one.pair_id: one for one in PAIRS}
    for one in mismatched.mismatch(PAIRS, "s"):
        mine, other = by_id[one.pair_id], by_id[one.other_id]
        assert one.similarity == pytest.approx(cosine(mine.image, mine.text), abs=1e-5)
        assert one.baseline == pytest.approx(cosine(mine.image, other.text), abs=1e-5)


def test_order_and_repeats_decide_nothing_and_the_salt_does():
    mixed = PAIRS * 2
    random.Random(3).shuffle(mixed)
    assert (
        list(mismatched.mismatch(mixed, "s"))
        == list(mismatched.mismatch(PAIRS, "s"))
        != list(mismatched.mismatch(PAIRS, "t"))
    )


def test_the_same_picture_or_words_are_in_it_once():
    many = [*PAIRS[:6], *[pair(100 + n, image=0) for n in range(9)], *[pair(200 + n, text=1) for n in range(9)]]
    images = {one.pair_id: one.image for one in many}
    texts = {one.pair_id: one.text for one in many}
    found = list(mismatched.mismatch(many, "s"))
    assert len({images[one.pair_id] for one in found}) == len({texts[one.pair_id] for one in found}) == len(found)
    assert all(images[one.pair_id] != images[one.other_id] for one in found)
    assert all(texts[one.pair_id] != texts[one.other_id] for one in found)


@pytest.mark.parametrize("pairs", [[], PAIRS[:1], [pair(n, text=5) for n in range(5)], [PAIRS[0]] * 3])
def test_where_there_are_not_two_to_tell_apart_there_is_nothing_to_compare(pairs):
    assert list(mismatched.mismatch(pairs, "s")) == []


@pytest.mark.parametrize("sample", [1_000, 12])
def test_through_a_pipeline_it_is_the_sample_that_hashes_smallest(sample):
    smallest = sorted(PAIRS, key=lambda one: mismatched.rank(one.pair_id, "s"))[:sample]
    with beam_options.pipeline((), 1) as p:
        found = p | beam.Create(PAIRS[::-1]).with_output_types(Candidate) | MismatchPairs("s", sample)
        assert_that(found, equal_to(list(mismatched.mismatch(smallest, "s"))))


def test_of_no_pairs_there_is_none():
    with beam_options.pipeline((), 1) as p:
        assert_that(p | beam.Create([]).with_output_types(Candidate) | MismatchPairs("s"), equal_to([]))
