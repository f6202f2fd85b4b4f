"""Whole files, local or remote: open, list, and write so that nobody ever sees half a file.

Paths are local or of any scheme that Beam's FileSystems know (gs://, s3://, hdfs://); http(s):// can be read
(transforms/io/web_files.py). A remote file that cannot be had now raises Unavailable, whatever the store.
Locally a file is written under a temporary name, is on the disk before it is renamed, and its name is before anything
else is done: what a power cut leaves are whole files, each there only if all that was written before it is. For an
object store it is kept here (in memory, or in a temporary file where it is large) and uploaded when it is whole. So a
block that raises, a writer that is dropped and an attempt that comes late publish nothing of their own but whole files.
"""

from __future__ import annotations

import fnmatch
import glob
import gzip
import hashlib
import io
import os
import re
import shutil
import tempfile
import urllib.parse
import uuid
import zlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO, NamedTuple, TypeVar, cast

from apache_beam.io.filesystem import FileSystem

from weft.schemas.disk import make_directory, sync_directory
from weft.transforms.io import object_files, secrets
from weft.transforms.io.streams import ENDS, GZIP, End, HashedStream
from weft.transforms.io.web_files import Unavailable, WebFile
from weft.transforms.io.web_files import read_range as web_range
from weft.transforms.io.web_files import size as web_size

AT_ONCE = 16  # requests to stores, or reads
_TEMPORARY = re.compile(r".+\.tmp-\d+-[0-9a-f]{8}", re.S)
_BUFFER = 64 << 10
_CHUNK = 1 << 20  # of a file that is hashed
_IN_MEMORY = 8 << 20  # of a file that is to be uploaded
_Item = TypeVar("_Item")
_Made = TypeVar("_Made")


class Written(NamedTuple):
    """What a file was when it was written."""

    bytes: int
    sha256: str
    rows: int | None = None  # of a table
    end: str = ""  # hash of its last streams.ENDS bytes; "" where it was not noted


_written: ContextVar[dict[str, Written] | None] = ContextVar("written", default=None)


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
        return io.BufferedReader(WebFile(secrets.address(path)), _BUFFER)
    if is_local(path):
        return open(path, "rb")
    return cast(BinaryIO, io.BufferedReader(object_files.ObjectFile(path), _BUFFER))


def read_bytes(path: str) -> bytes:
    """A whole file: one that is replaced meanwhile comes as it was, or as it is."""
    if not is_local(path) and not is_web(path):
        with object_files.unavailable(path, "read"):
            return object_files.store(path).get(path, 0)
    with open_read(path) as stream:
        return stream.read()


def each(one: Callable[[_Item], _Made], items: Iterable[_Item], waits: bool) -> Iterator[_Made]:
    """What `one` makes of every item, in order.

    Args:
        waits: on a store or for what lets go of Python's lock, so that AT_ONCE are worth it at a time; else they would
            wait for each other (1.5 times the CPU time, for the ends of tables on a local disk).
    """
    if not waits:
        yield from map(one, items)
        return
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield from pool.map(one, items)


def read_unpacked(path: str) -> bytes:
    """A whole file, unpacked where it is gzipped: told by looking, not by its name.

    Raises:
        OSError: as `open_read`.
        Unavailable: as `open_read`.
        ValueError: it is packed, and cut or damaged.
    """
    data = read_bytes(path)
    if not data.startswith(GZIP):
        return data
    try:
        return gzip.decompress(data)
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(str(error)) from None


def read_list(path: str, errors: str = "strict") -> list[str]:
    """Lines of a list in UTF-8, plain or gzipped, but for blank ones and comments; a byte order mark is left out.

    A line ends with LF, CR or both, and nowhere else: a name or an address may hold what str.splitlines splits at.

    Args:
        path: of the list.
        errors: what is done with bytes that are no UTF-8: "strict" or "replace".

    Raises:
        OSError: as `open_read`.
        Unavailable: as `open_read`.
        ValueError: as `read_unpacked`, or not UTF-8.
    """
    text = io.StringIO(read_unpacked(path).decode("utf-8-sig", errors), newline=None)
    return [said for line in text if (said := line.strip()) and not said.startswith("#")]


def read_range(path: str, offset: int, length: int) -> bytes:
    """`length` bytes from `offset`."""
    if is_web(path):
        return web_range(secrets.address(path), offset, length)
    if not is_local(path):
        with object_files.unavailable(path, "read"):
            return object_files.store(path).get(path, offset, length)
    with open_read(path) as stream:
        stream.seek(offset)
        return stream.read(length)


@contextmanager
def atomic(path: str, name: Callable[[], str] | None = None, lasting: bool = True) -> Iterator[HashedStream]:
    """A stream to write a whole file to; the file appears when the block ends well, and not at all when it does not.

    Args:
        path: of the file.
        name: of the file below the directory `path`, where only its content says it: called when the block has ended.
        lasting: whether the file must outlast a power cut once the block has ended.

    Raises:
        OSError: nothing is left under `path` that was not there before.
    """
    if not is_local(path):
        with tempfile.SpooledTemporaryFile(_IN_MEMORY) as spooled:
            stream = HashedStream(cast(BinaryIO, spooled))
            yield stream
            spooled.seek(0)
            path = join(path, name()) if name else path
            with object_files.unavailable(path, "write"):
                object_files.store(path).put(path, cast(BinaryIO, spooled))
    else:
        folder = path if name else os.path.dirname(path) or "."
        make_directory(folder)
        temporary = f"{join(path, 'unnamed') if name else path}.tmp-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        try:
            with open(temporary, "wb") as local:
                stream = HashedStream(local)
                yield stream
                local.flush()
                if lasting:
                    os.fsync(local.fileno())
            path = join(path, name()) if name else path
            os.replace(temporary, path)
            if lasting:
                sync_directory(folder)
        except BaseException:
            if os.path.exists(temporary):
                os.unlink(temporary)
            raise
    if (noted := _written.get()) is not None:
        noted[path] = Written(stream.size, stream.digest.hexdigest(), stream.rows, stream.end.digest())


@contextmanager
def recorded() -> Iterator[dict[str, Written]]:
    """What is written in this thread while the block runs: path → what it was, hashed on its way to the disk."""
    noted: dict[str, Written] = {}
    token = _written.set(noted)
    try:
        yield noted
    finally:
        _written.reset(token)


def is_temporary(name: str) -> bool:
    """Whether a file's name is of those that `atomic` writes under."""
    return _TEMPORARY.fullmatch(name) is not None


def digest(path: str) -> Written:
    """What a file is now, read to its end; rows are not counted."""
    made, size, end = hashlib.sha256(), 0, End()
    with open_read(path) as stream:
        while chunk := stream.read(_CHUNK):
            made.update(chunk)
            end.add(chunk)
            size += len(chunk)
    return Written(size, made.hexdigest(), end=end.digest())


def contents(path: str, copy: str = "") -> str:
    """Hash of what a file holds, or of all files of a directory or glob with their names; "" where there is none.

    A file is read again in this process when its size, time or version is another.

    Args:
        copy: where the same lies on this machine, to be read there; "" where it is read where it is.
    """
    found = [one for one, _ in listing(path)] or [one for one, _ in listing(join(path, "**"))]

    def of(one: str) -> str:
        lies = copy + one.removeprefix(path.rstrip("/")) if copy else one
        return _contents(lies, version(lies) or uuid.uuid4().hex)

    if found == [path]:
        return of(path)
    said = [f"{one}\n{of(one)}\n" for one in found]
    return hashlib.sha256("".join(said).encode("utf-8", "surrogateescape")).hexdigest() if said else ""


def version(path: str) -> str:
    """What changes when a file does: size and time, or what a store or server says; "" where that says nothing."""
    if is_local(path):
        about = os.stat(path)
        return f"{about.st_size} {about.st_mtime_ns}"
    if is_web(path):
        with WebFile(secrets.address(path)) as file:
            return file.mark
    with object_files.unavailable(path):
        return object_files.store(path).about(path)[1]


@lru_cache(maxsize=4_096)
def _contents(path: str, _: str) -> str:
    return digest(path).sha256


def ends(path: str, size: int) -> str:
    """Hash of the first and last ENDS bytes of a file of `size` bytes: a large file is not read for its identity."""
    made = hashlib.blake2b(read_range(path, 0, min(size, ENDS)), digest_size=16)
    if size > ENDS:
        made.update(read_range(path, max(ENDS, size - ENDS), ENDS))
    return made.hexdigest()


def write_atomic(path: str, write: bytes | str | Callable[[BinaryIO], None], lasting: bool = True) -> None:
    """Write a whole file: bytes, text, or a function that writes to the stream. Replaces what was there.

    Raises:
        OSError: nothing is left under `path` that was not there before.
    """
    with atomic(path, lasting=lasting) as stream:
        if callable(write):
            write(cast(BinaryIO, stream))
        else:
            stream.write(write.encode("utf-8") if isinstance(write, str) else write)


def copy(source: str, target: str, rows: int | None = None) -> None:
    """Write a file that holds what another one does, a piece at a time.

    Args:
        rows: of a table.
    """
    with open_read(source) as stream, atomic(target) as out:
        shutil.copyfileobj(stream, out, _CHUNK)
        out.rows = rows


def exists(path: str) -> bool:
    """Whether there is a file (or, locally, a directory)."""
    if is_web(path):
        try:
            return web_size(path) >= 0
        except FileNotFoundError:
            return False
    return os.path.exists(path) if is_local(path) else bool(object_files.listing(path))


def listing(pattern: str) -> list[tuple[str, int]]:
    """(path, bytes) of every file that matches the glob, sorted by path; temporary files are left out.

    Raises:
        FileNotFoundError: a link that leads nowhere.
        PermissionError, OSError: a directory on the way that cannot be read, in which there may be more.
    """
    if is_web(pattern):
        return [(pattern, web_size(pattern))]
    found = _local(pattern) if is_local(pattern) else object_files.listing(pattern)
    return sorted((path, size) for path, size in found if not is_temporary(path.rpartition("/")[2]))


def _local(pattern: str) -> Iterator[tuple[str, int]]:
    """As `listing`."""
    base, rest = _glob_of(pattern)
    if not rest:
        if not os.path.isdir(base):
            yield base, os.path.getsize(base)
        return
    if not glob.has_magic(rest.partition("/")[0]):
        return  # a name that is not there
    if "**" in rest:
        matches = re.compile(FileSystem.translate_pattern(rest)).match
        names = [name for name in _walk(base) if matches(name)]
    else:
        names = list(_fitting(base, rest))
    for name in names:
        path = join(base, name) if base else name
        if not os.path.isdir(path):
            yield path, os.path.getsize(path)


def _glob_of(pattern: str) -> tuple[str, str]:
    """What is there under the very name, which is meant by it, brackets, stars and all; the rest is the glob."""
    base, rest = pattern, ""
    while base and not _is_there(base):
        base, _, last = base.rpartition("/")
        rest = f"{last}/{rest}" if rest else last
        base = base or ("/" if pattern.startswith("/") else "")
    return base, rest


def _is_there(path: str) -> bool:
    try:
        os.lstat(path)
    except PermissionError:
        raise
    except (OSError, ValueError):  # a glob may be longer than a name can be
        return False
    return True


def _walk(root: str) -> Iterator[str]:
    """Names of all files below a directory, from it; links to directories are not followed.

    Raises:
        OSError: a directory cannot be read; one that has just been removed is passed over.
    """

    def refuse(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError | NotADirectoryError):
            raise error

    root = root or "."
    for folder, _, names in os.walk(root, onerror=refuse):
        inside = folder[len(root) :].strip("/")
        yield from (f"{inside}/{name}" if inside else name for name in names)


def _fitting(folder: str, pattern: str) -> Iterator[str]:
    """Names from a directory that fit a glob without `**`, hidden ones too. Raises as `_walk`."""
    first, more, rest = pattern.partition("/")
    names = [first]
    if glob.has_magic(first):
        try:
            names = fnmatch.filter(os.listdir(folder or "."), first)
        except (FileNotFoundError, NotADirectoryError):
            return
    for name in names:
        path = os.path.join(folder, name)
        if not more and _is_there(path):
            yield name
        elif rest:
            yield from (f"{name}/{one}" for one in _fitting(path, rest))


def below(path: str) -> list[str]:
    """Files that a path means, sorted: itself, all below a directory, or what matches a glob; hidden ones left out.

    Raises:
        OSError: a directory on the way that cannot be read, in which there may be more.
    """
    if not is_local(path):
        found = listing(path) or ([] if is_web(path) else listing(join(path, "**")))
        return [name for name, _ in found]
    if os.path.isfile(path):  # before globs: a file's name may hold brackets
        return [path]
    if os.path.isdir(path):
        inside = (str(Path(path, name)) for name in _walk(path) if not name.rpartition("/")[2].startswith("."))
        return sorted(filter(os.path.isfile, inside))
    base, rest = _glob_of(path)
    for _ in _walk(base) if "**" in rest else _fitting(base, rest):  # the glob passes over what it cannot read
        pass
    return sorted(filter(os.path.isfile, glob.glob(path, recursive=True)))


def place(path: str) -> str:
    """Where a path leads, the same however it is written: over links here, as it stands in a store."""
    return os.path.realpath(path) if is_local(path) else path.rstrip("/")


def sizes(paths: Iterable[str]) -> list[int | None]:
    """Bytes of each of these files, many asked for at once; None where that cannot be said."""

    def one(path: str) -> int | None:
        try:
            found = listing(path)
        except (OSError, Unavailable):
            return None
        return found[0][1] if found else None

    return list(each(one, paths, True))


def remove_tree(path: str) -> None:
    """Delete a directory or file that may be there; of a link to one what is in it, and the links in it as links."""
    if not is_local(path):
        object_files.remove(path)
        return
    if not os.path.lexists(path):
        return
    leads = os.path.islink(path) and os.path.isdir(path)
    for one in [join(path, name) for name in os.listdir(path)] if leads else [path]:
        if os.path.isdir(one) and not os.path.islink(one):
            shutil.rmtree(one)
        else:
            os.unlink(one)
    sync_directory(path if leads else os.path.dirname(path.rstrip("/")) or ".")


def has_files(path: str) -> bool:
    """Whether there is a directory with any file below it."""
    return bool(listing(join(path, "**")))


def move_tree(source: str, target: str) -> None:
    """Move a directory to where there is none; on a store, or into an empty link (another disk, perhaps), copy it."""
    if is_local(source):
        make_directory(os.path.dirname(target) or ".")
        if os.path.islink(target):
            for path, _ in listing(join(source, "**")):
                copy(path, join(target, path.removeprefix(f"{source.rstrip('/')}/")))
            return
        os.rename(source, target)
        sync_directory(os.path.dirname(target) or ".")
        return
    with object_files.unavailable(target, "write"):
        where = object_files.store(source)
        for path, _ in where.list(f"{source.rstrip('/')}/"):
            where.copy(path, join(target, path[len(source.rstrip("/")) + 1 :]))


def stem(path: str) -> str:
    """A readable, file-name-safe piece of `path`: its last component without extensions."""
    name = urllib.parse.urlsplit(path).path.rstrip("/").rsplit("/", 1)[-1].split(".")[0]
    return "".join(c if c.isalnum() or c in "-_" else "_" for c in name)[:60] or "file"
