"""The model's stages: what passes of their lines, what is said without PyTorch, and a verdict that a build can act on."""

import io
import json
import sys
import tempfile
from pathlib import Path

import pytest

from weft.pipeline import cli
from weft.pipeline.run.context import Context
from weft.pipeline.stages import training
from weft.schemas.config import Config, Train
from weft.schemas.parameters import ConfigError
from weft.transforms.io import files, local_copies
from weft.transforms.score.clip_weights import TINY_CLIP


def test_of_lines_about_steps_one_passes_in_a_while_and_all_others_always(monkeypatch):
    said = io.StringIO()
    monkeypatch.setattr(sys, "__stderr__", said)
    watch = training._Watch()
    watch._last = -1e9
    for line in ("train: step 1", "train: step 2", "train: resuming after step 2", "train: step 3"):
        watch(line)
    assert said.getvalue().splitlines() == ["train: step 1", "train: resuming after step 2"]


@pytest.mark.parametrize(("stage", "module"), [(training.check, "train"), (training.evaluate, "evaluate")])
def test_without_pytorch_the_extra_is_named(stage, module, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, f"weft.model_smoketest.{module}", None)
    with pytest.raises(ConfigError, match=r"pip install 'weft-corpus\[train\]'"):
        stage(Context(str(tmp_path), (), Config(), "f"))


def test_a_vision_tower_in_a_store_is_checked_by_this_machines_copy(bucket, monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    local_copies.fetched.cache_clear()
    config = Config(train=Train(vision=f"local-dir:{bucket.path}/tower"))
    with pytest.raises(ConfigError, match="no file"):
        training.check(Context(str(tmp_path), (), config, "f"))
    for file in TINY_CLIP.iterdir():
        files.write_atomic(f"{bucket.path}/tower/{file.name}", file.read_bytes())
    training.check(Context(str(tmp_path), (), config, "f"))


@pytest.fixture
def evaluated(tmp_path: Path) -> Path:
    """A run whose evaluation says that captions are cut."""
    check = {"name": "pairs.cut", "value": 0.3, "allowed": 0.1, "p": 1e-6, "told": "6 of 20", "failed": True}
    none = dict.fromkeys(("pairs", "interleaved", "text"))
    found = {"loss": {**none, "pairs": 2.0}, "bits_per_byte": {**none, "pairs": 0.9}, "grounding": {}, "notes": []}
    gap = {"gap": 0.4, "standard_error": 0.02}
    found |= {
        "samples": dict.fromkeys(none, 20),
        "checks": [check],
        "failed": ["pairs.cut"],
        "grounding": {"pairs": gap},
    }
    (tmp_path / "model").mkdir()
    (tmp_path / "model/eval.json").write_text(json.dumps(found))
    return tmp_path


def test_a_verdict_names_each_check_and_both_units(evaluated: Path) -> None:
    lines = training.verdict(training.evaluated(str(evaluated)))
    assert any(line.split()[:3] == ["pairs", "2.000", "0.900"] and "+0.400 ± 0.020" in line for line in lines)
    assert any("pairs.cut" in line and "FAILS: 6 of 20" in line for line in lines)
    assert lines[-1] == "failed: pairs.cut"


def test_what_an_earlier_version_wrote_is_not_taken_for_a_verdict(evaluated: Path) -> None:
    (evaluated / "model/eval.json").write_text('{"loss": {}}')
    with pytest.raises(ConfigError, match="run `weft eval` again"):
        training.evaluated(str(evaluated))


@pytest.mark.parametrize(("check", "status"), [(True, cli.CHECK_FAILED), (False, 0)])
def test_a_failed_check_is_the_exit_status_where_it_is_asked_for(
    evaluated: Path, monkeypatch: pytest.MonkeyPatch, check: bool, status: int
) -> None:
    class Done:
        def write(self) -> None:
            raise AssertionError("by who goes")

        def go(self, names: list[str], ready: object) -> None:
            assert names == ["eval"] and ready == self.write

    monkeypatch.setattr(cli, "open_run", lambda *args, **more: Done())
    assert cli.main(["eval", "--output", str(evaluated), *(["--check"] if check else [])]) == status
