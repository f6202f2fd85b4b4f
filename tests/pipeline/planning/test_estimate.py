"""What a sample says of a large input."""

import dataclasses
import shutil

import pytest

import weft.schemas.config as configuration
from weft.pipeline import cli
from weft.pipeline.planning import dedup_plan, estimate
from weft.pipeline.run import manifest
from weft.schemas.parameters import ConfigError
from weft.transforms.io import state


@pytest.fixture(scope="module")
def config(finished):
    return configuration.from_dict(manifest.read_run(str(finished))["config"])


@pytest.fixture(scope="module")
def measured(finished, config):
    return dedup_plan.measure(str(finished), config)


@pytest.fixture(scope="module")
def once(finished, config, measured):
    return estimate.make(str(finished), config, 5, measured)


def test_all_but_dedup_grows_with_the_archives(finished, config, once, measured):
    ten = estimate.make(str(finished), config, 50, measured)
    assert once.sampled == 5 and set(once.core_hours) == set(estimate.STAGES)
    for stage in ("extract", "fetch", "score", "pack"):
        spent = manifest.read(str(finished), stage)["cpu_seconds"]
        assert once.core_hours[stage] == pytest.approx(spent / 3600) and spent > 0
        assert ten.core_hours[stage] == pytest.approx(10 * once.core_hours[stage])
    assert once.documents == manifest.read(str(finished), "extract")["books"]["page"]["kept"]
    on_disk = sum(path.stat().st_size for path in (finished / "shards").rglob("*") if path.is_file())
    assert ten.kept["shards"] == 10 * on_disk
    assert ten.shuffled["dedup"] > 10 * once.shuffled["dedup"]
    assert 0 < once.images < 2_000 and once.asked > 0


def test_what_crosses_is_what_the_sample_sent_and_a_key_is_as_large_as_there(finished, config, once):
    for stage in ("extract", "fetch", "score", "pack"):
        sent = manifest.read(str(finished), stage)["shuffles"]
        assert once.shuffled[stage] == pytest.approx(sum(one["rows"] * one["row_bytes"] for one in sent))
        assert stage == "extract" or once.largest[stage][1] == max(one["largest"] for one in sent) > 0
    assert all(one["typed"] for stage in once.largest for one in manifest.read(str(finished), stage)["shuffles"])
    assert "pack" in once.largest and once.largest["pack"][0] in "\n".join(once.lines())


def test_a_sample_of_an_older_version_has_what_its_tables_hold(finished, config, measured, tmp_path):
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    done = state.read(str(tmp_path / "pack/manifest.json"))
    state.write(str(tmp_path / "pack/manifest.json"), {k: v for k, v in done.items() if k != "shuffles"})
    assert estimate.make(str(tmp_path), config, 5, measured).shuffled["pack"] > 0


def test_what_was_not_run_is_said(finished, config, measured, tmp_path):
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    shutil.rmtree(tmp_path / "pack")
    told = "\n".join(estimate.make(str(tmp_path), config, 50, measured).lines())
    assert "not in the sample, so not in the sum: pack" in told


def test_a_run_elsewhere_has_no_measure(finished, config, tmp_path):
    shutil.copytree(finished / "extract", tmp_path / "extract")
    shutil.copy(finished / "run.json", tmp_path)
    done = state.read(str(tmp_path / "extract/manifest.json"))
    state.write(str(tmp_path / "extract/manifest.json"), {**done, "cpu_seconds": None})
    with pytest.raises(ConfigError, match="extract cost is not known"):
        estimate.make(str(tmp_path), config, 50)


def test_the_command_scales_to_an_input(finished, small_web, capsys):
    assert cli.main(["plan", "--output", str(finished), "--input", str(small_web / "warcs")]) == 0
    told = capsys.readouterr().out
    assert "5 archives, from a run of 5" in told and "core-hours" in told and "GPU-hours" in told


def test_no_gpu_hours_without_images(once):
    assert "GPU" in "\n".join(once.lines())
    assert "GPU" not in "\n".join(dataclasses.replace(once, images=0.0).lines())
