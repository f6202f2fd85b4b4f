"""One line for what runners say."""

import os
import subprocess
import sys

import pytest

from weft.pipeline.runners import errors

JOB = (
    "Pipeline weft-extract_1 failed in state FAILED: org.apache.beam.vendor.UncheckedExecutionException: "
    "java.lang.RuntimeException: Error received from SDK harness for instruction 36: Traceback (most recent call last):\n"
    '  File "apache_beam/runners/common.py", line 1512, in process\n'
    "weft.transforms.io.files.Broken: no\n"
    "FileNotFoundError: [Errno 2] No such file or directory: '/a.parquet'\n\n"
    "During handling of the above exception, another exception occurred:\n\n"
    "FileNotFoundError: [Errno 2] No such file or directory: '/a.parquet' [while running 'Read']\n\n"
    "\tat org.apache.spark.deploy.SparkSubmit.main(SparkSubmit.scala)\n"
)
# The command, which waits a second for a job server instead of ten.
COMMAND = (
    "from weft.pipeline.runners import process; process.prepare(); "
    "from weft.pipeline import cli; from weft.pipeline.runners import orphans; orphans.CONNECT_S = 1; cli.run()"
)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (JOB, "FileNotFoundError: [Errno 2] No such file or directory: '/a.parquet'"),
        ("Pipeline x failed in state FAILED: java.io.IOException: Cannot run program", "Cannot run program"),
        ("Missing project.\nMissing region.", "Missing project. Missing region."),
        ("", "RuntimeError"),
        ("x" * 1000, "x" * 300),
    ],
)
def test_the_cause_alone(text, line):
    assert errors.line(RuntimeError(text)) == line


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--runner=SparkRunner", "--spark_job_server_jar=/none.jar"], 'Unable to parse jar URL "/none.jar"'),
        (["--runner=PortableRunner", "--job_endpoint=localhost:1"], "no job server answers at localhost:1"),
        (["--runner=NoRunner"], "Unexpected pipeline runner: NoRunner"),
        (["--runner=PrismRunner", "--prism_location=/none"], "/none"),
    ],
)
def test_a_runner_that_is_not_there_is_one_line(flags, told, small_web, tmp_path):
    command = [sys.executable, "-c", COMMAND, "extract", "--quiet", "--input", str(small_web / "warcs")]
    command += ["--output", str(tmp_path / "out"), "--", *flags]
    offline = {**os.environ, "https_proxy": "http://127.0.0.1:9", "http_proxy": "http://127.0.0.1:9"}
    done = subprocess.run(command, env=offline, capture_output=True, text=True)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert told in line
