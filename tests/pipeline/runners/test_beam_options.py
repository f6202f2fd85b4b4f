"""Beam flags: what "direct" means, and that a mistyped flag is not silently dropped."""

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import DirectOptions, StandardOptions
from apache_beam.testing.util import assert_that, equal_to

from weft.pipeline.runners import beam_options, spark


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


@pytest.mark.parametrize("flag", ["runner=SparkRunner", "-runner=SparkRunner", "extra"])
def test_a_word_that_is_no_flag_is_one_line(flag):
    with pytest.raises(beam_options.FlagError, match=f"^Beam's flags begin with two dashes, and '{flag}' is no value"):
        beam_options.check(["--direct_num_workers", "1", flag])


def test_values_may_follow_their_flags():
    beam_options.check(["--runner", "SparkRunner", "--direct_num_workers", "2", "--no_auth", "--experiments", "a"])
    beam_options.check([f"{name}=x" for name in spark.OPTIONS])


def test_an_unknown_flag_names_the_nearest():
    with pytest.raises(beam_options.FlagError, match=r"--runer.*--runner"):
        beam_options.options(("--runer=SparkRunner",), 1)


@pytest.mark.parametrize("flag", ["--direct_num_workers=-1", "--direct_running_mode=multi_threading"])
def test_a_number_or_mode_that_there_is_not_is_one_line(flag):
    with pytest.raises(beam_options.FlagError, match=f"^{flag}: "):
        beam_options.options((flag,), 9)


TWO = ("--direct_num_workers=2", "--direct_running_mode=multi_processing")


@pytest.mark.parametrize("flags", [(), TWO, ("--runner=FnApiRunner",), ("--runner=FnApiRunner", *TWO)])
def test_a_pipeline_runs(flags):
    with beam_options.pipeline(flags, 1) as p:
        total = p | beam.Create(range(10)) | beam.Reshuffle() | beam.CombineGlobally(sum)
        assert_that(total, equal_to([45]))
