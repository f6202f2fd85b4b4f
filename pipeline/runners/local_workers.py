"""Worker processes of a local run, watched: one that dies ends the run instead of leaving it waiting for ever.

Beam's in-process runner starts workers and waits for their answers. It takes no notice when one is gone, as when the
kernel kills it because memory is short, and waits without end. Here all that waits for such a worker gets an error for
an answer, and whoever runs the stage can begin again with what is left of it.
"""

from __future__ import annotations

import threading
import time

from apache_beam.portability import python_urns
from apache_beam.portability.api import beam_fn_api_pb2
from apache_beam.runners.portability.fn_api_runner.worker_handlers import (
    BeamFnControlServicer,
    SubprocessSdkWorkerHandler,
    WorkerHandler,
)

LOST = "a worker process ended before its work did"
_CUT = "Channel closed prematurely"  # what Beam says where it was reading the worker's results
_POLL_S = 0.2


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
        self.worker_thread.join()  # it lives as long as the process
        connection = self.control_conn
        while connection._state != BeamFnControlServicer.DONE_STATE:  # done is right: the run ended before the worker
            for name in list(connection._futures_by_id):
                future = connection._futures_by_id.pop(name, None)
                if future is not None:
                    future.set(beam_fn_api_pb2.InstructionResponse(instruction_id=name, error=LOST))
            time.sleep(_POLL_S)
