"""The model's stages: what passes of its lines, and what is said where PyTorch is not there."""

import io
import sys

import pytest

from weft.pipeline.run.context import Context
from weft.pipeline.stages import training
from weft.schemas.config import Config
from weft.schemas.parameters import ConfigError


def test_of_lines_about_steps_one_passes_in_a_while_and_all_others_always(monkeypatch):
    said = io.StringIO()
    monkeypatch.setattr(sys, "__stderr__", said)
    watch = training._Watch()
    watch._last = -1e9
    for line in ("train: step 1", "train: step 2", "train: resuming after step 2", "train: step 3"):
        watch(line)
    assert said.getvalue().splitlines() == ["train: step 1", "train: resuming after step 2"]


@pytest.mark.parametrize(("stage", "module"), [(training.train, "train"), (training.evaluate, "evaluate")])
def test_without_pytorch_the_extra_is_named(stage, module, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, f"weft.model_smoketest.{module}", None)
    with pytest.raises(ConfigError, match=r"pip install 'weft-corpus\[train\]'"):
        stage(Context(str(tmp_path), (), Config(), "f"))
