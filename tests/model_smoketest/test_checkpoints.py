"""Checkpoints of split models; those of whole ones are tried with the trainer (test_train.py, test_processes.py)."""

import pytest
from generated import quiet

from weft.model_smoketest import checkpoints
from weft.model_smoketest import train as training
from weft.schemas.parameters import ConfigError


def test_half_a_split_checkpoint_does_not_count_and_the_one_before_is_gone_on_from(kit, tmp_path):
    config = kit.config(shard=True, checkpoint_every=2, steps=4)
    training.train(str(kit.shards), str(tmp_path / "a"), config, quiet)
    (last,) = (tmp_path / "a").glob(checkpoints.SPLIT)
    assert last.name == "checkpoint-00000004"
    last.rename(last.with_name("checkpoint-00000009"))  # of a step that was never whole
    (last.with_name("checkpoint-00000009") / checkpoints.SAID).unlink()
    told = []
    training.train(str(kit.shards), str(tmp_path / "a"), config, told.append)
    assert not any("resuming" in line for line in told)
    whole = kit.config(checkpoint_every=2, steps=4)
    training.train(str(kit.shards), str(tmp_path / "b"), whole, quiet)
    one, other = ((tmp_path / name / training.WEIGHTS).read_bytes() for name in "ab")
    assert one == other  # one process splits nothing
    with pytest.raises(ConfigError, match=r"checkpoint\.pt is of a whole model: go on without train\.shard"):
        training.train(str(kit.shards), str(tmp_path / "b"), config, quiet)


def test_a_split_model_in_a_store_is_one_line(kit):
    with pytest.raises(ConfigError, match="need a directory that all processes share, not s3://b/m"):
        training.train(str(kit.shards), "s3://b/m", kit.config(shard=True), quiet)
