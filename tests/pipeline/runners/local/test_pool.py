"""Worker processes that die or stand still: whoever waits for one is told."""

import os
import re
import signal
import socket
import sys
import threading
import time

import apache_beam as beam
import pytest
from apache_beam.internal import cloudpickle_pickler

from weft.pipeline import cli
from weft.pipeline.runners import beam_options, orphans, stillness
from weft.pipeline.runners.local import pool
from weft.schemas.parameters import ConfigError


def test_a_killed_worker_process_ends_the_wait_for_it():
    flags = ("--direct_num_workers=2", "--direct_running_mode=multi_processing")
    with pytest.raises(pool.Lost, match=pool.LOST), beam_options.pipeline(flags, 4) as p:
        _ = p | beam.Create([1]) | beam.Reshuffle() | beam.Map(lambda _: os.kill(os.getpid(), signal.SIGKILL))


def test_a_worker_waits_for_its_driver_whatever_time_limit_sockets_have():
    """Google's client sets one for all sockets of the process."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(0.1)
    try:
        workers = pool.Pool(1, "{}")
        for _ in range(2):
            assert workers.all([("plan", cloudpickle_pickler.dumps(1), "", [])], "test") == [None]
            time.sleep(0.5)
        assert workers.alive()
        workers.close()
    finally:
        socket.setdefaulttimeout(before)


def test_a_step_that_quotes_a_lost_worker_is_none():
    flags = ("--direct_num_workers=2", "--direct_running_mode=multi_processing")
    with pytest.raises(pool.Failed, match=pool.LOST), beam_options.pipeline(flags, 4) as p:
        _ = p | beam.Create([pool.LOST]) | beam.Map(lambda said: {}[said])


@pytest.mark.parametrize(
    ("stand", "told", "silent"),
    [
        (lambda _: threading.Event().wait(), "stands in ", 600.0),  # a look may come late on a busy machine
        (lambda _: os.kill(os.getpid(), signal.SIGSTOP), "does not answer", 2.0),
    ],
    ids=["waits for what never comes", "is stopped"],
)
def test_a_worker_that_stands_still_is_named_and_given_up(stand, told, silent, monkeypatch, capfd):
    monkeypatch.setattr(pool, "NAMED_S", 1.0)
    monkeypatch.setattr(stillness, "SILENT_S", silent)
    monkeypatch.setenv(pool.STILL, "4")
    monkeypatch.setattr(sys, "__stderr__", sys.stderr)
    flags = ("--direct_num_workers=1", "--direct_running_mode=multi_processing")
    with (
        pytest.raises(ConfigError) as caught,
        beam_options.pipeline(flags, 4, orphans.job_name("out", "extract")) as p,
    ):
        _ = p | beam.Create([1]) | beam.Reshuffle() | "stand" >> beam.Map(stand)
    named = rf"extract: worker process \d+ has made no progress for \d+ s: it {told}"
    assert re.search(named, capfd.readouterr().err)
    line = cli.mendable(caught.value)
    assert line and re.match(rf"{named}.*; given up after WEFT_STILL_S=4 s \(0 waits for ever\)", line)
