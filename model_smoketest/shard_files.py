"""Shards and models where they lie: on this machine, or in an object store through Arrow's own file systems.

"out/shards", "s3://bucket/out/shards", "gs://…" → listings, texts, exact ranges, whole files. Arrow takes
a store's credentials, region and address from where its tools keep them (AWS_ACCESS_KEY_ID, AWS_ENDPOINT_URL, …).
"""

from __future__ import annotations

import contextlib
import io
import json
import math
import os
import uuid
from functools import lru_cache
from typing import Any, BinaryIO, cast

from pyarrow import fs

from weft.schemas.disk import make_directory, sync_directory
from weft.schemas.parameters import ConfigError

_LOCAL = fs.LocalFileSystem()
_BUFFER = 1 << 20  # of a tar whose headers are read: on a store each read is a request


@lru_cache(maxsize=16)
def _store(base: str) -> fs.FileSystem:
    try:
        if base.startswith("gs://") and (emulator := os.environ.get("STORAGE_EMULATOR_HOST")):
            scheme, _, host = emulator.rpartition("://")  # as Google's own tools take it; Arrow wants to be told
            return fs.GcsFileSystem(anonymous=True, scheme=scheme or "http", endpoint_override=host)
        return fs.FileSystem.from_uri(base)[0]
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot reach {base}: {' '.join(str(error).split())[:200]}") from None


def _place(path: str) -> tuple[fs.FileSystem, str]:
    """The file system of a path, and the path in it."""
    scheme, there, rest = path.partition("://")
    if not there:
        return _LOCAL, path
    return _store(f"{scheme}://{rest.partition('/')[0]}"), rest


def join(base: str, *parts: str) -> str:
    """A path below another."""
    return "/".join([base.rstrip("/"), *parts])


def tars(folder: str) -> list[tuple[str, int]]:
    """(path, bytes) of the tars of a folder, sorted by path; none where there is no such folder."""
    store, place = _place(folder)
    found = store.get_file_info(fs.FileSelector(place, allow_not_found=True))
    return sorted((join(folder, one.base_name), one.size) for one in found if one.extension == "tar")


def is_local(path: str) -> bool:
    """Whether a path is of this machine's own file system."""
    return "://" not in path


def read_bytes(path: str) -> bytes:
    """A whole file.

    Raises:
        OSError: there is none, or it cannot be had.
    """
    store, place = _place(path)
    with store.open_input_file(place) as file:
        return bytes(file.read())


def read_text(path: str) -> str:
    """A whole text file; raises as `read_bytes`."""
    return read_bytes(path).decode("utf-8")


def json_file(value: Any) -> bytes:
    """A JSON file that people read too; null stands for a number that is none, as JSON has no NaN and no infinity."""
    return (json.dumps(_finite(value), indent=1, sort_keys=True, allow_nan=False) + "\n").encode()


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def write(path: str, content: bytes | memoryview, lasting: bool = True) -> None:
    """Write a file so that nobody ever sees half of it.

    Args:
        lasting: whether it must outlast a power cut; of one that need not nothing may be left then but its name.

    Raises:
        OSError: nothing is left that was not there before.
    """
    store, place = _place(path)
    if not is_local(path):
        with store.open_output_stream(place, buffer_size=0) as stream:  # the file appears when all is in it
            stream.write(content)
        return
    folder = os.path.dirname(place) or "."
    make_directory(folder)
    temporary = f"{place}.tmp-{os.getpid()}-{uuid.uuid4().hex[:8]}"  # process 1 of many containers
    try:
        with open(temporary, "wb") as stream:
            stream.write(content)
            stream.flush()
            if lasting:
                os.fsync(stream.fileno())
        os.replace(temporary, place)
        if lasting:
            sync_directory(folder)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)


def remove(path: str) -> None:
    """Delete a file, if there is one."""
    store, place = _place(path)
    with contextlib.suppress(FileNotFoundError):
        store.delete_file(place)


def read_range(path: str, offset: int, length: int) -> bytes:
    """`length` bytes from `offset`."""
    store, place = _place(path)
    with store.open_input_file(place) as file:
        return bytes(file.read_at(length, offset))


def open_buffered(path: str) -> BinaryIO:
    """A file to be read from beginning to end."""
    store, place = _place(path)
    return cast(BinaryIO, io.BufferedReader(store.open_input_file(place), _BUFFER))
