"""Copies on this machine of remote files that a library wants to open itself: a CLIP's directory, weights.

s3://bucket/clip → /tmp/weft-UID/DIGEST/clip, made by the first process of a machine that asks, for all of them. The
digest is of the names of the files and of what the store or server says of their contents (ETag, generation, time;
where it says nothing, of these), so that what is changed there is copied anew. It lies in the directory for temporary
files (TMPDIR), and nobody deletes it.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
from functools import lru_cache

from weft.schemas.disk import sync_directory
from weft.schemas.parameters import REMOTE, ConfigError
from weft.schemas.records import digest
from weft.transforms.io import files


def named(value: str) -> str:
    """A configured value with this machine's copy in the place of a remote path: `local-dir:s3://…`, `TAG=gs://…`.

    Raises:
        FileNotFoundError, Unavailable: as `fetched`.
    """
    return REMOTE.sub(lambda found: fetched(found[0]), value)


@lru_cache(maxsize=32)
def fetched(path: str) -> str:
    """This machine's copy of a remote file or of all that is below a directory; a local path is its own.

    Raises:
        FileNotFoundError: there is neither.
        Unavailable: it cannot be had now.
    """
    if files.is_local(path):
        return path
    path = path.rstrip("/")
    found = files.below(path)
    if not found:
        raise FileNotFoundError(f"no file {path}")
    kept = os.path.join(_home(), digest([(name, _stamp(name)) for name in found]))
    os.makedirs(kept, exist_ok=True)
    copy = os.path.join(kept, path.rpartition("/")[2])
    with open(os.path.join(kept, ".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another process may be at it
        if not os.path.exists(copy):
            making = os.path.join(kept, ".making")
            files.remove_tree(making)  # of one that was killed
            try:
                with files.recorded():  # no files of whoever asks
                    for name in found:
                        files.copy(name, making + name.removeprefix(path))
                os.rename(making, copy)
                sync_directory(kept)
            finally:
                files.remove_tree(making)
    return copy


def contents(path: str) -> str:
    """`files.contents` of a file or directory: of a remote one by this machine's copy, made anew where that changes."""
    if files.is_local(path):
        return files.contents(path)
    fetched.cache_clear()
    try:
        return files.contents(path, fetched(path))
    except FileNotFoundError:
        return ""


def _home() -> str:
    home = os.path.join(tempfile.gettempdir(), f"weft-{os.getuid()}")
    os.makedirs(home, mode=0o700, exist_ok=True)
    if os.stat(home).st_uid != os.getuid():  # anybody may write beside it
        raise ConfigError(f"{home} is somebody else's: set TMPDIR to a directory of your own")
    return home


def _stamp(path: str) -> str:
    return files.version(path) or files.contents(path)  # another file may have the same size
