"""What `--input` may be: files, globs, directories, Common Crawl snapshots and path lists, local or remote."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from weft.pipeline.run import snapshots
from weft.schemas.config import Config, Extract
from weft.schemas.parameters import ConfigError
from weft.schemas.records import hash_unit
from weft.transforms.extract import html_files, selection
from weft.transforms.io import files, secrets
from weft.transforms.io.web_files import Unavailable

SIZED = 64  # files at most that are asked for their size before a run
_AT_ONCE = 16
_LISTS = (".paths", ".paths.gz", ".txt")
_ARCHIVES = ("*.warc*", "*.arc", "*.arc.gz", "*.wacz")


class Sized(NamedTuple):
    """Files and their bytes."""

    files: int
    total: float  # bytes, an estimate where not all were asked; 0 where nobody could say
    unknown: int = 0  # files whose size was not known
    asked: int = 0  # of those
    told: int = 0  # of those
    chosen: int = 0  # of the files, parts of an index (selection.MARK): what they choose has no size that is known


def expand(
    patterns: Sequence[str], base: str = Extract.common_crawl, api: str = Extract.cdx_api
) -> list[tuple[str, int]]:
    """(path, bytes) of every archive that the patterns name, sorted and distinct.

    Bytes are 0 where they would have to be asked for file by file: of snapshots and path lists. They stay so, that a
    run's identity does not depend on who could answer.

    Args:
        patterns: as the user gave them.
        base: what snapshots and the relative lines of path lists stand below.
        api: of the index of snapshots, where it is to be asked; "" for none.

    Raises:
        ConfigError: a pattern that names nothing, or something unreadable.
        Unavailable: a server that does not answer.
    """
    found: dict[str, tuple[str, int]] = {}  # by the place, that two spellings of one are one
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for matched in pool.map(lambda pattern: _checked(pattern, base, api), patterns):
            for path, size in matched:  # by name and by a list that tells no sizes: the order of the two says nothing
                known = found.setdefault(files.place(path), (path, size))
                found[files.place(path)] = min(path, known[0]), max(size, known[1])
    if not found:
        raise ConfigError("no input: name WARC files, globs, directories, snapshots or path lists with --input")
    return sorted(found.values())


def of_config(patterns: Sequence[str], config: Config) -> list[tuple[str, int]]:
    """`expand`, where the configuration says."""
    return expand(patterns, config.extract.common_crawl, config.extract.cdx_api)


def marked(found: Sequence[tuple[str, int]]) -> list[tuple[str, int, str]]:
    """(path, bytes, hash of both ends) of each archive: another file under the same name and of the same size is told.

    Where no size is known nothing is read, and the mark is "": the files of snapshots and path lists never change.

    Raises:
        ConfigError: a file that is unreadable now.
    """

    def mark(one: tuple[str, int]) -> str:
        try:
            return "" if not one[1] else files.contents(one[0]) if os.path.isdir(one[0]) else files.ends(*one)
        except (OSError, Unavailable) as error:
            raise ConfigError(f"cannot read input {secrets.public(one[0])}: {error}") from None

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return [(*one, said) for one, said in zip(found, pool.map(mark, found), strict=True)]


def named(found: Sequence[tuple[str, int, str]]) -> tuple[list[tuple[str, int, str]], dict[str, str]]:
    """The input as it is written down, and where that is not what is asked for: name → address (`secrets.held`).

    Raises:
        ConfigError: two files of one name.
    """
    names = [secrets.public(path) for path, *_ in found]
    if twice := [name for name, times in Counter(names).items() if times > 1]:
        raise ConfigError(f"two inputs are {twice[0]} but for passwords and signatures, which are not written down")
    keys = {name: path for name, (path, *_) in zip(names, found, strict=True) if name != path}
    return sorted((name, size, said) for name, (_, size, said) in zip(names, found, strict=True)), keys


def describe(found: Sequence[tuple[str, int]]) -> str:
    """How many files and bytes, for a person; where sizes are not known, some files chosen by hash are asked."""
    if chosen := sum(selection.MARK in path for path, _ in found):
        rest = [one for one in found if selection.MARK not in one[0]]
        return f"records chosen by {chosen:,} part{'s' * (chosen != 1)} of an index" + (
            f"; {describe(rest)}" if rest else ""
        )
    found_out = sized(found)
    count = f"{len(found):,} file{'s' * (len(found) != 1)}"
    if not found_out.total:
        return f"{count} of unknown size"
    if found_out.told == found_out.unknown:
        return f"{count}, {human(found_out.total)}"
    silent = f", {found_out.asked - found_out.told} of them in vain" if found_out.told < found_out.asked else ""
    return f"{count}, about {human(found_out.total)} ({found_out.asked} were asked for their size{silent})"


def sized(found: Sequence[tuple[str, int]]) -> Sized:
    """How many bytes these are; where sizes are not known, some files chosen by hash are asked.

    Parts of an index are counted, and are in no bytes.
    """
    chosen = sum(selection.MARK in path for path, _ in found)
    silent = [path for path, size in found if not size and selection.MARK not in path]
    unknown = sorted(silent, key=lambda path: (hash_unit(path, "size"), path))
    asked = files.sizes(unknown[:SIZED])
    told = [size for size in asked if size is not None]
    known = sum(size for _, size in found)
    total = 0.0 if unknown and not told else known + (sum(told) * len(unknown) / len(told) if told else 0)
    return Sized(len(found), total, len(unknown), len(asked), len(told), chosen)


def human(count: float) -> str:
    """Bytes for a person."""
    for unit in ("B", "KB", "MB", "GB"):
        if count < 1_000:
            return f"{count:,.0f} B" if unit == "B" else f"{count:,.1f} {unit}"
        count /= 1_000
    return f"{count:,.1f} TB"


def _checked(pattern: str, base: str, api: str) -> list[tuple[str, int]]:
    try:
        matched = _expand(pattern, base, api)
    except OSError as error:
        raise ConfigError(f"cannot read input {secrets.public(pattern)}: {_reason(error)}") from None
    except ConfigError:
        raise
    except ValueError as error:
        raise ConfigError(f"input {secrets.public(pattern)} is no list of paths in UTF-8: {error}") from None
    except Unavailable as error:
        raise ConfigError(f"cannot read input {secrets.public(pattern)}: {error}") from None
    if not matched:
        raise ConfigError(f"no file matches the input {pattern!r}")
    for path, _ in matched:
        if any("\ud800" <= char <= "\udfff" for char in path):  # what os makes of other bytes; tables could not hold it
            raise ConfigError(f"cannot take input {path!r}: its name is not UTF-8; rename it")
    return matched


def _expand(pattern: str, base: str, api: str) -> list[tuple[str, int]]:
    if pattern.startswith(snapshots.PREFIX):
        return [(path, 0) for path in snapshots.expand(pattern, base, api)]
    if pattern.endswith(_LISTS):
        lines = files.read_list(pattern)
        return [(line if "://" in line or os.path.exists(line) else files.join(base, line), 0) for line in lines]
    if files.is_local(pattern) and os.path.isdir(pattern):
        found = [
            hit
            for archive in _ARCHIVES
            for hit in files.listing(files.join(pattern, "**", archive)) + files.listing(files.join(pattern, archive))
        ]
        if found or not (pages := html_files.pages(pattern)):
            return found
        return [(pattern.rstrip("/"), sum(map(os.path.getsize, pages)))]  # a folder of pages is one input
    matched = files.listing(pattern)
    for path, _ in matched[:1]:
        if not files.is_web(path):  # that its size was told is enough
            files.open_read(path).close()
    return matched


def _reason(error: OSError) -> str:
    return f"{error.strerror}: {error.filename}" if error.strerror and error.filename else str(error)
