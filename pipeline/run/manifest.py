"""What has been done, and from what: `<stage>/manifest.json`, written last.

A stage whose manifest carries the fingerprint that today's configuration and input would give is done. While a
stage runs, `<stage>/started.json` carries the fingerprint, so that a killed run can go on from its finished units
and a run with another configuration cannot mistake them for its own.
"""

from __future__ import annotations

import dataclasses
import json
import platform
from collections.abc import Sequence
from importlib import metadata
from typing import Any

import weft.schemas.config as configuration
from weft.pipeline.run import lock, taken_out
from weft.schemas.parameters import ConfigError
from weft.schemas.records import digest
from weft.transforms.io import files, state

SAID = ("manifest.json", "started.json")  # in a stage's directory, that it is done and that it has begun
VERSION = metadata.version("weft-corpus")
_STAGES = ("extract", "dedup", "fetch", "score", "pack", "train", "eval")  # as registry.STAGES, which needs this module
_SPOKEN_FOR = (
    "apache-beam",
    "pyarrow",
    "fastwarc",
    "resiliparse",
    "trafilatura",
    "datasketch",
    "pillow",
    "torch",
    "open_clip_torch",
)


def read(output: str, stage: str) -> dict[str, Any] | None:
    """The manifest of a finished stage, None where it is not finished."""
    return state.read(files.join(output, stage, "manifest.json"))


def write(output: str, stage: str, manifest: dict[str, Any]) -> None:
    """Say that a stage is done."""
    state.write(files.join(output, stage, "manifest.json"), manifest)


def started(output: str, stage: str) -> str:
    """Fingerprint of the run that began this stage and did not finish it, "" where there is none."""
    return str((state.read(files.join(output, stage, "started.json")) or {}).get("fingerprint", ""))


def start(output: str, stage: str, fingerprint: str) -> None:
    """Say that a stage has begun."""
    state.write(files.join(output, stage, "started.json"), {"fingerprint": fingerprint})


def made(output: str, *stages: str) -> str:
    """A hash of what finished stages have made, and from what: another one, and what was taken of them is another."""
    done = [read(output, stage) or {} for stage in stages]
    return digest("made", [(one.get("fingerprint"), one.get("files", {}).get("sha256")) for one in done])


def read_json(path: str) -> Any:
    """A JSON file's value, None where there is no file."""
    return json.loads(files.read_bytes(path)) if files.exists(path) else None


def write_run(
    output: str,
    config: configuration.Config,
    inputs: Sequence[Sequence[str | int]],
    apart: Sequence[str] | None = None,
) -> None:
    """Say what run this output directory belongs to.

    Args:
        apart: the runs in the dedup index that it is compared with, where it never takes a place there itself.
    """
    told = configuration.to_dict(config) | {"exclude": taken_out.named(output, config.exclude)}
    value = {"config": told, "inputs": list(inputs), "weft": VERSION}
    state.write(
        files.join(output, "run.json"), value | ({} if apart is None else {"apart": True, "against": list(apart)})
    )


def read_run(output: str) -> dict[str, Any] | None:
    """What `write_run` said, None where the directory is not a run's or that is broken."""
    known = state.read(files.join(output, "run.json")) or {}
    config, inputs = known.get("config"), known.get("inputs")
    if not (isinstance(config, dict) and isinstance(config.get("recipe"), str) and isinstance(inputs, list)):
        return None  # others have files of that name too
    if not all(isinstance(one, list) and one and isinstance(one[0], str) for one in inputs):
        return None
    excluded = config.get("exclude")
    if isinstance(excluded, list) and all(isinstance(path, str) for path in excluded):
        config["exclude"] = taken_out.found(output, excluded)
    return known


def is_run(output: str) -> bool:
    """Whether the directory is a run's, be what says of which one damaged or lost: then a stage tells it."""
    return read_run(output) is not None or any(
        "fingerprint" in (read(output, name) or {}) or started(output, name) for name in _STAGES
    )


def refuse_foreign(output: str, option: str = "--output") -> None:
    """Raise ConfigError for a directory that holds something, and no run: a run would clear what has a stage's name."""
    if not is_run(output) and lock.occupied(output):
        raise ConfigError(f"{output} is not empty and holds no weft run; name another {option}")


def left_out(output: str) -> list[str]:
    """Lists that hold for every later run of an output: its own; where run.json is lost, all that extract knew."""
    done = None if read_run(output) else read(output, "extract")
    return taken_out.there(output) + taken_out.found(output, (done or {}).get("config", {}).get("exclude", ()))


def leaving_out(config: configuration.Config, output: str) -> configuration.Config:
    """A configuration with the lists that hold for every run of an output: what was removed stays out."""
    return dataclasses.replace(config, exclude=tuple(sorted({*config.exclude, *left_out(output)})))


def known_run(output: str) -> dict[str, Any]:
    """What `write_run` said.

    Raises:
        ConfigError: the directory is not a run's, or what says of which one is damaged or lost.
    """
    known = read_run(output)
    if known is None and is_run(output):
        raise ConfigError(
            f"{output}/run.json is not what was written: `weft run --output {output}` with the --input and the options "
            "of that run writes it again"
        )
    if known is None:
        raise ConfigError(f"{output} holds no weft run")
    return known


def versions() -> dict[str, str]:
    """Versions of what decides bytes."""
    found = {"python": platform.python_version(), "weft": VERSION}
    for name in _SPOKEN_FOR:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
