"""Whole files, local or remote: open, list, and write so that nobody ever sees half a file.

Paths are local or of any scheme Beam's FileSystems knows (gs://, s3://, hdfs://); http(s):// can be read.
Locally a file is written under a temporary name and renamed; on an object store an upload becomes visible when
it is closed, which is the same promise.
"""

from __future__ import annotations

import os
import shutil
import urllib.parse
import urllib.request
import uuid
from collections.abc import Callable
from typing import BinaryIO, cast

from apache_beam.io.filesystem import CompressionTypes
from apache_beam.io.filesystems import FileSystems

HTTP_TIMEOUT_S = 60


def is_local(path: str) -> bool:
    """Whether a path is of this machine's own file system."""
    return "://" not in path


def join(base: str, *parts: str) -> str:
    """Path join for local and remote paths alike (FileSystems.join needs a registered scheme)."""
    return "/".join([base.rstrip("/") or "/", *parts]) if parts else base


def open_read(path: str) -> BinaryIO:
    """A binary stream of the file as it is, undecompressed.

    Raises:
        OSError: missing or unreadable.
    """
    if path.startswith(("http://", "https://")):
        return cast(BinaryIO, urllib.request.urlopen(path, timeout=HTTP_TIMEOUT_S))
    if is_local(path):
        return open(path, "rb")
    return cast(BinaryIO, FileSystems.open(path, compression_type=CompressionTypes.UNCOMPRESSED))


def read_bytes(path: str) -> bytes:
    """A whole file."""
    with open_read(path) as stream:
        return stream.read()


def read_range(path: str, offset: int, length: int) -> bytes:
    """`length` bytes from `offset`."""
    with open_read(path) as stream:
        stream.seek(offset)
        return stream.read(length)


def write_atomic(path: str, write: bytes | str | Callable[[BinaryIO], None]) -> None:
    """Write a whole file: bytes, text, or a function that writes to the stream. Replaces what was there.

    Raises:
        OSError: nothing is left under `path` that was not there before.
    """
    if isinstance(write, str):
        write = write.encode("utf-8")
    if not is_local(path):
        with FileSystems.create(path, compression_type=CompressionTypes.UNCOMPRESSED) as stream:
            stream.write(write) if isinstance(write, bytes) else write(stream)
        return
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    temporary = f"{path}.tmp-{os.getpid()}-{uuid.uuid4().hex[:8]}"
    try:
        with open(temporary, "wb") as local:
            local.write(write) if isinstance(write, bytes) else write(local)
        os.replace(temporary, path)
    except BaseException:
        if os.path.exists(temporary):
            os.unlink(temporary)
        raise


def exists(path: str) -> bool:
    """Whether there is a file (or, locally, a directory)."""
    return os.path.exists(path) if is_local(path) else bool(FileSystems.exists(path))


def listing(pattern: str) -> list[tuple[str, int]]:
    """(path, bytes) of every file that matches the glob, sorted by path; temporary files are left out."""
    if pattern.startswith(("http://", "https://")):
        request = urllib.request.Request(pattern, method="HEAD")
        with urllib.request.urlopen(request, timeout=HTTP_TIMEOUT_S) as response:
            return [(pattern, int(response.headers.get("Content-Length") or 0))]
    found = FileSystems.match([pattern])[0].metadata_list
    return sorted((m.path, int(m.size_in_bytes)) for m in found if ".tmp-" not in m.path)


def remove_tree(path: str) -> None:
    """Delete a directory or file; nothing happens where there is none."""
    if is_local(path):
        if os.path.isdir(path):
            shutil.rmtree(path)
        elif os.path.exists(path):
            os.unlink(path)
        return
    found = [m.path for m in FileSystems.match([join(path, "**")])[0].metadata_list]
    if found:
        FileSystems.delete(found)


def stem(path: str) -> str:
    """A readable, file-name-safe piece of `path`: its last component without extensions."""
    name = urllib.parse.urlsplit(path).path.rstrip("/").rsplit("/", 1)[-1].split(".")[0]
    return "".join(c if c.isalnum() or c in "-_" else "_" for c in name)[:60] or "file"
