"""Work units: a piece of a stage that writes its own files and is skipped when they are already there.

A unit's files have names that depend on its input alone and are written atomically; its marker, written last,
holds its counts and the fingerprint of what it was made from. A retried bundle, a speculated task or a killed
run therefore costs at most the units that were in flight.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable

from weft.schemas.records import Fate, stable_id
from weft.schemas.tables import FATES
from weft.transforms.io import files
from weft.transforms.io.parquet import write_table

Counts = dict[str, int]


def unit_name(path: str) -> str:
    """Name of a file's work unit and of what it writes: readable, and unique by the whole path."""
    return f"{files.stem(path)}-{stable_id('file', path)[:8]}"


def finished(output: str, stage: str, name: str, fingerprint: str) -> Counts | None:
    """What a unit counted, where its marker says that it has been done from this fingerprint; else None."""
    marker = _marker(output, stage, name)
    if files.exists(marker):
        done = json.loads(files.read_bytes(marker))
        if done["fingerprint"] == fingerprint:
            return dict(done["counts"])
    return None


def run_unit(output: str, stage: str, name: str, fingerprint: str, work: Callable[[], Counts]) -> Counts:
    """Run `work` unless its marker says that it has been done from the same fingerprint.

    Args:
        output: the run's output directory; the marker is `stage`/units/`name`.json below it.
        work: writes the unit's files and returns what it counted (any names; kinds for what entered).
    """
    if (done := finished(output, stage, name, fingerprint)) is not None:
        return done
    counts = work()
    told = json.dumps({"fingerprint": fingerprint, "counts": counts}, sort_keys=True)
    files.write_atomic(_marker(output, stage, name), told)
    return counts


def _marker(output: str, stage: str, name: str) -> str:
    return files.join(output, stage, "units", f"{name}.json")


def write_fates(output: str, stage: str, name: str, fates: Iterable[Fate]) -> int:
    """A unit's fates → fates/`stage`/`name`.parquet."""
    return write_table(files.join(output, "fates", stage, f"{name}.parquet"), fates, FATES)
