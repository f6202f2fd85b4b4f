"""A last wall around one page's work: so much CPU time of its thread, and it is given up.

Every step of a page takes time in its length, up to counted bounds (html/limits.py): what those let through takes
seconds. This is for what nobody has thought of, in weft or in the libraries it calls, and is far above: a page that it
ends may depend on the machine. A worker runs its bundles in threads, where no signal arrives; so a thread of its own
looks once a second at what each has used, and raises in one that is over. That waits for a call into C to end.
"""

from __future__ import annotations

import ctypes
import threading
import time
from collections.abc import Callable
from typing import NamedTuple, TypeVar

LOOK_S = 1.0  # between two looks at all threads
T = TypeVar("T")


class TooSlow(BaseException):
    """Raised in a thread that is over its budget; no Exception, which a library might take for its own."""


class _Watched(NamedTuple):
    clock: int  # of the thread's CPU time
    until: float  # by that clock


_watched: dict[int, _Watched] = {}  # by thread
_starting = threading.Lock()
_watcher: threading.Thread | None = None


def within(seconds: float, work: Callable[[], T]) -> T:
    """What `work` gives.

    Args:
        seconds: of CPU time of this thread that it may take.
        work: changes nothing that half of it would leave broken.

    Raises:
        TooSlow: it takes longer.
    """
    _watch()
    me = threading.get_ident()
    clock = time.pthread_getcpuclockid(me)
    _watched[me] = _Watched(clock, time.clock_gettime(clock) + seconds)
    try:
        return work()
    finally:
        _watched.pop(me, None)


def _watch() -> None:
    """Have the thread that looks; a process that was forked has none of its parent's."""
    global _watcher
    with _starting:
        if _watcher is None or not _watcher.is_alive():
            _watcher = threading.Thread(target=_look, name="cpu budget", daemon=True)
            _watcher.start()


def _look() -> None:
    while True:
        time.sleep(LOOK_S)
        for thread, one in list(_watched.items()):
            try:
                over = time.clock_gettime(one.clock) > one.until
            except OSError:  # the thread has ended
                _watched.pop(thread, None)
                continue
            if over and _watched.get(thread) is one:  # again and again, until it has ended
                ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(TooSlow))
