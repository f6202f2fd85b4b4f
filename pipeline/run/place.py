"""What a stage makes beside the finished work that it replaces, and how it takes its place.

OUTPUT/.redo/STAGE/…     what `--redo` makes, laid out as in OUTPUT, while the stage's finished output stands
OUTPUT/.redo/STAGE.json  written when that is whole: from here on it takes the place of the old, directory by
                         directory, and whoever comes next finishes what a power cut interrupts
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from weft.pipeline.run import manifest, taken_out
from weft.pipeline.run.registry import STAGES, Stage
from weft.schemas.parameters import ConfigError
from weft.transforms.io import files, object_files, state

REDO = ".redo"


def check_writable(output: str, stage: Stage) -> None:
    """Raise ConfigError for a directory of a stage that cannot be written to; a store says so when its lock is made."""
    for name in ("", *stage.owned) if files.is_local(output) else ():
        path = files.join(output, name) if name else output
        if os.path.lexists(path) and not (os.path.isdir(path) and os.access(path, os.W_OK | os.X_OK)):
            raise ConfigError(f"{path} is no directory that can be written to")


def check_foreign(output: str, stage: Stage) -> None:
    """Raise ConfigError where a stage that never began in this output would clear what lies in its directories."""
    if any(files.exists(files.join(output, stage.name, name)) for name in manifest.SAID):
        return
    for name in stage.owned:
        if files.has_files(path := files.join(output, name)):
            raise ConfigError(
                f"{path} holds files that {stage.name} has not made, and would clear: move them away, or name another "
                "--output"
            )


def aside(output: str, stage: Stage) -> str:
    """Where a stage writes while what it is to replace stands."""
    return files.join(output, REDO, stage.name)


def replace(output: str, stage: Stage) -> None:
    """Put what a stage has made aside in the place of what was there."""
    made = aside(output, stage)
    there = [name for name in stage.owned if files.has_files(files.join(made, name))]
    said = {"names": there, "moved": False}
    state.write(_whole(output, stage), said)
    _finish(output, stage, said)


def clear(output: str, stage: Stage) -> None:
    """Remove what a stage has made. What others have put into its directories goes too: they are not done any more."""
    _reopen(output, stage)
    for name in reversed(stage.owned):  # last what says that it has begun: what is left of it is no foreign file
        files.remove_tree(files.join(output, name))


def _reopen(output: str, stage: Stage) -> None:
    for one in STAGES:
        if any(name.partition("/")[0] in stage.outputs for name in one.files):
            files.remove_tree(files.join(output, one.name, "manifest.json"))


def recover(output: str) -> None:
    """Finish what `replace` was doing when its process ended."""
    for stage in STAGES:
        if said := state.read(_whole(output, stage)):
            _finish(output, stage, said)


def _finish(output: str, stage: Stage, said: Mapping[str, Any]) -> None:
    made = aside(output, stage)
    if not said["moved"]:
        _reopen(output, stage)
        for name in stage.owned:
            new, old = files.join(made, name), files.join(output, name)
            if name not in said["names"]:
                files.remove_tree(old)
            elif files.has_files(new):  # else it was moved before the power went
                files.remove_tree(old)
                files.move_tree(new, old)
        state.write(_whole(output, stage), {**said, "moved": True})  # copies, on a store and in a link, until now
    files.remove_tree(made)
    files.remove_tree(_whole(output, stage))
    if files.is_local(output) and not os.listdir(files.join(output, REDO)):
        os.rmdir(files.join(output, REDO))


def _whole(output: str, stage: Stage) -> str:
    return files.join(output, REDO, f"{stage.name}.json")


def sweep(output: str, stage: Stage) -> None:
    """Remove what a killed run left half written of a stage: temporary files here, uploads in an object store."""
    for name in stage.owned:
        home = files.join(output, name)
        if not files.is_local(output):
            object_files.sweep(home)
            continue
        for folder, _, names in os.walk(home):
            for left in filter(files.is_temporary, names):
                os.unlink(os.path.join(folder, left))


def sweep_beside(output: str) -> None:
    """The same of what lies beside the stages."""
    for name in ("", REDO, taken_out.FOLDER) if files.is_local(output) else ():
        folder = os.path.join(output, name)
        for left in filter(files.is_temporary, os.listdir(folder) if os.path.isdir(folder) else ()):
            os.unlink(os.path.join(folder, left))
