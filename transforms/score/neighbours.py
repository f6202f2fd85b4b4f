"""Pictures that are nearly the same by their embeddings: inside a group, and against an evaluation set.

unit vectors → for each the first one that it repeats (`repeats`), or the nearest vector of an evaluation set
(`nearest`).

Exact: every vector is compared with every other of its group, by matrix products of a fixed number of rows. Perceptual
hashes (`fetch`) find copies of the same pixels; embeddings also find crops, frames and other sizes of colour. What
similarity makes a copy depends on the model. DataComp used cosine 0.604169 with ISC21 descriptors for its evaluation
sets, and SSCD's authors 0.75 with theirs; CLIP's vectors are closer together and need more.
"""

from __future__ import annotations

import dataclasses
import io

import numpy as np
import numpy.typing as npt

from weft.schemas.parameters import ConfigError
from weft.transforms.io import files
from weft.transforms.io.loaded import loaded

BLOCK = 1_024  # rows compared at once
DECIMALS = 5
_UNIT_SLACK = 0.02  # of a unit vector's length in fp16

Array = npt.NDArray[np.floating]


def repeats(vectors: npt.ArrayLike, least: float) -> list[tuple[int, float]]:
    """For each row the first kept row that it repeats, as its number, and their cosine; (-1, 0.0) for a kept row.

    Rows are taken in order, so put first what should stay. They are compared with kept rows alone: a row goes only
    where something near it stays, and not because a chain of small steps leads to it.

    Args:
        vectors: (N, D) unit vectors.
        least: the cosine from which a row repeats another.
    """
    x = np.asarray(vectors, np.float64)
    found: list[tuple[int, float]] = []
    kept: list[int] = []
    for start in range(0, len(x), BLOCK):
        block = x[start : start + BLOCK]
        before = _products(block, x[kept]) if kept else np.zeros((len(block), 0))
        inside = _products(block, block)
        mine: list[int] = []  # rows of this block that are kept
        old = len(kept)
        for row in range(len(block)):
            cosines = np.concatenate([before[row], inside[row, mine]])
            near = np.flatnonzero(cosines >= least)
            if len(near):
                at = int(near[0])
                first = kept[at] if at < old else start + mine[at - old]
                found.append((first, float(cosines[at])))
            else:
                found.append((-1, 0.0))
                mine.append(row)
        kept += [start + row for row in mine]
    return found


def nearest(vectors: npt.ArrayLike, against: npt.ArrayLike) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """For each row the number of the nearest row of `against` (the first of equals), and their cosine.

    Args:
        vectors: (N, D) unit vectors.
        against: (M, D) unit vectors; where M is 0, numbers are -1 and cosines -inf.

    Returns:
        Two arrays of shape (N,).
    """
    x, other = np.asarray(vectors, np.float64), np.asarray(against)
    at, best = np.full(len(x), -1, np.int64), np.full(len(x), -np.inf)
    for start in range(0, len(other), BLOCK):
        cosines = _products(x, other[start : start + BLOCK].astype(np.float64))
        here = cosines.argmax(axis=1)
        value = cosines[np.arange(len(x)), here]
        better = value > best
        at[better], best[better] = start + here[better], value[better]
    return at, best


def _products(a: npt.NDArray[np.floating], b: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    return np.asarray((a @ b.T).round(DECIMALS), np.float64)  # how a sum is ordered decides its last bits


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """Vectors of an evaluation set, and where each comes from."""

    vectors: Array  # (M, D), float32
    names: tuple[tuple[str, int], ...]  # (file, how many rows are its), in the order of `vectors`

    def find(self, vectors: npt.ArrayLike) -> list[tuple[str, float]]:
        """(file:row, cosine) of the nearest for each row."""
        at, best = nearest(vectors, self.vectors)
        return [(self._name(row), value) for row, value in zip(at.tolist(), best.tolist(), strict=True)]

    def _name(self, row: int) -> str:
        if row < 0:
            return ""
        for name, rows in self.names:
            if row < rows:
                return f"{name.rsplit('/', 1)[-1]}:{row}"
            row -= rows
        raise IndexError(row)  # pragma: no cover - nearest gives rows that there are


@loaded(most=2)
def load(paths: tuple[str, ...], width: int) -> Evaluation:
    """The evaluation set that stands in .npy files of shape (rows, D), fp16 or fp32.

    Args:
        paths: of the files, local or remote.
        width: D, how many numbers the model's vectors have.

    Raises:
        ConfigError: no such file, no such array, vectors of another width, or not of length one.
    """
    parts, names = [], []
    for path in paths:
        where = f"score.evaluation_embeddings: {path}"
        try:
            array = np.load(io.BytesIO(files.read_bytes(path)), allow_pickle=False)
        except OSError as error:
            raise ConfigError(f"{where}: {error.strerror or error}") from None
        except (ValueError, EOFError) as error:
            raise ConfigError(f"{where} is no .npy file of numbers: {' '.join(str(error).split())[:100]}") from None
        if not isinstance(array, np.ndarray) or array.ndim != 2 or array.dtype.kind != "f" or not len(array):
            shape = "x".join(map(str, getattr(array, "shape", ()))) or "no array"
            raise ConfigError(f"{where} holds {shape}, not a row of numbers for each picture")
        if array.shape[1] != width:
            raise ConfigError(
                f"{where} holds vectors of {array.shape[1]} numbers and score.model gives {width}: embed both alike"
            )
        lengths = np.linalg.norm(array.astype(np.float64), axis=1)
        if not (np.abs(lengths - 1.0) < _UNIT_SLACK).all():
            raise ConfigError(f"{where} holds vectors that are not of length one: divide each by its norm")
        parts.append(array.astype(np.float32))
        names.append((path, len(array)))
    return Evaluation(np.concatenate(parts), tuple(names))
