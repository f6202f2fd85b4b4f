"""Dropped pages, read again from their archives, so that a person can see what a filter threw away.

Page ids → address, title, text and first picture. extract keeps nothing of a page that it drops; its fates name the
archive record that stands before it. A page that opted out is not shown again.
"""

from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import Collection, Iterator
from typing import NamedTuple

import pyarrow.parquet as pq
from PIL import Image

from pipeline.figures import parts
from schemas.config import Extract
from schemas.records import document_id
from transforms import files, html, optout, warc
from transforms.urls import image_key

MOST_PIXELS = 40_000_000


class Page(NamedTuple):
    """What a dropped page had."""

    url: str
    title: str
    text: str
    images: list[str]


def pages(output: str, ids: Collection[str], config: Extract) -> dict[str, Page]:
    """doc_id → page, for those that can be found again and did not opt out."""
    places: dict[str, list[int]] = defaultdict(list)
    for path, offset in _places(output, ids):
        places[path].append(offset)
    found: dict[str, Page] = {}
    for path, offsets in sorted(places.items()):
        try:
            for _, record in warc.read_captures(path, sorted(set(offsets))):
                if record is not None:
                    name = document_id(record.record_id, record.url, record.date, record.offset)
                    if name in ids:
                        found[name] = _page(record, config)
        except (OSError, ValueError):
            continue  # the archive is not there any more: the reason alone must do
    return found


def captured(output: str, urls: Collection[str]) -> dict[str, bytes]:
    """image key → bytes, for images that the archives hold; those too large to decode in passing are left out."""
    wanted = {image_key(url) for url in urls}
    found: dict[str, bytes] = {}
    for path in parts(output, "captures") if wanted else []:
        with files.open_read(path) as stream:
            table = pq.read_table(stream, columns=["url", "warc_file", "warc_offset"])
        for row in table.to_pylist():
            key = image_key(row["url"])
            if key in wanted and key not in found:
                body = _body(row["warc_file"], row["warc_offset"])
                if body:
                    found[key] = body
    return found


def _places(output: str, ids: Collection[str]) -> Iterator[tuple[str, int]]:
    """Where the records of these pages stand: in a file's fates a page comes right after its record."""
    for path in parts(output, "fates/extract") if ids else []:
        with files.open_read(path) as stream:
            table = pq.read_table(stream, columns=["kind", "key"])
        last = ""
        for kind, key in zip(table["kind"].to_pylist(), table["key"].to_pylist(), strict=True):
            if kind == "record":
                last = key
            elif kind == "page" and key in ids:
                where, _, offset = last.rpartition(":")
                if offset.isdigit():
                    yield where, int(offset)


def _page(record: warc.Record, config: Extract) -> Page:
    try:
        found = html.extract(
            html.to_text(record.body[: config.max_page_bytes], record.header("content-type")), record.url
        )
    except (ValueError, RuntimeError, RecursionError):
        return Page(record.url, "", "", [])
    if optout.read(record.headers, found.meta).page:
        return Page(record.url, "", "", [])
    return Page(record.url, found.title, "\n".join(t for t in found.texts if t), [u for u in found.images if u])


def _body(path: str, offset: int) -> bytes:
    try:
        record = next(warc.read_captures(path, [offset]))[1]
        if record is None:
            return b""
        with Image.open(io.BytesIO(record.body)) as image:
            return record.body if image.width * image.height <= MOST_PIXELS else b""
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return b""
