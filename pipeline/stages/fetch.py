"""fetch: image URLs of what dedup kept → images/blobs, images/index and images/repeated.

    kept documents ─┐
    kept pairs ─────┴─► FetchUnits ─► images/index ─► placeholders ─► images/repeated
    captures, site_files ──►▲
    earlier runs ───────────┘

Which image comes from where is transforms/fetch/fetch_images.py's. What units of hosts had no time for goes on in
further jobs, until nothing is left, but where nobody waits for the first: there it has all the time that it takes.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from typing import NamedTuple

import apache_beam as beam

from weft.pipeline.run import integrity, spread
from weft.pipeline.run.context import Context
from weft.pipeline.runners import beam_options
from weft.pipeline.stages.kept import KeptDocuments, KeptPairs
from weft.schemas.records import Capture, SiteFile
from weft.schemas.tables import REPEATED
from weft.transforms.fetch import blobs, by_img2dataset, fetch_images, slices
from weft.transforms.fetch.fetch_images import FetchUnits, ImageAddresses
from weft.transforms.fetch.placeholders import IndexedImage, Repeated
from weft.transforms.fetch.rounds import GoOn, WhenDone
from weft.transforms.fetch.spool import STAGE
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
    judged = integrity.count_rows(ctx.output, "site_files") > 0
    kept = integrity.count_rows(ctx.output, "kept")
    buckets = spread.parts(config.buckets, kept, spread.KEPT_A_HOSTS_UNIT, 8)
    repeated = spread.parts(0, kept, spread.ROWS_A_FILE, _REPEATED_FILES)
    units = len(ctx.parts("captures")) + buckets
    counted = ctx.path(STAGE, "wanted.json")
    ctx.expect(units)
    if config.downloader == "img2dataset" and config.http:
        ctx.say(f"fetch    img2dataset asks the hosts: it does not know {by_img2dataset.NOT_KNOWN}")
    files.remove_tree(counted)  # where nobody waits for the job, there is none to go on from
    with ctx.pipeline(units) as p:
        captures = p | "Captures" >> parquet.Read(ctx.table("captures"), Capture)
        site_files = p | "SiteFiles" >> parquet.Read(ctx.table("site_files"), SiteFile) if judged else None
        fetch = FetchUnits(
            ctx.home,
            config,
            captures,
            earlier,
            buckets,
            ctx.fingerprint,
            site_files,
            ctx.keys,
            ctx.finished,
            0.0 if beam_options.submit_only(ctx.flags) else config.unit_minutes * 60,
        )
        fetched = _shown(p, ctx) | "Images" >> fetch
        _finish(ctx, fetched["index"], repeated)
        _ = (
            fetched["wanted"]
            | "Count" >> beam.combiners.Count.Globally()
            | "WriteCount" >> beam.Map(lambda n: files.write_atomic(counted, json.dumps({"image": n})))
        )
    wanted = json.loads(files.read_bytes(counted))["image"]
    turn = 1
    while left := slices.unfinished(ctx.home):
        turn += 1
        images = sum(unit.images for unit in left)
        ctx.say(f"fetch    turn {turn}: {len(left):,} units of hosts go on, with {images:,} images left")
        with ctx.pipeline(units) as p:  # as many as at first: few may be left, but rounds of redirects follow
            _finish(ctx, p | "Rest" >> GoOn(fetch.rounds(), left), repeated)
    files.remove_tree(ctx.path(STAGE, "spool"))  # of units that no longer want the same, or nothing
    return {"image": wanted}


def check(ctx: Context) -> None:
    """Raise ConfigError, before anything runs, for an entry that means nothing and an earlier run that does not fit."""
    fetch_images.check(ctx.config.fetch, ctx.config.fetch.earlier)


def _finish(ctx: Context, index: beam.PCollection[str], repeated: int) -> None:
    """What is to be done with the index files of all units, once nothing is left of any."""
    done = (
        index
        | "AllDone" >> beam.Reshuffle()  # on the runners there are, a barrier: every unit has had its turn
        | "WhenDone" >> beam.ParDo(WhenDone(ctx.home)).with_output_types(str)
    )
    _ = done | "Sweep" >> beam.Map(blobs.sweep).with_output_types(int)
    if most := ctx.config.fetch.placeholder_urls:
        _ = (
            done
            | "Indexed" >> beam.FlatMap(parquet.read, IndexedImage).with_output_types(IndexedImage)
            | "Repeated" >> Repeated(most)
            | "WriteRepeated" >> ctx.write("images/repeated", REPEATED, repeated)
        )


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
