"""Entries of a list that name nothing of a run: most likely mistyped, and whoever wrote them is told so at once.

An entry names what it takes out: a page that is kept, an image or pair of one, a stored image by its bytes or looks, an
instruction.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from weft.schemas import shards
from weft.schemas.records import KEPT, PairKey
from weft.transforms.extract import exclusions
from weft.transforms.io import files, parquet

_SHOWN = 5


class _Page(NamedTuple):
    key: str
    fate: str
    url: str


class _Packed(NamedTuple):
    kind: str
    key: str


class _Pair(NamedTuple):
    doc_id: str
    pair_id: str
    image_url: str


class _Shown(NamedTuple):
    images: list[str | None]
    alternates: list[list[str] | None] | None = None


class _Stored(NamedTuple):
    image_id: str
    phash: str
    final_url: str | None = None


def of(entries: Iterable[str], output: str) -> list[str]:
    """Entries, as `exclusions.entries` gives them, that name nothing of a run which has been fetched; sorted.

    Each address of the run is looked at where an entry is an address, domain or directory: some 10 µs each.
    """
    wanted: dict[tuple[str, str], list[str]] = defaultdict(list)
    for entry in entries:
        for meant in exclusions.meaning(entry).items():
            wanted[meant].append(entry)
    idle = {entry for found in wanted.values() for entry in found}
    for name in _names(output, addresses=any(field in exclusions.ADDRESSES for field, _ in wanted)):
        idle.difference_update(wanted.get(name, ()))
        if not idle:
            break
    return sorted(idle)


def line(idle: list[str], output: str) -> str:
    """What the user is told of them."""
    told = ", ".join(idle[:_SHOWN]) + ", …" * (len(idle) > _SHOWN)
    return f"{len(idle):,} of what is listed {'names' if len(idle) == 1 else 'name'} nothing in {output}: {told}"


def _names(output: str, addresses: bool) -> Iterator[tuple[str, str]]:
    """(field of Exclusions, value) of all that a list can name."""

    def at(*urls: str | None) -> Iterator[tuple[str, str]]:
        return (name for url in urls if url and addresses for name in exclusions.names(url))

    for page in _rows(output, "fates/extract", _Page, "*.pages"):
        if page.fate == KEPT:
            yield "ids", page.key
            yield from at(page.url)
    for pair in _rows(output, "pairs", _Pair):
        yield "ids", pair.pair_id
        yield "ids", str(PairKey(pair.doc_id, pair.pair_id))
        yield from at(pair.image_url)
    for stored in _rows(output, "images/index", _Stored):
        yield "sha256", stored.image_id
        yield "phashes", stored.phash
        yield from at(stored.final_url)
    if addresses:
        for shown in _rows(output, "documents", _Shown):
            yield from at(*shown.images, *(url for urls in shown.alternates or () for url in urls or ()))
    if files.listing(files.join(output, "shards", shards.INSTRUCTIONS, "*", "*.tar")):
        for packed in _rows(output, "fates/pack", _Packed):
            if packed.kind == "instruction":
                yield "ids", packed.key


def _rows(output: str, table: str, record: type[Any], name: str = "*") -> Iterator[Any]:
    for path, _ in files.listing(files.join(output, table, f"{name}.parquet")):
        yield from parquet.read(path, record)
