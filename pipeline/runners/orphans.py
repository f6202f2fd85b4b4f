"""Jobs that a killed driver left behind on a job server: cancelled before the same output directory is written again.

A job server goes on with a job whose driver is gone, and Spark's runs one job at a time. The run that holds an output
directory's lock knows that nobody else waits for a job of that directory's name.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence

import grpc
from apache_beam.portability.api import beam_job_api_pb2 as api
from apache_beam.portability.api import beam_job_api_pb2_grpc

from weft.schemas.parameters import ConfigError
from weft.schemas.records import stable_id
from weft.transforms.io import files

_RUNNING = {api.JobState.STARTING, api.JobState.RUNNING, api.JobState.UPDATING, api.JobState.CANCELLING}
CONNECT_S = 10
CANCEL_S = 60


def job_name(output: str, stage: str) -> str:
    """A name for the jobs of a stage that writes to `output`, however that is spelled; of what Dataflow allows."""
    return f"weft-{stage}-{stable_id('job', files.place(output))[:12]}"


def stage_of(name: str) -> str:
    """The stage in a name that `job_name` gave; another name as it is.

    >>> stage_of(job_name("out", "extract")), stage_of("mine")
    ('extract', 'mine')
    """
    parts = name.split("-")
    return parts[1] if parts[0] == "weft" and len(parts) == 3 else name


def cancel(flags: Sequence[str], names: Collection[str]) -> int:
    """Cancel what runs under these names on the job server that the flags name; how many there were.

    Raises:
        ConfigError: no job server answers there, or a job does not end.
    """
    endpoint = next((flag.split("=", 1)[1] for flag in flags if flag.startswith("--job_endpoint=")), "")
    if not endpoint:
        return 0
    with grpc.insecure_channel(endpoint) as channel:
        try:
            grpc.channel_ready_future(channel).result(timeout=CONNECT_S)
        except grpc.FutureTimeoutError:
            raise ConfigError(f"no job server answers at {endpoint}") from None
        server = beam_job_api_pb2_grpc.JobServiceStub(channel)
        jobs = server.GetJobs(api.GetJobsRequest()).job_info
        left = [job.job_id for job in jobs if job.state in _RUNNING and job.job_name in names]
        for job in left:
            server.Cancel(api.CancelJobRequest(job_id=job))
        deadline = time.monotonic() + CANCEL_S
        for job in left:
            while server.GetState(api.GetJobStateRequest(job_id=job)).state in _RUNNING:
                if time.monotonic() > deadline:
                    raise ConfigError(f"the job server at {endpoint} does not end job {job}, which an earlier run left")
                time.sleep(0.5)
    return len(left)
