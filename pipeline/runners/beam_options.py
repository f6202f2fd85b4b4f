"""Beam options per runner, from the user's own flags.

"Direct" means this machine, by weft's own runner or Beam's FnApiRunner; Beam's bare DirectRunner tries to download a Go
binary first. An unknown flag is an error, because Beam itself drops it silently.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from typing import NoReturn

import apache_beam as beam
from apache_beam.options.pipeline_options import DirectOptions, PipelineOptions, SetupOptions

from weft.pipeline.runners import graph, orphans, spark
from weft.pipeline.runners.local.runner import LocalRunner
from weft.pipeline.runners.shuffles import Measured, Shuffle
from weft.schemas.parameters import nearest

_DIRECT = {"", "directrunner", "fnapirunner", "direct", "local"}
_SPARK = {"sparkrunner", "portablerunner"}  # a job server is Spark's more often than another's, which ignores the flags
MIN_UNITS_FOR_PROCESSES = 4  # below this, starting worker processes costs more than they save


_SUBMIT_ONLY = ("--output_executable_path", "--template_location", "--no_wait_until_finish")


class FlagError(ValueError):
    """A Beam flag the user can mend."""


def is_direct(flags: Sequence[str]) -> bool:
    """Whether these flags mean this machine, in-process or in worker processes."""
    return _runner(flags).lower() in _DIRECT


def _is_own(flags: Sequence[str]) -> bool:
    """Whether these flags mean weft's own runner."""
    return is_direct(flags) and _runner(flags).lower() != "fnapirunner"


def is_dataflow(flags: Sequence[str]) -> bool:
    """Whether these flags mean Dataflow."""
    return _runner(flags).lower() == "dataflowrunner"


def submit_only(flags: Sequence[str]) -> str:
    """The flag that says that a job is to be written down or submitted and not waited for, or ""."""
    return next((name for name in _SUBMIT_ONLY if any(flag.split("=")[0] == name for flag in flags)), "")


def pipeline(flags: Sequence[str], units: int, name: str = "", shuffles: list[Shuffle] | None = None) -> beam.Pipeline:
    """A pipeline on the runner that `flags` name; see `options`. What it shuffles goes to `shuffles`."""
    found = shuffles if shuffles is not None else []
    own = _is_own(flags)
    graph.remember_signatures()
    graph.compress_functions(not own)
    made = options(flags, units, name)
    if not own:
        return Measured(found, options=made)
    direct = made.view_as(DirectOptions)
    each_core = os.cpu_count() or 1  # what Beam means by none
    workers = (direct.direct_num_workers or each_core) if direct.direct_running_mode == "multi_processing" else 0
    return Measured(found, runner=LocalRunner(workers, orphans.stage_of(name) or "weft"), options=made)


def options(flags: Sequence[str], units: int, name: str = "") -> PipelineOptions:
    """Pipeline options for `flags`; a direct run gets worker processes when `units` make them worth starting.

    Args:
        name: of the job, where the flags give none and the runner shows one.

    Raises:
        FlagError: a flag that no Beam option takes, or a value that does not fit.
    """
    check(flags)
    if not is_direct(flags):
        more = spark.defaults(flags) if _runner(flags).lower() in _SPARK else []
        if name and not any(flag.split("=")[0] == "--job_name" for flag in flags):
            more.append(f"--job_name={name}")
        return graph.Options([*flags, *more], pickle_library="cloudpickle", save_main_session=False)
    kept = [f for f in flags if not f.startswith("--runner")]
    made = graph.Options([*kept, "--runner=FnApiRunner"])
    made.view_as(SetupOptions).save_main_session = False
    direct = made.view_as(DirectOptions)
    names = {f.split("=")[0] for f in kept}
    if "--direct_num_workers" not in names:
        direct.direct_num_workers = min(os.cpu_count() or 1, units)
    if "--direct_running_mode" not in names:
        many = units >= MIN_UNITS_FOR_PROCESSES and direct.direct_num_workers != 1
        direct.direct_running_mode = "multi_processing" if many else "in_memory"
    if direct.direct_num_workers < 0:
        raise FlagError(f"--direct_num_workers={direct.direct_num_workers}: 0 is one for each core")
    if direct.direct_running_mode == "multi_threading" and _is_own(flags):
        raise FlagError(
            "--direct_running_mode=multi_threading: weft has processes; Beam's own --runner=FnApiRunner has threads"
        )
    if direct.direct_running_mode == "in_memory":
        direct.direct_num_workers = 1
    return made


def check(flags: Sequence[str]) -> None:
    """Raise FlagError for a flag that no Beam option takes, naming the nearest, or for a value that it does not."""
    parser = _parser()
    known = parser.names()
    for flag in flags:
        name = flag.split("=")[0]
        if flag.startswith("--") and name not in known:
            raise FlagError(f"no Beam option {name}{nearest(name, known)}")

    _, rest = parser.parse_known_args(list(flags))
    if rest:
        raise FlagError(f"Beam's flags begin with two dashes, and {rest[0]!r} is no value of one")


def knows(name: str) -> bool:
    """Whether there is a flag of this name."""
    return name in _parser().names()


def _parser() -> _Parser:
    """Takes what Beam's options and Spark's job server take."""
    parser = _Parser(add_help=False, allow_abbrev=False)
    for cls in PipelineOptions.__subclasses__():
        cls._add_argparse_args(parser)
    for name in ({"--runner"} | spark.OPTIONS) - parser.names():
        parser.add_argument(name, nargs="?")
    return parser


class _Parser(argparse.ArgumentParser):
    def names(self) -> set[str]:
        return {name for action in self._actions for name in action.option_strings}

    def error(self, message: str) -> NoReturn:
        raise FlagError(f"Beam: {message}")


def _runner(flags: Sequence[str]) -> str:
    for index, flag in enumerate(flags):
        if flag.startswith("--runner="):
            return flag.split("=", 1)[1]
        if flag == "--runner" and index + 1 < len(flags):
            return flags[index + 1]
    return ""
