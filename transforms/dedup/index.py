"""The dedup index: what earlier runs have seen, so that a later snapshot is compared with it and not with itself alone.

    INDEX/header.json          what signatures are made by; an index of another kind is refused
    INDEX/RUN/part-*.parquet   sketches of every document of a run, what replaced it and how
    INDEX/RUN/run.json         written last: the run's parts and their digests, and the runs that it was compared with

A run adds a directory and rewrites nothing. It is named after its input; run again, it is compared with what it was
compared with the first time, whatever has been added since, and takes its own place. Two runs that are added at the
same time do not see each other.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from weft.schemas.parameters import ConfigError, Similarity
from weft.schemas.records import EARLIER_DROPPED, EARLIER_KEPT, Sketch, stable_id
from weft.transforms.dedup import minhash, shingles
from weft.transforms.dedup.rules import Drop
from weft.transforms.io import files, parquet, state

SLIPS = "slips"  # notes of a run's parts, until it is finished


def run_name(inputs: Sequence[str]) -> str:
    """Name of the run over these input files."""
    return stable_id("run", *sorted(inputs))


def header(similarity: Similarity) -> dict[str, Any]:
    """What signatures are made by, which two runs must have in common."""
    return {
        "what": "weft dedup index",
        "normalisation": shingles.NORMALISATION,
        "unit": similarity.unit,
        "ngram": similarity.ngram,
        "hasher": similarity.hasher,
        "permutations": similarity.permutations,
        "seed": minhash.SEED,
        "shingles": similarity.cluster == "verified" and similarity.verify == "exact",
    }


def check(directory: str, similarity: Similarity) -> None:
    """Compare the index with what this run makes.

    Raises:
        ConfigError: it is no index, or its signatures were made by other means.
    """
    path = files.join(directory, "header.json")
    if not files.exists(path):
        return
    try:
        found = json.loads(files.read_bytes(path))
    except ValueError:
        found = None
    wanted = header(similarity)
    if not isinstance(found, dict) or found.get("what") != wanted["what"]:
        raise ConfigError(f"{directory} is not a dedup index: its header.json says something else")
    other = [f"{key} = {found.get(key)!r}, not {value!r}" for key, value in wanted.items() if found.get(key) != value]
    if other:
        raise ConfigError(f"the index {directory} was made with {'; '.join(other)}: use another dedup.index")


def against(directory: str, own: str) -> list[str]:
    """Names of the runs in the index that run `own` is compared with, sorted."""
    mine = _run(directory, own)
    if mine:
        return list(mine["against"])
    found = {path.split("/")[-2] for path, _ in files.listing(files.join(directory, "*", "run.json"))}
    return sorted(found - {own})


def parts(directory: str, runs: Sequence[str]) -> list[str]:
    """Files of the named runs.

    Raises:
        ConfigError: a run is gone.
    """
    found: list[str] = []
    for name in runs:
        run = _run(directory, name)
        if run is None:
            raise ConfigError(f"the index {directory} has lost run {name}, which this one was compared with")
        found += [files.join(directory, name, part) for part in run["parts"]]
    return found


def read(path: str) -> Iterator[Sketch]:
    """Sketches of one file of the index."""
    for sketch in parquet.read(path, Sketch):
        yield sketch._replace(origin=EARLIER_DROPPED if sketch.how else EARLIER_KEPT)


def drops(path: str) -> Iterator[Drop]:
    """What the runs before dropped: an earlier run's document is not always what is kept."""
    for drop in parquet.read(path, Drop):
        if drop.how:
            yield drop


def finish(directory: str, similarity: Similarity, own: str, runs: Sequence[str], buckets: int) -> None:
    """Say that run `own` has written its parts."""
    head = files.join(directory, "header.json")
    if not files.exists(head):
        files.write_atomic(head, json.dumps(header(similarity), sort_keys=True) + "\n")
    names = [parquet.part_name(bucket, buckets) for bucket in range(buckets)]
    slips = files.join(directory, own, SLIPS)
    was: dict[str, files.Written] = {}
    for path, _ in files.listing(files.join(slips, "*.json")):
        was |= {one.rpartition("/")[2]: said for one, said in state.noted(state.read(path)).items()}
    files.remove_tree(slips)
    state.write(files.join(directory, own, "run.json"), {"parts": names, "against": list(runs), "files": was})


def _run(directory: str, name: str) -> dict[str, Any] | None:
    return state.read(files.join(directory, name, "run.json"))
