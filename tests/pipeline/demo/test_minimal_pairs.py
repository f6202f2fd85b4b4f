"""Minimal pairs, asked of a model that has learned nothing: every attribute is asked, and none is known."""

from pathlib import Path

import weft.schemas.config as configuration
from weft.model_smoketest import train
from weft.pipeline.demo import minimal_pairs


def test_a_model_that_has_learned_nothing_is_at_chance(finished: Path, tmp_path: Path):
    config = configuration.load(overrides=["train.steps=1", "train.batch_tokens=64"]).train
    train.train(str(finished / "shards"), str(tmp_path), config, lambda line: None)
    read = minimal_pairs.measure(str(finished / "shards"), str(tmp_path), scenes=80)
    assert set(read) == {"colour", "count", "ground", "relation", "shape"}
    assert sum(one["pairs"] for one in read.values()) == 80
    right = sum(one["right"] * one["pairs"] for one in read.values())
    assert 20 < right < 60  # 40 expected, deviation 4.5: both ways are asked, so a likelier caption wins nothing
