"""Images of evaluations, which must not be trained on: found again by their bytes or by what they look like.

files, directories, lists of hashes → which of the corpus' images is one of them.

Bytes are compared by sha256. What they look like is compared by the 64-bit perceptual hash that `fetch` gives every
image: a resized or recompressed copy differs in a few bits. A picture without structure (all bits equal, or one
colour) looks like every other such picture, so it is compared by its bytes alone.
"""

from __future__ import annotations

import dataclasses
import glob
import os
import re
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from schemas.config import ConfigError, Fetch
from transforms import files
from transforms.images import Refused, prepare

_HASH = re.compile(r"[0-9a-f]{64}|[0-9a-f]{16}")
_LISTS = (".txt", ".list", ".csv")
DULL = frozenset({"", "0" * 16, "8" + "0" * 15, "f" * 16})  # perceptual hashes without structure


@dataclasses.dataclass(frozen=True)
class Known:
    """Evaluation images: name of each sha256, and perceptual hashes with their names."""

    exact: dict[str, str]
    hashes: npt.NDArray[np.uint64]
    names: list[str]

    def find(self, image_id: str, phash: str, single_colour: bool, distance: int) -> str:
        """Name of an evaluation image that this one is a copy of, "" for none.

        Args:
            distance: bits that the perceptual hashes may differ in.
        """
        if image_id in self.exact:
            return self.exact[image_id]
        if single_colour or phash in DULL or not len(self.hashes):
            return ""
        bits = np.bitwise_count(self.hashes ^ np.uint64(int(phash, 16)))
        nearest = int(bits.argmin())
        return self.names[nearest] if bits[nearest] <= distance else ""


@lru_cache(maxsize=2)
def load(paths: tuple[str, ...]) -> Known:
    """Evaluation images of files, directories and globs; text files hold a hash a line, sha256 or perceptual.

    Raises:
        ConfigError: a path that is not there, a file that is no image, a line that is no hash.
    """
    exact: dict[str, str] = {}
    looks: dict[str, str] = {}
    for path in paths:
        found = sorted(_find(path))
        if not found:
            raise ConfigError(f"no evaluation images at {path}")
        for name in found:
            if name.endswith(_LISTS):
                for number, value in _hashes(name):
                    (exact if len(value) == 64 else looks).setdefault(value, f"{name}:{number}")
                continue
            made = prepare(files.read_bytes(name), Fetch(min_bytes=0, max_bytes=1 << 40))
            if isinstance(made, Refused):
                raise ConfigError(f"evaluation image {name}: {made.reason} ({made.detail})")
            exact.setdefault(made.image_id, name)
            if not made.single_colour and made.phash not in DULL:
                looks.setdefault(made.phash, name)
    return Known(exact, np.array([int(value, 16) for value in looks], np.uint64), list(looks.values()))


def _find(path: str) -> list[str]:
    if os.path.isdir(path):
        names = glob.glob(os.path.join(glob.escape(path), "**"), recursive=True)
        return [name for name in names if os.path.isfile(name)]
    return [name for name, _ in files.listing(path)]


def _hashes(path: str) -> list[tuple[int, str]]:
    found = []
    for number, line in enumerate(files.read_bytes(path).decode("utf-8", "replace").splitlines(), 1):
        value = line.strip().lower()
        if value and not _HASH.fullmatch(value):
            raise ConfigError(f"{path}:{number} is neither a sha256 (64 hex digits) nor a perceptual hash (16)")
        if value:
            found.append((number, value))
    return found
