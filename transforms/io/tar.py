"""Samples → a tar: the same samples give the same bytes.

USTAR, members in the order given, fixed times, owners and modes; hashed while it is written, visible when it is whole.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable

from weft.transforms.io import files


def write_tar(path: str, members: Iterable[tuple[str, bytes]]) -> tuple[int, str]:
    """Write (name, bytes) members, in the order given, as one tar; returns (bytes, sha256)."""
    with files.atomic(path) as out, tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size, info.mtime, info.mode = len(data), 0, 0o644
            tar.addfile(info, io.BytesIO(data))
    return out.size, out.digest.hexdigest()
