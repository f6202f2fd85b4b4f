"""Shards where they lie: on this machine, or in an object store through Arrow's own file systems.

"out/shards", "s3://bucket/out/shards", "gs://…" → listings, texts, exact ranges. Arrow takes a store's credentials,
region and address from where its tools keep them (AWS_ACCESS_KEY_ID, AWS_ENDPOINT_URL, …).
"""

from __future__ import annotations

import io
from functools import lru_cache
from typing import BinaryIO, cast

from pyarrow import fs

from weft.schemas.parameters import ConfigError

_BUFFER = 1 << 20  # of a tar whose headers are read: on a store each read is a request


@lru_cache(maxsize=16)
def _store(base: str) -> fs.FileSystem:
    try:
        return fs.FileSystem.from_uri(base)[0]
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot reach {base}: {' '.join(str(error).split())[:200]}") from None


def _place(path: str) -> tuple[fs.FileSystem, str]:
    """The file system of a path, and the path in it."""
    scheme, there, rest = path.partition("://")
    if not there:
        return fs.LocalFileSystem(), path
    return _store(f"{scheme}://{rest.partition('/')[0]}"), rest


def join(base: str, *parts: str) -> str:
    """A path below another."""
    return "/".join([base.rstrip("/"), *parts])


def tars(folder: str) -> list[tuple[str, int]]:
    """(path, bytes) of the tars of a folder, sorted by path; none where there is no such folder."""
    store, place = _place(folder)
    found = store.get_file_info(fs.FileSelector(place, allow_not_found=True))
    return sorted((join(folder, one.base_name), one.size) for one in found if one.extension == "tar")


def read_text(path: str) -> str:
    """A whole text file.

    Raises:
        OSError: there is none, or it cannot be had.
    """
    return read_bytes(path).decode("utf-8")


def read_bytes(path: str) -> bytes:
    """A whole file.

    Raises:
        OSError: as `read_text`.
    """
    store, place = _place(path)
    with store.open_input_file(place) as file:
        return bytes(file.read())


def read_range(path: str, offset: int, length: int) -> bytes:
    """`length` bytes from `offset`."""
    store, place = _place(path)
    with store.open_input_file(place) as file:
        return bytes(file.read_at(length, offset))


def open_buffered(path: str) -> BinaryIO:
    """A file to be read from beginning to end."""
    store, place = _place(path)
    return cast(BinaryIO, io.BufferedReader(store.open_input_file(place), _BUFFER))
