"""Vectors between the job that makes them and the one that compares them: one file a unit, a row an image or text.

Embedding ─► DIRECTORY/UNIT.parquet (key, vectors, problem) ─► Embedding

Vectors are stored as wide as they are computed: float32 where `precision` is fp32, so that what is made of them is what
it would be without a file in between; float16 where a model computes in halves.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import apache_beam as beam
import numpy as np
import pyarrow as pa

from weft.schemas.parameters import ClipChoice
from weft.transforms.beam import coders
from weft.transforms.io import parquet
from weft.transforms.score.vectors import Embedding

VECTORS = pa.schema([("key", pa.string()), ("vectors", pa.list_(pa.binary())), ("problem", pa.string())])


class _Stored(NamedTuple):
    """A row of VECTORS."""

    key: str
    vectors: list[bytes]
    problem: str


def halves(clip: ClipChoice) -> bool:
    """Whether vectors are stored as float16."""
    return clip.precision != "fp32"


def write_vectors(path: str, found: Iterable[Embedding], half: bool) -> int:
    """One unit's file, written as vectors come; returns how many rows it has."""
    rows = 0
    with parquet.TableWriter(path, VECTORS) as table:
        for made in found:
            vectors = [_narrow(one) for one in made.vectors] if half else made.vectors
            table.write(_Stored(made.key, vectors, made.problem))
            rows += 1
    return rows


@dataclasses.dataclass
class ReadVectors(beam.PTransform):
    """PBegin → Embedding of every row of the files that match a pattern; none where there are no files."""

    pattern: str
    clip: ClipChoice

    def expand(self, begin: beam.pvalue.PBegin) -> beam.PCollection[Embedding]:
        coders.register(Embedding)
        return (
            begin
            | "Files" >> parquet.Files(self.pattern)
            | "Read" >> beam.FlatMap(read_vectors, halves(self.clip)).with_output_types(Embedding)
        )


def read_vectors(path: str, half: bool) -> Iterator[Embedding]:
    """The rows of one file, as float32 whatever they are stored as."""
    for row in parquet.read(path, _Stored):
        yield Embedding(row.key, [_wide(one) for one in row.vectors] if half else row.vectors, row.problem)


def _narrow(vector: bytes) -> bytes:
    return np.frombuffer(vector, np.float32).astype(np.float16).tobytes()


def _wide(vector: bytes) -> bytes:
    return np.frombuffer(vector, np.float16).astype(np.float32).tobytes()
