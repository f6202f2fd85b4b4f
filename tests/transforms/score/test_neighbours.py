"""Repeats and nearest vectors beside loops that compare everything with everything."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weft.schemas.parameters import ConfigError
from weft.transforms.score import neighbours


def units(rows, width=8, seed=0):
    x = np.random.default_rng(seed).normal(size=(rows, width))
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def by_loops(vectors, least):
    kept, found = [], []
    for row, vector in enumerate(vectors):
        near = [
            (k, round(float(vectors[k] @ vector), 5)) for k in kept if round(float(vectors[k] @ vector), 5) >= least
        ]
        found.append(near[0] if near else (-1, 0.0))
        if not near:
            kept.append(row)
    return found


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 40), st.sampled_from([-0.5, 0.0, 0.5, 0.9]), st.integers(0, 99))
def test_repeats_are_those_that_loops_find(rows, least, seed):
    vectors = units(rows, 3, seed)
    got, expected = neighbours.repeats(vectors, least), by_loops(vectors, least)
    assert [row for row, _ in got] == [row for row, _ in expected]
    np.testing.assert_allclose([c for _, c in got], [c for _, c in expected], atol=1.1e-5)


def test_blocks_do_not_show(monkeypatch):
    vectors = np.concatenate([units(30, 4), units(30, 4)[::-1], units(20, 4, 5)])
    whole = neighbours.repeats(vectors, 0.95), [x.tolist() for x in neighbours.nearest(vectors, units(50, 4, 9))]
    monkeypatch.setattr(neighbours, "BLOCK", 7)
    assert (
        neighbours.repeats(vectors, 0.95),
        [x.tolist() for x in neighbours.nearest(vectors, units(50, 4, 9))],
    ) == whole
    assert [row for row, _ in whole[0][30:60] if row >= 0] == [row for row, _ in whole[0][30:60]]  # copies all


def test_a_chain_does_not_pull_in_what_is_far_from_all_that_stay():
    angles = np.deg2rad([0, 25, 50])
    line = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    assert [row for row, _ in neighbours.repeats(line, np.cos(np.deg2rad(30)))] == [-1, 0, -1]


def test_the_nearest_is_the_best_of_all_and_the_first_of_equals():
    x, other = units(40, 6, 1), units(3000, 6, 2)
    other[2500] = other[7]
    at, best = neighbours.nearest(x, other)
    cosines = (x @ other.T).round(5)
    assert at.tolist() == cosines.argmax(axis=1).tolist()
    np.testing.assert_array_equal(best, cosines.max(axis=1))
    assert neighbours.nearest(other[7:8], other)[0].tolist() == [7]


def test_halves_are_near_enough():
    x = units(20, 512)
    _, best = neighbours.nearest(x, x.astype(np.float16))
    assert best.min() > 0.999


def test_what_was_embedded_elsewhere_is_found_by_file_and_row(tmp_path):
    a, b = units(3, 4, 1), units(2, 4, 2)
    np.save(tmp_path / "a.npy", a.astype(np.float16))
    np.save(tmp_path / "b.npy", b.astype(np.float32))
    known = neighbours.load((str(tmp_path / "a.npy"), str(tmp_path / "b.npy")), 4)
    found = known.find(np.concatenate([b[1:], a[2:]]))
    assert [name for name, _ in found] == ["b.npy:1", "a.npy:2"]
    assert min(cosine for _, cosine in found) > 0.999
    assert known.find([[float("nan")] * 4])[0][0] == ""


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (units(3, 5), "vectors of 5 numbers"),
        (units(3, 4) * 2, "length one"),
        (np.full((2, 4), np.nan), "length one"),
        (np.zeros((0, 4), np.float32), "0x4"),
        (np.zeros(4), "a row of numbers"),
        (np.zeros((2, 4), np.int64), "a row of numbers"),
        (np.array([None, "x"], dtype=object), "no .npy file"),
    ],
)
def test_arrays_that_cannot_be_compared_are_refused(tmp_path, array, said):
    path = str(tmp_path / "x.npy")
    np.save(path, array, allow_pickle=True)
    with pytest.raises(ConfigError, match=said) as caught:
        neighbours.load((path,), 4)
    assert "\n" not in str(caught.value)


def test_files_that_are_none_are_refused(tmp_path):
    (tmp_path / "x.npy").write_bytes(b"words")
    np.savez(tmp_path / "x.npz", units(2, 4))
    for name in ("x.npy", "absent.npy", "x.npz"):
        with pytest.raises(ConfigError, match="evaluation_embeddings"):
            neighbours.load((str(tmp_path / name),), 4)
