"""Lists of what was taken out of a run: they lie in it, OUTPUT/exclude/HASH.txt, and hold wherever it is moved to.

The hash is of what a list says, so its name tells it wherever it stands: run.json names it from OUTPUT, and who reads
that looks below the directory that it lies in today.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable

from weft.schemas.config import Config
from weft.schemas.records import stable_id
from weft.transforms.io import files

FOLDER = "exclude"
_OWN = re.compile(rf"(?:.*/)?({FOLDER}/[0-9a-f]{{16}}\.txt)")


def named(output: str, paths: Iterable[str]) -> list[str]:
    """Lists as run.json names them: from the output directory those that lie in it."""
    return sorted(path.removeprefix(f"{files.join(output, '')}") if _is_own(output, path) else path for path in paths)


def found(output: str, paths: Iterable[str]) -> list[str]:
    """Where lists lie that a state file of the output directory names, moved or not."""
    return sorted(_found(output, path) for path in paths)


def there(output: str) -> list[str]:
    """The lists that lie in an output directory: each holds, whatever is asked for today."""
    return [path for path, _ in files.listing(files.join(output, FOLDER, "*.txt")) if _is_own(output, path)]


def into(home: str, source: str, config: Config, entries: Iterable[str]) -> tuple[Config, dict[str, str]]:
    """What a run in `home` takes to leave out what one in `source` does, and more: its configuration, its own lists.

    Args:
        config: of the run in `source`.
        entries: of a further list.

    Returns:
        The configuration, and path → text of each list that is to lie in `home`.
    """
    own = {path for path in config.exclude if _is_own(source, path)}
    lists = {_last(path): files.read_bytes(path).decode("utf-8") for path in own}
    text = "".join(f"{entry}\n" for entry in sorted(set(entries)))
    lists[f"{stable_id('exclude', text)[:16]}.txt"] = text
    mine = {files.join(home, FOLDER, name): said for name, said in lists.items()}
    return dataclasses.replace(config, exclude=tuple(sorted({*config.exclude, *mine} - own))), mine


def _is_own(output: str, path: str) -> bool:
    return _OWN.fullmatch(path) is not None and path == files.join(output, FOLDER, _last(path))


def _found(output: str, path: str) -> str:
    known = _OWN.fullmatch(path)
    here = files.join(output, known[1]) if known else path
    return here if files.exists(here) else path


def _last(path: str) -> str:
    return path.rpartition("/")[2]
