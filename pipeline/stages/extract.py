"""extract: archives → documents/, pairs/, captures/.

paths → spread out → one work unit a file (transforms/extract/archive.py) → six Parquet files. A file is read once,
record by record; its texts never cross a shuffle.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from contextlib import ExitStack

import apache_beam as beam
import pyarrow as pa

from weft.pipeline.run.context import Context
from weft.schemas import tables
from weft.schemas.parameters import PageRules
from weft.schemas.records import Capture, Document, Fate, Pair
from weft.transforms.extract.archive import extract_archive
from weft.transforms.extract.page import STAGE
from weft.transforms.io import files
from weft.transforms.io.parquet import TableWriter
from weft.transforms.io.work_units import Counts, run_unit, unit_name

OUTPUTS = ("documents", "pairs", "captures")
_TABLES = {
    Document: ("documents", tables.DOCUMENTS),
    Pair: ("pairs", tables.PAIRS),
    Capture: ("captures", tables.CAPTURES),
}
# Fates of pages by themselves: of a file's fates one in thirty is a page's, and these are what is looked for.
_FATES = {"record": "records", "page": "pages", "image": "parts", "pair": "parts"}


def run(ctx: Context) -> dict[str, int]:
    """Extract every input file; returns how many records, pages, images and pairs there were."""
    ctx.expect(len(ctx.inputs))
    listed, counted = ctx.path(STAGE, "inputs.json"), ctx.path(STAGE, "entered.json")
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


def extract_file(path: str, output: str, fingerprint: str, rules: PageRules) -> Counts:
    """One archive → its parts of the tables; what it counted comes back, from the marker when it was done before."""
    name = unit_name(path)
    return run_unit(output, STAGE, name, fingerprint, lambda: _write_tables(path, output, name, rules))


def _write_tables(path: str, output: str, name: str, rules: PageRules) -> Counts:
    entered: Counter[str] = Counter(record=0, page=0, image=0, pair=0)
    with ExitStack() as stack:

        def writer(table: str, file: str, schema: pa.Schema) -> TableWriter:
            return stack.enter_context(TableWriter(files.join(output, *table.split("/"), f"{file}.parquet"), schema))

        writers = {row: writer(table, name, schema) for row, (table, schema) in _TABLES.items()}
        parts = sorted(set(_FATES.values()))
        fates = {part: writer(f"fates/{STAGE}", f"{name}.{part}", tables.FATES) for part in parts}
        for row in extract_archive(path, rules):
            if isinstance(row, Fate):
                fates[_FATES[row.kind]].write(row)
                entered[row.kind] += 1
            else:
                writers[type(row)].write(row)
    return dict(entered)
