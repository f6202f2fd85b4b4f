"""Beam flags: what "direct" means, and that a mistyped flag is not silently dropped."""

import os
import signal

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import DirectOptions, StandardOptions
from apache_beam.testing.util import assert_that, equal_to

from weft.pipeline.run import run
from weft.pipeline.run.context import Context
from weft.pipeline.runners import beam_options, local_workers
from weft.schemas.config import Config
from weft.schemas.parameters import ConfigError


@pytest.mark.parametrize("flags", [(), ("--runner=DirectRunner",), ("--runner", "direct"), ("--runner=FnApiRunner",)])
def test_direct_means_in_process(flags):
    assert beam_options.options(flags, 1).view_as(StandardOptions).runner == "FnApiRunner"
    assert beam_options.options(flags, 1).view_as(DirectOptions).direct_running_mode == "in_memory"


def test_many_units_get_worker_processes():
    direct = beam_options.options(("--direct_num_workers=2",), 9).view_as(DirectOptions)
    assert direct.direct_running_mode == "multi_processing"


def test_other_runners_keep_their_flags():
    made = beam_options.options(("--runner=SparkRunner", "--spark_master_url=local[2]"), 100)
    assert made.view_as(StandardOptions).runner == "SparkRunner"


@pytest.mark.parametrize("flag", ["--direct_num_workers=many", "--no_auth=true", "--direct_running_mode=fast"])
def test_a_value_that_beam_does_not_take_is_one_line(flag):
    with pytest.raises(beam_options.FlagError, match=rf"Beam: .*{flag.split('=')[0]}"):
        beam_options.check([flag])


def test_spark_gets_what_weft_needs_where_the_user_is_silent():
    def level(*flags: str) -> list[str]:
        made = beam_options.options(flags, 1).get_all_options(retain_unknown_options=True)
        return [str(made["storage_level"]), str(made["environment_cache_millis"])]

    assert level("--runner=SparkRunner") == ["MEMORY_AND_DISK", "600000"]
    assert level("--runner=PortableRunner", "--storage_level=DISK_ONLY") == ["DISK_ONLY", "600000"]
    assert level("--runner=SparkRunner", "--environment_cache_millis=0") == ["MEMORY_AND_DISK", "0"]
    assert "storage_level" not in beam_options.options((), 1).get_all_options(retain_unknown_options=True)


@pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnhandledThreadExceptionWarning"
)  # Beam's own threads, losing a worker
def test_a_killed_worker_process_ends_the_wait_for_it():
    flags = ("--direct_num_workers=2", "--direct_running_mode=multi_processing")
    with pytest.raises(RuntimeError, match=local_workers.LOST), beam_options.pipeline(flags, 4) as p:
        _ = p | beam.Create([1]) | beam.Reshuffle() | beam.Map(lambda _: os.kill(os.getpid(), signal.SIGKILL))


def test_a_stage_goes_on_when_its_worker_was_killed():
    told: list[str] = []
    ends = iter([RuntimeError(local_workers.LOST), RuntimeError(f"x {local_workers.LOST}"), {"page": 3}])

    def stage(context: Context) -> dict[str, int]:
        end = next(ends)
        if isinstance(end, RuntimeError):
            raise end
        return end

    assert run._persist(stage, Context("o", (), Config(), "f", say=told.append)) == {"page": 3}
    assert told == ["a worker process was killed: going on with what is left"] * 2


def test_a_stage_whose_workers_die_again_and_again_says_what_to_do():
    def stage(context: Context) -> dict[str, int]:
        raise RuntimeError(local_workers.LOST)

    with pytest.raises(ConfigError, match="direct_num_workers"):
        run._persist(stage, Context("o", (), Config(), "f"))


def test_an_unknown_flag_names_the_nearest():
    with pytest.raises(beam_options.FlagError, match=r"--runer.*--runner"):
        beam_options.options(("--runer=SparkRunner",), 1)


@pytest.mark.parametrize("flags", [(), ("--direct_num_workers=2", "--direct_running_mode=multi_processing")])
def test_a_pipeline_runs(flags):
    with beam_options.pipeline(flags, 1) as p:
        total = p | beam.Create(range(10)) | beam.Reshuffle() | beam.CombineGlobally(sum)
        assert_that(total, equal_to([45]))
