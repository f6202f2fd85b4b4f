"""What the right images are worth while a model learns, and that watching changes nothing."""

import json

import pytest
import torch
from generated import Killed, killed_after, quiet
from safetensors.torch import load_file

from weft.model_smoketest import gaps
from weft.model_smoketest import train as training


def log(directory):
    return [json.loads(line) for line in (directory / training.LOG).read_text().splitlines()]


def test_a_model_that_learns_to_look_shows_it_over_the_steps(learned):
    _, model = learned["clean"]
    told = [line for line in log(model) if "gap" in line]
    assert [line["step"] for line in told] == [30, 60, 90, 120, 140]  # lines after each fifth of 140 steps
    assert {name for line in told for name in line["gap"]} == {"pairs", "interleaved"}
    first, last = (told[n]["gap"]["pairs"] for n in (0, -1))
    assert last > 0.2 and last > first


def test_watching_changes_no_weight_and_a_resumed_training_is_watched_alike(kit, tmp_path, monkeypatch):
    monkeypatch.setattr(training, "LOG_EVERY", 1)
    for name, share in (("unwatched", 0.0), ("watched", 5.0)):
        monkeypatch.setattr(gaps, "SHARE", share)
        training.train(str(kit.shards), str(tmp_path / name), kit.config(dropout=0.2), quiet)
    one, other = (load_file(tmp_path / name / training.WEIGHTS) for name in ("unwatched", "watched"))
    assert all(torch.equal(value, other[name]) for name, value in one.items())
    assert not any("gap" in line for line in log(tmp_path / "unwatched"))
    with pytest.raises(Killed):
        training.train(str(kit.shards), str(tmp_path / "killed"), kit.config(dropout=0.2), killed_after(6))
    training.train(str(kit.shards), str(tmp_path / "killed"), kit.config(dropout=0.2), quiet)
    found = [[line.get("gap") for line in log(tmp_path / name)] for name in ("watched", "killed")]
    assert found[0] == found[1] and len([gap for gap in found[0] if gap]) == gaps.TIMES


def test_a_corpus_of_too_few_samples_is_told_no_gap(kit, tmp_path, monkeypatch):
    monkeypatch.setattr(gaps, "SHARE", 5.0)
    few = kit.write_shards(tmp_path / "few", {"pairs": (48, 16), "interleaved": (8, 2), "text": (6, 2)})
    training.train(str(few), str(tmp_path / "model"), kit.config(), quiet)
    (line,) = log(tmp_path / "model")
    assert set(line["gap"]) == {"pairs"}
