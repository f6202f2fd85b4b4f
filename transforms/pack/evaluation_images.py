"""Images of evaluations, which must not be trained on: found again by their bytes or by what they look like.

files, directories, lists of hashes → which of the corpus' images is one of them.

Bytes are compared by sha256. What they look like is compared by the 64-bit perceptual hash that `fetch` gives every
image: a resized or recompressed copy differs in a few bits. A picture without structure (one colour, a gradient, a
symmetric icon) looks like every other such picture, so it is compared by its bytes alone.
"""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import numpy.typing as npt

from weft.schemas.parameters import ConfigError, ImageForm, ImageLimits
from weft.transforms.fetch.decode import Refused, prepare
from weft.transforms.fetch.looks import dull
from weft.transforms.io import files
from weft.transforms.io.loaded import loaded

_HASH = re.compile(r"[0-9a-f]{64}|[0-9a-f]{16}")
_LISTS = (".txt", ".list", ".csv")


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
        if single_colour or not len(self.hashes) or dull(phash):
            return ""
        bits = np.bitwise_count(self.hashes ^ np.uint64(int(phash, 16)))
        nearest = int(bits.argmin())
        return self.names[nearest] if bits[nearest] <= distance else ""


@loaded(most=2)
def load(paths: tuple[str, ...], max_side: int) -> Known:
    """Evaluation images of files, directories and globs; text files hold a hash a line, sha256 or perceptual.

    Args:
        max_side: fetch's; a perceptual hash is that of the picture as stored.

    Raises:
        ConfigError: a path that is not there, a file that is no image, a line that is no hash.
    """
    # Fetch's limits keep a worker safe from the web; these files are the user's own.
    form, limits = ImageForm(max_side=max_side), ImageLimits(max_bytes=1 << 40)
    exact: dict[str, str] = {}
    hashes: dict[str, str] = {}
    for path in paths:
        for name in _find(path):
            data = _read(name)
            if name.lower().endswith(_LISTS):
                for number, value in _hashes(name, data):
                    (exact if len(value) == 64 else hashes).setdefault(value, f"{name}:{number}")
                continue
            made = prepare(data, form, limits)
            if isinstance(made, Refused):
                raise ConfigError(f"evaluation image {name}: {made.reason} ({made.detail})")
            exact.setdefault(made.image_id, name)
            if not made.single_colour:
                hashes.setdefault(made.phash, name)
    hashes = {value: name for value, name in hashes.items() if not dull(value)}
    return Known(exact, np.array([int(value, 16) for value in hashes], np.uint64), list(hashes.values()))


def _find(path: str) -> list[str]:
    """Files under a path, sorted."""
    found = files.below(path)
    if not found:
        raise ConfigError(f"no evaluation images at {path}")
    return found


def _read(path: str) -> bytes:
    try:
        return files.read_bytes(path)
    except OSError as error:
        raise ConfigError(f"cannot read evaluation image {path}: {error.strerror or error}") from None


def _hashes(path: str, data: bytes) -> list[tuple[int, str]]:
    found = []
    for number, line in enumerate(data.decode("utf-8-sig", "replace").splitlines(), 1):
        value = line.strip().lower()
        if value and not _HASH.fullmatch(value):
            raise ConfigError(f"{path}:{number} is neither a sha256 (64 hex digits) nor a perceptual hash (16)")
        if value:
            found.append((number, value))
    if not found:
        raise ConfigError(f"{path} holds no hash of an evaluation image")
    return found
