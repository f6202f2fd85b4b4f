"""Dropped pages, read again from their archives, so that a person can see what a filter threw away.

Page ids → address, title, text and first picture. extract keeps nothing of a page that it drops; its fates name the
archive record that it comes from. What opted out is not shown again, whatever the configuration.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator
from typing import NamedTuple

import pyarrow.compute as pc

from weft.pipeline.report.figures import tables
from weft.schemas.parameters import PageRules
from weft.schemas.records import document_id
from weft.transforms.archives.read import read_captures
from weft.transforms.archives.record import Record
from weft.transforms.consent import responses
from weft.transforms.extract import cpu_budget, html
from weft.transforms.urls import image_key


class Page(NamedTuple):
    """What a dropped page had."""

    url: str
    title: str
    text: str
    images: list[str]


def pages(output: str, ids: Collection[str], rules: PageRules) -> dict[str, Page]:
    """doc_id → page, for those that can be found again and did not opt out."""
    places: dict[str, list[int]] = defaultdict(list)
    for path, offset in _places(output, ids):
        places[path].append(offset)
    found: dict[str, Page] = {}
    for path, offsets in sorted(places.items()):
        try:
            for _, record in read_captures(path, sorted(set(offsets))):
                if record is not None:
                    name = document_id(record.record_id, record.url, record.date, record.offset)
                    if name in ids:
                        found[name] = _page(record, rules)
        except Exception:  # whatever a file system or a server raises: no report fails because an archive is gone
            continue
    return found


def captured(output: str, urls: Collection[str]) -> dict[str, bytes]:
    """image key → bytes, for images that the archives hold."""
    wanted = {image_key(url) for url in urls}
    found: dict[str, bytes] = {}
    for table in tables(output, "captures", ["url", "warc_file", "warc_offset"]) if wanted else ():
        for row in table.to_pylist():
            key = image_key(row["url"])
            if key in wanted and key not in found:
                body = _body(row["warc_file"], row["warc_offset"])
                if body:
                    found[key] = body
    return found


def _places(output: str, ids: Collection[str]) -> Iterator[tuple[str, int]]:
    """Where the records of these pages stand."""
    for table in tables(output, "fates/extract", ["kind", "key", "place"]) if ids else ():
        pages = table.filter(pc.field("kind") == "page")
        for key, place in zip(pages["key"].to_pylist(), pages["place"].to_pylist(), strict=True):
            if key in ids:
                where, _, offset = (place or "").rpartition(":")
                if offset.isdecimal():
                    yield where, int(offset)


def _page(record: Record, rules: PageRules) -> Page:
    def work() -> html.Page:
        characters = html.to_text(record.body[: rules.max_page_bytes], record.header("content-type"))
        return html.extract(characters, record.url)

    try:
        found = cpu_budget.within(cpu_budget.CPU_S, work)
    except (ValueError, RuntimeError, RecursionError, MemoryError, cpu_budget.TooSlow):
        return Page(record.url, "", "", [])
    wish = responses.read(record.headers, found.meta)
    if wish.page:
        return Page(record.url, "", "", [])
    images = [] if wish.images else [url for url in found.images if url]
    return Page(record.url, found.title, "\n".join(words for words in found.texts if words), images)


def _body(path: str, offset: int) -> bytes:
    try:
        record = next(read_captures(path, [offset]))[1]
    except Exception:
        return b""
    return b"" if record is None or responses.read_image(record.headers) else record.body
