"""Training as a whole: exact resumption, and what is left of a run that did not end."""

import dataclasses
import io
import json

import pytest
import torch
from generated import Killed, killed_after, quiet
from safetensors.torch import load_file

from weft.model_smoketest import checkpoints, data, evaluate, vision
from weft.model_smoketest import train as training
from weft.schemas import shards as contract
from weft.schemas.config import MODELS, load
from weft.schemas.parameters import ConfigError


def weights(directory):
    return load_file(directory / training.WEIGHTS)


def equal(one, other):
    return one.keys() == other.keys() and all(torch.equal(value, other[name]) for name, value in one.items())


def run_killed(kit, directory, monkeypatch, config, step):
    """Trains until `step` is logged, one step a line, and dies there."""
    monkeypatch.setattr(training, "LOG_EVERY", 1)
    with pytest.raises(Killed):
        training.train(str(kit.shards), str(directory), config, killed_after(step))
    assert (directory / checkpoints.WHOLE).exists() and not (directory / training.WEIGHTS).exists()


@pytest.mark.parametrize("changes", [{}, {"dropout": 0.2}])
def test_a_killed_run_ends_with_the_same_weights_to_the_bit(kit, tmp_path, monkeypatch, changes):
    config = kit.config(**changes)
    monkeypatch.setattr(training, "LOG_EVERY", 1)
    training.train(str(kit.shards), str(tmp_path / "a"), config, quiet)
    run_killed(kit, tmp_path / "b", monkeypatch, config, 6)  # the checkpoint is of step 4: two steps are lost
    lines = []
    training.train(str(kit.shards), str(tmp_path / "b"), config, lines.append)
    assert "train: resuming after step 4" in lines
    assert equal(weights(tmp_path / "a"), weights(tmp_path / "b"))
    logs = [[json.loads(x) for x in (tmp_path / d / training.LOG).read_text().splitlines()] for d in "ab"]
    assert [r["step"] for r in logs[0]] == [r["step"] for r in logs[1]] == list(range(1, 9))
    assert [r["loss"] for r in logs[0]] == [r["loss"] for r in logs[1]]
    assert not list(tmp_path.glob("*/*.tmp-*"))


def test_seeds_differ_and_a_finished_run_is_left_alone(kit, tmp_path):
    config = kit.config(steps=2)
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        training.train(str(kit.shards), str(tmp_path / name), kit.config(steps=2, seed=seed), quiet)
    assert equal(weights(tmp_path / "a"), weights(tmp_path / "b"))
    assert not equal(weights(tmp_path / "a"), weights(tmp_path / "c"))
    again = training.train(str(kit.shards), str(tmp_path / "a"), config, quiet)
    assert again["tokens"] == 0 and equal(weights(tmp_path / "a"), weights(tmp_path / "b"))


@pytest.mark.parametrize("what", ["config", "shards", "tower", "torn"])
def test_a_checkpoint_of_something_else_is_told_and_not_used(kit, tmp_path, monkeypatch, what):
    directory, shards, config = tmp_path / "m", kit.shards, kit.config()
    run_killed(kit, directory, monkeypatch, config, 5)
    why = "is of another config, vision tower or shards"
    if what == "config":
        config = kit.config(learning_rate=1e-3)
    elif what == "shards":
        shards = kit.write_shards(tmp_path / "s", {"pairs": (20, 4)})
    elif what == "tower":
        config = kit.config(vision=f"local-dir:{kit.write_tower(tmp_path / 't', seed=7)}")
    else:
        (directory / checkpoints.WHOLE).write_bytes((directory / checkpoints.WHOLE).read_bytes()[:1000])
        why = "is unreadable"
    lines = []
    training.train(str(shards), str(directory), config, lines.append)
    assert [line for line in lines if why in line and "starting from step 1" in line]
    training.train(str(shards), str(tmp_path / "fresh"), config, quiet)
    assert equal(weights(directory), weights(tmp_path / "fresh"))


def test_what_is_only_watched_may_change_between_runs(kit, tmp_path, monkeypatch):
    run_killed(kit, tmp_path, monkeypatch, kit.config(), 5)
    lines = []
    training.train(str(kit.shards), str(tmp_path), kit.config(checkpoint_every=3, eval_samples=5), lines.append)
    assert "train: resuming after step 4" in lines


def test_the_papers_configuration_trains_a_step_at_reduced_size(kit, tmp_path):
    small = {"layers": 1, "width": 32, "heads": 2, "ffn": 64, "steps": 1, "batch_tokens": 512, "max_length": 64}
    machine = {"vision": f"local-dir:{kit.tower}", "compile": False, "workers": 1}
    sets = [f"train.{key}={json.dumps(value)}" for key, value in (small | machine).items()]
    config = load(str(MODELS / "kosmos1.toml"), sets).train
    assert (config.dropout, config.learning_rate, config.precision, config.warmup_steps) == (0.1, 2e-4, "bf16", 375)
    told = training.train(str(kit.shards), str(tmp_path), config, quiet)
    assert told["steps"] == 1 and set(told["loss"]) == {"text", "pairs", "interleaved"}


def test_stems_are_worked_out_once_for_all_trainings(kit, tmp_path, monkeypatch):
    config = kit.config(steps=3, stems=str(tmp_path / "stems"))
    training.train(str(kit.shards), str(tmp_path / "a"), config, quiet)
    held = list((tmp_path / "stems").glob("*/*/*.bf16"))
    assert len(held) > 10 and {path.stat().st_size for path in held} == {(1 + 16) * 32 * 2}  # tokens, width, bytes

    def unwanted(self, pixels):
        raise AssertionError("an image goes through the stem again")

    monkeypatch.setattr(vision.Tower, "stem", unwanted)
    for name, workers in (("b", 0), ("c", 2)):
        training.train(str(kit.shards), str(tmp_path / name), dataclasses.replace(config, workers=workers), quiet)
        assert equal(weights(tmp_path / "a"), weights(tmp_path / name))
    monkeypatch.undo()
    training.train(str(kit.shards), str(tmp_path / "d"), dataclasses.replace(config, stems=""), quiet)
    for name, value in weights(tmp_path / "d").items():  # bf16 of three digits
        torch.testing.assert_close(weights(tmp_path / "a")[name], value, atol=1e-2, rtol=1e-1)


def test_learning_rate_warms_up_and_decays_to_nothing(kit):
    config = kit.config(steps=10, warmup_steps=4, learning_rate=1.0)
    rates = [training.learning_rate(step, config) for step in range(11)]
    assert rates[:5] == [0.25, 0.5, 0.75, 1.0, 1.0]
    assert rates[5:] == pytest.approx([5 / 6, 4 / 6, 3 / 6, 2 / 6, 1 / 6, 0.0])


def test_a_new_run_is_not_taken_for_the_old_one_before_it_ends(kit, tmp_path, monkeypatch):
    training.train(str(kit.shards), str(tmp_path), kit.config(steps=1), quiet)
    monkeypatch.setattr(training, "LOG_EVERY", 1)
    with pytest.raises(Killed):
        training.train(str(kit.shards), str(tmp_path), kit.config(steps=9), killed_after(3))
    with pytest.raises(ConfigError, match="run `weft train` first"):
        evaluate.evaluate(str(kit.shards), str(tmp_path), kit.config())


def test_a_full_disk_is_an_os_error_and_leaves_no_half_file(kit, tmp_path, monkeypatch):
    class Full(io.FileIO):
        def write(self, content):
            super().write(content[:10])
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(training.shard_files, "open", Full, raising=False)
    with pytest.raises(OSError, match="No space left"):
        training.train(str(kit.shards), str(tmp_path), kit.config(steps=1), quiet)
    assert [path.name for path in tmp_path.iterdir()] == [training.LOG]


def test_parts_and_workers_change_next_to_nothing_and_nothing(kit, tmp_path):
    """Micro-batches are sums in another order; threads that read ahead change no bit, not even after a resumption."""
    for name, changes in (
        ("whole", {}),
        ("parts", {"micro_tokens": 64}),
        ("threads", {"workers": 2}),
        ("low", {"precision": "bf16"}),
    ):
        training.train(str(kit.shards), str(tmp_path / name), kit.config(steps=3, **changes), quiet)
    assert equal(weights(tmp_path / "whole"), weights(tmp_path / "threads"))
    states = [torch.load(tmp_path / d / checkpoints.WHOLE)["data"] for d in ("whole", "threads")]
    assert states[0] == states[1]
    whole, parts, low = (weights(tmp_path / name) for name in ("whole", "parts", "low"))
    assert not equal(whole, parts) and not equal(whole, low)
    for name, value in whole.items():
        torch.testing.assert_close(parts[name], value, atol=2e-4, rtol=1e-3)
        torch.testing.assert_close(low[name], value, atol=2e-2, rtol=1e-1)


@pytest.mark.parametrize("torn", ['{"eta_s": 0.1, "lea', '{"eta_s": 0.1, "loss": {"pairs": 1.2}'])
def test_a_torn_line_of_the_log_is_written_again(kit, tmp_path, monkeypatch, torn):
    run_killed(kit, tmp_path, monkeypatch, kit.config(), 6)
    with open(tmp_path / training.LOG, "a") as log:
        log.write(torn)
    training.train(str(kit.shards), str(tmp_path), kit.config(), quiet)
    lines = (tmp_path / training.LOG).read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == list(range(1, 9))


def test_lines_after_the_checkpoint_go_where_none_comes_before_it(kit, tmp_path, monkeypatch):
    run_killed(kit, tmp_path, monkeypatch, kit.config(), 6)
    (tmp_path / training.LOG).write_text('{"step": 6}\n{"st')
    monkeypatch.setattr(training, "LOG_EVERY", 10)
    training.train(str(kit.shards), str(tmp_path), kit.config(), quiet)
    lines = (tmp_path / training.LOG).read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [8]


def test_batches_of_one_corpus_only(kit, tmp_path):
    shards = kit.write_shards(tmp_path / "s", {"text": (4, 2)})
    lines = []
    summary = training.train(str(shards), str(tmp_path / "m"), kit.config(), lines.append)
    assert list(summary["loss"]) == ["text"] and sum("corpus is empty" in line for line in lines) == 2
    assert isinstance(summary["loss"]["text"], float) and data.read_vocabulary(str(shards)) == kit.vocabulary


def test_a_step_of_images_alone_breaks_nothing_and_a_training_of_them_is_refused(kit, tmp_path):
    shards = kit.write_shards(tmp_path / "s", {"text": (4, 2)})
    whole = kit.document(1, 1)
    ids = kit.ids_of([None, None, None, [20, 21]])
    mask = contract.npy(contract.loss_mask(ids, kit.vocabulary))
    kit.write_tar(
        shards / contract.shard_name("interleaved", "train", 0),
        {str(n): whole | {contract.INPUT_IDS: contract.npy(ids), contract.LOSS_MASK: mask} for n in range(4)},
    )
    few = kit.config(max_length=8, batch_tokens=8, steps=12, mix_text=0.1)  # most steps have no text
    summary = training.train(str(shards), str(tmp_path / "m"), few, quiet)
    assert "interleaved" not in summary["loss"]
    assert all(value.isfinite().all() for value in weights(tmp_path / "m").values())
    with pytest.raises(ConfigError, match=r"10 steps in a row hold nothing to predict.*max_length = 8"):
        training.train(str(shards), str(tmp_path / "n"), dataclasses.replace(few, mix_text=0.0), quiet)
