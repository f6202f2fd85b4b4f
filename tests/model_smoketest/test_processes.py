"""Several processes train the model that one would, and go on from each other's checkpoints."""

import json
import os
import socket
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file

from weft.model_smoketest import train as training
from weft.schemas.config import to_dict


@pytest.fixture
def two(monkeypatch):
    """This process as the first of two, as torchrun would start it; gives the environment of the second."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    for name, value in {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": "2", "RANK": "0"}.items():
        monkeypatch.setenv(name, value)
    yield os.environ | {"RANK": "1", "OMP_NUM_THREADS": "1"}
    torch.distributed.destroy_process_group()


@pytest.mark.slow
def test_two_processes_train_what_one_does(kit, tmp_path, monkeypatch, request):
    """Losses to 1e-4 and weights to 2e-4: sums in another order, eight steps long."""
    config = kit.config(micro_tokens=96, dropout=0.1, checkpoint_every=8)
    training.train(str(kit.shards), str(tmp_path / "one"), config, lambda line: None)
    second = request.getfixturevalue("two")
    sets = [f"--set=train.{key}={json.dumps(value)}" for key, value in to_dict(config).items()]
    command = [sys.executable, "-m", "weft.model_smoketest.train", str(kit.shards), str(tmp_path / "two"), *sets]
    with subprocess.Popen(command, env=second, stdout=subprocess.PIPE, text=True) as other:
        training.train(str(kit.shards), str(tmp_path / "two"), config, lambda line: None)
        assert other.communicate()[0] == "" and other.returncode == 0
    one, two = ([r["loss"] for r in training.read_log(str(tmp_path / d), 8)] for d in ("one", "two"))
    assert len(one) == 1 and one[0].keys() == two[0].keys() == {"interleaved", "pairs", "text"}
    for corpus, loss in one[0].items():
        assert two[0][corpus] == pytest.approx(loss, abs=1e-4)
    weights = [load_file(tmp_path / d / training.WEIGHTS) for d in ("one", "two")]
    for name, value in weights[0].items():
        torch.testing.assert_close(weights[1][name], value, atol=2e-4, rtol=1e-3)
    states = [torch.load(tmp_path / d / training.CHECKPOINT) for d in ("one", "two")]
    assert states[0]["identity"] == states[1]["identity"] and states[0]["data"] == states[1]["data"]
