"""What the papers of a corpus say, counted from its shards and taken from its books.

shards ──► contents.count, a shard a unit ─► summed by site and language ─► CARD/contents/*.parquet ─┐
documents/crawl_date ─► first and last ──────────────────────────────────────────────────────────────┼─► Facts
run.json, manifests of stages, shards/manifest.jsonl ────────────────────────────────────────────────┘
"""

from __future__ import annotations

import dataclasses
import datetime
import functools
import heapq
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import apache_beam as beam
import pyarrow as pa

import weft.schemas.config as configuration
from weft.pipeline import export
from weft.pipeline.run import manifest, spread
from weft.pipeline.run.claim import claim
from weft.pipeline.run.registry import CORPUS
from weft.pipeline.runners import beam_options
from weft.schemas import shards
from weft.schemas.config import Config
from weft.schemas.records import digest
from weft.schemas.shards import ShardInfo
from weft.transforms.beam import coders
from weft.transforms.beam.folds import Fold
from weft.transforms.export import items
from weft.transforms.export.contents import LANGUAGE, SITE, Content, count
from weft.transforms.io import files, parquet

CONTENTS = pa.schema([("kind", pa.string()), ("name", pa.string()), *((name, pa.int64()) for name in Content._fields)])
TOP = 10  # one in so many sites, by size of content: what the AI Office's template asks providers to name
SMALL, SMALL_MOST = 20, 1_000  # likewise of small and medium enterprises, whichever is fewer
FOLDER = "card"  # below the output, where nothing else is asked for
STATE = ".weft"  # below the card: whose it is
_TABLE = "contents"
_PERIOD = "period.json"


class Said(NamedTuple):
    """What a run cannot know and whoever publishes says; "" where nothing is said."""

    name: str = ""
    creator: str = ""
    licence: str = ""  # of the collection, an SPDX id or an address
    url: str = ""  # where the corpus is published
    published: str = ""  # day, ISO 8601


class _Row(NamedTuple):
    kind: str
    name: str
    documents: int
    pairs: int
    images: int
    text_bytes: int
    image_bytes: int

    @property
    def content(self) -> Content:
        return Content(*self[2:])


class _Dated(NamedTuple):
    crawl_date: int | None


_COUNTED = tuple[tuple[str, str], Content]


@dataclasses.dataclass(frozen=True)
class Facts:
    """All that is said of a corpus.

    Attributes:
        sites: how many there are.
        top: one in TOP of them, those with most content, most first.
        languages: by content, most first.
        period: days of the first and the last capture of a page that was read; None where no page has a date.
        books: of each stage, as its manifest has them.
        versions: of what packed the shards.
    """

    said: Said
    config: Config
    inputs: tuple[str, ...]
    infos: tuple[ShardInfo, ...]
    manifest_sha256: str
    sites: int
    top: list[tuple[str, Content]]
    languages: list[tuple[str, Content]]
    period: tuple[str, str] | None
    books: dict[str, Any]
    versions: dict[str, str]

    @property
    def total(self) -> Content:
        """All content: every sample is in one language."""
        return functools.reduce(Content.plus, (content for _, content in self.languages), Content())


def gather(output: str, card: str, said: Said, flags: Sequence[str]) -> Facts:
    """Count what is in the shards of `output`, into `card`/contents, and read its books.

    Raises:
        ConfigError: there are no finished shards, `card` holds something else, or a shard is damaged.
    """
    base, infos = export.finished(output)
    known = manifest.known_run(output)
    claim(card, STATE, _whose(output, card, known), "a card", "--to", files.place(output))
    _count(output, base, card, infos, flags)
    done = {name: manifest.read(output, name) or {} for name in CORPUS}
    sites, top = _top(card)
    languages = [(row.name, row.content) for row in _rows(card) if row.kind == LANGUAGE]
    return Facts(
        said, configuration.from_dict(known["config"]), tuple(one[0] for one in known["inputs"]), tuple(infos),
        files.digest(files.join(base, shards.MANIFEST)).sha256, sites, top,
        sorted(languages, key=lambda one: (-one[1].bytes, one[0])), _period(card),
        {name: one.get("books", {}) for name, one in done.items()}, done["pack"].get("versions", {}),
    )  # fmt: skip


def _whose(output: str, card: str, known: Mapping[str, Any]) -> str:
    """What tells the run of a card, however its directory is called and wherever it is moved to."""
    if files.place(card) == files.place(files.join(output, FOLDER)):
        return "the run's that it lies in"
    config = {key: value for key, value in known["config"].items() if key != "exclude"}  # what is removed comes later
    return digest("card", config, known["inputs"])


def _count(output: str, base: str, card: str, infos: Sequence[ShardInfo], flags: Sequence[str]) -> None:
    for record in (Content, _Row):
        coders.register(record)
    period = files.join(card, STATE, _PERIOD)
    files.write_atomic(period, "null")
    files.remove_tree(files.join(card, _TABLE))  # its parts may have been more
    parts = spread.parts(0, sum(info.samples for info in infos), spread.ROWS_A_FILE, 1)
    with beam_options.pipeline(tuple(flags), len(infos)) as p:
        _ = (
            p
            | "Shards" >> beam.Create([info.name for info in infos])
            | "Spread" >> beam.Reshuffle()
            | "Count" >> beam.FlatMap(lambda name: _of_shard(base, name).items()).with_output_types(_COUNTED)
            | "Sum" >> Fold(Content.plus)
            | "Row" >> beam.MapTuple(lambda at, content: _Row(*at, *content)).with_output_types(_Row)
            | "Write" >> parquet.WriteTable(files.join(card, _TABLE), CONTENTS, parts, key=lambda row: row[1])
        )
        _ = (
            p
            | "Pages" >> parquet.Read(files.join(output, "documents", "*.parquet"), _Dated)
            | "Dated" >> beam.Filter(lambda row: row.crawl_date)
            | "Both"
            >> beam.Map(lambda row: ("", (row.crawl_date, row.crawl_date))).with_output_types(
                tuple[str, tuple[int, int]]
            )
            | "Ends" >> Fold(lambda one, two: (min(one[0], two[0]), max(one[1], two[1])))
            | "WritePeriod" >> beam.MapTuple(lambda _, ends: files.write_atomic(period, json.dumps(ends)))
        )


def _of_shard(base: str, name: str) -> dict[tuple[str, str], Content]:
    path = files.join(base, name)
    with items.told_as_damage(path):
        return count(path, name.split("/")[0])


def _rows(card: str) -> Iterator[_Row]:
    for path, _ in files.listing(files.join(card, _TABLE, "*.parquet")):
        yield from parquet.read(path, _Row)


def _top(card: str) -> tuple[int, list[tuple[str, Content]]]:
    """How many sites there are, and the largest of them, which alone are in memory."""
    sites = sum(row.kind == SITE for row in _rows(card))
    rows = ((row.name, row.content) for row in _rows(card) if row.kind == SITE)
    return sites, heapq.nsmallest(-(-sites // TOP), rows, key=lambda one: (-one[1].bytes, one[0]))


def small(facts: Facts) -> list[tuple[str, Content]]:
    """The sites that a small or medium enterprise has to name."""
    return facts.top[: min(SMALL_MOST, -(-facts.sites // SMALL))]


def _period(card: str) -> tuple[str, str] | None:
    ends = json.loads(files.read_bytes(files.join(card, STATE, _PERIOD)))
    return (_day(ends[0]), _day(ends[1])) if ends else None


def _day(microseconds: int) -> str:
    return datetime.datetime.fromtimestamp(microseconds / 1e6, datetime.UTC).date().isoformat()
