"""Ask again for images that did not come, and for nothing else: `weft fetch --retry-failed`.

A finished fetch → the same with the units open again in which something failed that may pass (no answer, a busy host,
5xx). What such a unit has is laid in its spool, just as a killed unit leaves it, so that it goes on with what is
missing. The stages after fetch are to be done again. A unit whose list grows, because an answer now is a redirect to a
host of it, asks for all of its list.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from weft.pipeline.run import manifest, registry
from weft.pipeline.run.run import Run
from weft.schemas.parameters import ConfigError
from weft.transforms.fetch import previous_runs, unit
from weft.transforms.fetch.blobs import Got
from weft.transforms.fetch.client import MOVED
from weft.transforms.fetch.decode import Refused
from weft.transforms.fetch.spool import Spool
from weft.transforms.io import files, parquet


def failed(run: Run) -> int:
    """Open a run's fetch again for what failed and may pass; how many images that is.

    Raises:
        ConfigError: it has not fetched with this configuration.
    """
    wanted = registry.fingerprints(run.config, run.inputs)[unit.STAGE]
    if manifest.started(run.output, unit.STAGE) != wanted:
        raise ConfigError("--retry-failed goes on with a fetch of this configuration, and there is none")
    units = list(_units(run.output, run.config.fetch.http))
    if units:  # what is made of images first, then the stage, then its units: killed between, the same command goes on
        names = [stage.name for stage in registry.STAGES]
        for later in names[names.index(unit.STAGE) + 1 :]:
            files.remove_tree(files.join(run.output, later))
        files.remove_tree(files.join(run.output, unit.STAGE, "manifest.json"))
    for name, marker, _ in units:
        if name.startswith("http-"):
            fingerprint = json.loads(files.read_bytes(marker))["fingerprint"]
            Spool(run.output, name, fingerprint).keep(_had(run.output, name))
        files.remove_tree(marker)
    count = sum(count for _, _, count in units)
    run.say(f"fetch    {count:,} images that did not come are asked for again")
    return count


def _units(output: str, http: bool) -> Iterator[tuple[str, str, int]]:
    """(name, marker, failures that may pass) of finished units that have any."""
    for marker, _ in files.listing(files.join(output, unit.STAGE, "units", "*.json")):
        name = marker.rpartition("/")[2].removesuffix(".json")
        if http or not name.startswith("http-"):
            rows = parquet.read_rows(_index(output, name), ("status", "http_status"))
            if count := sum(map(_passing, rows)):
                yield name, marker, count


def _index(output: str, name: str) -> str:
    return files.join(output, "images", "index", f"{name}.parquet")


def _passing(row: dict[str, Any]) -> bool:
    return previous_runs.may_pass(row["status"], row["http_status"])


def _had(output: str, name: str) -> Iterator[Got]:
    """What a unit need not ask for again."""
    fates = parquet.read_rows(files.join(output, "fates", unit.STAGE, f"{name}.parquet"), ("key", "detail"))
    details = {row["key"]: row["detail"] for row in fates}
    for row in parquet.read_rows(_index(output, name)):
        if not _passing(row):
            got, _ = previous_runs.got(json.dumps({**row, "output": output}))
            refused = isinstance(got.made, Refused)
            yield got._replace(made=Refused(row["status"], details[got.key])) if refused else got
    for key, url in unit.moved(_index(output, name)):
        yield Got(key, Refused(MOVED, url), 0, 0)
