"""Progress of a stage: a bar on a terminal, a line now and then otherwise.

Workers may run anywhere, so progress is what can be seen from anywhere: the markers of finished work units.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tqdm import tqdm

from weft.transforms.io import files

POLL_LOCAL_S, POLL_REMOTE_S = 0.3, 10.0
LINE_EVERY_S = 10.0


class Progress:
    """Counts finished units of one stage in the background."""

    def __init__(self, output: str, stage: str, quiet: bool = False) -> None:
        """`output` is the run's directory; `quiet` shows nothing."""
        self._pattern = files.join(output, stage, "units", "*.json")
        self._every = POLL_LOCAL_S if files.is_local(output) else POLL_REMOTE_S
        self._stage, self._quiet, self._total = stage, quiet, 0
        self._stop = threading.Event()

    def expect(self, units: int) -> None:
        """Say how many units there will be."""
        self._total = units

    @contextmanager
    def shown(self) -> Iterator[Progress]:
        """Show progress for as long as the block runs."""
        thread = threading.Thread(target=self._show, daemon=True)
        if not self._quiet:
            thread.start()
        try:
            yield self
        finally:
            self._stop.set()
            if thread.is_alive():
                thread.join()

    def _show(self) -> None:
        terminal = sys.__stderr__ or sys.stderr  # the stage's own stderr may be hushed
        bar = tqdm(desc=f"{self._stage:8}", unit="unit", leave=False, file=terminal) if terminal.isatty() else None
        last, shown = time.monotonic(), -1
        while not self._stop.wait(self._every):
            done = len(files.listing(self._pattern))
            if bar is not None:
                bar.total, bar.n = self._total or None, done
                bar.refresh()
            elif self._total and done != shown and time.monotonic() - last >= LINE_EVERY_S:
                print(f"{self._stage}: {done} of {self._total or '?'} units", file=terminal, flush=True)
                last, shown = time.monotonic(), done
        if bar is not None:
            bar.close()
