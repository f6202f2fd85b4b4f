"""Directories that outlast a power cut: what was made, renamed and removed in one is on the disk."""

from __future__ import annotations

import errno
import os


def make_directory(path: str) -> None:
    """Make a directory and those above it, so that a power cut takes none of them back."""
    if os.path.isdir(path):
        return
    above = os.path.dirname(path.rstrip("/")) or "."
    make_directory(above)
    os.makedirs(path, exist_ok=True)
    sync_directory(above)


def sync_directory(path: str) -> None:
    """Have what was made, renamed and removed in a directory on the disk, where the file system knows of that."""
    place = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(place)
    except OSError as error:
        if error.errno != errno.EINVAL:  # of a Windows share, a virtual machine's folder
            raise
    finally:
        os.close(place)
