"""extract: archives → documents/, pairs/, captures/, site_files/.

paths → spread out → one work unit a file (transforms/extract/archive.py) → seven Parquet files. A file is read once,
record by record; its texts never cross a shuffle.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from typing import Any

import apache_beam as beam
import pyarrow as pa

from weft.pipeline.run.context import Context
from weft.schemas import tables
from weft.schemas.parameters import ConfigError, PageRules
from weft.schemas.records import KEPT, Capture, Document, Fate, Pair, SiteFile
from weft.transforms.extract import bad_words, exclusions, html_files, named
from weft.transforms.extract.archive import Row, extract_archive
from weft.transforms.extract.page import STAGE
from weft.transforms.extract.page import check as check_rules
from weft.transforms.io import files, parquet, secrets
from weft.transforms.io.parquet import TableWriter
from weft.transforms.io.work_units import Counts, run_unit, unit_name
from weft.transforms.urls import image_key

OUTPUTS = ("documents", "pairs", "captures", "site_files")
_TABLES = {
    Document: ("documents", tables.DOCUMENTS),
    Pair: ("pairs", tables.PAIRS),
    Capture: ("captures", tables.CAPTURES),
    SiteFile: ("site_files", tables.SITE_FILES),
}
# Fates of pages by themselves: of a file's fates one in thirty is a page's, and these are what is looked for.
_FATES = {"record": "records", "page": "pages", "image": "parts", "pair": "parts"}


def run(ctx: Context) -> dict[str, int]:
    """Extract every input file; returns how many records, pages, images and pairs there were."""
    ctx.expect(len(ctx.inputs))
    if not ctx.finished and (unasked := bad_words.unasked(ctx.config.extract)):
        ctx.say(f"extract  no page is found to be in {', '.join(unasked)}: the bad words of these are not looked for")
    listed, counted = ctx.path(STAGE, "inputs.json"), ctx.path(STAGE, "entered.json")
    files.write_atomic(listed, json.dumps(sorted(ctx.inputs)))  # a hundred thousand paths do not fit into a job's graph
    with ctx.pipeline(len(ctx.inputs)) as p:
        _ = (
            p
            | "List" >> beam.Create([listed])
            | "Inputs" >> beam.FlatMap(lambda path: json.loads(files.read_bytes(path))).with_output_types(str)
            | "Spread" >> beam.Reshuffle()
            | "Extract"
            >> beam.Map(
                extract_file,
                ctx.home,
                ctx.fingerprint,
                ctx.config.extract,
                ctx.config.exclude,
                ctx.finished,
                ctx.keys,
                json.dumps(ctx.decides),
            )
            | "Total" >> beam.CombineGlobally(_total)
            | "WriteTotal" >> beam.Map(lambda total: files.write_atomic(counted, json.dumps(total, sort_keys=True)))
        )
    return dict(json.loads(files.read_bytes(counted)))


def check(ctx: Context) -> None:
    """Raise ConfigError, before anything runs, for models, languages, lists and filters that cannot be used."""
    exclusions.load(ctx.config.exclude)
    if ctx.finished:  # whose rows are taken: no page is judged
        return
    for path in ctx.inputs:
        if html_files.is_folder(path) and html_files.holds(path, ctx.output):
            raise ConfigError(
                f"{ctx.output} lies in the input {path}, and its report would be a page: move one of them"
            )
    check_rules(ctx.config.extract)
    if ctx.config.extract.inline_svg and not ctx.config.fetch.svg:
        raise ConfigError("extract.inline_svg = true needs fetch.svg = true, which draws what it finds")


def _total(counts: Iterable[Counts]) -> Counts:
    total: Counter[str] = Counter(record=0, page=0, image=0, pair=0)
    for each in counts:
        total.update(each)
    return dict(total)


def extract_file(
    path: str,
    output: str,
    fingerprint: str,
    rules: PageRules,
    exclude: tuple[str, ...] = (),
    finished: str = "",
    keys: Mapping[str, str] | None = None,
    decides: str = "{}",
) -> Counts:
    """One archive → its parts of the tables; what it counted comes back, from the marker when it was done before.

    Args:
        exclude: lists of what is not to be there.
        finished: output of a run of the same rules, whose rows are taken instead of the archive.
        keys: as of `secrets.held`.
        decides: what `decides.extract` gave where the run was started, as JSON.
    """
    if not finished:
        named.check(rules, decides)
    name = unit_name(path)

    def rows() -> Iterator[Row]:
        found = _finished(finished, name) if finished else extract_archive(path, rules)
        excluded = exclusions.as_begun(exclude, json.loads(decides).get("exclude", ""))
        return exclusions.withhold(found, excluded) if excluded else found

    with secrets.held(keys or {}):
        return run_unit(output, STAGE, name, fingerprint, lambda: _write_tables(rows(), output, name))


def _finished(output: str, name: str) -> Iterator[Row]:
    """Rows of one archive as an earlier run wrote them: each page with all that is of it."""

    def table(path: str, record: type[Any]) -> Iterator[Any]:
        return parquet.read(files.join(output, path, f"{name}.parquet"), record)

    def fates(part: str) -> Iterator[Fate]:
        return parquet.read(files.join(output, "fates", STAGE, f"{name}.{part}.parquet"), Fate)

    yield from fates("records")
    yield from table("captures", Capture)
    yield from table("site_files", SiteFile)
    documents, pairs = table("documents", Document), _OfPages(table("pairs", Pair), lambda pair: pair.doc_id)
    parts = _OfPages(fates("parts"), lambda fate: fate.key.partition(":")[0])
    for page in fates("pages"):
        yield page
        yield from parts.of(page.key)
        if page.fate == KEPT:
            yield next(documents)
            yield from pairs.of(page.key)


class _OfPages:
    """Rows in the order of their pages, a page's at a time."""

    def __init__(self, rows: Iterator[Any], page: Callable[[Any], str]) -> None:
        self._rows, self._page = rows, page
        self._next = next(rows, None)

    def of(self, doc_id: str) -> Iterator[Any]:
        while self._next is not None and self._page(self._next) == doc_id:
            yield self._next
            self._next = next(self._rows, None)


def _with_keys(document: Document) -> Document:
    return document._replace(image_keys=[None if url is None else image_key(url) for url in document.images])


def _write_tables(rows: Iterable[Row], output: str, name: str) -> Counts:
    entered: Counter[str] = Counter(record=0, page=0, image=0, pair=0)
    with ExitStack() as stack:

        def writer(table: str, file: str, schema: pa.Schema) -> TableWriter:
            return stack.enter_context(TableWriter(files.join(output, *table.split("/"), f"{file}.parquet"), schema))

        writers = {row: writer(table, name, schema) for row, (table, schema) in _TABLES.items()}
        parts = sorted(set(_FATES.values()))
        fates = {part: writer(f"fates/{STAGE}", f"{name}.{part}", tables.FATES) for part in parts}
        for row in rows:
            if isinstance(row, Fate):
                fates[_FATES[row.kind]].write(row)
                entered[row.kind] += 1
            else:
                writers[type(row)].write(_with_keys(row) if isinstance(row, Document) else row)
    return dict(entered)
