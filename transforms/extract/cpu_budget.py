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

CPU_S = 300  # of one page: ten times what the worst that could be made takes, a thousand times a large real one
LOOK_S = 1.0  # between two looks at all threads
T = TypeVar("T")


class TooSlow(BaseException):
    """Raised in a thread that is over its budget; no Exception, which a library might take for its own."""


class _Watched(NamedTuple):
    clock: int  # of the thread's CPU time
    until: float  # by that clock


_watched: dict[int, _Watched] = {}  # by thread
_changing = threading.Lock()
_watcher: threading.Thread | None = None


def within(seconds: float, work: Callable[[], T]) -> T:
    """What `work` gives.

    Args:
        seconds: of CPU time of this thread that it may take.
        work: changes nothing that half of it would leave broken.

    Raises:
        TooSlow: it takes longer.
    """
    if not hasattr(time, "pthread_getcpuclockid"):  # a system that knows no such clock has no such wall
        return work()
    me = threading.get_ident()
    clock = time.pthread_getcpuclockid(me)
    _watch(me, _Watched(clock, time.clock_gettime(clock) + seconds))
    try:
        return work()
    finally:
        with _changing:
            _watched.pop(me, None)
            _raise_in(me, None)  # what came as the work ended must not strike whatever is next


def _watch(thread: int, one: _Watched) -> None:
    """Have a thread looked at, and the one that looks; a process that was forked has none of its parent's."""
    global _watcher
    with _changing:
        _watched[thread] = one
        if _watcher is None or not _watcher.is_alive():
            _watcher = threading.Thread(target=_look, name="cpu budget", daemon=True)
            _watcher.start()


def _look() -> None:
    """Until there is nothing to look at: a worker without work has no thread that seems to be at some."""
    global _watcher
    while True:
        time.sleep(LOOK_S)
        with _changing:
            for thread, one in list(_watched.items()):
                try:
                    over = time.clock_gettime(one.clock) > one.until
                except OSError:  # the thread has ended
                    _watched.pop(thread, None)
                    continue
                if over:  # again and again, until it has ended
                    _raise_in(thread, TooSlow)
            if not _watched:
                _watcher = None
                return


def _raise_in(thread: int, error: type[BaseException] | None) -> None:
    """Raise in another thread as soon as it runs Python; None takes back what has not struck yet."""
    what = ctypes.py_object(error) if error else None
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), what)
