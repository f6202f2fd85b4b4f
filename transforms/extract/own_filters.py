"""Filters of the user's own: a name in the configuration → a function from a row to the reason to drop it, or None.

A name is `module:function`, or an entry point of the group `weft.filters`. The module has to be importable wherever
pages are read, the directory in which weft was started included where that is this machine; the hash of its source
decides bytes as a key does, so a worker with another source of the same name is an error and not another corpus.
"""

from __future__ import annotations

import copy
import hashlib
import importlib
import importlib.metadata
import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from weft.schemas.parameters import ConfigError

GROUP = "weft.filters"
REASON = "filter_"  # before a filter's own word, so that it is none of weft's
_WORD = re.compile(r"[a-z0-9_]{1,60}")
_KEYS = "extract.filters, extract.pair_filters, pack.filters or pack.pair_filters"

Filter = Callable[[Any], str | None]


def judge(row: Any, names: Iterable[str]) -> tuple[str, str]:
    """(reason, name of the filter) of the first filter that drops a row, ("", "") where none does.

    Raises:
        ConfigError: a filter is not there, fails, or gives what is no reason.
    """
    for name in names:
        own = load(name)[0]
        try:
            said = own(copy.deepcopy(row))  # what it changes changes no corpus
            word = said if isinstance(said, str) and _WORD.fullmatch(said) else None
            odd = "" if said is None or word or (isinstance(said, str) and not said) else repr(said)[:80]
        except (Exception, SystemExit) as error:
            raise ConfigError(f"filter {name} failed on {_called(row)}: {_told(error)}") from error
        if odd:
            raise ConfigError(
                f"filter {name} gave {odd} for {_called(row)}: a reason is made of a to z, 0 to 9 and _, and "
                "to keep is None"
            )
        if word:
            return f"{REASON}{word}", name
    return "", ""


def hashes(names: Iterable[str]) -> dict[str, str]:
    """Name of each filter → sha256 of the source of its module.

    Raises:
        ConfigError: as `load`.
    """
    return {name: load(name)[1] for name in names}


def check(wanted: Mapping[str, str]) -> None:
    """Raise ConfigError unless the filters here have the source that the run began with.

    Args:
        wanted: what `hashes` gave where the run was started.
    """
    for name, source in wanted.items():
        if load(name)[1] != source:
            raise ConfigError(
                f"{_KEYS}: filter {name} has another source on {os.uname().nodename}: install the same everywhere"
            )


@lru_cache(maxsize=64)
def load(name: str) -> tuple[Filter, str]:
    """(a filter, sha256 of the source of its module).

    Raises:
        ConfigError: nothing of that name can be imported here, or it is no function.
    """
    module, _, function = (name if ":" in name else _entry_point(name)).partition(":")
    if (here := os.getcwd()) not in sys.path:  # where `python -m` looks, and a console script does not
        sys.path.append(here)
    try:
        found: Any = importlib.import_module(module)
        for part in function.split("."):
            found = getattr(found, part)
    except (Exception, SystemExit) as error:  # importing runs what the user wrote
        raise ConfigError(
            f"{_KEYS}: filter {name} cannot be imported on {os.uname().nodename} ({_told(error)}): "
            f"{module!r} has to be installed, or in a directory of PYTHONPATH, on every machine that reads pages"
        ) from error
    if not callable(found):
        raise ConfigError(f"{_KEYS}: filter {name} is no function")
    return found, _source(importlib.import_module(module))


def _entry_point(name: str) -> str:
    found = sorted({one.value for one in importlib.metadata.entry_points(group=GROUP, name=name)})
    if len(found) != 1:
        among = "no one entry point" if found else "neither module:function nor an entry point"
        raise ConfigError(f"{_KEYS}: filter {name} is {among} of the group {GROUP} on {os.uname().nodename}")
    return found[0]


def _source(module: Any) -> str:
    """Of a module's file, also where it lies in a zip."""
    path = module.__spec__.origin if module.__spec__ else None
    loader: Any = getattr(module, "__loader__", None)
    if not path or not hasattr(loader, "get_data"):
        raise ConfigError(f"filters in {module.__name__!r} have no source to tell one version of them from another")
    return hashlib.sha256(loader.get_data(str(Path(path)))).hexdigest()


def _told(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"


def _called(row: Any) -> str:
    """What a row is called in a message."""
    return str(getattr(row, "image_url", "") or getattr(row, "url", "") or row.doc_id)[:200]
