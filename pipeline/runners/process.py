"""What a process of weft's sets for itself when it starts: threads, loggers, its stderr. Importing weft sets nothing.

The `weft` command and its local workers call this before anything that imports numpy, which reads its number of
threads once, as it is loaded. Workers that Beam starts elsewhere (Spark, Dataflow) get the same from the environment of
their image (deploy/Dockerfile), and what one step alone needs from the `setup` of its DoFn.
"""

from __future__ import annotations

import logging
import os
import sys
import threading

LOG = "WEFT_LOG"  # environment variable: the level from which libraries may log; unset is never


def prepare() -> None:
    """Set up the process of the `weft` command; what the user's environment says already, stays.

    Libraries log to nobody unless WEFT_LOG names a level: what matters is raised, and told in one line.
    """
    _threads()
    level = os.environ.get(LOG, "").upper()
    if level:
        logging.basicConfig(level=level)
        return
    logging.getLogger().addHandler(logging.NullHandler())
    logging.getLogger().setLevel(logging.CRITICAL)
    # Beam's threads end in exceptions when a run ends; one that matters is raised in the main thread as well.
    threading.excepthook = lambda problem: None


def prepare_worker() -> None:
    """Set up a local worker: its harness sends its log to the runner, and nobody reads its stderr but with WEFT_LOG."""
    _threads()
    logging.getLogger().addHandler(logging.NullHandler())
    if not os.environ.get(LOG):
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115 - for as long as the process lives


def _threads() -> None:
    """Workers are one a core: linear algebra with threads of its own in each makes them wait for each other.

    PyTorch's threads, where it has several, sleep while they wait. By default they spin, and where anything else runs
    on the machine each spins through the turn of the one that it waits for: a training beside a load of 7 on two cores
    went from 111 to 1,383 tokens/s.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
