"""Whole files, local or remote: open, list, and write so that nobody ever sees half a file.

Paths are local or of any scheme Beam's FileSystems knows (gs://, s3://, hdfs://); http(s):// can be read
(transforms/io/web_files.py). A remote file that cannot be had now raises Unavailable, whatever the store.
Locally a file is written under a temporary name and renamed; for an object store it is kept here (in memory, or in a
temporary file where it is large) and uploaded when it is whole. So a block that raises, a writer that is dropped and an
attempt that comes late publish nothing of their own but whole files.
"""

from __future__ import annotations

import glob
import io
import os
import shutil
import tempfile
import urllib.parse
import uuid
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from apache_beam.io.filesystems import FileSystems

from weft.transforms.io import object_files
from weft.transforms.io.web_files import Unavailable, WebFile
from weft.transforms.io.web_files import read_range as web_range
from weft.transforms.io.web_files import size as web_size

SIZES_AT_ONCE = 16
_BUFFER = 64 << 10
_IN_MEMORY = 8 << 20  # of a file that is to be uploaded


def is_local(path: str) -> bool:
    """Whether a path is of this machine's own file system."""
    return "://" not in path


def is_web(path: str) -> bool:
    """Whether a path is a web server's."""
    return path.startswith(("http://", "https://"))


def join(base: str, *parts: str) -> str:
    """Path join for local and remote paths alike (FileSystems.join needs a registered scheme)."""
    return "/".join([base.rstrip("/") or "/", *parts]) if parts else base


def open_read(path: str) -> BinaryIO:
    """A binary stream of the file as it is, undecompressed.

    Raises:
        OSError: missing, or unreadable on this machine.
        Unavailable: remote, and cannot be had now. Reading may raise it too.
    """
    if is_web(path):
        return io.BufferedReader(WebFile(path), _BUFFER)
    if is_local(path):
        return open(path, "rb")
    return cast(BinaryIO, io.BufferedReader(object_files.ObjectFile(path), _BUFFER))


def read_bytes(path: str) -> bytes:
    """A whole file."""
    with open_read(path) as stream:
        return stream.read()


def read_range(path: str, offset: int, length: int) -> bytes:
    """`length` bytes from `offset`."""
    if is_web(path):
        return web_range(path, offset, length)
    if not is_local(path):
        with object_files.unavailable(path, "read"):
            return object_files.store(path).get(path, offset, length)
    with open_read(path) as stream:
        stream.seek(offset)
        return stream.read(length)


@contextmanager
def atomic(path: str, name: Callable[[], str] | None = None) -> Iterator[BinaryIO]:
    """A stream to write a whole file to; the file appears when the block ends well, and not at all when it does not.

    Args:
        path: of the file.
        name: of the file below the directory `path`, where only its content says it: called when the block has ended.

    Raises:
        OSError: nothing is left under `path` that was not there before.
    """
    if not is_local(path):
        with tempfile.SpooledTemporaryFile(_IN_MEMORY) as spooled:
            yield cast(BinaryIO, spooled)
            spooled.seek(0)
            path = join(path, name()) if name else path
            with object_files.unavailable(path, "write"):
                object_files.store(path).put(path, cast(BinaryIO, spooled))
        return
    os.makedirs(path if name else os.path.dirname(path) or ".", exist_ok=True)
    temporary = f"{join(path, 'unnamed') if name else path}.tmp-{os.getpid()}-{uuid.uuid4().hex[:8]}"
    try:
        with open(temporary, "wb") as local:
            yield local
        os.replace(temporary, join(path, name()) if name else path)
    except BaseException:
        if os.path.exists(temporary):
            os.unlink(temporary)
        raise


def write_atomic(path: str, write: bytes | str | Callable[[BinaryIO], None]) -> None:
    """Write a whole file: bytes, text, or a function that writes to the stream. Replaces what was there.

    Raises:
        OSError: nothing is left under `path` that was not there before.
    """
    with atomic(path) as stream:
        if callable(write):
            write(stream)
        else:
            stream.write(write.encode("utf-8") if isinstance(write, str) else write)


def exists(path: str) -> bool:
    """Whether there is a file (or, locally, a directory)."""
    if is_web(path):
        try:
            return web_size(path) >= 0
        except FileNotFoundError:
            return False
    return os.path.exists(path) if is_local(path) else bool(object_files.listing(path))


def listing(pattern: str) -> list[tuple[str, int]]:
    """(path, bytes) of every file that matches the glob, sorted by path; temporary files are left out."""
    if is_web(pattern):
        return [(pattern, web_size(pattern))]
    if is_local(pattern):
        found = [(m.path, int(m.size_in_bytes)) for m in FileSystems.match([pattern])[0].metadata_list]
    else:
        found = object_files.listing(pattern)
    return sorted((path, size) for path, size in found if ".tmp-" not in path)


def below(path: str) -> list[str]:
    """Files that a path means, sorted: itself, all below a directory, or what matches a glob; hidden ones left out."""
    if not is_local(path):
        found = listing(path) or ([] if is_web(path) else listing(join(path, "**")))
        return [name for name, _ in found]
    if os.path.isfile(path):  # before globs: a file's name may hold brackets
        return [path]
    if os.path.isdir(path):
        return sorted(str(one) for one in Path(path).rglob("*") if one.is_file() and not one.name.startswith("."))
    return sorted(filter(os.path.isfile, glob.glob(path, recursive=True)))


def sizes(paths: Iterable[str]) -> list[int | None]:
    """Bytes of each of these files, many asked for at once; None where that cannot be said."""

    def one(path: str) -> int | None:
        try:
            found = listing(path)
        except (OSError, Unavailable):
            return None
        return found[0][1] if found else None

    with ThreadPoolExecutor(SIZES_AT_ONCE) as pool:
        return list(pool.map(one, paths))


def remove_tree(path: str) -> None:
    """Delete a directory or file; nothing happens where there is none."""
    if is_local(path):
        if os.path.isdir(path):
            shutil.rmtree(path)
        elif os.path.exists(path):
            os.unlink(path)
        return
    object_files.remove(path)


def stem(path: str) -> str:
    """A readable, file-name-safe piece of `path`: its last component without extensions."""
    name = urllib.parse.urlsplit(path).path.rstrip("/").rsplit("/", 1)[-1].split(".")[0]
    return "".join(c if c.isalnum() or c in "-_" else "_" for c in name)[:60] or "file"
