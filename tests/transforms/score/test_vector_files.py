"""Vectors that lie in a file between two jobs: as they were, or as halves where the model computes in halves."""

from pathlib import Path

import numpy as np
import pytest

from weft.transforms.score.vector_files import read_vectors, write_vectors
from weft.transforms.score.vectors import Embedding, similarity


def unit_vectors(count: int, width: int) -> list[bytes]:
    made = np.random.default_rng(1).standard_normal((count, width)).astype(np.float32)
    return [one.tobytes() for one in made / np.linalg.norm(made, axis=1, keepdims=True)]


@pytest.mark.parametrize("half", [False, True])
def test_they_come_back(tmp_path: Path, half: bool) -> None:
    vectors = unit_vectors(3_000, 64)
    made = [Embedding(f"k{n}", [vector, vectors[0]], "") for n, vector in enumerate(vectors)]
    made.append(Embedding("broken", [], "UnidentifiedImageError"))
    path = str(tmp_path / "unit.parquet")
    assert write_vectors(path, iter(made), half) == 3_001
    found = list(read_vectors(path, half))
    assert [(one.key, one.problem, len(one.vectors)) for one in found] == [
        (one.key, one.problem, len(one.vectors)) for one in made
    ]
    if not half:
        assert found == made
    moved = [
        abs(similarity(*one.vectors) - similarity(*other.vectors))
        for one, other in zip(found[:-1], made[:-1], strict=True)
    ]
    assert max(moved) < (3e-4 if half else 1e-9)
