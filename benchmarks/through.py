"""All stages, from archives or lists of captions to shards: what a page or a list costs, and what `weft plan` foretold.

Pages are those of scale.py; a list holds LIST_ROWS rows of (address, caption), Parquet and CSV by turns. Their pictures
come from a loopback server whose every address has a picture of its own: the rows of blocks of one of a pool of JPEG
photographs (fetch.py's) in an order drawn from the address. Each stage is a command of its own, start-up and imports
counted, recipe kosmos1; CPU is of all its processes, memory (PSS) of the driver and of the largest other. With two
sizes, the run on the last is foretold from those on the sizes before it.

Run: python benchmarks/through.py [--pages 500 2000 | --lists 1000 10000] [--home DIR]
"""

from __future__ import annotations

import argparse
import csv
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import scale
from dedup_peers import watch
from fetch import POOL, answer, photograph

LIST_ROWS = 3
STAGES = ("extract", "dedup", "fetch", "score", "pack")
COMMAND = (sys.executable, "-m", "weft.pipeline.cli")


class Pictures(BaseHTTPRequestHandler):
    """A picture for each address that ends in .jpg; nothing for any other, so no rules of any site."""

    protocol_version = "HTTP/1.1"
    pool: Sequence[list[bytes]] = ()

    def do_GET(self) -> None:
        body = shuffled(self.pool, self.path) if self.path.endswith(".jpg") else b""
        self.send_response(200 if body else 404)
        self.send_header("Content-Type", "image/jpeg")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""


def cut(jpeg: bytes) -> list[bytes]:
    """[headers, row of blocks, row, …] of a JPEG that has a restart marker after each row of blocks."""
    start = jpeg.index(b"\xff\xda")
    start += 2 + int.from_bytes(jpeg[start + 2 : start + 4], "big")
    rows, at = [jpeg[:start]], start
    for place in range(start, len(jpeg) - 1):
        if jpeg[place] == 0xFF and jpeg[place + 1] not in (0, 0xFF):  # a marker; inside of data 0xFF is followed by 0
            rows.append(jpeg[at:place])
            at = place + 2
    return rows


def shuffled(pool: Sequence[list[bytes]], address: str) -> bytes:
    """A picture that no other address has: each row of blocks is coded by itself, so their order is free."""
    chance = random.Random(address)
    head, *rows = chance.choice(pool)
    chance.shuffle(rows)
    return head + b"".join(row + bytes((0xFF, 0xD0 + at % 8)) for at, row in enumerate(rows))[:-2] + b"\xff\xd9"


def serve(port_file: str, side: int) -> None:
    Pictures.pool = [cut(photograph(number, side, {"restart_marker_rows": 1})) for number in range(POOL)]
    answer(Pictures, port_file)


def lists(home: Path, count: int) -> None:
    """So many lists of captions."""
    home.mkdir(parents=True)
    for number in range(count):
        rows = range(number * LIST_ROWS, (number + 1) * LIST_ROWS)
        urls = [f"http://site{row % 997}.test/{row}.jpg" for row in rows]
        said = [f"A photograph of the old harbour and of {row} boats in the morning light" for row in rows]
        if number % 2:
            with (home / f"{number:06}.csv").open("w", newline="") as file:
                csv.writer(file).writerows([("url", "caption"), *zip(urls, said, strict=True)])
        else:
            pq.write_table(pa.table({"URL": urls, "TEXT": said}), home / f"{number:06}.parquet")


def held(folder: Path) -> int:
    """Bytes of files."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def through(home: Path, count: int, unit: str, port: int) -> float:
    """Run every stage; bytes of the input."""
    given, out = home / "given", home / "out"
    if not given.exists():
        scale.crawl(given, count) if unit == "page" else lists(given, count)
    shown = [str(given)] if unit == "page" else [f"{given}/*.parquet", f"{given}/*.csv"]
    before, size = 0, held(given)
    for stage in STAGES:
        asked = [*COMMAND, stage, "--quiet", "--output", str(out), "--recipe", "kosmos1"]
        asked += ["--input", *shown, "--set", f'fetch.connect_to=["test=127.0.0.1:{port}"]']
        asked += ["--", "--direct_num_workers=2"]
        spent = watch(asked, home / f"{stage}.log")
        before, added = held(out), held(out) - before
        print(
            f"{count:9,} {stage:8}{spent.wall:9.1f}{spent.cpu:9.1f}{spent.cpu / count * 1e3:13.2f}"
            f"{count / spent.cpu:16.0f}{spent.driver:10.2f}{spent.worker:10.2f}{added / 1e6:10.1f}"
            f"{os.getloadavg()[0]:6.1f}",
            flush=True,
        )
    return size


def foretold(homes: Sequence[Path], size: float) -> None:
    """What `weft plan` says of an input of that size, from the last of the runs, start-up told apart by that before."""
    asked = [*COMMAND, "plan", "--recipe", "kosmos1", "--output", str(homes[-1] / "out"), "--bytes", str(size)]
    log = homes[-1] / "plan.log"
    watch([*asked, *(["--smaller", str(homes[-2] / "out")] if homes[1:] else [])], log)
    print(log.read_text(), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=int, nargs="+", default=[500, 2_000])
    parser.add_argument("--lists", type=int, nargs="+")
    parser.add_argument("--side", type=int, default=500, help="pixels of a picture's longest side, in the median")
    parser.add_argument("--home", type=Path, help="where runs are kept; a run that is there is gone on with")
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        return serve(options.serve, options.side)
    counts, unit = (options.lists, "list") if options.lists else (options.pages, "page")
    with tempfile.TemporaryDirectory() as name:
        home = options.home or Path(name)
        port_file = Path(name, "port")
        server = [sys.executable, __file__, "--serve", str(port_file), "--side", str(options.side)]
        subprocess.Popen(server, stderr=subprocess.DEVNULL)  # it ends with this process
        while not port_file.exists() or not port_file.read_text():
            time.sleep(0.1)
        heads = ("wall s", 9), ("CPU s", 9), (f"CPU ms/{unit}", 13), (f"{unit}s/s/core", 16)
        heads += ("driver GB", 10), ("worker GB", 10), ("disk MB", 10), ("load", 6)
        print(f"{unit + 's':>9} {'stage':8}" + "".join(f"{name:>{width}}" for name, width in heads))
        homes: list[Path] = []
        for count in counts:
            size = through(home / str(count), count, unit, int(port_file.read_text()))
            if homes:
                foretold(homes, size)
            homes.append(home / str(count))


if __name__ == "__main__":
    main()
