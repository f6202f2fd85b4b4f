"""Questions about generated pictures: true, not told in training, and answerable."""

from collections import Counter

import pytest

from weft.model_smoketest.readers import rows
from weft.pipeline.demo import questions


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    home = tmp_path_factory.mktemp("questions")
    questions.write(home, ["A red circle on a grey background"], items=12)
    return {path.name: list(rows(path)) for path in sorted(home.iterdir())}


def test_every_task_has_its_rows_and_pictures(made):
    assert {name.removeprefix("world-") for name in made} == {*questions.CHANGES, "captions", "raven"}
    for mine in made.values():
        assert len(mine) == 12
        for row in mine:
            shown = [row["image"]] if "image" in row else [*row["images"], *row["candidates"]]
            assert all(path.stat().st_size > 500 for path in shown)


def test_candidates_differ_and_the_truth_is_among_them(made):
    for name in ("colour", "shape", "number", "relation"):
        for row in made[f"world-{name}"]:
            assert len(set(row["candidates"])) == len(row["candidates"]) > row["label"]
    assert {len(row["candidates"]) for row in made["world-shape"]} == {12}
    assert all(" of " in c or "above" in c or "below" in c for row in made["world-relation"] for c in row["candidates"])
    labels = Counter(row["label"] for row in made["world-raven"])
    assert len(labels) > 2 and all(len(set(row["candidates"])) == 6 for row in made["world-raven"])


def test_what_was_told_is_not_asked():
    scene = next(questions._unseen([]))
    told = questions.pictures.caption(questions.dataclasses.replace(scene, second=None, relation=""), 0)
    assert next(questions._unseen([told])) != scene
