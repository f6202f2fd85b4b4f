"""The dedup index: what earlier runs have seen, so that a later snapshot is compared with it and not with itself alone.

    INDEX/header.json               what sketches are made by, and have; an index of another kind is refused
    INDEX/RUN/PRINT/part-*.parquet  sketches of every document of a run, what replaced it and how
    INDEX/RUN/run.json              the run's parts and their digests, the runs that it was compared with, its output

A run adds a directory and rewrites nothing. It is named after its input, which one output directory alone may add; run
again there, it is compared with what it was compared with the first time, whatever has been added since, and takes its
own place: its parts lie beside those of before, and count once run.json names them. Two runs that are added at the same
time do not see each other.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any

from weft.schemas.parameters import ConfigError, DuplicateRules
from weft.schemas.records import EARLIER_DROPPED, EARLIER_KEPT, Sketch, stable_id
from weft.transforms import urls
from weft.transforms.dedup import minhash, shingles
from weft.transforms.dedup.rules import Drop
from weft.transforms.io import files, parquet, state

SLIPS = "slips"  # notes of a run's parts, until it is finished
LATER = "index.json"  # in dedup/, of a run that takes its place in the index later: what `publish` is told


def run_name(inputs: Sequence[str]) -> str:
    """Name of the run over these input files."""
    return stable_id("run", *sorted(inputs))


def marks(inputs: Sequence[Sequence[Any]]) -> str:
    """A hash of what the input files of (path, bytes, hash of both ends) are beside their names."""
    return stable_id("marks", *(f"{list(one[1:])}" for one in sorted(inputs, key=itemgetter(0))))


def other_marks(directory: str, own: str, marks: str) -> bool:
    """Whether run `own` in the index is of other files, which had the names that these have."""
    return bool(marks) and marks != (_run(directory, own) or {}).get("marks", marks)


def header(rules: DuplicateRules) -> dict[str, Any]:
    """What sketches are made by, which two runs must have in common; and what they have.

    One run without signatures in an index would hide its documents from every later run that looks for similar ones.
    """
    return {
        "what": "weft dedup index",
        "normalisation": shingles.NORMALISATION,
        "addresses": urls.PAGE_KEYS,
        "unit": rules.unit,
        "ngram": rules.ngram,
        "hasher": rules.hasher,
        "permutations": rules.permutations,
        "seed": minhash.SEED,
        "shingles": rules.near and rules.cluster == "verified" and rules.verify == "exact",
        "near": rules.near,
        "image_sets": rules.image_sets,
        "equal": rules.url or rules.exact or rules.near,  # keys of address and text
    }


def check(directory: str, rules: DuplicateRules) -> None:
    """Compare the index with what this run makes.

    Raises:
        ConfigError: it is no index, or its sketches were made by other means, or have less or more.
    """
    path = files.join(directory, "header.json")
    if not files.exists(path):
        return
    try:
        found = json.loads(files.read_bytes(path))
    except ValueError:
        found = None
    wanted = header(rules)
    if not isinstance(found, dict) or found.get("what") != wanted["what"]:
        raise ConfigError(f"{directory} is not a dedup index: its header.json says something else")
    if lacks := wanted.keys() - found.keys():
        raise ConfigError(
            f"the index {directory} is an older version's, which has no {min(lacks)}: use another dedup.index"
        )
    other = [f"{key} = {found[key]!r}, not {value!r}" for key, value in wanted.items() if found[key] != value]
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


def places(path: str) -> Iterator[Drop]:
    """What the run made of every document of a file: dropped for what and how, or itself and "" where it is kept."""
    yield from parquet.read(path, Drop)


def address(output: str) -> str:
    """How an output directory is written down in an index."""
    return os.path.realpath(output) if files.is_local(output) else output.rstrip("/")


def owner(directory: str, own: str) -> str | None:
    """Output directory that added run `own`: None where nobody has, "" where an older version did not say."""
    run = _run(directory, own)
    return None if run is None else run.get("output", "")


def entry(
    directory: str,
    rules: DuplicateRules,
    own: str,
    made: str,
    runs: Sequence[str],
    buckets: int,
    output: str,
    marks: str = "",
) -> dict[str, Any]:
    """What is to be said of run `own`, whose parts lie in INDEX/`own`/`made`: the argument of `publish`."""
    head = files.join(directory, "header.json")
    if not files.exists(head):
        files.write_atomic(head, json.dumps(header(rules), sort_keys=True) + "\n")
    slips = files.join(directory, own, made, SLIPS)
    was: dict[str, files.Written] = {}
    for path, _ in files.listing(files.join(slips, "*.json")):
        was |= {f"{made}/{one.rpartition('/')[2]}": said for one, said in state.noted(state.read(path)).items()}
    files.remove_tree(slips)
    names = [f"{made}/{parquet.part_name(bucket, buckets)}" for bucket in range(buckets)]
    said = {"parts": names, "against": list(runs), "files": was, "output": address(output)}
    return said | ({"marks": marks} if marks else {})


def publish(directory: str, own: str, said: Mapping[str, Any]) -> None:
    """Let the parts of an `entry` be those of run `own` from here on; those of before go, and no others."""
    run = files.join(directory, own)
    before = (_run(directory, own) or {}).get("parts", [])
    state.write(files.join(run, "run.json"), said)
    for name in {part.partition("/")[0] for part in before} - {part.partition("/")[0] for part in said["parts"]}:
        files.remove_tree(files.join(run, name))


def publish_noted(note: str, output: str) -> None:
    """`publish` what a note (LATER) of a run in `output` says, unless the place has that or is another output's."""
    waiting = state.read(note) or {}
    there = _run(waiting["index"], waiting["run"]) if waiting else None
    if waiting and there != waiting["said"] and (there is None or there.get("output") == address(output)):
        with contextlib.suppress(ConfigError):  # an index that is gone
            whole(waiting["index"], waiting["run"], waiting["said"], output)
            publish(waiting["index"], waiting["run"], waiting["said"])


def whole(directory: str, own: str, said: Mapping[str, Any], work: str) -> None:
    """Raise ConfigError where parts of an `entry` that waits in `work` to be published are gone."""
    there = {path for path, _ in files.listing(files.join(directory, own, "**"))}
    if any(files.join(directory, own, part) not in there for part in said["parts"]):
        raise ConfigError(f"the index {directory} has lost what is to be put there: delete {work} and call this again")


def _run(directory: str, name: str) -> dict[str, Any] | None:
    return state.read(files.join(directory, name, "run.json"))
