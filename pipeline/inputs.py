"""What `--input` may be: files, globs, directories and Common Crawl path lists, local or remote."""

from __future__ import annotations

import gzip
import os
from collections.abc import Sequence

from schemas.config import ConfigError
from transforms import files

COMMON_CRAWL = "https://data.commoncrawl.org/"  # what the relative lines of a path list stand below
_LISTS = (".paths", ".paths.gz", ".txt")
_ARCHIVES = ("*.warc*", "*.arc", "*.arc.gz", "*.wacz")


def expand(patterns: Sequence[str]) -> list[tuple[str, int]]:
    """(path, bytes) of every archive that the patterns name, sorted and distinct; bytes is 0 where unknown.

    Raises:
        ConfigError: a pattern that names nothing, or something unreadable.
    """
    found: dict[str, int] = {}
    for pattern in patterns:
        try:
            matched = _expand(pattern)
        except OSError as error:
            raise ConfigError(f"cannot read input {pattern}: {_reason(error)}") from None
        if not matched:
            raise ConfigError(f"no file matches the input {pattern!r}")
        found.update(matched)
    if not found:
        raise ConfigError("no input: name WARC files, globs, directories or path lists with --input")
    return sorted(found.items())


def _expand(pattern: str) -> list[tuple[str, int]]:
    if pattern.endswith(_LISTS):
        data = files.read_bytes(pattern)
        text = (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).decode("utf-8")
        lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
        return [(line if "://" in line or os.path.exists(line) else COMMON_CRAWL + line, 0) for line in lines]
    if files.is_local(pattern) and os.path.isdir(pattern):
        return [
            hit
            for archive in _ARCHIVES
            for hit in files.listing(files.join(pattern, "**", archive)) + files.listing(files.join(pattern, archive))
        ]
    matched = files.listing(pattern)
    for path, _ in matched[:1]:
        files.open_read(path).close()
    return matched


def _reason(error: OSError) -> str:
    return error.strerror or str(error)
