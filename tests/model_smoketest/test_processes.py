"""Several processes train the model that one would, and go on from each other's checkpoints."""

import dataclasses
import json
import os
import subprocess
import sys

import pytest
import torch
from generated import Killed, killed_after
from safetensors.torch import load_file
from torch.distributed.checkpoint import FileSystemReader

from weft.model_smoketest import checkpoints
from weft.model_smoketest import train as training
from weft.model_smoketest.processes import Processes
from weft.schemas.config import to_dict
from weft.schemas.parameters import ConfigError


@pytest.fixture
def two(monkeypatch):
    """This process as the first of two, as torchrun would start it; gives the environment of the second."""
    store = torch.distributed.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)  # has a port for itself
    where = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(store.port), "TORCHELASTIC_USE_AGENT_STORE": "True"}
    for name, value in {**where, "WORLD_SIZE": "2", "RANK": "0"}.items():
        monkeypatch.setenv(name, value)
    yield os.environ | {"RANK": "1", "OMP_NUM_THREADS": "1"}
    torch.distributed.destroy_process_group()


def started(second, kit, directory, config, **more):
    """The second of two processes that train."""
    sets = [f"--set=train.{key}={json.dumps(value)}" for key, value in to_dict(config).items()]
    command = [sys.executable, "-m", "weft.model_smoketest.train", str(kit.shards), str(directory), *sets]
    return subprocess.Popen(command, env=second, text=True, **more)


@pytest.mark.slow
def test_two_processes_train_what_one_does(kit, tmp_path, monkeypatch, request):
    """Losses to 1e-4 and weights to 2e-4: sums in another order, eight steps long."""
    config = kit.config(micro_tokens=96, dropout=0.1, checkpoint_every=8)
    training.train(str(kit.shards), str(tmp_path / "one"), config, lambda line: None)
    second = request.getfixturevalue("two")
    with started(second, kit, tmp_path / "two", config, stdout=subprocess.PIPE) as other:
        training.train(str(kit.shards), str(tmp_path / "two"), config, lambda line: None)
        assert other.communicate()[0] == "" and other.returncode == 0
    one, two = ([r["loss"] for r in training.read_log(str(tmp_path / d), 8)] for d in ("one", "two"))
    assert len(one) == 1 and one[0].keys() == two[0].keys() == {"interleaved", "pairs", "text"}
    for corpus, loss in one[0].items():
        assert two[0][corpus] == pytest.approx(loss, abs=1e-4)
    weights = [load_file(tmp_path / d / training.WEIGHTS) for d in ("one", "two")]
    for name, value in weights[0].items():
        torch.testing.assert_close(weights[1][name], value, atol=2e-4, rtol=1e-3)
    states = [torch.load(tmp_path / d / checkpoints.WHOLE) for d in ("one", "two")]
    assert states[0]["identity"] == states[1]["identity"] and states[0]["data"] == states[1]["data"]


@pytest.mark.slow
def test_a_split_model_learns_the_same_and_goes_on_in_another_number_of_processes(kit, tmp_path, monkeypatch, request):
    """Five steps in two processes that hold half of each layer, then three in one: losses to 1e-4, weights to 2e-4."""
    config = kit.config(micro_tokens=96, dropout=0.1, checkpoint_every=2)
    monkeypatch.setattr(training, "LOG_EVERY", 1)
    training.train(str(kit.shards), str(tmp_path / "one"), config, lambda line: None)
    split = dataclasses.replace(config, shard=True)
    five = dataclasses.replace(split, checkpoint_every=5)
    home = tmp_path / "two"
    second = request.getfixturevalue("two")

    with started(second, kit, home, five, stderr=subprocess.DEVNULL) as other:
        with pytest.raises(Killed):
            training.train(str(kit.shards), str(home), five, killed_after(6))
        other.kill()
    assert sorted(path.name for path in home.glob("checkpoint*")) == ["checkpoint-00000005"]
    parts = FileSystemReader(home / "checkpoint-00000005").read_metadata().state_dict_metadata
    for name, count in (("model.blocks.1.ffn.fc1.weight", 2), ("model.embedding.weight", 1)):
        assert len(parts[name].chunks) == count
    assert len(parts["optimizer.blocks.0.attention.q_proj.weight.exp_avg"].chunks) == 2
    monkeypatch.setenv("WORLD_SIZE", "1")
    told = []
    training.train(str(kit.shards), str(home), split, told.append)
    assert "train: resuming after step 5" in told
    one, two = ([r["loss"] for r in training.read_log(str(tmp_path / d), 8)] for d in ("one", "two"))
    assert len(one) == len(two) == 8
    for some, others in zip(one, two, strict=True):
        assert others == pytest.approx(some, abs=1e-4)
    weights = [load_file(tmp_path / d / training.WEIGHTS) for d in ("one", "two")]
    for name, value in weights[0].items():
        torch.testing.assert_close(weights[1][name], value, atol=2e-4, rtol=1e-3)
    assert sorted(path.name for path in home.glob("checkpoint*")) == ["checkpoint-00000008"]
    with pytest.raises(ConfigError, match=r"checkpoint-00000008 is of a split model: go on with train\.shard"):
        training.train(str(kit.shards), str(home), config, lambda line: None)


def test_of_a_whole_model_only_the_first_process_copies_and_writes(kit, tmp_path, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    training.train(str(kit.shards), str(tmp_path), kit.config(steps=1, micro_tokens=64), lambda line: None)
    model, _ = training.build(kit.config(), kit.vocabulary)
    monkeypatch.setattr(torch.Tensor, "cpu", None)
    training.finish(str(tmp_path), model, Processes(), kit.vocabulary, {})
    assert not list(tmp_path.iterdir())
