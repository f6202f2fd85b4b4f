"""Rows around CLIP: what a vector is taken for, and that whoever only reads vectors does not load PyTorch."""

import numpy as np

from weft.transforms.score.vectors import Embedding, similarity


def test_similarity_is_a_rounded_cosine() -> None:
    a, b = (np.array(v, np.float32) for v in ([0.6, 0.8], [0.8, 0.6]))
    assert similarity(a.tobytes(), b.tobytes()) == 0.96
    assert similarity(a.tobytes(), (-a).tobytes()) == -1.0
    third = np.full(3, 1 / np.sqrt(3), np.float32)
    assert similarity(third.tobytes(), np.array([1, 0, 0], np.float32).tobytes()) == 0.57735


def test_the_first_model_s_vector_is_the_one_that_counts() -> None:
    assert Embedding("a", [b"one", b"other"], "").vector == b"one"
    assert Embedding("a", [], "cannot be decoded").vector == b""
