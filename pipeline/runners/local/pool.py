"""Worker processes of runs on this machine: kept from job to job, watched, and given one thing to do at a time.

A worker that dies ends the run instead of leaving it waiting for ever, and whoever runs the stage can begin again with
what is left of it. One that is there and makes no progress (stillness.py) is named on stderr and in the log; after
WEFT_STILL_S seconds it is ended, and so is the run. Workers end with their driver, however that ends.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from multiprocessing import Pipe
from multiprocessing.connection import wait
from typing import Any

from weft.pipeline.runners import process, stillness, worker
from weft.pipeline.runners.local import scratch
from weft.schemas.parameters import ConfigError

LOST = "a worker process ended before its work did"
STILL = "WEFT_STILL_S"  # environment variable: seconds without progress that end a run; 0 is never
STILL_S = 1800.0  # no step of weft's computes or waits nearly as long without a sign of life
NAMED_S = 60.0  # without progress, and then each time it has been twice as long
_STEPS = ("weft.schemas.", "weft.transforms.", "weft.pipeline.stages.")  # modules that steps are made of
_POLL_S = 0.2
_END_S = 5.0  # that a worker has to end by itself

_LOGGER = logging.getLogger(__name__)


class Failed(RuntimeError):
    """What a worker's work failed with: its traceback, as text."""


class Lost(RuntimeError):
    """A worker process was killed."""

    def __init__(self) -> None:
        super().__init__(LOST)


class _Worker:
    def __init__(self, name: str) -> None:
        self.name = name
        # A socket of one's own may have a time limit: any library may have set the default.
        self.pipe, self.theirs = Pipe()
        self.named = NAMED_S  # seconds of standing still that are told next

    def look(self, folder: str, stage: str) -> None:
        """Tell of a worker that makes no progress, and end it when it has made none for too long."""
        state = stillness.read(folder, self.name)
        if state is None or state.still < NAMED_S:
            self.named = NAMED_S
        elif 0 < _patience() <= state.still:
            raise ConfigError(
                f"{stage}: {state}; given up after {STILL}={_patience():.0f} s (0 waits for ever). "
                "The same command goes on where this one stopped"
            )
        elif state.still >= self.named:
            self.named = 2 * state.still
            line = f"{stage}: {state}"
            _LOGGER.warning(line)
            process.tell(line)


class Pool:
    """So many worker processes, with Beam's options for their file systems."""

    def __init__(self, count: int, options: str) -> None:
        self.count, self.options, self._driver = count, options, os.getpid()
        self._presence = stillness.Presence()
        self._scratch = contextlib.ExitStack()
        self._home = self._scratch.enter_context(scratch.folder(scratch.WORKERS))
        self._workers = [_Worker(f"worker_{number}") for number in range(count)]
        self._processes: list[subprocess.Popen[bytes]] = []
        try:
            # Elsewhere forks are not safe, or none, and no process is ended with its parent at once.
            for together in [self._workers] if sys.platform == "linux" else [[one] for one in self._workers]:
                self._start({one.name: one.theirs.fileno() for one in together})
        except BaseException:
            self.kill()
            raise
        for one in self._workers:
            one.theirs.close()

    def _start(self, pipes: dict[str, int]) -> None:
        said = None if os.environ.get(process.LOG) else subprocess.DEVNULL
        modules = [name for name in sys.modules if name.startswith(_STEPS)]
        started = subprocess.Popen(
            worker.command(pipes, modules),
            env={**os.environ, stillness.WATCH: self._home, "PIPELINE_OPTIONS": self.options},
            pass_fds=[*pipes.values()],
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
        )
        self._processes.append(started)

    def alive(self) -> bool:
        """Whether all workers are there: none has anything to say while none is asked."""
        return bool(self._workers) and not any(one.pipe.poll() for one in self._workers)

    def all(self, asks: Sequence[tuple[Any, ...]], stage: str) -> list[Any]:
        """What each worker answers to its own question."""
        answers = dict(self._ask([iter([ask]) for ask in asks], stage))
        return [answers[number] for number in range(self.count)]

    def each(self, asks: Iterator[tuple[Any, ...]], stage: str) -> None:
        """Have every question answered by some worker, the next by whoever is free."""
        for _ in self._ask([asks] * self.count, stage):
            pass

    def _ask(self, asks: Sequence[Iterator[tuple[Any, ...]]], stage: str) -> Iterator[tuple[int, Any]]:
        busy: dict[Any, int] = {}

        def give(number: int) -> None:
            ask = next(asks[number], None)
            if ask is not None:
                try:
                    self._workers[number].pipe.send(ask)
                except OSError:
                    raise Lost from None
                busy[self._workers[number].pipe] = number

        for number in range(self.count):
            give(number)
        while busy:
            for pipe in wait([*busy], _POLL_S):
                number = busy.pop(pipe)
                try:
                    done, answer = self._workers[number].pipe.recv()
                except (EOFError, OSError):
                    raise Lost from None
                if not done:
                    raise Failed(answer)
                yield number, answer
                give(number)
            for number in busy.values() if self._presence.here() else ():
                self._workers[number].look(self._home, stage)

    def close(self) -> None:
        """Have the workers end, and wait until they have: their CPU time counts from then on."""
        if os.getpid() != self._driver:
            return  # a fork of the driver ends before it
        for one in self._workers:
            one.pipe.close()
        deadline = time.monotonic() + _END_S
        for started in self._processes:
            with contextlib.suppress(subprocess.TimeoutExpired):
                started.wait(max(0.0, deadline - time.monotonic()))
        self.kill()

    def kill(self) -> None:
        """End the workers, whatever they do."""
        for started in self._processes:
            started.kill()
            started.wait()
        for one in self._workers:
            one.theirs.close()
            with contextlib.suppress(EOFError, OSError):  # it is closed already, or with the end of its worker
                while one.pipe.poll(_END_S):
                    one.pipe.recv_bytes()
            one.pipe.close()
        self._workers, self._processes = [], []
        self._scratch.close()


_pools: list[Pool] = []  # the one that is kept, if any, while no job has it
_keeping = threading.Lock()


@contextlib.contextmanager
def lent(count: int, options: dict[str, Any]) -> Iterator[Pool]:
    """A pool for one job alone: that of a job before, where it is of that kind and whole; else a new one."""
    told = json.dumps(options, default=str)
    with _keeping:
        before = _pools.pop() if _pools else None
    if before is not None and not ((before.count, before.options) == (count, told) and before.alive()):
        before.close()
        before = None
    found = before or Pool(count, told)
    try:
        yield found
    except BaseException:
        found.kill()
        raise
    with _keeping:
        if not _pools:
            _pools.append(found)
            return
    found.close()


@atexit.register
def close() -> None:
    """End the workers that are kept."""
    while _pools:
        _pools.pop().close()


def _patience() -> float:
    try:
        return float(os.environ.get(STILL, STILL_S))
    except ValueError:
        return STILL_S
