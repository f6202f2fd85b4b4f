"""Directories of a run for what it needs while it lasts: each is locked by whose it is, so that others sweep the rest.

The kernel lets go of the lock when its process ends, however that was; of a number of a process another container knows
nothing.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator

SHUFFLE, WORKERS, BOOKS = "weft-shuffle-", "weft-workers-", "weft-books-"
_LOCK = "lock"


@contextlib.contextmanager
def folder(prefix: str) -> Iterator[str]:
    """A new directory, which is removed afterwards; what killed runs have left of that kind goes first."""
    sweep(prefix)
    made, owner = tempfile.mkdtemp(prefix=prefix), os.getpid()
    try:
        with open(os.path.join(made, "new"), "wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            os.rename(lock.name, os.path.join(made, _LOCK))  # others see it when it is locked, and no earlier
            yield made
    finally:
        if os.getpid() == owner:  # and not a fork of it, which ends earlier
            shutil.rmtree(made, ignore_errors=True)


def sweep(prefix: str) -> None:
    """Remove directories of that kind whose lock nobody holds, on this machine or another."""
    with contextlib.suppress(OSError), os.scandir(tempfile.gettempdir()) as found:  # some let nobody look into it
        for one in found:
            if one.name.startswith(prefix):
                with contextlib.suppress(OSError), open(os.path.join(one.path, _LOCK), "rb") as lock:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(one.path, ignore_errors=True)
