"""Arrow schemas of the tables on disk, and rows to batches.

Columns may be added at the end; names and types here are what users' queries rely on.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pyarrow as pa

_TIMESTAMP = pa.timestamp("us", tz="UTC")
_IMAGE_META = pa.struct(
    [
        ("alt", pa.string()),
        ("caption", pa.string()),
        ("title", pa.string()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("aria_label", pa.string()),
        ("caption_source", pa.string()),
    ]
)

DOCUMENTS = pa.schema(
    [
        ("doc_id", pa.string()),
        ("url", pa.string()),
        ("crawl_date", _TIMESTAMP),
        ("warc_file", pa.string()),
        ("warc_offset", pa.int64()),
        ("record_id", pa.string()),
        ("language", pa.string()),
        ("language_score", pa.float32()),
        ("title", pa.string()),
        ("texts", pa.list_(pa.string())),
        ("images", pa.list_(pa.string())),
        ("image_meta", pa.list_(_IMAGE_META)),
        ("alternates", pa.list_(pa.list_(pa.string()))),
        ("author", pa.string()),
        ("published", pa.string()),
        ("licence", pa.string()),
        ("publisher", pa.string()),
        ("quality", pa.map_(pa.string(), pa.float64())),
        ("image_keys", pa.list_(pa.string())),
    ]
)

PAIRS = pa.schema(
    [
        ("pair_id", pa.string()),
        ("doc_id", pa.string()),
        ("page_url", pa.string()),
        ("image_url", pa.string()),
        ("text", pa.string()),
        ("source", pa.string()),
        ("language", pa.string()),
        ("language_score", pa.float32()),
        ("similarity", pa.float32()),
    ]
)

CAPTURES = pa.schema(
    [
        ("url", pa.string()),
        ("warc_file", pa.string()),
        ("warc_offset", pa.int64()),
        ("mime", pa.string()),
        ("crawl_date", _TIMESTAMP),
    ]
)

SITE_FILES = pa.schema([("host", pa.string()), ("captured", _TIMESTAMP), ("name", pa.string()), ("rules", pa.string())])

CLUSTERS = pa.schema(
    [
        ("doc_id", pa.string()),
        ("cluster_id", pa.string()),
        ("cluster_size", pa.int64()),
        ("kept_id", pa.string()),
        ("similarity", pa.float32()),
        ("how", pa.string()),
    ]
)

SKETCHES = pa.schema(  # dedup's own notes, one file per file of documents
    [
        ("doc_id", pa.string()),
        ("warc_file", pa.string()),
        ("warc_offset", pa.int64()),
        ("crawl_date", pa.int64()),
        ("words", pa.int64()),
        ("images", pa.int64()),
        ("quality", pa.int64()),
        ("url_key", pa.string()),
        ("text_key", pa.string()),
        ("images_key", pa.string()),
        ("contaminated", pa.string()),
        ("age", pa.int64()),  # Sketch.origin, 0 in every file
        ("how", pa.string()),
        ("signature", pa.binary()),
        ("shingles", pa.binary()),
        ("forbidden", pa.string()),  # "" in every file
    ]
)

FORBIDDEN = pa.schema([("key", pa.string()), ("url", pa.string()), ("words", pa.string())])  # documents, by site files

DEDUP_INDEX = pa.schema([*SKETCHES, ("kept_id", pa.string())])  # what a run leaves for later ones

DROPS = pa.schema([("doc_id", pa.string()), ("kept_id", pa.string()), ("how", pa.string())])

EDGES = pa.schema([("doc_id", pa.string()), ("other", pa.string())])  # between similar documents

CUTS = pa.schema([("doc_id", pa.string()), ("lines", pa.list_(pa.int32()))])  # lines that a document loses

KEPT = pa.schema(
    [
        ("kind", pa.string()),
        ("key", pa.string()),
        ("doc_id", pa.string()),
        ("warc_file", pa.string()),
        ("warc_offset", pa.int64()),
    ]
)

IMAGES = pa.schema(
    [
        ("image_url", pa.string()),
        ("image_id", pa.string()),
        ("status", pa.string()),
        ("http_status", pa.int32()),
        ("mime", pa.string()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("stored_width", pa.int32()),
        ("stored_height", pa.int32()),
        ("phash", pa.string()),
        ("blob", pa.string()),
        ("offset", pa.int64()),
        ("length", pa.int64()),
        ("fetched_at", _TIMESTAMP),
        ("origin", pa.string()),
        ("single_colour", pa.bool_()),
        ("final_url", pa.string()),
        ("opt_out", pa.string()),
        ("digest", pa.string()),
    ]
)

REPEATED = pa.schema(
    [
        ("image_url", pa.string()),
        ("host", pa.string()),
        ("urls", pa.int64()),
        ("example", pa.string()),
    ]
)

CRAWLED = pa.schema(
    [
        ("url", pa.string()),
        ("kind", pa.string()),
        ("status", pa.int32()),
        ("reason", pa.string()),
        ("mime", pa.string()),
        ("date", pa.string()),
        ("record_id", pa.string()),
        ("digest", pa.string()),
        ("etag", pa.string()),
        ("last_modified", pa.string()),
        ("warc_file", pa.string()),
        ("warc_offset", pa.int64()),
    ]
)

SCORES = pa.schema(
    [
        ("kind", pa.string()),
        ("id", pa.string()),
        ("image_position", pa.int32()),
        ("text_position", pa.int32()),
        ("image_url", pa.string()),
        ("similarity", pa.float32()),
        ("others", pa.list_(pa.float32())),
        ("matched", pa.bool_()),
    ]
)

_BY_NAME = pa.map_(pa.string(), pa.float32())
IMAGE_SCORES = pa.schema(
    [
        ("image_url", pa.string()),
        ("model", pa.string()),
        ("unsafe", pa.float32()),
        ("aesthetic", pa.float32()),
        ("watermark", pa.float32()),
        ("prompt", pa.string()),
        ("prompt_shares", _BY_NAME),
        ("prompt_cosines", _BY_NAME),
        ("evaluation", pa.string()),
        ("evaluation_similarity", pa.float32()),
        ("repeat_of", pa.string()),
        ("repeat_similarity", pa.float32()),
    ]
)

BASELINE = pa.schema(  # pairs, and the same pictures with captions of other pairs
    [("pair_id", pa.string()), ("similarity", pa.float32()), ("other_id", pa.string()), ("baseline", pa.float32())]
)

FATES = pa.schema(
    [(name, pa.string()) for name in ("stage", "kind", "key", "fate", "reason", "detail", "url", "place")]
)


def to_table(rows: Iterable[Sequence[Any]], schema: pa.Schema) -> pa.Table:
    """Rows (tuples in the order of `schema`) as an Arrow table; nested NamedTuples become structs.

    Raises:
        pa.ArrowInvalid, pa.ArrowTypeError: a value does not fit its column.
    """
    columns = list(zip(*rows, strict=True)) or [()] * len(schema)
    arrays = [pa.array([_plain(v) for v in column], field.type) for column, field in zip(columns, schema, strict=True)]
    return pa.Table.from_arrays(arrays, schema=schema)


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return value._asdict()
    return value
