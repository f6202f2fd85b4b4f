"""What the report shows of a run: documents, pairs, dropped things and duplicates, with small pictures.

An output directory → plain values for the page to lay out. Chosen by hash of the id, so that the same run shows the
same samples; read by id, so that only the row groups that hold one are opened.
"""

from __future__ import annotations

import base64
import heapq
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from weft.pipeline.report import reread
from weft.pipeline.report.figures import parts, tables
from weft.schemas.config import Config
from weft.schemas.parameters import ImageForm
from weft.schemas.records import DROPPED, KEPT, hash_unit
from weft.transforms.fetch import decode
from weft.transforms.fetch.blobs import StoredBytes, read_stored
from weft.transforms.io import files
from weft.transforms.urls import image_key

THUMBNAIL = 260  # pixels, longest side
QUALITY = 72
MOST_PICTURES = 12  # of one document
MOST_CHARS = 2_500  # of one document
EXCERPT_CHARS = 300  # of a caption, and of what was dropped
MOST_OF_ONE_REASON = 3
_DATA = "data:image/jpeg;base64,"

Row = dict[str, Any]


class Picture(NamedTuple):
    """An image as the page shows it."""

    data: str  # data: URI, "" where it cannot be shown
    width: int  # as fetched
    height: int
    note: str  # why there is none, or where it came from


class Lost(NamedTuple):
    """Something dropped, and what is left to show of it."""

    stage: str
    reason: str
    detail: str
    key: str
    url: str
    title: str
    excerpt: str
    picture: Picture | None


def choose(keys: Iterable[str], count: int, salt: str) -> list[str]:
    """`count` of the keys, by hash."""
    return heapq.nsmallest(count, keys, key=lambda key: (hash_unit(key, salt + "/report"), key))


def rows_by(output: str, table: str, column: str, wanted: Collection[str]) -> Iterator[Row]:
    """Rows of a table whose `column` is one of `wanted`; groups without any are not read in full."""
    if not wanted:
        return
    values = pa.array(sorted(wanted), pa.string())
    for path in parts(output, table):
        with files.open_read(path) as stream:
            parquet = pq.ParquetFile(stream)
            for group in range(parquet.num_row_groups):
                mask = pc.is_in(parquet.read_row_group(group, columns=[column])[column], value_set=values)
                if pc.any(mask).as_py():
                    yield from parquet.read_row_group(group).filter(mask).to_pylist()


def documents(output: str, ids: Collection[str]) -> dict[str, Row]:
    """doc_id → row; of repeats of one record the first."""
    found: dict[str, Row] = {}
    for row in rows_by(output, "documents", "doc_id", ids):
        found.setdefault(row["doc_id"], row)
    return found


def pictures(output: str, urls: Iterable[str]) -> dict[str, Picture]:
    """image key → its thumbnail, for keys that fetch has seen."""
    found: dict[str, Picture] = {}
    for row in rows_by(output, "images/index", "image_url", {image_key(url) for url in urls}):
        found[row["image_url"]] = _picture(output, row)
    return found


def fates(output: str, stage: str, kind: str, keys: Collection[str]) -> dict[str, Row]:
    """key → fate of the things named, in one stage."""
    return {row["key"]: row for row in rows_by(output, f"fates/{stage}", "key", keys) if row["kind"] == kind}


def first_urls(row: Row, count: int = MOST_PICTURES) -> list[str]:
    """The first image URLs of a document."""
    return [url for url in row["images"] if url][:count]


def lost_images(output: str, rows: Collection[Row]) -> dict[str, str]:
    """Key (doc_id:position) → reason, for images of these documents that pack left out."""
    keys = [f"{row['doc_id']}:{at}" for row in rows for at, url in enumerate(row["images"]) if url]
    found = fates(output, "pack", "image", keys)
    return {key: fate["reason"] for key, fate in found.items() if fate["fate"] == DROPPED}


def pairs(output: str, count: int) -> list[tuple[str, list[Row]]]:
    """Best, median and worst pairs by similarity: rows of pairs/ with similarity and pack's reason."""
    scored: list[tuple[float, str]] = []
    for table in tables(output, "scores", ["kind", "id", "similarity"]):
        rows = table.filter(pc.field("kind") == "pair")
        scored += zip(rows["similarity"].to_pylist(), rows["id"].to_pylist(), strict=True)
    scored.sort(reverse=True)
    middle = max(0, len(scored) // 2 - count // 2)
    groups = {"highest": scored[:count], "lowest": scored[-count:], "median": scored[middle : middle + count]}
    rows_of = _pair_rows(output, {key for group in groups.values() for _, key in group})
    packed = fates(output, "pack", "pair", [f"{row['doc_id']}:{row['pair_id']}" for row in rows_of.values()])
    shown: dict[str, list[Row]] = {}
    for name, group in groups.items():
        shown[name] = []
        for similarity, key in group:
            row = rows_of.pop(key, None)  # where there are few pairs, each is shown once
            if row is not None:
                fate = packed.get(f"{row['doc_id']}:{row['pair_id']}", {"reason": ""})
                shown[name].append({**row, "similarity": similarity, "reason": fate["reason"]})
    return [(name, shown[name]) for name in ("highest", "median", "lowest")] if scored else []


def _pair_rows(output: str, wanted: Collection[str]) -> dict[str, Row]:
    """pair_id → row; of a pair that stands on several pages one that dedup kept."""
    found: dict[str, Row] = {}
    rows = list(rows_by(output, "pairs", "pair_id", wanted))
    kept = fates(output, "dedup", "pair", [f"{row['doc_id']}:{row['pair_id']}" for row in rows])
    for row in rows:
        key = f"{row['doc_id']}:{row['pair_id']}"
        if key not in kept or kept[key]["fate"] == KEPT:
            found.setdefault(row["pair_id"], row)
    return found


def dropped(output: str, count: int, config: Config) -> dict[str, list[Lost]]:
    """Dropped pages and documents, as many reasons as possible: stage → samples."""
    found: dict[str, list[Lost]] = {}
    for stage, kind in (("extract", "page"), ("dedup", "document"), ("pack", "document")):
        chosen = _one_of_each(output, stage, kind, count, config.salt)
        ids = {fate["key"].split("@")[0] for fate in chosen}
        pages = reread.pages(output, ids, config.extract) if stage == "extract" else _as_pages(documents(output, ids))
        urls = {url for page in pages.values() for url in page.images[:3]}
        thumbs = _captured(output, urls) if stage == "extract" else pictures(output, urls)
        lost = [_lost(stage, fate, pages.get(fate["key"].split("@")[0]), thumbs) for fate in chosen]
        if lost:
            found[stage] = lost
    return found


def duplicates(output: str, count: int, salt: str) -> list[tuple[Row, Row, Row]]:
    """(cluster row, kept document, dropped document): one per cluster, every way of finding in turn."""
    heaps: dict[str, list[tuple[float, str, Row]]] = defaultdict(list)
    for table in tables(output, "clusters", ["doc_id", "cluster_id", "cluster_size", "kept_id", "similarity", "how"]):
        for row in table.filter(pc.field("doc_id") != pc.field("kept_id")).to_pylist():
            heaps[row["how"]].append((hash_unit(row["doc_id"], salt + "/report"), row["doc_id"], row))
    order = [[item[2] for item in sorted(heaps[how], key=lambda item: item[:2])] for how in ("near", "url", "exact")]
    chosen: dict[str, Row] = {}
    for row in _in_turn(order):
        if len(chosen) < count:
            chosen.setdefault(row["cluster_id"], row)
    rows = documents(output, {row[key] for row in chosen.values() for key in ("doc_id", "kept_id")})
    return [
        (row, rows[row["kept_id"]], rows[row["doc_id"]])
        for row in chosen.values()
        if row["kept_id"] in rows and row["doc_id"] in rows
    ]


def _one_of_each(output: str, stage: str, kind: str, count: int, salt: str) -> list[Row]:
    """Up to `count` dropped things, reasons taken in turn, commonest first."""
    columns = ["kind", "key", "fate", "reason", "detail"]
    by_reason: dict[str, list[tuple[float, str, Row]]] = defaultdict(list)
    totals: dict[str, int] = defaultdict(int)
    for table in tables(output, f"fates/{stage}", columns):
        rows = table.filter((pc.field("kind") == kind) & (pc.field("fate") == DROPPED)).to_pylist()
        for row in rows:
            totals[row["reason"]] += 1
            by_reason[row["reason"]].append((hash_unit(row["key"], salt + "/report"), row["key"], row))
        for reason, found in by_reason.items():
            by_reason[reason] = heapq.nsmallest(MOST_OF_ONE_REASON, found, key=lambda item: item[:2])
    order = sorted(by_reason, key=lambda reason: (-totals[reason], reason))
    return list(_in_turn([[item[2] for item in by_reason[reason]] for reason in order]))[:count]


def _in_turn(lists: Sequence[Sequence[Row]]) -> Iterator[Row]:
    """First of each, second of each, and so on."""
    for place in range(max(map(len, lists), default=0)):
        for one in lists:
            if place < len(one):
                yield one[place]


def _as_pages(rows: dict[str, Row]) -> dict[str, reread.Page]:
    return {
        key: reread.Page(row["url"], row["title"] or "", "\n".join(t for t in row["texts"] if t), first_urls(row))
        for key, row in rows.items()
    }


def _captured(output: str, urls: Collection[str]) -> dict[str, Picture]:
    """Thumbnails of images that were never fetched, from the archives themselves."""
    return {key: Picture(thumbnail(body), 0, 0, "warc") for key, body in reread.captured(output, urls).items()}


def _lost(stage: str, fate: Row, page: reread.Page | None, thumbs: dict[str, Picture]) -> Lost:
    fixed = (stage, fate["reason"], fate["detail"] or "", fate["key"])
    if page is None:
        return Lost(*fixed, "", "", "", None)
    shown = [thumbs[key] for key in map(image_key, page.images[:3]) if key in thumbs and thumbs[key].data]
    return Lost(*fixed, page.url, page.title, cut(page.text, EXCERPT_CHARS), shown[0] if shown else None)


def cut(words: str, most: int) -> str:
    """So many characters of a text, up to the end of a word, and a mark where more was there."""
    return words if len(words) <= most else words[:most].rsplit(None, 1)[0] + " …"


def _picture(output: str, row: Row) -> Picture:
    if row["status"] != "ok":
        return Picture("", row["width"] or 0, row["height"] or 0, row["status"])
    shown = thumbnail(stored(output, row))
    return Picture(shown, row["width"], row["height"], row["origin"] if shown else "unreadable")


def stored(output: str, row: Row) -> bytes:
    """The stored bytes of a row of images/index.

    Raises:
        Damaged: they are not those that were stored.
    """
    place = files.join(output, row["blob"]), row["offset"], row["length"]
    (data,) = read_stored([StoredBytes(*place, row.get("digest") or "", row["image_url"])])
    return data


def thumbnail(data: bytes) -> str:
    """A small JPEG of an image, as a data: URI; "" where the bytes are no image that can be decoded."""
    made = decode.prepare(data, ImageForm(max_side=THUMBNAIL, quality=QUALITY))
    return "" if isinstance(made, decode.Refused) else _DATA + base64.b64encode(made.data).decode("ascii")
