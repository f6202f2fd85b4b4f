"""Ask again for images that did not come, and for nothing else: `weft fetch --retry-failed`.

It opens a finished fetch again: the units in which something failed that may pass (no answer, a busy host, 5xx) lose
their markers. The stages after fetch stand; where an image has come, they are due (`decides.score`), and go by --redo
alone, as all that is finished. What such a unit has is put into its spool, as if it had
been killed, so that it goes on with what is missing. So is it with all units of the rounds after: their lists hang on
what the answers are now, and one to which no redirect leads any more is to leave nothing. One exception: a unit whose
list has changed, since other redirects lead there, asks for all of it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from weft.pipeline.run import decides, manifest, registry
from weft.pipeline.run.run import Run
from weft.schemas.parameters import ConfigError
from weft.schemas.records import ImageRow
from weft.transforms.fetch import previous_runs, slices, unit
from weft.transforms.fetch.blobs import FOLDER, TAKEN, Outcome
from weft.transforms.fetch.client import MOVED
from weft.transforms.fetch.decode import Refused
from weft.transforms.fetch.hosts import CAPPED
from weft.transforms.fetch.spool import STAGE, Spool
from weft.transforms.io import files, parquet, state
from weft.transforms.io.work_units import unit_of_file


def go(run: Run, names: Sequence[str]) -> None:
    """Run the named stages, with what `failed` opens again.

    Raises:
        ConfigError: as `failed`; or a finished stage after it would be done again, and nobody has allowed it.
    """
    after = [stage.name for stage in registry.STAGES]
    later = [name for name in names if name != STAGE and name in after[after.index(STAGE) :]]
    if not run.redo and (lost := [name for name in later if manifest.read(run.output, name)]):
        raise ConfigError(
            f"images that come would discard {', '.join(lost)}, which were made without them: add --redo to do that, "
            "or ask for images alone by `weft fetch --retry-failed`"
        )
    run = run if later else dataclasses.replace(run, redo=False)  # what has come is not to be asked for again

    def ready() -> None:
        run.write()
        failed(run)

    run.go(names, ready, reopened=after[after.index(STAGE) :])


def failed(run: Run) -> int:
    """Open a run's fetch again for what failed and may pass; how many images that is.

    Raises:
        ConfigError: it has not fetched with this configuration, or its images are those of a finished run.
    """
    wanted = registry.fingerprints(run.config, run.inputs, run.output)[STAGE]
    if manifest.started(run.output, STAGE) != wanted:
        raise ConfigError("--retry-failed goes on with a fetch of this configuration, and there is none")
    units = list(_units(run.output, run.config.fetch.http))
    if _taken_over(run.output):
        raise ConfigError(
            "--retry-failed cannot go on here, since a removal or subset took these images from a finished run: "
            f'a new run with fetch.earlier = ["{run.output}"] asks for what did not come'
        )
    if units:  # the manifest, then the units: killed in between, the same command goes on
        decides.remember_images(run.output)
        files.remove_tree(files.join(run.output, STAGE, "manifest.json"))
    of_hosts = [one.name for one in units if one.name.startswith("http-")]
    if of_hosts:  # these first: killed in between, the same command finds again why they are opened
        _open_after(run.output, min(map(slices.round_of, of_hosts)))
    for name, _ in units:
        _open(run.output, name)
    count = sum(one.failures for one in units)
    run.say(f"fetch    {count:,} images that did not come are asked for again")
    return count


class _Status(NamedTuple):
    """Columns of images/index."""

    status: str
    http_status: int


class _Detail(NamedTuple):
    """Columns of fates/fetch."""

    key: str
    detail: str


class _Unit(NamedTuple):
    """A finished unit in which something failed that may pass."""

    name: str
    failures: int


def _units(output: str, http: bool) -> Iterator[_Unit]:
    for marker, _ in files.listing(files.join(output, STAGE, "units", "*.json")):
        name = unit_of_file(marker)
        if http or not name.startswith("http-"):
            rows = parquet.read(_index(output, name), _Status)
            if count := sum(_failed(row) for row in rows):
                yield _Unit(name, count)


def _taken_over(output: str) -> bool:
    """Whether images come from a run that the configuration does not name: nothing would lead to them again."""
    return bool(files.listing(files.join(output, "images", "index", f"{TAKEN}*.parquet")))


def _open(output: str, name: str) -> None:
    """Take a unit for one that was killed with all that need not be asked for again."""
    marker = files.join(output, STAGE, "units", f"{name}.json")
    if name.startswith("http-") and (done := state.read(marker)):
        Spool(output, name, done["fingerprint"]).keep(_had(output, name))
    files.remove_tree(marker)


def _open_after(output: str, number: int) -> None:
    """Open all units of the rounds after one, and take their files away: they may not be reached again."""
    for path, _ in files.listing(files.join(output, STAGE, "left", "http-*.json")):
        if slices.round_of(unit_of_file(path)) > number:
            files.remove_tree(path)
    for path, _ in files.listing(files.join(output, "images", "index", "http-*.parquet")):
        name = unit_of_file(path)
        if slices.round_of(name) > number:
            _open(output, name)
            files.remove_tree(files.join(output, STAGE, MOVED, f"{name}.json"))
            files.remove_tree(files.join(output, "fates", STAGE, f"{name}.parquet"))
            for blob, _ in files.listing(files.join(output, *FOLDER, f"{name}-*.bin")):
                files.remove_tree(blob)
            files.remove_tree(path)


def _failed(row: _Status) -> bool:
    """Whether it was asked for in vain; what this run is not to ask for is none of that."""
    return row.status != CAPPED and previous_runs.may_pass(row.status, row.http_status)


def _index(output: str, name: str) -> str:
    return files.join(output, "images", "index", f"{name}.parquet")


def _had(output: str, name: str) -> Iterator[Outcome]:
    """What a unit need not ask for again."""
    fates = parquet.read(files.join(output, "fates", STAGE, f"{name}.parquet"), _Detail)
    details = {row.key: row.detail for row in fates}
    for row in parquet.read(_index(output, name), ImageRow):
        if not previous_runs.may_pass(row.status, row.http_status):
            outcome = previous_runs.outcome(output, row)
            refused = isinstance(outcome.image, Refused)
            yield outcome._replace(image=Refused(row.status, details[row.image_url])) if refused else outcome
    for key, url in unit.moved(_index(output, name)):
        yield Outcome(key, Refused(MOVED, url), 0, 0)
