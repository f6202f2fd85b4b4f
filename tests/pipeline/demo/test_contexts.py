"""Rows whose answer is told in the prompt: that it is told there, and once. Who answers them: test_questions.py."""

import json
import re
from collections import Counter
from itertools import islice

import pytest

from weft.pipeline.demo import contexts, pictures, questions
from weft.pipeline.demo.pictures import Scene
from weft.schemas.parameters import ConfigError


@pytest.fixture(scope="module")
def rows():
    return {name: list(islice(make(questions.unseen([])), 60)) for name, make in contexts.TASKS.items()}


def test_shots_call_each_name_as_often_and_shuffled_ones_show_the_same(rows):
    for row in rows["naming"]:
        assert {len(name) for name in row["candidates"]} == {4}
        for count in contexts.SHOTS:
            right, shuffled = row[f"right{count}"], row[f"shuffled{count}"]
            assert right[::2] == shuffled[::2] and Counter(right[1::2]) == Counter(shuffled[1::2])
            assert sorted(Counter(right[1::2]).values()) == [count // 2] * 2
            kinds = {kind: {getattr(one.first, kind) for one in right[::2]} for kind in ("colour", "shape")}
            assert {len(values) for values in kinds.values()} >= {2, count}  # two of what is named, the rest all differ
            shared = [getattr(row["image"].first, kind) in values for kind, values in kinds.items()]
            assert sorted(shared) == [False, True]
    assert any(row["right8"] != row["shuffled8"] for row in rows["naming"])


def test_classes_are_told_apart_by_both_of_their_words(rows):
    for row in rows["descriptions"]:
        told = [text.split(": It is ")[1].rstrip(".") for text in row["descriptions"].split("Description of ")[1:]]
        colours, shapes = zip(*(text.strip().rstrip(".").split(" and it is a ") for text in told), strict=True)
        assert sorted(Counter(colours).values()) == sorted(Counter(shapes).values()) == [2, 2]


def test_facts_are_of_no_item_twice(rows):
    assert len({row["facts"] for row in rows["facts"]}) == len(rows["facts"])
    assert len({row["told"] for row in rows["owners"]}) == len(rows["owners"])


def test_of_whose_things_are_shown_none_is_more_familiar_than_the_one_asked_for():
    free = {(scene.first, scene.ground) for scene in islice(questions.unseen([]), 4000)}
    told = [pictures.caption(Scene(thing, None, "", ground, 0), 0) for thing, ground in sorted(free, key=str)[::2]]
    held_out = {(scene.first, scene.ground) for scene in islice(questions.unseen(told), 4000)}
    for row in islice(contexts.owners(questions.unseen(told)), 60):
        shown = row["shown"][::2]
        assert all((scene.first, scene.ground) in held_out for scene in shown)
        assert {len({getattr(scene.first, kind) for scene in shown}) for kind in ("colour", "shape")} == {4}


def test_half_of_what_may_be_said_after_an_instruction_is_true(rows):
    asked = Counter(row["instruction"] for row in rows["instructions"])
    assert len(asked) == 8
    for row in rows["instructions"]:
        scene = row["image"]
        true = {scene.first.colour, scene.first.shape, scene.ground, ("one", "two", "three")[scene.first.count - 1]}
        assert len(true & set(row["candidates"])) == 4 and len(set(row["candidates"])) == 8
        assert row["candidates"][row["label"]] in true


def test_an_order_is_of_the_seed():
    assert contexts.mixed(range(9), "a") == contexts.mixed(reversed(range(9)), "a") != contexts.mixed(range(9), "b")


def test_instruction_data_is_of_scenes_that_are_told_and_its_answer_is_in_its_words(tmp_path):
    free = {(scene.first, scene.ground) for scene in islice(questions.unseen([]), 4000)}
    told = [pictures.caption(Scene(thing, None, "", ground, 0), 0) for thing, ground in sorted(free, key=str)[::2]]
    questions.write_instructions(str(tmp_path / "a.jsonl"), told, 200)
    rows = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    held_out = {(scene.first, scene.ground) for scene in islice(questions.unseen(told), 4000)}
    assert len(rows) == 200 and {row["output"] for row in rows} >= {"one", "two", "three", "red", "grey", "star"}
    texts = [row["instruction"].lower() for row in rows]
    for thing, ground in held_out:
        said = pictures.caption(Scene(thing, None, "", ground, 0), 5).lower()
        assert not any(f"{said} " in text and f"{ground} background" in text for text in texts)
    for row in rows:
        answer = "an? " if row["output"] == "one" else row["output"]
        assert re.search(answer, row["instruction"].lower())


def test_a_web_that_tells_every_scene_leaves_none_to_ask_about(monkeypatch):
    monkeypatch.setattr(questions, "_SEEDS", 3000)
    told = [
        pictures.caption(Scene(pictures.Thing(shape, colour, count), None, "", ground, 0), 0)
        for shape in pictures.SHAPES for colour in pictures.COLOURS for count in (1, 2, 3) for ground in pictures.GROUNDS
    ]  # fmt: skip
    with pytest.raises(ConfigError, match="tells too many scenes"):
        next(questions.unseen(told))
