"""Workers that stand still: each looks at itself and writes down what it sees, and the driver reads it.

A thread works while it uses processor time; one that waits for an answer that never comes uses none. So a worker looks
at its threads that are in a bundle or in weft's code: where none has used any, it stands still, and says where. It
writes that into a file; one that stops writing does not answer at all: it is stopped, or a library holds the
interpreter.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import logging
import os
import sys
import threading
import time
import types

WATCH = "WEFT_WATCH"  # environment variable of a worker: the folder for what it writes down
EVERY_S = 1.0  # between two looks
SILENT_S = 15.0  # without a look: the worker does not answer
WORKS_NS = 1_000_000  # of processor time between two looks; one that waits uses none
_BUNDLES = "weft.pipeline.runners.local.work"
_OWN = ("weft.pipeline.runners.", "weft.transforms.extract.cpu_budget")  # threads that look at others


@dataclasses.dataclass(frozen=True)
class State:
    """What is known of a worker.

    Attributes:
        still: seconds without progress.
        where: it stands.
        said: its last warning, "" where there was none.
    """

    pid: int
    still: float
    where: str
    said: str = ""

    def __str__(self) -> str:
        said = f"; it last said: {self.said}" if self.said else ""
        return f"worker process {self.pid} has made no progress for {self.still:.0f} s: it {self.where}{said}"


class Look:
    """Looks at this process' threads again and again."""

    def __init__(self) -> None:
        self._spent: dict[int, int] = {}
        self._worked = self._looked = time.monotonic()
        self._said = _LastSaid(logging.WARNING)
        logging.getLogger().addHandler(self._said)

    def again(self) -> State:
        """The state since the looks before."""
        working = at_work()
        spent = {thread: _spent(thread) for thread in working}
        before, self._spent = self._spent, spent
        works = not spent or any(used - before.get(thread, -WORKS_NS) >= WORKS_NS for thread, used in spent.items())
        now, last = time.monotonic(), self._looked
        self._looked = now
        if works or now - last > SILENT_S:  # this process was stopped, and what it waits for too
            self._worked = now
        where = f"stands in {next(iter(working.values()), 'nothing')}"
        return State(os.getpid(), now - self._worked, where, self._said.line)


class Presence:
    """Whether the driver can say that others are silent: not just after it was stopped itself, or the machine slept."""

    def __init__(self) -> None:
        self._looked = self._since = 0.0

    def here(self) -> bool:
        """Ask at each look: after a time without one, workers get as long to say something."""
        now = time.time()  # which goes on while the machine sleeps, as files' times do
        last, self._looked = self._looked or now, now
        if now - last > SILENT_S:
            self._since = now
        return now - self._since > SILENT_S


def begin() -> None:
    """Watch this worker, if its driver asks for that."""
    folder, name = os.environ.get(WATCH), os.environ.get("WORKER_ID", "worker")
    if folder:
        threading.Thread(target=_watch, args=(os.path.join(folder, name),), name="watch", daemon=True).start()


def read(folder: str, worker: str) -> State | None:
    """What a worker has written down, or that it has stopped to; None before it does."""
    path = os.path.join(folder, worker)
    try:
        with open(path, encoding="utf-8") as file:
            state = State(**json.load(file))
        silent = time.time() - os.path.getmtime(path)
    except (OSError, ValueError):
        return None
    if silent > SILENT_S:
        return dataclasses.replace(state, still=state.still + silent, where="does not answer")
    return state


def at_work() -> dict[int, str]:
    """Native id → place of the threads that are in a bundle or in weft's code, but for the one that asks."""
    known = {thread.ident: thread.native_id or 0 for thread in threading.enumerate()}
    found = {
        known.get(ident, 0): _place(frame)
        for ident, frame in sys._current_frames().items()
        if ident != threading.get_ident()
    }
    return {thread: place for thread, place in found.items() if thread and place}


def _place(frame: types.FrameType | None) -> str:
    """Where a thread is in weft's code, or in Beam's where it is in a bundle and not in weft's; "" elsewhere."""
    first, bundle = frame, False
    while frame is not None:
        module = str(frame.f_globals.get("__name__", ""))
        if module.startswith("weft.") and not module.startswith(_OWN):
            return _named(frame)
        bundle = bundle or module == _BUNDLES
        frame = frame.f_back
    return _named(first) if bundle and first is not None else ""


def _named(frame: types.FrameType) -> str:
    return f"{frame.f_globals.get('__name__', '?')}:{frame.f_lineno} ({frame.f_code.co_name})"


def _spent(thread: int) -> int:
    """Nanoseconds of processor time of a thread; where the kernel does not say, as if it worked."""
    try:
        with open(f"/proc/self/task/{thread}/schedstat", encoding="ascii") as file:
            return int(file.read().split()[0])
    except (OSError, ValueError, IndexError):
        return time.monotonic_ns()


class _LastSaid(logging.Handler):
    line = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.line = " ".join(record.getMessage().split())[:200]


def _watch(path: str) -> None:
    look = Look()
    while True:
        state = look.again()
        with contextlib.suppress(OSError):  # a full disk may have room again: who writes no more is given up
            with open(f"{path}.new", "w", encoding="utf-8") as file:
                json.dump(dataclasses.asdict(state), file)
            os.replace(f"{path}.new", path)
        time.sleep(EVERY_S)
