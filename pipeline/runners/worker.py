"""A local worker process: does what its driver asks, one thing after another, until the driver is gone.

What goes wrong in it reaches the user as the run's own error; what it prints besides is kept from the terminal, and its
log from everybody. WEFT_LOG=debug shows both.
"""

from __future__ import annotations

import os
import sys
import threading
import time
import traceback
from multiprocessing.connection import Connection
from multiprocessing.reduction import ForkingPickler
from typing import TYPE_CHECKING, Any

from weft.pipeline.runners import process

if TYPE_CHECKING:
    from weft.pipeline.runners.local.plan import Plan
    from weft.pipeline.runners.local.work import Level

_LOOK_S = 0.5  # between two looks at whether the driver is there


class Serving:
    """The state of a worker: the plan of the job, and the level of it that is being run."""

    plan: Plan
    level: Level

    def __init__(self, pid: int) -> None:
        self._folder, self._pid = "", pid

    def answer(self, ask: str, *more: Any) -> Any:
        """Do what is asked: take a plan, begin a level, run some rows of a source, close the level."""
        from apache_beam.internal import cloudpickle_pickler

        from weft.pipeline.runners import graph
        from weft.pipeline.runners.local.partitions import Writer
        from weft.pipeline.runners.local.work import Level

        if ask == "plan":
            data, self._folder, path = more
            graph.remember_signatures()
            sys.path += [one for one in path if one not in sys.path]  # what stands beside the driver's script
            self.plan = cloudpickle_pickler.loads(data)
        elif ask == "level":
            number, parts, sides, turn = more
            writer = Writer(lambda: self._folder, f"{number}-{self._pid}", parts)
            self.level = Level(self.plan, number, writer, sides, lambda: self._folder, turn)
            self._sources = self.plan.sources(number)
        elif ask == "run":
            place, what = more
            self.level.run(self._sources[place], what)
        else:
            return self.level.close(*more)


def main(pipe: Connection, driver: int) -> None:
    """Answer until the driver closes the pipe, or is gone."""
    threading.Thread(target=_end_with, args=(driver,), daemon=True).start()
    serving = Serving(os.getpid())
    while True:
        try:
            asked = pipe.recv()
        except EOFError:
            return
        try:
            told = ForkingPickler.dumps((True, serving.answer(*asked)))
        except BaseException:
            told = ForkingPickler.dumps((False, traceback.format_exc()))
        pipe.send_bytes(told)


def _end_with(driver: int) -> None:
    """A killed driver closes its end of the pipe, but a worker in the middle of a bundle would not see that."""
    while os.getppid() == driver:
        time.sleep(_LOOK_S)
    os._exit(1)


if __name__ == "__main__":
    process.prepare_worker()  # before numpy is imported
    import json

    from apache_beam.io.filesystems import FileSystems
    from apache_beam.options.pipeline_options import PipelineOptions

    from weft.pipeline.runners import graph, stillness

    graph.compress_functions(False)
    FileSystems.set_options(PipelineOptions.from_dictionary(json.loads(os.environ["PIPELINE_OPTIONS"])))
    stillness.begin()
    main(Connection(int(sys.argv[1])), int(sys.argv[2]))
