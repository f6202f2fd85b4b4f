"""The forms of other loaders, as data: what each holds, and how an item becomes a row or the members of a tar.

    Item ─► rows of Parquet, lines of JSON, members of a tar, samples of MDS

All write in the order of the items, with no time and no name of a machine: the same shard gives the same bytes.
"""

from __future__ import annotations

import base64
import dataclasses
import gzip
import io
import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from weft.schemas import shards
from weft.transforms.export.items import Item, Picture
from weft.transforms.io import files
from weft.transforms.io.tar import write_tar
from weft.transforms.pack.samples import Instruction

GROUP_BYTES = 32 << 20  # of a row group of Parquet
MDS_BYTES = 256 << 20  # of a file of MDS, whose offsets end at 4 GB
Kind = TypeVar("Kind")
Row = dict[str, Any]
Members = list[tuple[str, bytes]]
# (path without suffix, items) → file name → samples in it.
Writer = Callable[[str, Iterator[Item]], dict[str, int]]


@dataclasses.dataclass(frozen=True)
class Format:
    """A form that finished shards can take.

    Attributes:
        doc: who reads it.
        writers: corpus → what writes one shard of it.
    """

    doc: str
    writers: dict[str, Writer]


def _table(schema: pa.Schema, row: Callable[[Item], Row]) -> Writer:
    """Items → one Parquet file of `row`s."""

    def write(path: str, items: Iterator[Item]) -> dict[str, int]:
        name = f"{path}.parquet"
        return {_name(name): write_parquet(name, schema, map(row, items))}

    return write


def write_parquet(path: str, schema: pa.Schema, rows: Iterable[Row]) -> int:
    """Rows → a Parquet file whose groups are bounded by their bytes; returns how many rows."""
    count = 0
    with files.atomic(path) as stream, pq.ParquetWriter(stream, schema, compression="zstd") as out:
        for group in _groups((pa.RecordBatch.from_pylist([row], schema) for row in rows), GROUP_BYTES, _nbytes):
            out.write_table(pa.Table.from_batches(group, schema))
            count += len(group)
    return count


def _nbytes(batch: pa.RecordBatch) -> int:
    return int(batch.nbytes)


def _groups(rows: Iterable[Kind], above: int, size: Callable[[Kind], int]) -> Iterator[list[Kind]]:
    """Rows in lists, each closed by the row that takes it above so many bytes."""
    group: list[Kind] = []
    held = 0
    for row in rows:
        group.append(row)
        held += size(row)
        if held > above:
            yield group
            group, held = [], 0
    if group:
        yield group


def _tar(members: Callable[[Item], Members]) -> Writer:
    """Items → one tar; an item's members stand together, sorted."""

    def write(path: str, items: Iterator[Item]) -> dict[str, int]:
        count = 0

        def every() -> Iterator[tuple[str, bytes]]:
            nonlocal count
            for item in items:
                count += 1
                yield from sorted(members(item))

        write_tar(f"{path}.tar", every())
        return {_name(f"{path}.tar"): count}

    return write


def _lines(row: Callable[[Item], Row]) -> Writer:
    """Items → one gzipped file of JSON lines."""

    def write(path: str, items: Iterator[Item]) -> dict[str, int]:
        count, name = 0, f"{path}.jsonl.gz"
        with files.atomic(name) as stream, gzip.GzipFile("", "wb", fileobj=stream, mtime=0) as out:
            for item in items:
                out.write(shards.json_bytes(row(item)) + b"\n")
                count += 1
        return {_name(name): count}

    return write


# ---- rows and members


def _obelics(item: Item) -> Row:
    """OBELICS' columns; `images` holds the bytes as Hugging Face's Image feature has them."""
    told = [image.meta if image else None for image in item.images]
    return {
        "images": [
            image and {"bytes": image.data, "path": f"{n}.{image.suffix}"} for n, image in enumerate(item.images)
        ],
        "texts": item.texts,
        "metadata": shards.json_bytes(told).decode(),
        "general_metadata": shards.json_bytes({"id": item.key, **item.meta}).decode(),
    }


_STRING = {"dtype": "string", "_type": "Value"}
OBELICS = pa.schema(
    {
        "images": pa.list_(pa.struct({"bytes": pa.binary(), "path": pa.string()})),
        "texts": pa.list_(pa.string()),
        "metadata": pa.string(),
        "general_metadata": pa.string(),
    },
    # What tells Hugging Face's datasets that a struct is a picture.
    {
        "huggingface": json.dumps(
            {
                "info": {
                    "features": {
                        "images": {"feature": {"_type": "Image"}, "_type": "Sequence"},
                        "texts": {"feature": _STRING, "_type": "Sequence"},
                        "metadata": _STRING,
                        "general_metadata": _STRING,
                    }
                }
            }
        )
    },
)


def _interleaved(item: Item) -> Members:
    """MINT-1T's form: parallel `texts` and `images`, the latter naming members of the tar."""
    names = [image and f"{item.key}.{n}.{image.suffix}" for n, image in enumerate(item.images)]
    told = {**item.meta, "texts": item.texts, "images": names, "image_metadata": [p.meta for p in item.pictures]}
    stored = [(name, image.data) for name, image in zip(names, item.images, strict=True) if name and image]
    return [(f"{item.key}.json", shards.json_bytes(told)), *stored]


def _mmc4(item: Item) -> Members:
    """MMC4's form, its images in base64; each is matched with one text, by score or else the next one on the page."""
    texts = [(at, text) for at, text in zip(item.places, item.texts, strict=True) if text is not None] or [(0, "")]
    images, matrix = [], []
    for position, image in zip(item.places, item.images, strict=True):
        if image is None:
            continue
        following = next((n for n, (at, _) in enumerate(texts) if at > position), len(texts) - 1)
        told = image.meta.get("matched_text")
        matched = next((n for n, (at, _) in enumerate(texts) if at == told), following)
        scored = image.meta.get("similarities", {})
        # Loaders take the largest entry of an image's line for its text, so the others stay below the matched one's.
        line = [-1.0] * len(texts)
        own = image.meta.get("matched_similarity") if texts[matched][0] == told else None
        line[matched] = max(scored.values(), default=1.0)
        matrix.append(line)
        images.append(
            {
                "image_name": f"{item.key}.{position}.{image.suffix}",
                "raw_url": image.meta.get("url", ""),
                "matched_text_index": matched,
                "matched_sim": line[matched] if own is None else own,
                "image_base64": base64.b64encode(image.data).decode(),
            }
        )
    told = {
        "url": item.meta.get("url", ""),
        "text_list": [text for _, text in texts],
        "image_info": images,
        "similarity_matrix": matrix,
        "could_have_url_duplicate": 0,
    }
    return [(f"{item.key}.json", shards.json_bytes(told))]


def _pair(item: Item, row: Row | None = None) -> Members:
    """img2dataset's form."""
    picture = item.pictures[0]
    told = {**(row or _pair_row(item)), "source": item.meta}
    return [
        (f"{item.key}.{picture.suffix}", picture.data),
        (f"{item.key}.json", shards.json_bytes(told)),
        (f"{item.key}.txt", item.text.encode()),
    ]


def _pair_row(item: Item) -> Row:
    """A row of the Parquet that img2dataset leaves beside each tar."""
    picture = item.pictures[0]
    width, height = _size(picture)
    return {
        "key": item.key,
        "url": item.meta.get("image_url", ""),
        "caption": item.text,
        "status": "success",
        "error_message": None,
        "width": width,
        "height": height,
        "original_width": picture.meta.get("width"),
        "original_height": picture.meta.get("height"),
        "exif": None,
        "sha256": picture.meta.get("sha256", ""),
        "similarity": picture.meta.get("similarity"),
    }


def _size(picture: Picture) -> tuple[int, int]:
    with Image.open(io.BytesIO(picture.data)) as opened:  # reads the header alone
        return opened.size


IMG2DATASET = pa.schema(
    [(name, pa.string()) for name in ("key", "url", "caption", "status", "error_message")]
    + [(name, pa.int32()) for name in ("width", "height", "original_width", "original_height")]
    + [("exif", pa.string()), ("sha256", pa.string()), ("similarity", pa.float64())]
)


def _img2dataset(path: str, items: Iterator[Item]) -> dict[str, int]:
    """A tar, its rows and its counts, as img2dataset leaves them."""
    rows: list[Row] = []

    def members(item: Item) -> Members:
        rows.append(_pair_row(item))
        return _pair(item, rows[-1])

    made = _tar(members)(path, items)
    write_parquet(f"{path}.parquet", IMG2DATASET, rows)
    stats = {"count": len(rows), "successes": len(rows), "failed_to_download": 0, "failed_to_resize": 0}
    files.write_atomic(f"{path}_stats.json", json.dumps({**stats, "status_dict": {"success": len(rows)}}, indent=1))
    return made


def _text(item: Item) -> Members:
    return [(f"{item.key}.json", shards.json_bytes(item.meta)), (f"{item.key}.txt", item.text.encode())]


def _dolma(item: Item) -> Row:
    """Dolma's and datatrove's fields: id, text, source, the times and the rest under metadata."""
    return {"id": item.key, "text": item.text, "source": "weft", "metadata": item.meta}


TEXTS = pa.schema({name: pa.string() for name in ("id", "text", "url", "language", "title", "metadata")})


def _text_row(item: Item) -> Row:
    told = {name: item.meta.get(name, item.meta.get(f"page_{name}", "")) for name in ("url", "language", "title")}
    return {"id": item.key, "text": item.text, **told, "metadata": shards.json_bytes(item.meta).decode()}


INSTRUCTIONS = pa.schema({name: pa.string() for name in ("id", "text", *Instruction._fields)})


def _asked(item: Item) -> Row:
    """What is asked and answered, by itself and as the one text that is read."""
    return {"id": item.key, "text": item.text, **item.meta}


# ---- MDS


# Columns by corpus, sorted by name as the format wants them: (name, encoding).
MDS_COLUMNS = {
    "interleaved": (("document", "json"), ("images", "bytes"), ("key", "str")),
    "pairs": (("image", "bytes"), ("key", "str"), ("metadata", "json"), ("text", "str")),
    "text": (("key", "str"), ("metadata", "json"), ("text", "str")),
}


def _mds_sample(item: Item, corpus: str) -> bytes:
    """Lengths of the columns' values, and the values."""
    values: dict[str, bytes] = {"key": item.key.encode(), "text": item.text.encode()}
    values["metadata"] = shards.json_bytes(item.meta)
    if corpus == "pairs":
        values["image"] = item.pictures[0].data
    elif corpus == "interleaved":
        # The pictures lie end to end; `image_bytes` says how long each is.
        lengths = [len(picture.data) for picture in item.pictures]
        held = [image is not None for image in item.images]
        document = {"texts": item.texts, "is_image": held, "image_bytes": lengths, "metadata": item.meta}
        values["document"] = shards.json_bytes(document)
        values["images"] = b"".join(picture.data for picture in item.pictures)
    columns = [values[name] for name, _ in MDS_COLUMNS[corpus]]
    return np.array([len(value) for value in columns], np.uint32).tobytes() + b"".join(columns)


def mds_config(corpus: str) -> Row:
    """What an MDS file and its entry in index.json say of the columns."""
    columns = MDS_COLUMNS[corpus]
    return {
        "version": 2,
        "format": "mds",
        "compression": None,
        "hashes": [],
        "size_limit": MDS_BYTES,
        "column_names": [name for name, _ in columns],
        "column_encodings": [encoding for _, encoding in columns],
        "column_sizes": [None] * len(columns),
    }


def _mds(corpus: str) -> Writer:
    """Items → files of MosaicML's format: count, offsets, configuration, samples."""
    config = json.dumps(mds_config(corpus), sort_keys=True).encode()

    def write(path: str, items: Iterator[Item]) -> dict[str, int]:
        made: dict[str, int] = {}
        for samples in _groups((_mds_sample(item, corpus) for item in items), MDS_BYTES, len):
            name = f"{path}-{len(made):03d}.mds"
            count = np.uint32(len(samples)).tobytes()
            ends = np.cumsum([0, *map(len, samples)]) + len(count) + 4 * (len(samples) + 1) + len(config)
            files.write_atomic(name, b"".join([count, ends.astype(np.uint32).tobytes(), config, *samples]))
            made[_name(name)] = len(samples)
        return made

    return write


def _name(path: str) -> str:
    return path.rpartition("/")[2]


_TARS = {"interleaved": _tar(_interleaved), "pairs": _tar(_pair), "text": _tar(_text)}
FORMATS = {
    "obelics": Format("Hugging Face datasets, with OBELICS' columns", {"interleaved": _table(OBELICS, _obelics)}),
    "mint": Format("NeMo Curator, and what reads MINT-1T", {"interleaved": _TARS["interleaved"]}),
    "mmc4": Format("OpenFlamingo, and what reads MMC4", {"interleaved": _tar(_mmc4)}),
    "energon": Format("Megatron Energon", _TARS),
    "mds": Format("MosaicML Streaming", {corpus: _mds(corpus) for corpus in shards.CORPORA}),
    "jsonl": Format(
        "Dolma, datatrove",
        dict.fromkeys(("interleaved", "text"), _lines(_dolma)) | {shards.INSTRUCTIONS: _lines(_asked)},
    ),
    "parquet": Format(
        "pandas, DuckDB, datatrove",
        dict.fromkeys(("interleaved", "text"), _table(TEXTS, _text_row))
        | {shards.INSTRUCTIONS: _table(INSTRUCTIONS, _asked)},
    ),
    "img2dataset": Format("open_clip, clip-retrieval, and what reads img2dataset", {"pairs": _img2dataset}),
}
