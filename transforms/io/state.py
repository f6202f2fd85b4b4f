"""State of a run in small JSON files: what is done, of what, and what each file was when it was written.

Each carries the sha256 of the rest of itself as `digest`. One that is not there, is empty or is not what was written
says nothing: it is read as None, and what it spoke of is done again or gone on with.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from weft.schemas.records import stable_id
from weft.transforms.io import files
from weft.transforms.io.files import Written

_OWN = "digest"


def write(path: str, value: Mapping[str, Any]) -> None:
    """Write a state file."""
    files.write_atomic(path, json.dumps({**value, _OWN: _digest(value)}, indent=1, sort_keys=True) + "\n")


def read(path: str) -> dict[str, Any] | None:
    """What a state file says; None where it is not there or is broken. One without a digest is an older version's."""
    if not files.exists(path):
        return None
    return parse(files.read_bytes(path))


def parse(data: bytes) -> dict[str, Any] | None:
    """As `read`, of a file's bytes."""
    try:
        value = json.loads(data)
    except ValueError:
        return None
    if not isinstance(value, dict):
        return None
    said = value.pop(_OWN, None)
    return value if said in (None, _digest(value)) else None


def whole(path: str) -> bool:
    """Whether a state file is what was written."""
    data = files.read_bytes(path)
    return parse(data) is not None and _OWN in json.loads(data)


@contextmanager
def slip(directory: str, path: str) -> Iterator[None]:
    """Leave a note in `directory` of the files that are written while the block runs; "" leaves none.

    A step that writes a table has no marker of its own; the driver puts its notes into the stage's list of files.

    Args:
        directory: where notes go.
        path: what the note is named after; the same path, the same note.
    """
    with files.recorded() as written:
        yield
    if directory:
        write(files.join(directory, f"{stable_id('slip', path)}.json"), {"files": written})


def noted(state: Mapping[str, Any] | None) -> dict[str, Written]:
    """What a marker or a note says of files: path → Written."""
    return {path: Written(*said) for path, said in ((state or {}).get("files") or {}).items()}


def _digest(value: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
