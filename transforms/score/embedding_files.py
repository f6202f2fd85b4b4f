"""Embeddings as files that clip-retrieval, autofaiss and embedding readers take.

rows of (key, vectors, metadata) → DIRECTORY/img_emb/img_emb_N.npy     fp16, one row a picture
                                   DIRECTORY/text_emb/text_emb_N.npy   fp16, one row a caption
                                   DIRECTORY/metadata/metadata_N.parquet

The layout is that of clip-retrieval (2.45): row n of one file belongs to row n of the others with the same number.
Numbers are as wide as the last, so that sorting file names sorts the files. A bucket without rows has no files:
readers stop at an empty array. Each file is written whole, then moved into place, and the metadata last.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import apache_beam as beam
import numpy as np
import numpy.typing as npt
import pyarrow as pa
from apache_beam.typehints import typehints
from apache_beam.typehints.native_type_compatibility import convert_to_beam_type

from weft.schemas.records import hash_bucket
from weft.schemas.shards import npy
from weft.transforms.io import files, state
from weft.transforms.io.parquet import write_table
from weft.transforms.score.vectors import similarity

KINDS = ("img_emb", "text_emb")
METADATA = "metadata"
Row = tuple[str, tuple[tuple[bytes, ...], tuple[Any, ...]]]  # key, (float32 vectors in the order of KINDS, metadata)


PAIRS = pa.schema([("url", pa.string()), ("caption", pa.string()), ("key", pa.string()), ("similarity", pa.float32())])
IMAGES = pa.schema([("url", pa.string())])


def image_row(key: str, vector: bytes) -> Row:
    """An image's vector, with its address as metadata (IMAGES)."""
    return key, ((vector,), (key,))


def pair_rows(key: str, found: dict[str, Iterable[Any]]) -> Iterator[Row]:
    """Joined "vectors" (PairVectors) and "captions" of one pair → its row, with metadata as in PAIRS."""
    for pair in found["vectors"]:
        for caption in found["captions"]:
            value = similarity(pair.image, pair.text)
            yield key, ((pair.image, pair.text), (pair.image_key, caption, key, value))


def file_name(kind: str, number: int, of: int) -> str:
    """img_emb_07.npy, metadata_07.parquet."""
    return f"{kind}_{number:0{len(str(max(of - 1, 0)))}d}.{'parquet' if kind == METADATA else 'npy'}"


def halves(vectors: Sequence[bytes]) -> npt.NDArray[np.float16]:
    """float32 vectors as one array of float16."""
    return np.stack([np.frombuffer(vector, np.float32) for vector in vectors]).astype(np.float16)


def write(directory: str, schema: pa.Schema, rows: Iterable[Row], number: int, of: int, slips: str = "") -> int:
    """One file of each kind, rows sorted by key; returns how many there are."""
    found = sorted(set(rows), key=lambda row: (row[0], repr(row[1][1])))
    if not found:
        return 0
    path = files.join(directory, METADATA, file_name(METADATA, number, of))
    with state.slip(slips, path):
        for at in range(len(found[0][1][0])):
            kind = KINDS[at]
            data = npy(halves([vectors[at] for _, (vectors, _) in found]))
            files.write_atomic(files.join(directory, kind, file_name(kind, number, of)), data)
        return write_table(path, [metadata for _, (_, metadata) in found], schema)


@dataclasses.dataclass
class WriteVectors(beam.PTransform):
    """Row → files; gives (number, rows). A bucket is held in memory: of 1,000,000 rows and 512 numbers 1 GB.

    Args:
        schema: of the metadata.
        buckets: files of a kind, from the configuration and never from the runner.
        slips: where notes of the files go (`state.slip`); "" writes none.
    """

    directory: str
    schema: pa.Schema
    buckets: int
    slips: str = ""

    def expand(self, rows: beam.PCollection[Row]) -> beam.PCollection[tuple[int, int]]:
        directory, schema, buckets, slips = self.directory, self.schema, self.buckets, self.slips

        def together(item: tuple[int, Iterable[Row]]) -> Iterator[tuple[int, int]]:
            yield item[0], write(directory, schema, item[1], item[0], buckets, slips)

        return (
            rows
            | "Bucket"
            >> beam.Map(lambda row: (hash_bucket(row[0], buckets, "vectors"), row)).with_output_types(
                typehints.Tuple[int, convert_to_beam_type(rows.element_type)]
            )
            | "Gather" >> beam.GroupByKey()
            | "Write" >> beam.FlatMap(together)
        )
