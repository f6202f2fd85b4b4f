"""What the process that hands out a cluster's jobs holds as the corpus grows: peak memory of each stage's driver.

The tables of a run are generated (short rows, files of so many pages), and each stage is run on them by a runner
that does nothing, in a process of its own: what is left is the driver's part. It counts rows, builds the graphs of all
jobs, reads what they leave, and audits the books. Of what a job of the books would have found, the file is there.

The ratio is the memory over that after imports, of the smallest corpus over the largest, in the stage where it grows
most: 1 is flat.

Run: python benchmarks/driver.py [--pages 50000] [--times 1 4 16] [--file-pages 10000]
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apache_beam as beam
import pyarrow as pa
import pyarrow.parquet as pq

import weft.schemas.config as configuration
from weft.pipeline.run import manifest, registry
from weft.pipeline.run.run import Run
from weft.pipeline.runners import beam_options, orphans
from weft.pipeline.stages import pack
from weft.schemas import tables
from weft.transforms.io import parquet
from weft.transforms.pack import tokenizer

STAGES = registry.CORPUS
FLAGS = ("--runner=SparkRunner",)  # whose driver leaves large books to a job
# Kinds of each stage's fates, a row a page each; extract has two images on a page.
FATES = {
    "extract": ("record", "page", "pair", "image", "image"), "dedup": ("document", "pair"), "fetch": ("image",),
    "score": ("document", "pair", "image"), "pack": ("document", "pair", "image"),
}  # fmt: skip
_Columns = dict[str, Callable[[int], Any]]
_TABLES: dict[str, tuple[pa.Schema, _Columns]] = {
    "documents": (tables.DOCUMENTS, {"doc_id": "d{:029}".format, "texts": lambda n: ["t"], "images": lambda n: [None]}),
    "pairs": (tables.PAIRS, {"doc_id": "d{:029}".format, "pair_id": "p{:029}".format}),
    "captures": (tables.CAPTURES, {"url": "http://h.test/{}".format}),
    "images/index": (tables.IMAGES, {"image_url": "http://h.test/{}".format, "status": lambda n: "ok"}),
    "scores": (tables.SCORES, {"kind": lambda n: "pair", "id": "p{:029}".format}),
}


def rows(schema: pa.Schema, numbers: range, columns: _Columns) -> pa.Table:
    """So many rows; columns that are not given are null."""
    arrays = [
        pa.array([columns[field.name](n) for n in numbers], field.type)
        if field.name in columns
        else pa.nulls(len(numbers), field.type)
        for field in schema
    ]
    return pa.Table.from_arrays(arrays, schema=schema)


def generate(home: Path, pages: int, each: int) -> configuration.Config:
    """The tables of a run of so many pages, in files of `each`, and what its jobs leave for the driver."""
    for start in range(0, pages, each):
        numbers, name = range(start, min(start + each, pages)), f"{start:09}.parquet"
        made = {table: rows(schema, numbers, columns) for table, (schema, columns) in _TABLES.items()}
        for stage, kinds in FATES.items():
            made[f"fates/{stage}"] = pa.concat_tables(
                rows(
                    tables.FATES,
                    numbers,
                    {
                        "stage": lambda n, stage=stage: stage,
                        "kind": lambda n, kind=kind: kind,
                        "key": lambda n, at=at: f"{at}:{n:029}",
                        "fate": lambda n: "kept",
                        "reason": lambda n: "",
                    },
                )
                for at, kind in enumerate(kinds)
            )
        made["kept"] = pa.concat_tables(
            rows(tables.KEPT, numbers, {"kind": lambda n, kind=kind: kind, "key": "d{:029}".format})
            for kind in ("document", "pair")
        )
        for table, of in made.items():
            (home / table).mkdir(parents=True, exist_ok=True)
            pq.write_table(of, home / table / name, row_group_size=parquet.ROW_GROUP_ROWS)
    for stage, kinds in FATES.items():
        counts = {kind: kinds.count(kind) * pages for kind in kinds}
        tally = [[json.dumps([kind, "kept", ""]), count] for kind, count in sorted(counts.items())]
        for name, value in [
            ("entered", counts),
            ("job-wanted", counts),
            ("job-books", {"tally": tally, "repeated": 0}),
        ]:
            _write(home / stage / f"{name}.json", value)
    _write(home / "dedup" / "stars-1.json", 0)
    (home / "tokenizer.json").write_bytes(tokenizer.train(["some words"], 300))
    config = configuration.load(overrides=[f'pack.tokenizer="{home}/tokenizer.json"', 'score.compare="always"'])
    inputs = [(f"http://h.test/{n}.warc.gz", 0) for n in range(0, pages, each)]
    manifest.write_run(str(home), config, inputs)
    for stage, fingerprint in registry.fingerprints(config, inputs).items():
        manifest.start(str(home), stage, fingerprint)
    return config


def _write(path: Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))


def play(home: str, stage: str) -> None:
    """Run one stage's driver; prints its memory in bytes after imports and at most, and the CPU seconds between."""
    found = manifest.known_run(home)
    config = configuration.from_dict(found["config"])
    inputs = tuple((path, size) for path, size in found["inputs"])

    class Nothing(beam.Pipeline):
        """A pipeline whose jobs leave what is there."""

        def run(self, *arguments: Any, **options: Any) -> Any:
            for left in Path(home, stage).glob("job-*.json"):
                left.with_name(left.name.removeprefix("job-")).write_bytes(left.read_bytes())
            return beam.Pipeline(options=beam_options.options((), 1)).run()

    beam_options.pipeline = lambda *_: Nothing(options=beam_options.options((), 1))
    orphans.cancel = lambda *_: 0
    registry.BY_NAME[stage].load()
    if stage == "pack":
        layout = pack.shard_layout(pack.Context(home, (), config, ""))
        for name in layout.names():
            info = {"name": name, "samples": 1, "tokens": 1, "images": 1, "bytes": 1, "sha256": "0" * 64}
            _write(Path(pack._marker(home, name)), info)
    before, begun = _memory("VmRSS"), time.process_time()
    Run(home, inputs, config, FLAGS, quiet=True).go([stage])
    print(json.dumps([before, _memory("VmHWM"), time.process_time() - begun]))


def _memory(name: str) -> int:
    return int(re.search(rf"{name}:\s+(\d+) kB", Path("/proc/self/status").read_text())[1]) << 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pages", type=int, default=50_000, help="of the smallest corpus")
    parser.add_argument("--times", type=int, nargs="+", default=[1, 4, 16])
    parser.add_argument("--file-pages", type=int, default=10_000, help="in a file of a table")
    parser.add_argument("--play", nargs=2, metavar=("DIR", "STAGE"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.play:
        return play(*options.play)
    print(
        f"{'pages':>10} {'stage':8}{'files':>7}{'fates':>12}{'after imports MB':>18}{'peak MB':>9}{'CPU s':>9}",
        flush=True,
    )
    grown: dict[str, list[float]] = {stage: [] for stage in STAGES}
    for times in sorted(options.times):
        pages = options.pages * times
        with tempfile.TemporaryDirectory() as folder:
            home = Path(folder)
            generate(home, pages, options.file_pages)
            for stage in STAGES:
                command = [sys.executable, __file__, "--play", str(home), stage]
                told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
                before, peak, seconds = json.loads(told.splitlines()[-1])
                grown[stage].append(peak - before)
                print(
                    f"{pages:10,} {stage:8}{-(-pages // options.file_pages):7,}{len(FATES[stage]) * pages:12,}"
                    f"{before / 1e6:18.0f}{peak / 1e6:9.0f}{seconds:9.1f}",
                    flush=True,
                )
    print(f"ratio: {min(values[0] / values[-1] for values in grown.values()):.2f}x")


if __name__ == "__main__":
    main()
