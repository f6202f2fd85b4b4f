"""fetch: image URLs of what dedup kept → images/blobs, images/index and images/repeated.

    kept documents ─┐
    kept pairs ─────┴─► FetchUnits ─► images/index ─► placeholders ─► images/repeated
    captures, site_files ──►▲
    earlier runs ───────────┘

Which image comes from where, and in how many rounds, is transforms/fetch/fetch_images.py's.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from typing import NamedTuple

import apache_beam as beam

from weft.pipeline.run import spread
from weft.pipeline.run.context import Context
from weft.pipeline.stages.kept import KeptDocuments, KeptPairs
from weft.schemas.records import Capture, SiteFile
from weft.schemas.tables import REPEATED
from weft.transforms.fetch import blobs, by_img2dataset, fetch_images
from weft.transforms.fetch.fetch_images import FetchUnits, ImageAddresses
from weft.transforms.fetch.placeholders import IndexedImage, Repeated
from weft.transforms.fetch.unit import STAGE
from weft.transforms.io import files, parquet

_REPEATED_FILES = 4  # at least


class _Page(NamedTuple):
    """Columns of documents/."""

    doc_id: str
    warc_file: str
    warc_offset: int
    images: list[str | None]
    alternates: list[list[str] | None] | None = None


class _Pair(NamedTuple):
    """Columns of pairs/."""

    doc_id: str
    pair_id: str
    image_url: str


def run(ctx: Context) -> dict[str, int]:
    """Get every wanted image once; returns how many there were."""
    config = dataclasses.replace(ctx.config.fetch, exclude=(*ctx.config.exclude, *ctx.config.fetch.exclude))
    earlier = (ctx.finished, *config.earlier) if ctx.finished else config.earlier
    judged = parquet.count_rows(ctx.table("site_files")) > 0
    kept = parquet.count_rows(ctx.table("kept"))
    buckets = spread.parts(config.buckets, kept, spread.KEPT_A_HOSTS_UNIT, 8)
    repeated = spread.parts(0, kept, spread.ROWS_A_FILE, _REPEATED_FILES)
    units = len(ctx.parts("captures")) + buckets
    counted = ctx.path(STAGE, "wanted.json")
    ctx.expect(units)
    if config.downloader == "img2dataset" and config.http:
        ctx.say(f"fetch    img2dataset asks the hosts: it does not know {by_img2dataset.NOT_KNOWN}")
    with ctx.pipeline(units) as p:
        captures = p | "Captures" >> parquet.Read(ctx.table("captures"), Capture)
        site_files = p | "SiteFiles" >> parquet.Read(ctx.table("site_files"), SiteFile) if judged else None
        fetched = _shown(p, ctx) | "Images" >> FetchUnits(
            ctx.home, config, captures, earlier, buckets, ctx.fingerprint, site_files, ctx.keys
        )
        _ = (
            fetched["index"]
            | "AllDone" >> beam.Reshuffle()  # on the runners there are, a barrier: every unit is done
            | "Sweep" >> beam.Map(blobs.sweep).with_output_types(int)
        )
        _ = (
            fetched["wanted"]
            | "Count" >> beam.combiners.Count.Globally()
            | "WriteCount" >> beam.Map(lambda n: files.write_atomic(counted, json.dumps({"image": n})))
        )
        if config.placeholder_urls:
            _ = (
                fetched["index"]
                | "Indexed" >> beam.FlatMap(parquet.read, IndexedImage).with_output_types(IndexedImage)
                | "Repeated" >> Repeated(config.placeholder_urls)
                | "WriteRepeated" >> ctx.write("images/repeated", REPEATED, repeated)
            )
    return {"image": json.loads(files.read_bytes(counted))["image"]}


def check(ctx: Context) -> None:
    """Raise ConfigError, before anything runs, for an entry that means nothing and an earlier run that does not fit."""
    fetch_images.check(ctx.config.fetch, ctx.config.fetch.earlier)


def _shown(p: beam.Pipeline, ctx: Context) -> beam.PCollection[ImageAddresses]:
    """Every image of a kept document or pair."""
    of_documents = (
        p
        | "Documents" >> KeptDocuments(ctx, _Page)
        | "DocumentImages" >> beam.FlatMap(_of_page).with_output_types(ImageAddresses)
    )
    of_pairs = (
        p
        | "Pairs" >> KeptPairs(ctx, _Pair)
        | "PairImage" >> beam.Map(lambda pair: ImageAddresses(pair.image_url)).with_output_types(ImageAddresses)
    )
    return (of_documents, of_pairs) | "AllImages" >> beam.Flatten()


def _of_page(page: _Page) -> Iterator[ImageAddresses]:
    alternates = page.alternates or [None] * len(page.images)
    for url, others in zip(page.images, alternates, strict=True):
        if url is not None:
            yield ImageAddresses(url, others or ())
