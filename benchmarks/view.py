"""How long `weft view` takes for each kind of page, on tables of so many documents that are made here.

A document has 3 KB of text, two pictures, three pairs and, in one of ten cases, a twin; every stage has decided. The
command is started anew; a page is asked for over HTTP, first when nothing of its kind has been looked at, then again:
by the clock, and CPU of the server, which may have two cores at once. There is no peer.

Run: python benchmarks/view.py [--documents 100000] [--home DIR, kept and used again]
"""

from __future__ import annotations

import argparse
import itertools
import operator
import os
import random
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import weft.schemas.config as configuration
from weft.pipeline.demo import vocabulary
from weft.pipeline.demo.prose import Dice, sentences
from weft.pipeline.run import manifest
from weft.schemas import tables
from weft.schemas.records import Cluster, Document, Fate, ImageMeta, ImageRow, Pair, Score, stable_id
from weft.transforms.io.parquet import TableWriter
from weft.transforms.io.work_units import unit_name

FILE_DOCUMENTS = 20_000
SORTED = {
    "scores": operator.attrgetter("kind", "id", "image_position", "text_position"),
    "images/index": operator.attrgetter("image_url"),
    "clusters": operator.attrgetter("doc_id"),
    **{f"fates/{stage}": operator.attrgetter("kind", "key") for stage in ("dedup", "score", "pack")},
}
PAGES = {
    "overview": "/",
    "documents": "/documents",
    "documents of a language": "/documents?language=de&order=highest+similarity",
    "documents with a word in their text": "/documents?q=needle",
    "page 1,000 of documents": "/documents?page=1000",
    "one document": "/documents/{doc_id}",
    "pairs": "/pairs",
    "pairs at a threshold": "/pairs?at=0.31",
    "clusters": "/clusters",
    "one cluster": "/clusters/{cluster_id}",
    "images": "/images",
    "explain": "/explain?thing=http%3A//site7.test/page/7",
}


def rows(start: int, end: int, pool: Sequence[str]) -> Iterator[tuple[str, Any]]:
    """(table, row) of documents start to end."""
    for n in range(start, end):
        doc_id = stable_id("view", str(n))
        dice = random.Random(n)
        url, archive = f"http://site{n % 5_003}.test/page/{n}", f"/archives/{start:08}.warc.gz"
        texts: list[str | None] = [" ".join(dice.choices(pool, k=14)) for _ in range(3)]
        if n % 9_973 == 0:
            texts[0] = f"needle {texts[0]}"
        images = [f"http://site{n % 5_003}.test/{n}-{at}.jpg" for at in range(2)]
        meta = ImageMeta("a picture", "", "", None, None)
        place: list[list[Any]] = [
            [texts[0], None, texts[1], None, texts[2]],
            [None, images[0], None, images[1], None],
            [None, meta, None, meta, None],
        ]
        fixed = (doc_id, url, 1_700_000_000_000_000, archive, n, f"<{n}>", ("en", "de", "fr")[n % 3], 0.9)
        yield "documents", Document(*fixed, f"Page {n}: {texts[1][:50]}", *place, image_keys=place[1])
        yield "pages", Fate("extract", "page", doc_id, "kept", "", "", url, f"{archive}:{n}")
        gone = n % 10 == 9
        if gone or n % 10 == 8:
            first = min(doc_id, stable_id("view", str(n - 1 if gone else n + 1)))
            kept = stable_id("view", str(n - 1 if gone else n))
            yield "clusters", Cluster(doc_id, first, 2, kept, 0.9 if gone else 1.0, "near")
        fate = ("dropped", "duplicate_near", "") if gone else ("kept", "", "")
        yield "fates/dedup", Fate("dedup", "document", doc_id, *fate)
        if not gone:
            yield "fates/pack", Fate("pack", "document", doc_id, "kept", "", f"interleaved/train/{n % 40:06}.tar")
        for at, image in enumerate(images):
            stored = (f"{n:032x}{at:032x}", "ok", 200, "image/jpeg", 640, 480, 512, 384, "0" * 16, "images/blobs/a.bin")
            yield "images/index", ImageRow(image, *stored, 0, 1_000, 0, "http", False)
            yield "fates/pack", Fate("pack", "image", f"{doc_id}:{1 + 2 * at}", "kept", "", image)
            for text in (0, 2, 4):
                yield "scores", Score("document", doc_id, 1 + 2 * at, text, image, round(dice.gauss(0.2, 0.05), 5))
        for at in range(3):
            pair_id = stable_id(images[at % 2], f"caption {at}")
            fixed = (pair_id, doc_id, url, images[at % 2], f"{texts[1][:40]} {at}", "alt", "en", 0.9)
            yield "pairs", Pair(*fixed)
            yield "scores", Score("pair", pair_id, 0, 0, images[at % 2], round(dice.gauss(0.28, 0.06), 5))
            for stage in ("dedup", "score", "pack"):
                yield f"fates/{stage}", Fate(stage, "pair", f"{doc_id}:{pair_id}", "kept", "", "")


def make(home: Path, documents: int) -> None:
    """The tables of a run."""
    dice = Dice("view")
    pool = sorted({text for _ in range(300) for topic in vocabulary.TOPICS for text in sentences(dice, topic, 8)})
    schemas = {"documents": tables.DOCUMENTS, "pairs": tables.PAIRS, "clusters": tables.CLUSTERS}
    schemas |= {"images/index": tables.IMAGES, "scores": tables.SCORES}
    for start in range(0, documents, FILE_DOCUMENTS):
        name = unit_name(f"/archives/{start:08}.warc.gz")
        found = sorted(rows(start, min(start + FILE_DOCUMENTS, documents), pool), key=lambda item: item[0])
        for table, group in itertools.groupby(found, key=lambda item: item[0]):
            place = f"fates/extract/{name}.pages" if table == "pages" else f"{table}/{name}"
            with TableWriter(str(home / f"{place}.parquet"), schemas.get(table, tables.FATES)) as writer:
                wanted = (row for _, row in group)  # those of buckets are sorted as stages sort them
                for row in sorted(wanted, key=SORTED[table]) if table in SORTED else wanted:
                    writer.write(row)
    manifest.write_run(str(home), configuration.load(), [])


def timed(ask: Callable[[], Any]) -> float:
    begun = time.perf_counter()
    ask()
    return time.perf_counter() - begun


def get(address: str) -> bytes:
    with urllib.request.urlopen(address) as answer:
        return bytes(answer.read())


def cpu(process: int) -> float:
    """Seconds that a process has had."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def settled(process: int) -> float:
    """The same, once it does nothing more."""
    before, now = -1.0, cpu(process)
    while now - before > 0.05:
        time.sleep(2)
        before, now = now, cpu(process)
    return now


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--documents", type=int, default=100_000)
    parser.add_argument("--home", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        home = options.home or Path(scratch) / "run"
        if not (home / "run.json").exists():
            print(
                f"{options.documents:,} documents: tables made in {timed(lambda: make(home, options.documents)):.0f} s"
            )
        command = [sys.executable, "-m", "weft.pipeline.cli", "view", str(home), "--port", "0"]
        begun = time.perf_counter()
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as running:
            assert running.stderr
            try:
                at = re.search(r"http://\S+(?=/ )", running.stderr.readline())
                assert at, "weft view did not start"
                print(f"listening after {time.perf_counter() - begun:.2f} s")
                named = {"doc_id": stable_id("view", "7")}
                named["cluster_id"] = min(stable_id("view", str(n)) for n in (8, 9))
                # What the command builds ahead is built first, or it would be counted as whatever is asked for.
                ahead = settled(running.pid)
                print(f"built ahead: {ahead:.2f} s CPU, imports among them")
                print(f"{'page':36} {'first':>7} {'CPU':>7} {'again':>7} {'CPU':>7}")
                for name, path in PAGES.items():
                    address = at[0] + path.format(**named)
                    told = []
                    for _ in range(2):
                        before = cpu(running.pid)
                        told += [f"{timed(partial(get, address)):6.2f}s", f"{cpu(running.pid) - before:6.2f}s"]
                    print(f"{name:36} {' '.join(told)}", flush=True)
            finally:
                running.terminate()


if __name__ == "__main__":
    main()
