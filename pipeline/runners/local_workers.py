"""Worker processes of a local run, watched: one that dies ends the run instead of leaving it waiting for ever.

Beam's in-process runner starts workers and waits for their answers. It takes no notice when one is gone, as when the
kernel kills it because memory is short, and waits without end. Here all that waits for such a worker gets an error for
an answer, and whoever runs the stage can begin again with what is left of it. A worker that is there and makes no
progress (stillness.py) is named on stderr and in the log; after WEFT_STILL_S seconds it is ended, and so is the run.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import os
import signal
import sys
import tempfile
import threading
import time

from apache_beam.portability import python_urns
from apache_beam.portability.api import beam_fn_api_pb2
from apache_beam.runners.portability.fn_api_runner.worker_handlers import (
    BeamFnControlServicer,
    SubprocessSdkWorkerHandler,
    WorkerHandler,
)

from weft.pipeline.runners import stillness

LOST = "a worker process ended before its work did"
_CUT = "Channel closed prematurely"  # what Beam says where it was reading the worker's results
_POLL_S = 0.2
STILL = "WEFT_STILL_S"  # environment variable: seconds without progress that end a run; 0 is never
STILL_S = 1800.0  # no step of weft's computes or waits nearly as long without a sign of life
NAMED_S = 60.0  # without progress, and then each time it has been twice as long

_LOGGER = logging.getLogger(__name__)


@dataclasses.dataclass
class Watched:
    """What the workers of the pipeline that runs work on, and the folder in which they write down how they are."""

    stage: str = "weft"
    folder: str = ""


watched = Watched()


def watch(stage: str) -> str:
    """Watch the workers that are started from here on; the folder that they are to be told."""
    watched.stage = stage
    if not watched.folder:
        home = tempfile.TemporaryDirectory(prefix="weft-workers-")
        watched.folder = home.name
        _kept.append(home)
    return watched.folder


_kept: list[tempfile.TemporaryDirectory[str]] = []  # deleted with this process


def is_lost(error: BaseException) -> bool:
    """Whether a run failed because one of its worker processes was killed."""
    return any(sign in str(error) for sign in (LOST, _CUT))


@WorkerHandler.register_environment(python_urns.SUBPROCESS_SDK, bytes)
class WatchedWorkerHandler(SubprocessSdkWorkerHandler):
    """Beam's handler of a worker process, with an eye on the process; takes its place in Beam's register."""

    def start_worker(self) -> None:
        super().start_worker()
        threading.Thread(name="watch_worker", target=self._watch, daemon=True).start()

    def stop_worker(self) -> None:
        # A worker that connects only now, because the run failed while it started, has not been told that all is over.
        self.control_conn.push(BeamFnControlServicer._DONE_MARKER)
        super().stop_worker()

    def _watch(self) -> None:
        why, named = LOST, NAMED_S
        while self.worker_thread.is_alive():  # it lives as long as the process
            self.worker_thread.join(_POLL_S)
            state = stillness.read(watched.folder, self.worker_id) if self.control_conn._futures_by_id else None
            if state is None or state.still < NAMED_S:
                named = NAMED_S
            elif 0 < _patience() <= state.still:
                why = _given_up(state)
                with contextlib.suppress(ProcessLookupError):
                    os.kill(state.pid, signal.SIGKILL)
            elif state.still >= named:
                named = 2 * state.still
                _tell(f"{watched.stage}: {state}")
        connection = self.control_conn
        while connection._state != BeamFnControlServicer.DONE_STATE:  # done is right: the run ended before the worker
            for name in list(connection._futures_by_id):
                future = connection._futures_by_id.pop(name, None)
                if future is not None:
                    future.set(beam_fn_api_pb2.InstructionResponse(instruction_id=name, error=why))
            time.sleep(_POLL_S)


def _patience() -> float:
    try:
        return float(os.environ.get(STILL, STILL_S))
    except ValueError:
        return STILL_S


def _tell(line: str) -> None:
    _LOGGER.warning(line)
    print(line, file=sys.__stderr__, flush=True)  # the stage's own stderr is hushed


def _given_up(state: stillness.State) -> str:
    """As the command reads it (cli.mendable): one line."""
    return (
        f"ConfigError: {watched.stage}: {state}; given up after {STILL}={_patience():.0f} s (0 waits for ever). "
        "The same command goes on where this one stopped"
    )
