"""extract: WARC files → documents/, pairs/, captures/.

paths → spread out → one work unit a file: records → pages (transforms/extract/page.py), image captures
→ four Parquet files. A file is read once, record by record; its texts never cross a shuffle.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable

import apache_beam as beam

from weft.pipeline.run.context import Context
from weft.schemas import tables
from weft.schemas.config import Extract
from weft.schemas.records import DROPPED, KEPT, Capture, Fate, document_id
from weft.transforms.archives.warc import Broken, Record, read_archive
from weft.transforms.extract import page
from weft.transforms.io import files
from weft.transforms.io.parquet import TableWriter
from weft.transforms.io.work_units import Counts, run_unit, unit_name

OUTPUTS = ("documents", "pairs", "captures")
_HTML = ("text/html", "application/xhtml+xml")
_MAGIC = (b"\xff\xd8\xff", b"\x89PNG\r\n", b"GIF8", b"BM", b"II*\x00", b"MM\x00*")


def run(ctx: Context) -> dict[str, int]:
    """Extract every input file; returns how many records, pages, images and pairs there were."""
    ctx.expect(len(ctx.inputs))
    listed, counted = ctx.path(page.STAGE, "inputs.json"), ctx.path(page.STAGE, "entered.json")
    files.write_atomic(listed, json.dumps(sorted(ctx.inputs)))  # a hundred thousand paths do not fit into a job's graph
    with ctx.pipeline(len(ctx.inputs)) as p:
        _ = (
            p
            | "List" >> beam.Create([listed])
            | "Inputs" >> beam.FlatMap(lambda path: json.loads(files.read_bytes(path))).with_output_types(str)
            | "Spread" >> beam.Reshuffle()
            | "Extract" >> beam.Map(extract_file, ctx.output, ctx.fingerprint, ctx.config.extract)
            | "Total" >> beam.CombineGlobally(_total)
            | "WriteTotal" >> beam.Map(lambda total: files.write_atomic(counted, json.dumps(total, sort_keys=True)))
        )
    return dict(json.loads(files.read_bytes(counted)))


def _total(counts: Iterable[Counts]) -> Counts:
    total: Counter[str] = Counter(record=0, page=0, image=0, pair=0)
    for each in counts:
        total.update(each)
    return dict(total)


def extract_file(path: str, output: str, fingerprint: str, config: Extract) -> Counts:
    """One archive → its parts of the tables; what it counted comes back, from the marker when it was done before."""
    name = unit_name(path)
    return run_unit(output, page.STAGE, name, fingerprint, lambda: _extract(path, output, name, config))


def _extract(path: str, output: str, name: str, config: Extract) -> Counts:
    counts: Counter[str] = Counter(record=0, page=0, image=0, pair=0)
    seen: set[str] = set()
    doubled: Counter[str] = Counter()

    def where(table: str) -> str:
        return files.join(output, *table.split("/"), f"{name}.parquet")

    with (
        TableWriter(where("documents"), tables.DOCUMENTS) as documents,
        TableWriter(where("pairs"), tables.PAIRS) as pairs,
        TableWriter(where("captures"), tables.CAPTURES) as captures,
        TableWriter(where(f"fates/{page.STAGE}"), tables.FATES) as fates,
    ):
        for record in read_archive(path):
            counts["record"] += 1
            key = f"{path}:{record.offset}"
            doubled[key] += 1
            if doubled[key] > 1:  # a file that is one gzip member has one offset for all
                key += f"#{doubled[key]}"
            kind, reason, detail = classify(record)
            fates.write(Fate(page.STAGE, "record", key, DROPPED if reason else KEPT, reason, detail))
            if reason or isinstance(record, Broken):
                continue
            if kind == "image":
                captures.write(
                    Capture(record.url, path, record.offset, record.header("content-type"), record.crawl_date)
                )
                continue
            counts["page"] += 1
            doc_id = document_id(record.record_id, record.url, record.date, record.offset)
            if doc_id in seen:
                fates.write(Fate(page.STAGE, "page", f"{doc_id}@{key}", DROPPED, "duplicate_record", record.url))
                continue
            seen.add(doc_id)
            result = page.process(record, path, config)
            for fate in result.fates:
                fates.write(fate)
            if result.document is not None:
                documents.write(result.document)
                counts["image"] += sum(fate.kind == "image" for fate in result.fates)
                counts["pair"] += sum(fate.kind == "pair" for fate in result.fates)
            for pair in result.pairs:
                pairs.write(pair)
    return dict(counts)


def classify(record: Record | Broken) -> tuple[str, str, str]:
    """(kind, reason, detail) of a record: "page" or "image" without reason, else why it is neither."""
    if isinstance(record, Broken):
        return "", record.reason, record.detail
    if record.problem:
        return "", record.problem, f"{record.kind} {record.url}"
    if record.kind not in ("response", "resource"):
        return "", record.kind, record.url
    if not record.url.startswith(("http://", "https://")):
        return "", "not_http", record.url
    if not 200 <= record.status < 300:
        return "", "http_error" if record.status >= 400 else "redirect", f"{record.status} {record.url}"
    mime = record.header("content-type").split(";")[0].strip().lower()
    head = record.body[:512].lstrip()
    if not head:
        return "", "empty", record.url
    if mime.startswith("image/") or head.startswith(_MAGIC):
        return "image", "", mime
    if mime in _HTML or (not mime and head[:15].lower().startswith((b"<!doctype html", b"<html"))):
        return "page", "", ""
    return "", "not_html", mime
