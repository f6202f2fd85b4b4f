"""What files say, made ready once a process and kept for as long as the files are what they were.

A worker process lives from job to job and from run to run, and a list that has been edited meanwhile is another list:
to a run that follows it is the one that counts, to a run that goes on it is an error (`as_begun`).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Concatenate, Generic, ParamSpec, TypeVar

from weft.schemas.parameters import ConfigError
from weft.transforms.io import files

P = ParamSpec("P")
T = TypeVar("T")


def loaded(most: int) -> Callable[[Callable[Concatenate[tuple[str, ...], P], T]], Loaded[P, T]]:
    """A decorator: function of paths → Loaded, that keeps what it gave for the last `most` of its arguments."""
    return lambda load: Loaded(load, most)


def told(paths: Sequence[str]) -> list[str]:
    """Hashes of what files hold, "" of one that is not there."""
    return [files.contents(path) for path in paths]


def edited(paths: Sequence[str]) -> str:
    """Why a run cannot go on with other lists than it began with."""
    return f"a list of {', '.join(paths)} is another on {os.uname().nodename}, or was edited while the run goes on"


class Loaded(Generic[P, T]):
    """A function of paths whose results are kept; what it raises is not."""

    def __init__(self, load: Callable[Concatenate[tuple[str, ...], P], T], most: int) -> None:
        self.__doc__ = load.__doc__
        self._load, self._most = load, most
        self._kept: dict[object, tuple[list[str], T]] = {}  # by arguments: contents of the files, what they gave

    def __call__(self, paths: tuple[str, ...], *more: P.args, **named: P.kwargs) -> T:
        """What the files give now. To look costs a `stat` a file, or a request: ask once a piece of work."""
        try:
            now = told(paths)
        except OSError:  # `load` has the words for it
            return self._load(paths, *more, **named)
        return self._of(now, paths, *more, **named)

    def _of(self, now: list[str], paths: tuple[str, ...], *more: P.args, **named: P.kwargs) -> T:
        key = (paths, more, tuple(named.items()))
        if key not in self._kept or self._kept[key][0] != now:
            found = self._load(paths, *more, **named)
            self._kept.pop(key, None)
            self._kept[key] = now, found
            while len(self._kept) > self._most:
                self._kept.pop(next(iter(self._kept)), None)
        return self._kept[key][1]

    def as_begun(self, begun: Sequence[str], paths: tuple[str, ...], *more: P.args, **named: P.kwargs) -> T:
        """What the files give, which hold what they held where a job was made.

        Args:
            begun: what `told` gave there; nothing asks for nothing.

        Raises:
            ConfigError: they hold something else here, or now.
        """
        if not begun:
            return self(paths, *more, **named)
        if (now := told(paths)) != list(begun):
            raise ConfigError(edited(paths))
        return self._of(now, paths, *more, **named)

    def held(self, paths: tuple[str, ...], *more: P.args, **named: P.kwargs) -> T:
        """What the files gave when they were last looked at, for what asks with every row."""
        kept = self._kept.get((paths, more, tuple(named.items())))
        return kept[1] if kept else self(paths, *more, **named)
