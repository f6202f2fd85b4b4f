"""fetch: image URLs of what dedup kept → images/blobs and images/index.

    documents ⋈ kept ─┐                            ┌─► by key bucket: copied from an earlier run's output
    pairs ⋈ kept ─────┴─► wanted keys ⋈ captures ─┼─► by archive: one unit a WARC file
                                                   └─► by host bucket: HTTP units

Cheap things cross shuffles: URLs and places in archives. Reading or fetching, validation and writing are one step, so
image bytes never do. A unit writes its blobs, its index and its fates, and is skipped when they are there.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator
from typing import Any

import apache_beam as beam

import schemas.config as configuration
from pipeline.context import Context
from pipeline.extract import unit_name
from schemas.config import Fetch
from schemas.records import DROPPED, KEPT, Fate, ImageRow, hash_bucket
from schemas.tables import IMAGES, REPEATED
from transforms import earlier_images, files, images, optout
from transforms.blobs import BlobWriter, Got, in_order, index_row
from transforms.hosts import fetch_all, host_of
from transforms.http_images import Client, Response
from transforms.images import Prepared, Refused
from transforms.repeated_images import COLUMNS, Repeated
from transforms.sinks import ReadTable, WriteTable, read_rows, write_table
from transforms.spool import Spool
from transforms.units import Counts, run_unit, write_fates
from transforms.urls import image_key
from transforms.warc import Record, read_archive, read_captures

OUTPUTS = ("images",)
STAGE = "fetch"
_HTTP, _EARLIER = "http", "earlier"  # kinds of unit, beside the path of an archive
_WEB, _COPY = -1, -2  # in place of an offset in an archive
_REPEATED_FILES = 4


def run(ctx: Context) -> dict[str, int]:
    """Get every wanted image once; returns how many there were."""
    fetch = ctx.config.fetch
    Client(fetch)  # so that a bad connect_to is said before anything runs
    earlier_images.check(fetch.earlier, fetch)
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
            | "Captures" >> ReadTable(captures)
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
            | "Earlier" >> beam.Create(earlier_images.parts(fetch.earlier)).with_output_types(tuple[int, str, str])
            | "SpreadEarlier" >> beam.Reshuffle()
            | "EarlierRows" >> beam.FlatMap(earlier_images.rows).with_output_types(tuple[str, tuple[int, str]])
        )
        fetched = (
            {"wanted": wanted, "held": held, "before": before}
            | "ChooseCapture" >> beam.CoGroupByKey()
            | "Route" >> beam.FlatMap(_route, fetch.buckets).with_output_types(tuple[str, tuple[str, str, int, int]])
            | "Unit" >> beam.GroupByKey()
            | "Fetch" >> beam.Map(fetch_unit, ctx.output, ctx.fingerprint, fetch)
        )
        if fetch.placeholder_urls:
            _ = (
                fetched
                | "Indexed" >> beam.FlatMap(read_rows, COLUMNS)
                | "Repeated" >> Repeated(fetch.placeholder_urls)
                | "WriteRepeated" >> WriteTable(ctx.path("images", "repeated"), REPEATED, _REPEATED_FILES)
            )
    return {"image": json.loads(files.read_bytes(counted))["image"]}


_Picture = tuple[str, list[str]]  # URL, other addresses of the same picture


def _wanted(p: beam.Pipeline, ctx: Context) -> tuple[beam.PCollection[_Picture], beam.PCollection[tuple[str, str]]]:
    """Every picture of a kept document or pair, and (image key, URL to ask for), once each."""
    picture = tuple[str, list[str]]
    kept = p | "Kept" >> ReadTable(ctx.parts("kept"))
    documents = (
        p
        | "Documents"
        >> ReadTable(ctx.parts("documents"), ("doc_id", "warc_file", "warc_offset", "images", "alternates"))
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
        | "Pairs" >> ReadTable(ctx.parts("pairs"), ("doc_id", "pair_id", "image_url"))
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


def _route(item: tuple[str, dict[str, Iterable[Any]]], buckets: int) -> Iterator[tuple[str, tuple[str, str, int, int]]]:
    """(unit, (key, address, offset, date)): an earlier run, else the archive with its best address, else its host."""
    key, found = item
    wanted, held, before = list(found["wanted"]), sorted(found["held"]), sorted(found["before"])
    if not wanted:
        return
    url = str(wanted[0])
    if before:
        yield f"{_EARLIER}-{hash_bucket(key, buckets, 'earlier'):05d}", (key, before[0][1], _COPY, 0)
    elif held:
        _, date, warc_file, offset, address = held[0]
        yield warc_file, (key, address, offset, date)
    else:
        bucket = hash_bucket(host_of(url), buckets, "host")
        yield f"{_HTTP}-{bucket:05d}", (key, url, _WEB, 0)


def fetch_unit(
    item: tuple[str, Iterable[tuple[str, str, int, int]]], output: str, fingerprint: str, config: Fetch
) -> str:
    """One work unit: all its images got, prepared, stored and indexed; returns where its index is."""
    source, values = item
    wanted = sorted(set(values))
    name = source if wanted[0][2] < 0 else f"warc-{unit_name(source)}"
    print_ = configuration.digest(fingerprint, [list(value) for value in wanted])

    spool = Spool(output, name, print_)
    index = files.join(output, "images", "index", f"{name}.parquet")

    def work() -> Counts:
        rows: list[ImageRow] = []
        fates: list[Fate] = []
        with BlobWriter(output, name) as blobs:
            for got, origin in _images(source, wanted, config, spool):
                rows.append(index_row(got, origin, blobs))
                if isinstance(got.made, Refused):
                    fates.append(Fate(STAGE, "image", got.key, DROPPED, got.made.reason, got.made.detail))
                else:
                    fates.append(Fate(STAGE, "image", got.key, KEPT, "", ""))
        write_table(index, sorted(rows), IMAGES)
        write_fates(output, STAGE, name, sorted(fates))
        return {"image": len(rows)}

    run_unit(output, STAGE, name, print_, work)
    spool.remove()
    return index


def _images(
    source: str, wanted: list[tuple[str, str, int, int]], config: Fetch, spool: Spool
) -> Iterator[tuple[Got, str]]:
    """(what came of it, where it was got from) of each image of a unit."""
    if wanted[0][2] == _COPY:
        yield from (earlier_images.got(row) for _, row, *_ in wanted)
    elif wanted[0][2] == _WEB:
        yield from ((got, "http") for got in _from_web(wanted, config, spool))
    else:
        yield from ((got, "warc") for got in _from_archive(source, wanted, config))


def _from_archive(path: str, wanted: list[tuple[str, str, int, int]], config: Fetch) -> Iterator[Got]:
    """Images of one archive, in the order in which they stand there."""
    places: dict[int, list[tuple[str, str, int]]] = {}
    for key, address, offset, date in wanted:
        places.setdefault(offset, []).append((key, address, date))
    missed: dict[tuple[str, int, int], list[str]] = {}  # (address, offset, date) → keys
    for offset, record in read_captures(path, sorted(places)):
        for key, address, date in places[offset]:
            if record is not None and image_key(record.url) == address:
                yield _of_capture(key, record, date, config)
            else:
                missed.setdefault((address, offset, date), []).append(key)
    if missed:  # an archive that is a single gzip member has one offset for all its records
        for found in read_archive(path):
            if isinstance(found, Record):
                place = (image_key(found.url), found.offset, found.crawl_date)
                for key in missed.pop(place, ()):
                    yield _of_capture(key, found, found.crawl_date, config)
    for (_, offset, date), keys in sorted(missed.items()):
        for key in keys:
            yield Got(key, Refused("capture_unreadable", f"{path}:{offset}"), 0, date)


def _of_capture(key: str, record: Record, date: int, config: Fetch) -> Got:
    if config.honour_opt_out and (wish := optout.read_image(record.headers, config.opt_out)):
        return Got(key, Refused("opt_out", wish), record.status, date, "", wish)
    wish = optout.read_image(record.headers)
    return Got(key, images.prepare(record.body, config), record.status, date, "", wish)


def _from_web(wanted: list[tuple[str, str, int, int]], config: Fetch, spool: Spool | None = None) -> Iterator[Got]:
    """Images that no archive holds, by key; those that a killed run of this unit had got are not asked for again."""
    if not config.http:
        return (Got(key, Refused("not_in_warc", ""), 0, 0) for key, *_ in wanted)

    def then(found: Response) -> tuple[Prepared | Refused, int, int, str, str]:
        made = Refused(found.reason, found.detail) if found.reason else images.prepare(found.body, config)
        if isinstance(made, Refused) and made.reason == "not_an_image" and found.declared:
            made = Refused(made.reason, f"{found.declared}: {made.detail}")
        return made, found.status, int(time.time() * 1e6), found.url, found.opt_out

    def answers() -> Iterator[Got]:
        left = {key: url for key, url, *_ in wanted}
        for got in spool.earlier(earlier_images.MAY_PASS) if spool else ():
            if left.pop(got.key, None) is not None:
                yield got
        found = (Got(key, *answer) for key, answer in fetch_all(left.items(), Client(config), then, config))
        yield from spool.through(found) if spool else found

    return in_order(answers())
