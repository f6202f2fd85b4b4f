"""fetch: image URLs of what dedup kept → images/blobs and images/index.

    documents ⋈ kept ─┐                            ┌─► by key bucket: copied from an earlier run's output
    pairs ⋈ kept ─────┴─► wanted keys ⋈ captures ─┼─► by archive: one unit a WARC file
                                                   └─► by host bucket: HTTP units ─► redirected to other hosts:
                                                                     ▲                  by their bucket, once more
                                                                     └──────────────────┘

Cheap things cross shuffles: URLs and places in archives. Reading or fetching, validation and writing are one step, so
image bytes never do (transforms/fetch/unit.py). A host is asked by one unit at a time, and only by its own: that is
what lets one process keep the host's limits. A redirect to another host therefore waits for the next round.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

import apache_beam as beam

from weft.pipeline.run.context import Context
from weft.schemas.records import hash_bucket
from weft.schemas.tables import REPEATED
from weft.transforms.fetch import previous_runs
from weft.transforms.fetch.client import Client, house
from weft.transforms.fetch.placeholders import COLUMNS, Repeated
from weft.transforms.fetch.unit import COPY, STAGE, WEB, Wanted, fetch_unit, moved
from weft.transforms.io import files
from weft.transforms.io.parquet import ReadTable, WriteTable, read_rows
from weft.transforms.urls import image_key

OUTPUTS = ("images",)
HOPS = 3  # from host to host that redirects may lead, each a round of its own
_REPEATED_FILES = 4


def run(ctx: Context) -> dict[str, int]:
    """Get every wanted image once; returns how many there were."""
    fetch = ctx.config.fetch
    Client(fetch)  # so that a bad connect_to is said before anything runs
    previous_runs.check(fetch.earlier, fetch)
    captures = ctx.parts("captures")
    ctx.expect(len(captures) + fetch.buckets)
    with ctx.pipeline(len(captures) + fetch.buckets) as p:
        pictures, wanted = _wanted(p, ctx)
        counted = ctx.path(STAGE, "wanted.json")
        _ = (
            wanted
            | "Count" >> beam.combiners.Count.Globally()
            | "WriteCount" >> beam.Map(lambda n: files.write_atomic(counted, json.dumps({"image": n})))
        )
        captured = (
            p
            | "Captures" >> ReadTable(ctx.table("captures"))
            | "CaptureKey" >> beam.Map(_capture).with_output_types(tuple[str, tuple[int, str, int]])
        )
        addresses = pictures | "Addresses" >> beam.FlatMap(_addresses, not fetch.http).with_output_types(
            tuple[str, tuple[int, str]]
        )
        held = (
            {"asked": addresses, "captured": captured}
            | "FindCapture" >> beam.CoGroupByKey()
            | "Captured" >> beam.FlatMap(_captured).with_output_types(tuple[str, tuple[int, int, str, int, str]])
        )
        before = (
            p
            | "Earlier" >> beam.Create(previous_runs.parts(fetch.earlier)).with_output_types(tuple[int, str, str])
            | "SpreadEarlier" >> beam.Reshuffle()
            | "EarlierRows" >> beam.FlatMap(previous_runs.rows).with_output_types(tuple[str, tuple[int, str]])
        )
        routed = (
            {"wanted": wanted, "held": held, "before": before}
            | "ChooseCapture" >> beam.CoGroupByKey()
            | "Route" >> beam.FlatMap(_route, fetch.buckets).with_output_types(tuple[str, Wanted])
        )
        fetched = []
        for hop in range(HOPS + 1 if fetch.http else 1):
            if hop:
                routed = (
                    fetched[-1]
                    | f"Moved{hop}" >> beam.FlatMap(moved)
                    | f"Follow{hop}" >> beam.Map(_follow, fetch.buckets, hop).with_output_types(tuple[str, Wanted])
                )
            fetched.append(
                routed
                | f"Unit{hop}" >> beam.GroupByKey()
                | f"Fetch{hop}" >> beam.Map(fetch_unit, ctx.output, ctx.fingerprint, fetch, hop == HOPS)
            )
        if fetch.placeholder_urls:
            indexed = [one | f"Indexed{hop}" >> beam.FlatMap(read_rows, COLUMNS) for hop, one in enumerate(fetched)]
            _ = (
                indexed
                | "AllIndexed" >> beam.Flatten()
                | "Repeated" >> Repeated(fetch.placeholder_urls)
                | "WriteRepeated" >> WriteTable(ctx.path("images", "repeated"), REPEATED, _REPEATED_FILES)
            )
    return {"image": json.loads(files.read_bytes(counted))["image"]}


_Picture = tuple[str, list[str]]  # URL, other addresses of the same picture


def _wanted(p: beam.Pipeline, ctx: Context) -> tuple[beam.PCollection[_Picture], beam.PCollection[tuple[str, str]]]:
    """Every picture of a kept document or pair, and (image key, URL to ask for), once each."""
    picture = tuple[str, list[str]]
    kept = p | "Kept" >> ReadTable(ctx.table("kept"))
    documents = (
        p
        | "Documents"
        >> ReadTable(ctx.table("documents"), ("doc_id", "warc_file", "warc_offset", "images", "alternates"))
        | "DocumentKey" >> beam.Map(_pictures).with_output_types(tuple[str, tuple[str, int, list[picture]]])
    )
    kept_documents = (
        kept
        | "KeptDocuments" >> beam.Filter(lambda row: row["kind"] == "document")
        | "KeptDocumentKey"
        >> beam.Map(lambda row: (row["doc_id"], (row["warc_file"], row["warc_offset"]))).with_output_types(
            tuple[str, tuple[str, int]]
        )
    )
    of_documents = (
        {"rows": documents, "kept": kept_documents}
        | "JoinDocuments" >> beam.CoGroupByKey()
        | "DocumentImages" >> beam.FlatMap(_images_of).with_output_types(picture)
    )
    pairs = (
        p
        | "Pairs" >> ReadTable(ctx.table("pairs"), ("doc_id", "pair_id", "image_url"))
        | "PairKey"
        >> beam.Map(lambda row: (f"{row['doc_id']}:{row['pair_id']}", row["image_url"])).with_output_types(
            tuple[str, str]
        )
    )
    kept_pairs = (
        kept
        | "KeptPairs" >> beam.Filter(lambda row: row["kind"] == "pair")
        | "KeptPairKey" >> beam.Map(lambda row: (row["key"], True)).with_output_types(tuple[str, bool])
    )
    of_pairs = (
        {"rows": pairs, "kept": kept_pairs}
        | "JoinPairs" >> beam.CoGroupByKey()
        | "PairImages"
        >> beam.FlatMap(
            lambda item: [(url, []) for url in set(item[1]["rows"])] if list(item[1]["kept"]) else []
        ).with_output_types(picture)
    )
    pictures = (of_documents, of_pairs) | "AllImages" >> beam.Flatten()
    wanted = (
        pictures
        | "ImageKey" >> beam.Map(lambda made: (image_key(made[0]), made[0])).with_output_types(tuple[str, str])
        | "Once" >> beam.CombinePerKey(_preferred).with_output_types(tuple[str, str])
    )
    return pictures, wanted


def _pictures(row: dict[str, Any]) -> tuple[str, tuple[str, int, list[_Picture]]]:
    others = row["alternates"] or [None] * len(row["images"])
    made = [(url, list(more or [])) for url, more in zip(row["images"], others, strict=True) if url is not None]
    return row["doc_id"], (row["warc_file"], row["warc_offset"], made)


def _addresses(made: _Picture, others: bool) -> Iterator[tuple[str, tuple[int, str]]]:
    """(key of an address, (how good it is, key of the picture)): 0 is the picture's own.

    With `others`, those of its other sizes too: where nothing can be asked for over HTTP, a smaller one that an
    archive holds is better than none. Where it can, the one that is meant is asked for, and its answer stands.
    """
    key = image_key(made[0])
    for rank, url in enumerate([made[0], *(made[1] if others else ())]):
        yield image_key(url), (rank, key)


def _captured(item: tuple[str, dict[str, Iterable[Any]]]) -> Iterator[tuple[str, tuple[int, int, str, int, str]]]:
    """(key of the picture, (rank, date, archive, offset, address)) of an address' newest capture, if any."""
    held = sorted(item[1]["captured"])
    if held:
        date, warc_file, offset = min(found for found in held if found[0] == held[-1][0])
        for rank, key in sorted(set(item[1]["asked"])):
            yield key, (rank, date, warc_file, offset, item[0])


def _preferred(urls: Iterable[str]) -> str:
    """Of the ways to write one address, https first, then the smallest."""
    return min(urls, key=lambda url: (not url.startswith("https:"), url), default="")


def _images_of(item: tuple[str, dict[str, Iterable[Any]]]) -> list[_Picture]:
    kept = set(item[1]["kept"])
    for warc_file, offset, pictures in sorted(item[1]["rows"], key=repr):
        if (warc_file, offset) in kept:
            return [(url, list(others)) for url, others in pictures]
    return []


def _capture(row: dict[str, object]) -> tuple[str, tuple[int, str, int]]:
    return image_key(str(row["url"])), (int(row["crawl_date"] or 0), str(row["warc_file"]), int(row["warc_offset"]))  # type: ignore[call-overload]


def _route(item: tuple[str, dict[str, Iterable[Any]]], buckets: int) -> Iterator[tuple[str, Wanted]]:
    """(unit, (key, address, offset, date)): an earlier run, else the archive with its best address, else its host."""
    key, found = item
    wanted, held, before = list(found["wanted"]), sorted(found["held"]), sorted(found["before"])
    if not wanted:
        return
    url = str(wanted[0])
    if before:
        yield f"earlier-{hash_bucket(key, buckets, 'earlier'):05d}", (key, before[0][1], COPY, 0)
    elif held:
        _, date, warc_file, offset, address = held[0]
        yield warc_file, (key, address, offset, date)
    else:
        yield f"http-{_host_bucket(url, buckets):05d}", (key, url, WEB, 0)


def _follow(redirected: tuple[str, str], buckets: int, hop: int) -> tuple[str, Wanted]:
    """(unit of a later round, what it is to ask for): an image whose redirect leads to another host."""
    key, url = redirected
    return f"http-{_host_bucket(url, buckets):05d}-{hop}", (key, url, WEB, 0)


def _host_bucket(url: str, buckets: int) -> int:
    return hash_bucket(house(url), buckets, "host")
