"""What goes into CLIP and what comes out of it, as rows: light to import, where the model itself is not.

Everything that reads or compares vectors needs these; clip.py, which makes them, brings PyTorch with it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from weft.schemas.records import as_written

NOT_FINITE = "not_finite"  # the problem of what a model makes no numbers of


class ImageRef(NamedTuple):
    """Where an image's stored bytes are."""

    key: str
    path: str
    offset: int
    length: int
    digest: str = ""  # ImageRow.digest: what is read is checked against it; "" checks the length alone


class TextRef(NamedTuple):
    """A text and the id of its words."""

    key: str
    text: str


class Embedding(NamedTuple):
    """A unit vector by each model (float32 bytes), or the reason why there is none."""

    key: str
    vectors: list[bytes]  # by ClipChoice.model, then by each of ClipChoice.also
    problem: str

    @property
    def vector(self) -> bytes:
        """The one by ClipChoice.model, empty where there is none."""
        return self.vectors[0] if self.vectors else b""


def similarity(image: bytes, text: bytes) -> float:
    """Cosine of two unit vectors, rounded so that the last bits of a sum are not kept.

    Args:
        image: D float32 numbers, as bytes.
        text: as many.

    >>> east, north = np.float32([1, 0]).tobytes(), np.float32([0, 1]).tobytes()
    >>> similarity(east, east), similarity(east, north)
    (1.0, 0.0)
    """
    a, b = np.frombuffer(image, np.float32), np.frombuffer(text, np.float32)
    return as_written(float(np.dot(a.astype(np.float64), b.astype(np.float64))))
