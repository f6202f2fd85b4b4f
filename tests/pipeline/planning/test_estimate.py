"""What a sample says of a large input."""

import dataclasses
import shutil

import pytest

import weft.schemas.config as configuration
from weft.pipeline import cli
from weft.pipeline.planning import dedup_plan, estimate
from weft.pipeline.run import inputs, manifest
from weft.schemas.parameters import ConfigError
from weft.transforms.io import state

FIVE, FIFTY = inputs.Sized(5, 0.0), inputs.Sized(50, 0.0)


@pytest.fixture(scope="module")
def config(finished):
    return configuration.from_dict(manifest.read_run(str(finished))["config"])


@pytest.fixture(scope="module")
def measured(finished, config):
    return dedup_plan.measure(str(finished), config)


@pytest.fixture(scope="module")
def once(finished, config, measured):
    return estimate.make(str(finished), config, FIVE, measured)


def test_all_but_dedup_grows_with_the_archives(finished, config, once, measured):
    ten = estimate.make(str(finished), config, FIFTY, measured)
    assert once.sampled.files == 5 and set(once.core_hours) == set(estimate.STAGES)
    for stage in ("extract", "fetch", "score", "pack"):
        spent = manifest.read(str(finished), stage)["cpu_seconds"]
        assert once.core_hours[stage] == pytest.approx(spent / 3600) and spent > 0
        assert ten.core_hours[stage] == pytest.approx(10 * once.core_hours[stage])
    assert once.documents == manifest.read(str(finished), "extract")["books"]["page"]["kept"]
    on_disk = sum(path.stat().st_size for path in (finished / "shards").rglob("*") if path.is_file())
    assert ten.kept["shards"] == 10 * on_disk
    assert ten.shuffled["dedup"] > 10 * once.shuffled["dedup"]
    assert 0 < once.web.different < 2_000 and once.web.images > 0


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
    assert estimate.make(str(tmp_path), config, FIVE, measured).shuffled["pack"] > 0


def test_what_was_not_run_is_said(finished, config, measured, tmp_path):
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    shutil.rmtree(tmp_path / "pack")
    told = "\n".join(estimate.make(str(tmp_path), config, FIFTY, measured).lines())
    assert "not in the sample, so not in the sum: pack" in told


def test_a_run_elsewhere_has_no_measure(finished, config, tmp_path):
    shutil.copytree(finished / "extract", tmp_path / "extract")
    shutil.copy(finished / "run.json", tmp_path)
    done = state.read(str(tmp_path / "extract/manifest.json"))
    state.write(str(tmp_path / "extract/manifest.json"), {**done, "cpu_seconds": None})
    with pytest.raises(ConfigError, match="extract cost is not known"):
        estimate.make(str(tmp_path), config, FIFTY)


def test_the_command_scales_to_an_input(finished, small_web, capsys):
    assert cli.main(["plan", "--output", str(finished), "--input", str(small_web / "warcs")]) == 0
    told = capsys.readouterr().out
    size = inputs.human(inputs.sized(inputs.expand([str(small_web / "warcs")])).total)
    assert (
        f"5 archives of {size}, from a run of 5 archives of {size}" in told
        and "core-hours" in told
        and "GPU-hours" in told
    )


def test_no_gpu_hours_without_images(once):
    assert "GPU" in "\n".join(once.lines())
    without = dataclasses.replace(once, web=once.web._replace(different=0.0), captions=0.0)
    assert "GPU" not in "\n".join(without.lines())


def test_bytes_count_where_they_are_known(finished, config, once, measured):
    """A sample's archives are seldom as large as a snapshot's."""
    more = estimate.make(str(finished), config, inputs.Sized(0, 10 * once.sampled.total), measured)
    assert more.core_hours["extract"] == pytest.approx(10 * once.core_hours["extract"]) and more.input.files == 50
    few = estimate.make(str(finished), config, inputs.Sized(2, 10 * once.sampled.total), measured)
    assert few.documents == pytest.approx(more.documents) and few.input.files == 2


def sample(finished, to, archives, seconds):
    """A run of the same archives, so many of them, which took so long."""
    known = manifest.read_run(str(finished))
    state.write(
        str(to / "run.json"), {**known, "inputs": [[name, 1_000, ""] for name, *_ in known["inputs"][:archives]]}
    )
    for stage in estimate.STAGES:
        done = manifest.read(str(finished), stage)
        state.write(str(to / stage / "manifest.json"), {**done, "cpu_seconds": seconds})
    return str(to)


def test_a_smaller_sample_tells_what_a_job_costs_to_start(finished, config, measured, tmp_path):
    less, more = sample(finished, tmp_path / "less", 2, 20.0 + 2), sample(finished, tmp_path / "more", 5, 20.0 + 5)
    both = estimate.make(more, config, inputs.Sized(0, 1e6), measured, less)
    assert both.core_hours["pack"] * 3600 == pytest.approx(1_000) and both.web.images == 0
    assert estimate.make(more, config, inputs.Sized(0, 1e6), measured).core_hours["pack"] * 3600 == pytest.approx(5_000)
    with pytest.raises(ConfigError, match="on a smaller part of the input"):
        estimate.make(less, config, inputs.Sized(0, 1e6), measured, more)


def test_what_would_break_is_said(once):
    assert not [line for line in once.breaks() if not line.startswith("the disk")]
    large = dataclasses.replace(once, input=inputs.Sized(200_000, 1e14), shuffled={"pack": 1e15}, kept={"images": 1e18})
    told = "\n".join(large.lines())
    for line in (
        "pack shuffles 1,000.0 TB",
        "a cluster is needed",
        "and less than is kept",
        "200,000 archives in each",
    ):
        assert line in told
    assert "stored_tb 23,000,000 (at 23)" in told and "money: $" in told


def test_without_a_size_or_a_number_there_is_no_plan(finished, config, measured):
    with pytest.raises(ConfigError, match="--archives"):
        estimate.make(str(finished), config, inputs.Sized(0, 0.0), measured)
