"""Jobs that a killed driver left: found by their name on Beam's own job server, and cancelled."""

import re
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from apache_beam.portability.api import beam_job_api_pb2 as api
from apache_beam.portability.api import beam_job_api_pb2_grpc
from apache_beam.runners.portability.local_job_service import LocalJobServicer

from weft.pipeline.runners import orphans
from weft.schemas.parameters import ConfigError


def test_a_name_is_of_the_output_and_the_stage_and_dataflow_takes_it():
    names = {orphans.job_name(output, stage) for output in ("s3://b/One", "/tmp/two") for stage in ("fetch", "pack")}
    assert len(names) == 4
    assert all(re.fullmatch(r"[a-z]([-a-z0-9]*[a-z0-9])?", name) for name in names)


def test_an_output_has_one_name_however_it_is_spelled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Else the jobs of a run that was killed go on beside those of the same command, spelled otherwise."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link").symlink_to(tmp_path / "out")
    assert (
        len({orphans.job_name(output, "fetch") for output in ("out", "out/", "./out", f"{tmp_path}/out", "link")}) == 1
    )
    assert orphans.job_name("s3://b/out", "fetch") == orphans.job_name("s3://b/out/", "fetch")


@pytest.fixture
def server() -> Iterator[tuple[LocalJobServicer, str]]:
    made = LocalJobServicer()
    yield made, f"localhost:{made.start_grpc_server()}"
    made.stop()


def test_only_jobs_of_these_names_that_still_run_are_cancelled(server: tuple[LocalJobServicer, str]):
    servicer, address = server
    with grpc.insecure_channel(address) as channel:
        stub = beam_job_api_pb2_grpc.JobServiceStub(channel)
        for name, state in (("weft-mine", "RUNNING"), ("weft-other", "RUNNING"), ("weft-done", "DONE")):
            stub.Prepare(api.PrepareJobRequest(job_name=name))
            next(job for job in servicer._jobs.values() if job._job_name == name).set_state(
                getattr(api.JobState, state)
            )
        flags = ["--runner=PortableRunner", f"--job_endpoint={address}"]
        assert orphans.cancel(flags, ["weft-mine", "weft-done", "weft-not-there"]) == 1
        states = {
            job.job_name: api.JobState.Enum.Name(job.state) for job in stub.GetJobs(api.GetJobsRequest()).job_info
        }
        assert states == {"weft-mine": "CANCELLED", "weft-other": "RUNNING", "weft-done": "DONE"}
        assert orphans.cancel(flags, ["weft-mine"]) == 0, "what has ended is left alone"


def test_without_a_job_server_there_is_nothing_to_cancel_and_a_dead_one_is_one_line(monkeypatch: pytest.MonkeyPatch):
    assert orphans.cancel(["--runner=DirectRunner"], ["weft-mine"]) == 0
    monkeypatch.setattr(orphans, "CONNECT_S", 0.2)
    with pytest.raises(ConfigError, match="no job server answers at localhost:9"):
        orphans.cancel(["--job_endpoint=localhost:9"], ["weft-mine"])
