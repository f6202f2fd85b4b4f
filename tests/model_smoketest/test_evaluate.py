"""Evaluation: the gap that tells right from wrong images, and figures that depend on nothing but the samples."""

import json

import pytest

from weft.model_smoketest import evaluate
from weft.model_smoketest import train as training
from weft.schemas.parameters import ConfigError


def quiet(line):
    pass


@pytest.fixture(scope="module")
def grounded(kit, tmp_path_factory):
    """Trained on pairs alone: once with the right pictures, once with those of other captions."""
    results = {}
    for name, shown in (("right", lambda seed: seed), ("wrong", lambda seed: seed + 5003)):
        root = tmp_path_factory.mktemp(name)
        shards = kit.write_shards(root / "shards", {"pairs": (300, 60), "interleaved": (30, 16)}, shown)
        config = kit.config(steps=160, batch_tokens=512, learning_rate=5e-3, max_length=64, warmup_steps=10)
        training.train(str(shards), str(root / "model"), config, quiet)
        results[name] = evaluate.evaluate(str(shards), str(root / "model"), config)
        assert json.loads((root / "model" / evaluate.RESULT).read_text()) == results[name]
    return results


def test_right_pictures_ground_the_model(grounded):
    pairs = grounded["right"]["grounding"]["pairs"]
    assert pairs["gap"] > 0.1 and pairs["gap"] > 5 * pairs["standard_error"] and pairs["win_rate"] > 0.8
    assert pairs["wrong"] == pytest.approx(pairs["right"] + pairs["gap"], abs=2e-5)
    assert pairs["right"] == grounded["right"]["loss"]["pairs"]  # a caption stands after its image, all of it
    documents = grounded["right"]["grounding"]["interleaved"]
    assert documents["gap"] > 0 and documents["images"] == 2 * documents["samples"] == 32


def test_the_gap_vanishes_with_the_pictures_of_other_captions(grounded):
    right, wrong = (grounded[name]["grounding"]["pairs"] for name in ("right", "wrong"))
    assert abs(wrong["gap"]) < 0.02 and abs(wrong["gap"]) < right["gap"] / 5
    assert wrong["right"] > right["right"] + 0.1  # and captions cannot be guessed as well


def test_losses_of_a_sample_do_not_depend_on_its_batch(kit, tmp_path, monkeypatch):
    training.train(str(kit.shards), str(tmp_path), kit.config(steps=2), quiet)
    one = evaluate.evaluate(str(kit.shards), str(tmp_path), kit.config())
    monkeypatch.setattr(evaluate, "BATCH_TOKENS", 1)
    other = evaluate.evaluate(str(kit.shards), str(tmp_path), kit.config())
    assert one["loss"] == pytest.approx(other["loss"], abs=2e-5) and one["tokens"] == other["tokens"]
    assert one["samples"] == {"pairs": 16, "interleaved": 4, "text": 2}


def test_rotations_give_nobody_his_own_picture():
    images = [bytes([i % 5]) for i in range(17)] + [b"x"] * 6  # groups of equal images, up to six
    found = evaluate.rotations(images)
    assert len(found) == evaluate.ROTATIONS and len({tuple(f) for f in found}) == evaluate.ROTATIONS
    for source in found:
        assert sorted(source) == list(range(len(images)))
        assert all(images[i] != images[j] for i, j in enumerate(source))
    assert not any(map(evaluate.rotations, ([b"a"] * 3 + [b"b"] * 2, [b"a"], [])))
    assert evaluate.rotations([b"a", b"b"]) == [[1, 0]]


def test_without_held_out_samples_figures_are_null_with_a_note(kit, tmp_path):
    shards = kit.write_shards(tmp_path / "s", {"pairs": (8, 1), "interleaved": (2, 0), "text": (2, 1)})
    training.train(str(shards), str(tmp_path / "m"), kit.config(steps=1), quiet)
    result = evaluate.evaluate(str(shards), str(tmp_path / "m"), kit.config())
    assert result["loss"]["interleaved"] is None and result["loss"]["pairs"] > 0
    assert result["grounding"] == {"interleaved": None, "pairs": None}
    assert any("no held-out interleaved" in note for note in result["notes"])
    assert any("too few different held-out images in pairs" in note for note in result["notes"])


def test_evaluating_without_or_with_another_model_is_one_clear_line(kit, tmp_path):
    with pytest.raises(ConfigError, match="run `weft train` first"):
        evaluate.evaluate(str(kit.shards), str(tmp_path), kit.config())
    training.train(str(kit.shards), str(tmp_path), kit.config(steps=1), quiet)
    other = kit.write_shards(tmp_path / "s", {"pairs": (8, 4)})
    with pytest.raises(ConfigError, match="run `weft train` again"):
        evaluate.evaluate(str(other), str(tmp_path), kit.config())
    limited = evaluate.evaluate(str(kit.shards), str(tmp_path), kit.config(eval_samples=3))
    assert limited["samples"]["pairs"] == 3
