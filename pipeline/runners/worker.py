"""Local worker processes: each does what its driver asks, one thing after another, until the driver is gone.

    driver ─► parent: imports Beam and the steps' modules ─┬─► worker
                                                           └─► worker

Several workers are forks of one process, so that what each would import is imported once. That process has one thread,
and no open file or connection but their pipes. It then does nothing but wait for them, and they end with it. Where it
has another thread all the same, its children are processes of their own, as those of other systems than Linux are.

What goes wrong in a worker reaches the user as the run's own error; what it prints besides is kept from the terminal,
and its log from everybody. WEFT_LOG=debug shows both.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection
from multiprocessing.reduction import ForkingPickler
from typing import TYPE_CHECKING, Any

from weft.pipeline.runners import process, stillness

if TYPE_CHECKING:
    from weft.pipeline.runners.local.plan import Plan
    from weft.pipeline.runners.local.work import Level

NAME = "WORKER_ID"  # environment variable of a worker, which Beam reads too
_LOOK_S = 0.5  # between two looks at whether the driver is there
_NAME = "weft.pipeline.runners.worker"  # of this module, which is __main__ in a worker
_PR_SET_PDEATHSIG = 1  # prctl(2)


class Serving:
    """The state of a worker: the plan of the job, and the level of it that is being run."""

    plan: Plan
    level: Level

    def __init__(self, pid: int) -> None:
        self._folder, self._pid = "", pid

    def answer(self, ask: str, *more: Any) -> Any:
        """Do what is asked: take a plan, begin a level, run some rows of a source, close the level."""
        from apache_beam.internal import cloudpickle_pickler

        from weft.pipeline.runners.local.partitions import Writer
        from weft.pipeline.runners.local.work import Level

        if ask == "plan":
            data, self._folder, path = more
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


def command(pipes: Mapping[str, int], modules: Sequence[str] = (), at_once: bool = False) -> list[str]:
    """What starts a worker as a child of this process, or a child that has several.

    Args:
        pipes: name of a worker → file descriptor of its end of the pipe, which is to be inherited.
        modules: that the steps of several are known to want.
        at_once: see `_end_with`.
    """
    told = json.dumps([os.getpid(), dict(pipes), list(modules), at_once])
    return [sys.executable, "-P", "-m", _NAME, told]  # -P: nothing of the directory that weft was called in


def main(parent: int, pipes: dict[str, int], modules: Sequence[str], at_once: bool) -> None:
    """Be a worker, or have one for each pipe; see `command`."""
    if len(pipes) > 1:
        _prepare()
        for name in modules:
            with contextlib.suppress(Exception):  # a step that wants it will say so
                importlib.import_module(name)
        me = os.getpid()
        # A thread is not there in a fork, but the locks that it held are.
        children = _forks(pipes) if len(os.listdir("/proc/self/task")) == 1 else _processes(pipes)
        if os.getpid() == me:
            return _wait(parent, pipes, children)
        parent, at_once = me, True
    else:
        _prepare()
    ((name, pipe),) = pipes.items()
    os.environ[NAME] = name
    _end_with(parent, at_once)
    stillness.begin()
    _serve(Connection(pipe))


def _prepare() -> None:
    """Import what every worker wants, and set it up."""
    from apache_beam.io.filesystems import FileSystems
    from apache_beam.options.pipeline_options import PipelineOptions

    from weft.pipeline.runners import graph
    from weft.pipeline.runners.local import work  # noqa: F401 - for the forks

    graph.compress_functions(False)
    graph.remember_signatures()
    FileSystems.set_options(PipelineOptions.from_dictionary(json.loads(os.environ["PIPELINE_OPTIONS"])))


def _forks(pipes: dict[str, int]) -> list[int]:
    """Their numbers; in each of them `pipes` is its own alone."""
    gc.freeze()  # else the first collection in each would write into all that they share
    children = []
    for name in [*pipes]:
        child = os.fork()
        if not child:
            for other in pipes.keys() - {name}:
                os.close(pipes.pop(other))  # the end of a pipe tells of a worker's death
            return []
        children.append(child)
    return children


def _processes(pipes: dict[str, int]) -> list[int]:
    return [subprocess.Popen(command({name: pipe}, at_once=True), pass_fds=[pipe]).pid for name, pipe in pipes.items()]


def _wait(parent: int, pipes: dict[str, int], children: Sequence[int]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the driver's to answer
    for pipe in pipes.values():
        os.close(pipe)
    _end_with(parent)
    for child in children:
        os.waitpid(child, 0)


def _serve(pipe: Connection) -> None:
    """Answer until the driver closes the pipe."""
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


def _end_with(parent: int, at_once: bool = False) -> None:
    """End when the parent has ended: a pipe that it closes is not seen in the middle of a bundle.

    Args:
        at_once: have the kernel end this process, whatever it does; on Linux, and where the thread of the parent that
            made it lasts as long as the parent: the kernel goes by that.
    """
    if at_once:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)

    def look() -> None:
        while os.getppid() == parent:
            time.sleep(_LOOK_S)
        os._exit(1)

    threading.Thread(target=look, daemon=True).start()


if __name__ == "__main__":
    process.prepare_worker()  # before numpy is imported
    main(*json.loads(sys.argv[1]))
