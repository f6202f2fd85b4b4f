"""What a stage that is to be done again would discard, in words: which stage, its records and hours, and why."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import weft.schemas.config as configuration
from weft.pipeline.run import books, manifest
from weft.pipeline.run.progress import duration
from weft.pipeline.run.registry import BY_NAME, NOTHING, Decided, Stage
from weft.schemas.config import Config
from weft.schemas.parameters import ConfigError
from weft.transforms.dedup import index
from weft.transforms.io import files

_SHOWN = 3  # changed keys that are named
_OTHER = {  # what decides a stage besides (decides.py), where it is not what it was
    "exclude": "another list of what is excluded",
    "excluded": "another list of what is excluded from fetch on",
    "against": "other runs in the dedup index, or these as they were before something was removed from one",
    "earlier": "earlier runs as they were before",
    "evaluation": "other evaluation texts or pictures",
    "fonts": "other fonts",
    "files": "other heads or evaluation vectors",
    "models": "another model",
    "bad_words": "other bad words",
    "filters": "other filters",
    "tokenizer": "another tokenizer",
    "instructions": "other instructions",
    "vision": "another vision tower",
    "came_later": "fewer images, as more have come since",
}


def check(
    output: str, names: Iterable[str], config: Config, prints: Mapping[str, str], redo: bool, more: Decided = NOTHING
) -> None:
    """Raise ConfigError where stages of these names would discard something and nobody has allowed it.

    Args:
        config, prints, more: of the run that is about to begin, as registry gives them.
    """
    lost = [told for name in names for told in of(output, BY_NAME[name], config, prints[name], more.get(name, {}))]
    if lost and not redo:
        raise ConfigError(f"this would discard {'; '.join(lost)}: add --redo to do that, or name another --output")


def of(output: str, stage: Stage, config: Config, fingerprint: str, more: Mapping[str, Any] = NOTHING) -> list[str]:
    """A phrase for the finished stage, or for finished units of an interrupted one, that another fingerprint discards.

    Args:
        config, fingerprint, more: of the run that is about to begin.
    """
    done = manifest.read(output, stage.name)
    if done and done["fingerprint"] != fingerprint:
        spent = [duration(done["seconds"])] if "seconds" in done else []
        found = ", ".join(filter(None, [books.summary(done.get("books", {})), *spent]))
        return [f"{stage.name} ({found}) made with {_why(done, stage, config, more)}"]
    if not done and manifest.started(output, stage.name) not in ("", fingerprint):
        units = len(files.listing(files.join(output, stage.name, "units", "*.json")))
        return [f"{units:,} finished units of an interrupted {stage.name}"] if units else []
    return []


def others(once: Mapping[str, Any], today: Mapping[str, Any], but: Collection[str] = ()) -> list[str]:
    """What decided a stage once and is not what decides it today, in words."""
    once, today = (json.loads(json.dumps(dict(said))) for said in (once, today))
    both = once.keys() & today.keys() - set(but)
    return [words for key, words in _OTHER.items() if key in both and once[key] != today[key]]


def in_index(directory: str, name: str, output: str) -> str | None:
    """The other output directory whose place in a dedup index a run of this name would take.

    Returns:
        "" where the place is the output's own (or that of one that is gone, as a directory that was moved is), None
        where nobody has it.
    """
    owner = index.owner(directory, name)
    if not owner:
        return owner
    there = manifest.read_run(owner)  # of other input where that directory was taken by another run since
    taken = manifest.is_run(owner) and (there is None or index.run_name([one[0] for one in there["inputs"]]) == name)
    return "" if owner == index.address(output) or not taken else owner


def _why(done: dict[str, Any], stage: Stage, config: Config, more: Mapping[str, Any]) -> str:
    name = stage.section or stage.name
    then, now = done.get("config", {}).get(name, {}), configuration.to_dict(getattr(config, name))
    keys = [key for key in now if key not in stage.how and then.get(key, now[key]) != now[key]]
    told = [f"{name}.{key} = {then[key]!r}, not {now[key]!r}" for key in keys[:_SHOWN]]
    told += [f"{len(keys) - _SHOWN} more keys"] if len(keys) > _SHOWN else []
    told += others(done.get("decides", {}), more)
    return " and ".join(told) or "other input, files, stages before it or another version"
