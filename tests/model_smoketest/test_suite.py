"""Tasks as data: templates, shots, and figures with their chance, by a model whose preferences are known."""

import json
import shutil

import pytest
from PIL import Image

from weft.model_smoketest import suite, train
from weft.model_smoketest.lm import Likelihood
from weft.pipeline.stages import training
from weft.schemas.config import SUITES, Config
from weft.schemas.parameters import ConfigError


class Parrot:
    """Likes candidates of many letters, more so after a long prompt; says the last word that it read; keeps all asked."""

    def __init__(self):
        self.asked = []

    def loglikelihood(self, requests):
        self.asked += requests
        return [Likelihood(float(len(told) * len(prompt[-1])), 1 + told.count("e")) for prompt, told in requests]

    def generate_until(self, prompts, until, most, beams):
        self.asked += prompts
        return [str(prompt[-1]).split()[-1] for prompt in prompts]


def task(tmp_path, rows, **fields):
    home = tmp_path / "toy"
    home.mkdir()
    (home / "items.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    made = {"name": "toy", "title": "a toy", "prompt": ["{question}"], "metric": "accuracy", "paper": "–"} | fields
    return suite.Task(**made)


def test_the_shipped_tasks_are_whole():
    tasks = {one.name: one for one in suite.load(SUITES / "kosmos.toml")}
    assert {"coco-captions", "vqav2", "rendered-sst2", "iq50", "hellaswag", "world-raven"} <= tasks.keys()
    row = {"count": "three", "images": [b"1", b"2", b"3"]}
    assert tasks["iq50"].segments(row, candidate=b"4") == [
        "Here are three images:", b"1", b"2", b"3", "The following image is:", b"4", "Is it correct?",
    ]  # fmt: skip
    assert tasks["vqav2"].segments({"image": b"i", "question": "Why?"}) == [b"i", "Question: Why? Answer:"]


def two(metric, more, other="exact"):
    """A suite of a task `b` and a task `a` that is held against it."""
    task = 'title="t", prompt=[], paper=""'
    return f'b = {{{task}, metric="{other}"}}\na = {{{task}, metric="{metric}", against="b", {more}}}'


def test_a_task_that_cannot_be_is_named(tmp_path):
    for text, why in (
        ('a = {title = "t"}', "missing"),
        ('a = {title="t", prompt=[], metric="bleu", paper=""}', "bleu"),
        ('a = {title="t", prompt=[], metric="exact", paper="", against="b"}', "'b' of the same rows"),
        (two("exact", 'data="c"'), "'b' of the same rows"),
        (two("exact", 'read="vqav2", data="b"'), "'b' of the same rows"),
        (two("vqa", 'data="b"'), "'b' of the same rows and metric"),
        (two("roc_auc", 'data="b"', "roc_auc"), "'b' of the same rows and metric"),
        ('a = {title="t", prompt="{question}", metric="exact", paper=""}', "prompt is list"),
        ('a = {title="t", prompt=[1], metric="exact", paper=""}', "prompt is list"),
        ('a = {title=1, prompt=[], metric="exact", paper=""}', "title is str"),
        ('a = {title="t", prompt=[], metric="exact", paper="", shots="2"}', "shots is int"),
        ('a = {title="t", prompt=[], metric="exact", paper="", judge="sum"}', "judge is total or mean"),
        ('a = {title="t", prompt=[], metric="exact", paper="", most=0}', "most 1 or more"),
    ):
        (tmp_path / "x.toml").write_text(text)
        with pytest.raises(ConfigError, match=rf"\[a\].*{why}"):
            suite.load(tmp_path / "x.toml")


def test_accuracy_is_of_the_likeliest_candidate_beside_chance(tmp_path):
    ends = ["no", "see the tree"]  # the second is likelier, but not by token
    rows = [{"question": "q", "candidates": ends[:: 1 - i % 2 * 2], "label": (i < 8) ^ i % 2} for i in range(10)]
    one = task(tmp_path, rows, continuation=" {candidate}")
    lm = Parrot()
    (found,) = suite.run(lm, [one], [tmp_path / "elsewhere", tmp_path])
    assert (found["figure"], found["chance"], found["items"]) == (0.8, 0.5, 10)
    assert found["error"] == pytest.approx(0.1333, abs=1e-3) and (["q"], " no") in lm.asked
    assert suite.run(lm, [one], [tmp_path], most=4)[0]["items"] == 4
    by_mean = suite.Task(**{**vars(one), "judge": "mean"})
    assert suite.run(lm, [by_mean], [tmp_path])[0]["figure"] == 0.2


@pytest.mark.parametrize(
    ("metric", "row"),
    [
        *(("accuracy", {"candidates": ["a", "b"], "label": label}) for label in ("1", 2, -1, None, 0.0)),
        *(("accuracy", {"candidates": some, "label": 0}) for some in ([], ["a"], "ab")),
        ("roc_auc", {"candidates": ["a", "b", "c"], "label": 0}),
        *(("exact", {"references": some}) for some in ("red", [], [1])),
        ("words", {"references": ["red"], "words": "red", "of": ["red"]}),
    ],
)
def test_an_item_that_does_not_fit_its_task_is_named(tmp_path, metric, row):
    good = {"candidates": ["a", "b"], "label": 1, "references": ["b"], "words": ["b"], "of": ["a", "b"]}
    one = task(
        tmp_path, [{"question": "q"} | good, {"question": "q"} | row], metric=metric, continuation=" {candidate}"
    )
    with pytest.raises(ConfigError, match=r"item 2 does not fit \[toy\]"):
        suite.run(Parrot(), [one], [tmp_path])


def test_a_number_in_a_row_is_read_as_text(tmp_path):
    rows = [{"count": n, "question": "q", "references": [f"{n}"], "reference": n} for n in range(3)]
    one = task(tmp_path, rows, prompt=["{count}"], metric="exact", shots=1, answer="{reference}")
    lm = Parrot()
    assert suite.run(lm, [one], [tmp_path])[0]["figure"] == 1.0
    assert all(isinstance(part, str) for prompt in lm.asked for part in prompt)


def test_two_answers_are_ranked_for_the_area(tmp_path):
    rows = [{"question": "q" * length, "label": int(i > 2)} for i, length in enumerate((1, 2, 3, 2, 4, 5))]
    one = task(tmp_path, rows, continuation=" {candidate}", candidates=["no", "yes"], metric="roc_auc")
    assert suite.run(Parrot(), [one], [tmp_path])[0]["figure"] == pytest.approx(7.5 / 9, abs=1e-4)


def test_what_is_said_is_judged_and_shots_come_with_their_answers(tmp_path):
    rows = [{"question": f"q {i}", "references": [str(i)], "reference": str(i)} for i in range(6)]
    one = task(tmp_path, rows, metric="exact", shots=2, answer=" {reference}")
    lm = Parrot()
    (found,) = suite.run(lm, [one], [tmp_path], most=3)
    assert found["figure"] == 1.0 and found["chance"] is None
    asked = {prompt[-1] for prompt in lm.asked}
    for prompt in lm.asked:
        assert len(prompt) == 5 and prompt[1] == f" {prompt[0].split()[1]}"
        assert prompt[0] not in asked and prompt[2] not in asked  # shots are none of the items


@pytest.mark.parametrize(("lacks", "metric"), [("question", "accuracy"), ("label", "accuracy"), ("references", "vqa")])
def test_a_row_without_what_its_task_asks_for_is_one_line(tmp_path, lacks, metric):
    row = {"question": "q", "candidates": ["a", "b"], "label": 1, "references": ["a"]}
    del row[lacks]
    with pytest.raises(ConfigError, match=f"a row has no '{lacks}'"):
        suite.run(Parrot(), [task(tmp_path, [row], continuation=" {candidate}", metric=metric)], [tmp_path])


def test_what_one_task_gains_over_another_of_the_same_rows_is_told(tmp_path):
    rows = [{"question": "q", "candidates": ["no", "see the tree"], "label": int(i < 6)} for i in range(10)]
    by_total = task(tmp_path, rows, continuation=" {candidate}")
    by_mean = suite.Task(**{**vars(by_total), "name": "mean", "data": "toy", "judge": "mean", "against": "toy"})
    one, other = suite.run(Parrot(), [by_total, by_mean], [tmp_path])
    assert (one["figure"], other["figure"], other["gain"]) == (0.6, 0.4, -0.2) and "gain" not in one
    assert other["gain_error"] == pytest.approx(0.3266, abs=1e-3)  # six items lost, four won
    assert one["nats"] == pytest.approx((6 * -13 + 4 * -3) / 10)  # the parrot's likelihoods are none
    assert "a toy: -0.200 ± 0.327 over toy" in suite.table([one, other])


def test_what_the_model_says_first_stands_in_the_prompt(tmp_path):
    rows = [{"question": f"a {word}", "references": [word]} for word in ("tree", "star")]
    one = task(tmp_path, rows, metric="exact", first=["{question}"], prompt=["It is: {said}"])
    lm = Parrot()
    assert suite.run(lm, [one], [tmp_path])[0]["figure"] == 1.0
    assert ["It is: tree"] in lm.asked and ["a tree"] in lm.asked


def test_captions_are_judged_by_their_words_against_other_pictures(tmp_path):
    rows = [{"question": f"a {c}", "references": [c], "words": [c], "of": ["red", "blue"]} for c in ("red", "blue") * 3]
    (found,) = suite.run(Parrot(), [task(tmp_path, rows, metric="words")], [tmp_path])
    assert found["figure"] == found["exact"] == 1.0 and found["chance"] < 1.0


def test_a_task_without_data_is_told(tmp_path):
    one = suite.Task("none", "nothing", [], "accuracy", "50.0")
    lines = suite.table(suite.run(Parrot(), [one], [tmp_path]))
    assert not any("Raven" in line for line in lines)  # no such task has been asked
    assert "no data" in lines[1] and lines[1].endswith("50.0") and any("Not comparable" in line for line in lines)


def test_the_model_of_a_run_is_asked_what_there_is_data_for(kit, tmp_path):
    shutil.copytree(kit.shards, tmp_path / "run" / "shards")
    train.train(str(tmp_path / "run/shards"), str(tmp_path / "run/model"), kit.config(steps=1), lambda line: None)
    (tmp_path / "data/hellaswag").mkdir(parents=True)
    one = {"ctx": "a red", "endings": ["circle on a blue", "square", "circle", "a"], "label": 0}
    (tmp_path / "data/hellaswag/val.jsonl").write_text(json.dumps(one) + "\n" + json.dumps(one) + "\n")
    (tmp_path / "data/iq50").mkdir()
    for name, size in (("0_context.png", (48, 48)), ("0_candidates.png", (8 * 24 + 7 * 4, 24))):
        Image.new("RGB", size, "red").save(tmp_path / "data/iq50" / name)
    problem = {"id": "0", "n_candidates": 8, "answer": 3, "panel": 24, "gap": 4}
    (tmp_path / "data/iq50/problems.jsonl").write_text(json.dumps(problem) + "\n")
    lines = training.suite("kosmos", str(tmp_path / "run"), Config(train=kit.config()), str(tmp_path / "data"), 9)
    (text,) = (line.split() for line in lines if line.startswith("HellaSwag"))
    assert text[1] == "accuracy" and text[4:6] == ["0.250", "2"]
    (matrix,) = (line for line in lines if line.startswith("Raven"))
    assert " 0.125 " in matrix
    assert sum("no data" in line for line in lines) == len(suite.load(SUITES / "kosmos.toml")) - 2
    found = {one["task"]: one for one in json.loads((tmp_path / "run/model/suite.json").read_text())}
    assert found["hellaswag"]["items"] == 2 and "figure" not in found["vqav2"]
