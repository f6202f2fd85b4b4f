"""Images of a finished run that is made anew without some of them (a removal, a subset), unit by unit.

    a unit there, and rows of it that are still wanted ─┬─► rows as they are; their blobs are copied
                                                        └─► outcomes of blobs that lose an image

A blob of which all images stay is copied under its name, and with it stand the vectors of its images: what they are
computed beside is the same (score/units.py). Of another blob what stays is read in its order, so that written again it
is the blob of a run that never had the rest.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import xxhash

from weft.schemas.records import ImageRow
from weft.transforms.extract import exclusions
from weft.transforms.extract.exclusions import Exclusions
from weft.transforms.fetch.blobs import TAKEN, Damaged, Outcome, StoredBytes, read_stored, unit_of
from weft.transforms.fetch.decode import Refused
from weft.transforms.fetch.previous_runs import as_before, prepared
from weft.transforms.io import files, parquet
from weft.transforms.io.work_units import unit_of_file

_CHUNK = 1 << 20


class _Blob(NamedTuple):
    """Columns of images/index."""

    blob: str


class _Detail(NamedTuple):
    """Columns of fates/fetch."""

    key: str
    detail: str


def images(
    finished: str, unit: str, rows: Sequence[ImageRow], excluded: Exclusions | None, output: str
) -> Iterator[ImageRow | Outcome]:
    """Each image as its row, where its blob has been copied, or as an outcome that is to be stored.

    Args:
        finished: output of the finished run.
        unit: its name there without TAKEN: what was taken before and what has come since are one.
        rows: of images that are still wanted.
        excluded: what today's lists name, which is refused.
        output: below which blobs are copied to.

    Raises:
        Damaged: bytes are not those that were stored.
    """
    details = {row.key: row.detail for row in _table(finished, "fates/fetch", unit, _Detail)}
    had = Counter(row.blob for row in _table(finished, "images/index", unit, _Blob))
    stay = []
    for row in sorted(rows, key=lambda row: (row.blob, row.offset, row.image_url)):
        if row.status != "ok":
            yield as_before(row, Refused(row.status, details.get(row.image_url, "")))
        elif exclusions.is_content_out(excluded, row.image_id, row.phash, row.final_url):
            yield as_before(row, Refused(exclusions.REASON, row.image_id))
        else:
            stay.append(row)
    left = Counter(row.blob for row in stay)
    whole = {blob for blob, count in left.items() if count == had[blob]}
    for blob in sorted(whole):
        _copy(blob, finished, output)
    yield from (row for row in stay if row.blob in whole)
    again = [row for row in stay if row.blob not in whole]
    stored = read_stored([_place(finished, row) for row in again])
    for row, data in zip(again, stored, strict=True):
        yield as_before(row, prepared(row, data))


def _table(output: str, table: str, unit: str, record: type[Any]) -> Iterator[Any]:
    for name in (unit, f"{TAKEN}{unit}"):
        if files.exists(path := files.join(output, table, f"{name}.parquet")):
            yield from parquet.read(path, record)


def _place(output: str, row: ImageRow) -> StoredBytes:
    return StoredBytes(files.join(output, row.blob), row.offset, row.length, row.digest, row.image_url)


def _copy(blob: str, finished: str, output: str) -> None:
    """Copy a blob, whose name ends with a digest of its bytes."""
    source, made = files.join(finished, blob), xxhash.xxh3_128()
    with files.open_read(source) as stream, files.atomic(files.join(output, blob)) as out:
        while chunk := stream.read(_CHUNK):
            out.write(chunk)
            made.update(chunk)
        if not unit_of_file(blob).endswith(f"-{made.hexdigest()[:16]}"):
            raise Damaged(
                f"{source} is not what was written: remove fetch/units/{unit_of(blob)}.json and fetch/manifest.json "
                f"in {finished}, then run `weft fetch` again"
            )
