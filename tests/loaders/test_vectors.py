"""clip-retrieval, autofaiss and embedding-reader on files of vectors: each is found by itself, with what is told of it."""

import numpy as np
import pytest

from weft.schemas.records import hash_bucket
from weft.transforms.score import embedding_files

COUNT, SIZE, FILES = 300, 64, 3


def test_clip_retrieval_finds_each_picture_and_caption_by_its_vector(tmp_path, read):
    draw = np.random.default_rng(1)
    made = {}
    for n in range(COUNT):
        vectors = draw.normal(size=(2, SIZE)).astype(np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        told = (f"http://a.test/{n}.jpg", f'caption {n}: b\u00fccher, \u672c\n"quoted"', f"{n:032x}", n / COUNT)
        made[told[2]] = vectors, told
    for number in range(FILES):
        mine = [key for key in made if hash_bucket(key, FILES, "vectors") == number]
        rows = [(key, (tuple(one.tobytes() for one in made[key][0]), made[key][1])) for key in mine]
        assert (
            embedding_files.write(str(tmp_path / "pairs"), embedding_files.PAIRS, rows, number, FILES) == len(mine) > 9
        )
    found = read("clip_index", tmp_path / "pairs", "clipretrieval")
    assert [row["kind"] for row in found] == ["image"] * COUNT + ["text"] * COUNT
    assert [row["key"] for row in found[:COUNT]] == [row["key"] for row in found[COUNT:]]
    assert {row["key"] for row in found} == set(made)
    for row in found:
        vectors, (url, caption, key, similarity) = made[row["key"]]
        told = {"key": key, "url": url, "caption": caption, "similarity": pytest.approx(similarity)}
        assert row["told"] == told and row["near"] == [key]
        assert row["vector"] == pytest.approx(vectors[int(row["kind"] == "text")].tolist(), abs=1e-3)
