"""What templates lay out: one document with its pictures in place, one cluster, and the line between pairs.

Rows of tables by id (explain/find.py, which reads what may hold them alone) → plain values.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

from weft.pipeline.explain import find, rows
from weft.pipeline.explain.rows import Page
from weft.pipeline.view.kinds import Question
from weft.pipeline.view.tables import Row, Tables
from weft.schemas.records import Cluster, Fate, ImageRow, Pair, PairKey
from weft.transforms.io.work_units import unit_name
from weft.transforms.urls import image_key

STEP = 0.01  # of the line between pairs
_SIDE_BY_SIDE = 24  # documents of a cluster that are shown


class Picture(NamedTuple):
    """A picture as a page shows it."""

    url: str  # where its page has it
    source: str  # below this server, "" where it was not stored
    width: int
    height: int
    status: str  # of its fetch: "ok", a reason, or "" where it has not been fetched


class Block(NamedTuple):
    """One position of a document: words, or a picture with what is known of it."""

    words: str
    picture: Picture | None
    alt: str = ""
    caption: str = ""
    score: Row | None = None  # text, similarity, matched: of the text that is most like it
    reason: str = ""  # why pack left it out


def source(row: Any) -> str:
    """Where this server has the stored bytes of a row of images/index, "" where there are none."""
    if row["status"] != "ok" or not row["blob"]:
        return ""
    place = {"from": row["offset"], "length": row["length"], "digest": row["digest"] or ""}
    return f"/bytes/{quote(row['blob'])}?{urlencode(place)}"


def pictures(output: str, urls: Collection[str | None]) -> dict[str, Picture]:
    """URL → picture, for those that were wanted."""
    keys = {url: image_key(url) for url in urls if url}
    found = find.rows(output, "images/index", ImageRow, image_url=set(keys.values()))
    there = {row.image_url: row._asdict() for row in found}
    return {url: picture(there[key], url) for url, key in keys.items() if key in there}


def picture(row: Row, url: str = "") -> Picture:
    """The picture of a row of images/index."""
    width, height = row["stored_width"] or row["width"] or 0, row["stored_height"] or row["height"] or 0
    return Picture(url or row["image_url"], source(row), width, height, row["status"])


def page(output: str, doc_id: str, archive: str = "*") -> Page | None:
    """A row of documents/; None where extract kept none of that id."""
    found = find.rows(output, "documents", Page, "*" if archive == "*" else unit_name(archive), doc_id=doc_id)
    return found[0] if found else None


def fate(output: str, doc_id: str) -> Fate | None:
    """What extract made of a page, None where it was none of those read."""
    found = find.rows(output, "fates/extract", Fate, "*.pages", kind="page", key=doc_id)
    return found[0] if found else None


def blocks(output: str, row: Page) -> Iterator[Block]:
    """The texts and pictures of a document in reading order."""
    there, fates = pictures(output, row.images), rows.image_fates(output, row)
    best = rows.best_texts(output, row.doc_id)
    for at, (words, url) in enumerate(zip(row.texts, row.images, strict=True)):
        if url:
            meta = row.image_meta[at] or {}
            near = best.get(at)
            yield Block(
                "",
                there.get(url, Picture(url, "", 0, 0, "")),
                meta.get("alt") or "",
                meta.get("caption") or "",
                near._asdict() if near else None,
                fates[at].reason if at in fates else "",
            )
        elif words:
            yield Block(words, None)


def captions(output: str, row: Page) -> list[Row]:
    """The pairs of a document, with their similarities."""
    found = find.rows(output, "pairs", Pair, unit_name(row.warc_file), doc_id=row.doc_id)
    known = rows.pair_scores(output, {pair.pair_id for pair in found})
    return [
        pair._asdict() | {"key": str(PairKey(pair.doc_id, pair.pair_id)), "similarity": known.get(pair.pair_id)}
        for pair in found
    ]


def cluster(output: str, cluster_id: str) -> tuple[list[Cluster], dict[str, Page]]:
    """The rows of a cluster, the one kept first, and the documents of those that are shown."""
    found = find.rows(output, "clusters", Cluster, cluster_id=cluster_id)
    found.sort(key=lambda row: (row.doc_id != row.kept_id, -row.similarity, row.doc_id))
    pages = find.rows(output, "documents", Page, doc_id=[row.doc_id for row in found[:_SIDE_BY_SIDE]])
    return found, {one.doc_id: one for one in pages}


class Line(NamedTuple):
    """How many pairs have which similarity, in steps of STEP."""

    low: float  # where the first step begins
    counts: list[int]
    strangers: list[int]  # pictures with captions of other pairs
    unscored: int

    @property
    def high(self) -> float:
        """Where the last step ends."""
        return round(self.low + STEP * len(self.counts), 2)


def line(tables: Tables, asked: Question) -> Line:
    """The line on which a threshold may stand, for the pairs that a question finds."""
    at = f"CAST(floor(similarity / {STEP} + 1e-6) AS INTEGER)"
    rows = tables.rows(
        f"SELECT {at} AS at, count(*) AS n FROM captions WHERE {asked.condition} GROUP BY 1", asked.values, "captions"
    )
    unscored = sum(row["n"] for row in rows if row["at"] is None)
    pairs = {row["at"]: row["n"] for row in rows if row["at"] is not None}
    other = tables.rows(
        f"SELECT {at} AS at, count(*) AS n FROM (SELECT baseline AS similarity FROM baseline) "
        "WHERE similarity IS NOT NULL GROUP BY 1"
    )
    strangers = {row["at"]: row["n"] for row in other}
    if not pairs:
        return Line(0.0, [], [], unscored)
    first, last = min(*pairs, *strangers, 10**6), max(*pairs, *strangers, -(10**6))
    steps = range(first, last + 1)
    return Line(
        round(first * STEP, 2), [pairs.get(n, 0) for n in steps], [strangers.get(n, 0) for n in steps], unscored
    )


def middle(drawn: Line) -> float:
    """The step of the line with half of the pairs below it."""
    half, below = sum(drawn.counts) / 2, 0
    for place, count in enumerate(drawn.counts):
        below += count
        if below >= half:
            return round(drawn.low + STEP * place, 2)
    return drawn.low


def nearest(drawn: Line, value: float) -> float:
    """The step of the line that is nearest to a value."""
    return round(math.floor(min(max(drawn.low, value), drawn.high) / STEP + 0.5) * STEP, 2)


def with_pictures(output: str, rows: Sequence[Row]) -> list[Row]:
    """Rows of pairs, each with its picture."""
    there = pictures(output, {row["image_url"] for row in rows})
    return [
        row
        | {
            "picture": there.get(row["image_url"], Picture(row["image_url"], "", 0, 0, "")),
            "key": str(PairKey(row["doc_id"], row["pair_id"])),
        }
        for row in rows
    ]
