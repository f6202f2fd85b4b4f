"""Work units: a piece of a stage that writes its own files and is skipped when they are already there.

A unit's files have names that depend on its input alone and are written atomically; its marker, written last,
holds its counts, the fingerprint of what it was made from, and what its files were when they were written. A retried
bundle, a speculated task or a killed run therefore costs at most the units that were in flight.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from weft.schemas.records import Fate, stable_id
from weft.schemas.tables import FATES
from weft.transforms.io import files, state
from weft.transforms.io.parquet import write_table

Counts = dict[str, int]


def unit_name(path: str) -> str:
    """Name of a file's work unit and of what it writes: readable, and unique by the whole path."""
    return f"{files.stem(path)}-{stable_id('file', path)[:8]}"


def unit_of_file(path: str) -> str:
    """Name of the unit that a file is of: its marker, its table, what it left.

    >>> unit_of_file("out/fetch/units/http-cdn.test-00012.json"), unit_of_file("out/images/index/http-00003-2.parquet")
    ('http-cdn.test-00012', 'http-00003-2')
    """
    return path.rpartition("/")[2].rsplit(".", 1)[0]


def finished(output: str, stage: str, name: str, fingerprint: str) -> Counts | None:
    """What a unit counted, where its marker says that it has been done from this fingerprint; else None.

    Its tables are read for their digests; of blobs, which are large, the size is enough here: all that a marker names
    was on the disk before it.
    """
    done = state.read(_marker(output, stage, name))
    return dict(done["counts"]) if done and done["fingerprint"] == fingerprint and _stand(output, done) else None


def counted(output: str, stage: str, name: str) -> Counts | None:
    """What a unit counted, whatever it was made from; None where its files are not what they were when it was done."""
    done = state.read(_marker(output, stage, name))
    return dict(done["counts"]) if done and _stand(output, done) else None


def run_unit(
    output: str,
    stage: str,
    name: str,
    fingerprint: str,
    work: Callable[[], Counts | None],
    standing: Sequence[str] = (),
    slips: str = "",
) -> Counts:
    """Run `work` unless its marker says that it has been done from the same fingerprint and its files are still that.

    Args:
        output: the run's output directory; the marker is `stage`/units/`name`.json below it.
        work: writes the unit's files and returns what it counted (any names; kinds for what entered); None where
            another attempt has finished the unit meanwhile.
        standing: other outputs; a unit that one of them has of this fingerprint is copied and not worked out again.
        slips: where steps that `work` runs elsewhere leave notes of their files (`state.slip`): the marker takes them.
    """
    if (done := finished(output, stage, name, fingerprint)) is not None:
        return done
    with files.recorded() as written:
        counts = _copied(standing, output, stage, name, fingerprint)
        if counts is None:
            counts = work()
    if counts is None:
        return finished(output, stage, name, fingerprint) or {}
    notes = [path for path, _ in files.listing(files.join(slips, "*.json"))] if slips else []
    for found in files.each(lambda path: state.noted(state.read(path)), notes, not files.is_local(output)):
        written |= found
    below = {path[len(output.rstrip("/")) + 1 :]: found for path, found in written.items()}
    state.write(_marker(output, stage, name), {"fingerprint": fingerprint, "counts": counts, "files": below})
    if slips:
        files.remove_tree(slips)
    return counts


def _marker(output: str, stage: str, name: str) -> str:
    return files.join(output, stage, "units", f"{name}.json")


def _copied(standing: Sequence[str], output: str, stage: str, name: str, fingerprint: str) -> Counts | None:
    for other in standing:
        if (counts := finished(other, stage, name, fingerprint)) is not None:
            for path, was in state.noted(state.read(_marker(other, stage, name))).items():
                files.copy(files.join(other, path), files.join(output, path), was.rows)
            return counts
    return None


def _stand(output: str, done: Mapping[str, Any]) -> bool:
    def stands(one: tuple[str, files.Written]) -> bool:
        name, was = one
        path = files.join(output, name)
        found = files.listing(path)
        if not found or found[0][1] != was.bytes:
            return False
        return not name.endswith(".parquet") or files.digest(path).sha256 == was.sha256

    noted = sorted(state.noted(done).items())
    return all(files.each(stands, noted, len(noted) >= files.AT_ONCE))  # of a unit; a job may have thousands


def write_fates(output: str, stage: str, name: str, fates: Iterable[Fate]) -> int:
    """A unit's fates → fates/`stage`/`name`.parquet."""
    return write_table(files.join(output, "fates", stage, f"{name}.parquet"), fates, FATES)
