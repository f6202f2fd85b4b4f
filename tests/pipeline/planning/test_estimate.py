"""What a sample says of a large input."""

import dataclasses
import shutil

import pyarrow.parquet as pq
import pytest

import weft.schemas.config as configuration
from weft.pipeline import cli
from weft.pipeline.planning import dedup_plan, estimate, money, web
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


def test_a_stage_that_was_stopped_and_went_on_has_no_measure(finished, config, tmp_path):
    """What it took until then was counted by a process that is gone: the rest alone would be too little."""
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    (tmp_path / "score/manifest.json").unlink()
    assert cli.main(["score", "--output", str(tmp_path), "--quiet"]) == 0
    assert manifest.read(str(tmp_path), "score")["cpu_seconds"] is None
    with pytest.raises(ConfigError, match=r"score cost is not known: it was stopped and went on.*weft score --redo"):
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
    without = dataclasses.replace(once, web=once.web._replace(different=0.0), texts=0.0)
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
    short = estimate.make(sample(finished, tmp_path / "short", 5, 3.0), config, inputs.Sized(0, 1e6), measured)
    told = "\n".join(short.lines())
    assert "too much, since starting is scaled too: extract, fetch, score, pack, of under 20 s" in told
    assert not both.starting and not estimate.make(more, config, inputs.Sized(0, 1e6), measured).starting
    with pytest.raises(ConfigError, match="on a smaller part of the input"):
        estimate.make(less, config, inputs.Sized(0, 1e6), measured, more)


def test_what_would_break_is_said(once):
    assert not [line for line in once.breaks() if not line.startswith("the disk")]
    large = dataclasses.replace(once, input=inputs.Sized(500_000, 1e14), shuffled={"pack": 1e15}, kept={"images": 1e18})
    told = "\n".join(large.lines())
    for line in (
        "pack shuffles 1,000.0 TB, on disk where it runs on one machine",
        "another TMPDIR or a cluster is needed",
        "and less than is kept",
        "500,000 archives in each",
    ):
        assert line in told
    assert "stored_tb 23,000,000 (at 23)" in told and "money: $" in told


def test_without_a_size_or_a_number_there_is_no_plan(finished, config, measured):
    with pytest.raises(ConfigError, match="--archives"):
        estimate.make(str(finished), config, inputs.Sized(0, 0.0), measured)


def test_texts_are_those_that_the_sample_embedded_and_not_guessed_where_it_embedded_less(once, finished):
    vectors = sum(pq.read_metadata(path).num_rows for path in (finished / "embeddings/texts").glob("*.parquet"))
    captions = manifest.read(str(finished), "score")["books"]["pair"]["kept"]
    assert once.texts == vectors > captions > 0, "texts of documents are among them"
    assert once.gpu_hours() == (once.web.different + vectors / 2) / estimate.GPU_RATE / 3600
    for kind in once.needs._fields:
        less = dataclasses.replace(once, measured=once.needs._replace(**{kind: False}))
        assert less.gpu_hours() == 0 and any("the sample embedded less" in line for line in less.lines())
    fewer = dataclasses.replace(once, needs=once.needs._replace(documents=False))
    assert fewer.gpu_hours() > 0


def test_money_counts_score_once_and_its_gpus_apart(once):
    two = dataclasses.replace(
        once, config=dataclasses.replace(once.config, score=dataclasses.replace(once.config.score, also=("other",)))
    )
    assert two.gpu_hours() == 2 * once.gpu_hours() > 0
    large = dataclasses.replace(once, texts=7.2e9)
    assert "score on GPUs instead: 1,000.0 GPU-hours, $2,000 (at 2)" in "\n".join(
        large.lines({**money.RATES, "gpu_hour": 2})
    )
    assert "gpu_hour" not in large.amounts() and large.amounts()["core_hour"] == sum(large.core_hours.values())


def test_what_is_fetched_is_archives_and_images(finished, config, once, measured):
    ten = estimate.make(str(finished), config, FIFTY, measured)
    blobs = sum(path.stat().st_size for path in (finished / "images/blobs").rglob("*") if path.is_file())
    images = 1e12 * ten.amounts()["fetched_tb"] - 10 * once.sampled.total
    assert once.sampled.total > 0 and 0 < images < 10 * blobs


def test_a_plan_without_http_says_0(finished, config, measured):
    alone = dataclasses.replace(config, fetch=dataclasses.replace(config.fetch, http=False))
    made = estimate.make(str(finished), alone, FIVE, measured)
    assert "images over HTTP: 0, different" in "\n".join(made.lines()) and made.web.traffic == 0 < made.web.different


def test_an_image_that_was_looked_up_costs_what_one_that_is_asked_for_does(finished, config, measured, monkeypatch):
    found = web.Web(1_000.0, 1_000.0, 0.0, 0.0, 1.0, {"a.test": 1_000.0})
    monkeypatch.setattr(web, "of", lambda *_: found)
    spent = manifest.read(str(finished), "fetch")["cpu_seconds"]
    made = estimate.make(str(finished), config, FIVE, measured)
    assert made.core_hours["fetch"] * 3600 == pytest.approx(spent + 6)


def test_what_dedup_compares_is_counted_once(finished, config, once, measured):
    sent = manifest.read(str(finished), "dedup")["shuffles"]
    meet = [one["rows"] * one["row_bytes"] for one in sent if one["name"].endswith(dedup_plan.COMPARED_AT)]
    (step,) = (step for step in measured.plan().steps if step.name == dedup_plan.COMPARED)
    rest = sum(one["rows"] * one["row_bytes"] for one in sent) - sum(meet)
    assert len(meet) == 1 and meet[0] > 0
    assert once.shuffled["dedup"] == pytest.approx(rest + step.rows * step.row_bytes)


def test_parts_of_an_index_are_told_apart(finished, config, measured):
    made = estimate.make(str(finished), config, inputs.Sized(7, 5e6, chosen=2), measured)
    assert next(made.lines()).startswith("5 archives of 5.0 MB and 2 parts of an index, which are not in these bytes")
    with pytest.raises(ConfigError, match="parts of an index do not tell"):
        estimate.make(str(finished), config, inputs.Sized(2, 0.0, chosen=2), measured)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        *((f"--bytes={value}", "--bytes takes a number over 0") for value in ("nan", "inf", "-1", "0", "1e300")),
        *((f"--{name}=-1", f"--{name} takes a number over 0") for name in ("archives", "documents")),
        (f"--archives=1{'0' * 400}", "--archives takes"),
        ("--archives=5 --rate=core_hour=nan", "--rate takes NAME=DOLLARS"),
        ("--smaller=less", "--smaller is for a plan of a run"),
        ("--rate=core_hour=1", "--rate is for a plan of a run"),
        ("--archives=5 --documents=9", "--documents is for a plan of dedup alone"),
        ("--archives=5 --input=none.warc", "--archives and --bytes plan for an input that is not listed"),
        ("--bytes=5e9 --input=none.warc", "--archives and --bytes plan for an input that is not listed"),
    ],
)
def test_what_means_nothing_or_would_not_be_looked_at_is_one_line(finished, capsys, given, said):
    assert cli.main(["plan", "--output", str(finished), *given.split()]) == 2
    told = capsys.readouterr().err
    assert said in told and told.count("\n") == 1
