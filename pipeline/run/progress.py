"""Progress of a stage: a bar on a terminal, a line now and then otherwise.

Workers may run anywhere, so progress is what can be seen from anywhere: the markers of finished work units, and the
counts that they hold (pages and images of an archive, tokens of a shard).
"""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from tqdm import tqdm

from weft.pipeline.runners import process
from weft.transforms.io import files, state

POLL_LOCAL_S, POLL_REMOTE_S = 0.3, 10.0
LINE_EVERY_S = 10.0
READ_AT_ONCE = 50  # markers of one look: an object store answers each of them by itself
_SHOWN = {"page": "pages", "image": "images", "images": "images", "pair": "pairs", "tokens": "tokens"}


def say(line: str) -> None:
    """Print a line on stderr, above the bar where there is one; work goes on when nobody reads it."""
    with contextlib.suppress(OSError):  # as of `process.tell`
        tqdm.write(line, file=sys.stderr)
        sys.stderr.flush()


class Progress:
    """Counts finished units of one stage in the background."""

    def __init__(self, output: str, stage: str, quiet: bool = False) -> None:
        """`output` is the run's directory; `quiet` shows nothing."""
        self._pattern = files.join(output, stage, "units", "*.json")
        self._every = POLL_LOCAL_S if files.is_local(output) else POLL_REMOTE_S
        self._stage, self._quiet, self._total = stage, quiet, 0
        self._stop = threading.Event()
        self._read: set[str] = set()
        self._counts: Counter[str] = Counter()

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

    def look(self) -> int:
        """Read the markers that are new; returns how many there are now."""
        found = [path for path, _ in files.listing(self._pattern)]
        for path in [path for path in found if path not in self._read][:READ_AT_ONCE]:
            self._read.add(path)
            told = state.read(path) or {}
            for name, count in told.get("counts", told).items():
                if name in _SHOWN:
                    self._counts[_SHOWN[name]] += count
        return len(found)

    def told(self, done: int, seconds: float, before: int = 0) -> str:
        """What there is to say after `done` units, those of an earlier attempt among them, as "N of M units, …".

        Args:
            seconds: since this attempt began.
            before: units that an earlier attempt had done by then; they say nothing of the rate.
        """
        scale = done / len(self._read) if self._read else 0
        parts = [f"{done} of {self._total or '?'} units"]
        fresh = (done - before) / done if done else 0
        for name, count in self._counts.items():
            if count:
                parts.append(f"{count * scale:,.0f} {name} ({count * scale * fresh / max(seconds, 1e-9):,.0f}/s)")
        if before < done < self._total:
            parts.append(f"{duration(seconds * (self._total - done) / (done - before))} left")
        return ", ".join(parts)

    def _show(self) -> None:
        terminal = sys.__stderr__ or sys.stderr  # the stage's own stderr may be hushed
        form = "{desc} {percentage:3.0f}%|{bar:20}| {postfix}"
        bar = tqdm(desc=f"{self._stage:8}", leave=False, file=terminal, bar_format=form) if terminal.isatty() else None
        begun = last = time.monotonic()
        before, shown = self.look(), -1
        while not self._stop.wait(self._every):
            done, now = self.look(), time.monotonic()
            if bar is not None:
                bar.total, bar.n = self._total or None, done
                bar.set_postfix_str(self.told(done, now - begun, before))
            elif self._total and done != shown and now - last >= LINE_EVERY_S:
                process.tell(f"{self._stage}: {self.told(done, now - begun, before)}")
                last, shown = now, done
        if bar is not None:
            bar.close()


def duration(seconds: float) -> str:
    """Time for a person.

    >>> duration(8.2), duration(300), duration(9_000)
    ('8 s', '5 min', '2.5 h')
    """
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7_200 else f"{seconds / 3_600:.1f} h"
