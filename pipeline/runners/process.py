"""What a process of weft's sets for itself when it starts: threads, loggers, its stderr. Importing weft sets nothing.

The `weft` command and its local workers call this before anything that imports numpy, which reads its number of
threads once, as it is loaded. Workers that Beam starts elsewhere (Spark, Dataflow) get the same from the environment of
their image (deploy/Dockerfile), and what one step alone needs from the `setup` of its DoFn.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import threading

from weft.pipeline.runners import light_beam

LOG = "WEFT_LOG"  # environment variable: the level from which libraries may log; unset is never


def prepare() -> None:
    """Set up the process of the `weft` command; what the user's environment says already, stays.

    Libraries log to nobody unless WEFT_LOG names a level: what matters is raised, and told in one line.
    """
    _threads()
    light_beam.begin()
    level = os.environ.get(LOG, "").upper()
    if level:
        logging.basicConfig(level=level)
        return
    logging.getLogger().addHandler(logging.NullHandler())
    logging.getLogger().setLevel(logging.CRITICAL)
    # Beam's threads end in exceptions when a run ends; one that matters is raised in the main thread as well.
    threading.excepthook = lambda problem: None


def open_streams() -> None:
    """Let the command say what it says, whatever it was started with.

    A stream that was closed is led nowhere: the next file that is opened would have its number, and what C libraries
    and other processes print would be in it. A character that the encoding has not is escaped.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        stream = getattr(sys, name)
        if stream is None:
            stream = open(os.devnull, mode)  # noqa: SIM115 - for as long as the process lives
            setattr(sys, name, stream)
            setattr(sys, f"__{name}__", stream)
        elif mode == "w" and stream.errors == "strict":
            stream.reconfigure(errors="backslashreplace")


def tell(line: str) -> None:
    """Print a line on the command's own stderr, also while a stage's is hushed; work goes on when nobody reads it."""
    with contextlib.suppress(OSError):  # a pipe whose reader has ended, a terminal that was closed
        print(line, file=sys.__stderr__ or sys.stderr, flush=True)


def flush_streams() -> str:
    """Send what was said, and say why the standard output took it not; "" where it did, or has been closed."""
    with contextlib.suppress(OSError):
        sys.stderr.flush()
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        pass  # whoever read has enough
    except OSError as error:
        return f"cannot write to the standard output: {error.strerror}"
    return ""


def prepare_worker() -> None:
    """Set up a local worker; what it prints goes nowhere but with WEFT_LOG (pool.py).

    An allocator in Arrow, of which it uses another by default, would start a thread as it is loaded: then nothing is
    forked (worker.py).
    """
    _threads()
    os.environ.setdefault("JE_ARROW_MALLOC_CONF", "background_thread:false")
    light_beam.begin()
    logging.getLogger().addHandler(logging.NullHandler())


def _threads() -> None:
    """Workers are one a core: linear algebra with threads of its own in each makes them wait for each other.

    PyTorch's threads, where it has several, sleep while they wait. By default they spin, and where anything else runs
    on the machine each spins through the turn of the one that it waits for: a training beside a load of 7 on two cores
    went from 111 to 1,383 tokens/s.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
