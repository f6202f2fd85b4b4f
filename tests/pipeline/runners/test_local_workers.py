"""Worker processes that die: whoever waits for one is told."""

import os
import signal

import apache_beam as beam
import pytest

from weft.pipeline.runners import beam_options, local_workers


@pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnhandledThreadExceptionWarning"
)  # Beam's own threads, losing a worker
def test_a_killed_worker_process_ends_the_wait_for_it():
    flags = ("--direct_num_workers=2", "--direct_running_mode=multi_processing")
    with pytest.raises(RuntimeError, match=local_workers.LOST), beam_options.pipeline(flags, 4) as p:
        _ = p | beam.Create([1]) | beam.Reshuffle() | beam.Map(lambda _: os.kill(os.getpid(), signal.SIGKILL))


def test_only_what_a_lost_worker_says_is_a_lost_worker():
    assert local_workers.is_lost(RuntimeError(f"Error from worker: {local_workers.LOST}"))
    assert local_workers.is_lost(RuntimeError("Channel closed prematurely."))
    assert not local_workers.is_lost(RuntimeError("Error from worker: KeyError: 'x'"))
