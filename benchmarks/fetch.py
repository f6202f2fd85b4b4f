"""Images from a slow web: weft's fetch stage beside img2dataset, from one loopback server.

The server answers each GET after LATENCY_S with one of POOL generated JPEG photographs, their longest sides as on the
web (log-normal, median MEDIAN pixels). Both tools get the same number of processes and of connections, resize to 512 on
the longest side without enlarging, and write JPEG of quality 90. Politeness is off for weft (as many connections to one
host as there are, no robots.txt): img2dataset has none. weft also computes a perceptual hash, checks for damage and
turns upright by EXIF.

The server has the first core for itself, the tool all others; CPU is that of the tool alone. A run on a tenth of the
images tells what starting takes, seconds of all processes; it is counted out of the rates. The ratio is of images a
CPU second. Starts differ by up to a second, so LEAST images are asked for.

Run: python benchmarks/fetch.py [--images N]
"""

from __future__ import annotations

import argparse
import dataclasses
import io
import json
import math
import os
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from statistics import NormalDist
from types import MappingProxyType
from typing import Any

import pyarrow.parquet as pq
from dedup_peers import Spent, watch

POOL, LATENCY_S, QUALITY, SIDE = 64, 0.05, 90, 512
MEDIAN, SPREAD = 500, 0.7  # of longest sides
CORES = sorted(os.sched_getaffinity(0))
TOOLS = ("weft", "img2dataset")
PROCESSES, CONNECTIONS = 2, 32  # of each process
LEAST = 1_000  # 900 more than the smaller run: some 5 s of CPU


def photograph(number: int, median: int = MEDIAN, form: Mapping[str, Any] = MappingProxyType({})) -> bytes:
    """Smooth noise and grain: 1.5 bits a pixel, as JPEGs of this size on real pages have (1.56 of 100 of them)."""
    import numpy as np
    from PIL import Image

    ranked = NormalDist().inv_cdf((number + 0.5) / POOL)
    width = int(median * math.exp(SPREAD * ranked))
    coarse = np.random.default_rng(number).integers(0, 255, (width * 3 // 4 // 20 + 2, width // 20 + 2, 3), np.uint8)
    grain = np.random.default_rng(number).normal(0, 2.5, (width * 3 // 4, width, 3))
    smooth = Image.fromarray(coarse).resize((width, width * 3 // 4), Image.Resampling.BICUBIC)
    out = io.BytesIO()
    Image.fromarray((np.asarray(smooth) + grain).clip(0, 255).astype(np.uint8)).save(out, "JPEG", quality=88, **form)
    return out.getvalue()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    bodies: list[bytes] = []  # noqa: RUF012 - set once, before anyone asks

    def do_GET(self) -> None:
        time.sleep(LATENCY_S)
        body = self.bodies[int(self.path.strip("/").removesuffix(".jpg")) % len(self.bodies)]
        self.send_response(200)
        self.send_header("Content-Type", "image/jpeg")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 1024


def serve(pool: str, port_file: str) -> None:
    Handler.bodies = [path.read_bytes() for path in sorted(Path(pool).glob("*.jpg"))]
    answer(Handler, port_file)


def answer(handler: type[BaseHTTPRequestHandler], port_file: str) -> None:
    """Serve on a free port of loopback, which is written into a file, until the parent process has ended."""
    parent = os.getppid()

    def leave_with_parent() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(0)

    threading.Thread(target=leave_with_parent, daemon=True).start()
    with Server(("127.0.0.1", 0), handler) as server:
        Path(port_file).write_text(str(server.server_address[1]))
        server.serve_forever()


def weft(home: str, count: int, port: int) -> None:
    from weft.pipeline.run.context import Context
    from weft.pipeline.stages import fetch
    from weft.schemas.config import Config, Fetch
    from weft.schemas.records import KeptRow, Pair
    from weft.schemas.tables import CAPTURES, DOCUMENTS, KEPT, PAIRS
    from weft.transforms.io.parquet import write_table

    pairs = [
        Pair(f"p{n}", "d", "http://bench.test/", f"http://bench.test/{n}.jpg", "words", "alt", "en", 0.9)
        for n in range(count)
    ]
    write_table(f"{home}/pairs/p.parquet", pairs, PAIRS)
    write_table(f"{home}/documents/p.parquet", [], DOCUMENTS)
    write_table(f"{home}/captures/p.parquet", [], CAPTURES)
    write_table(f"{home}/kept/p.parquet", [KeptRow("pair", f"d:{p.pair_id}", "d", "", 0) for p in pairs], KEPT)
    config = Fetch(
        connect_to=(f"bench.test=127.0.0.1:{port}",), concurrency=CONNECTIONS, per_host=CONNECTIONS, robots=False,
        tdm_file=False, max_side=SIDE, quality=QUALITY, buckets=PROCESSES, timeout_s=30.0,
    )  # fmt: skip
    flags = (f"--direct_num_workers={PROCESSES}", "--direct_running_mode=multi_processing")
    fetch.run(Context(home, (), dataclasses.replace(Config(), fetch=config), "x", flags))


def img2dataset(home: str, count: int, port: int) -> None:
    os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # it would ask the package index
    from img2dataset import download

    Path(f"{home}/urls.txt").write_text("".join(f"http://127.0.0.1:{port}/{n}.jpg\n" for n in range(count)))
    download(
        f"{home}/urls.txt", image_size=SIDE, output_folder=f"{home}/out", processes_count=PROCESSES,
        thread_count=CONNECTIONS, resize_mode="keep_ratio_largest", resize_only_if_bigger=True, encode_quality=QUALITY,
        output_format="webdataset", input_format="txt", number_sample_per_shard=1_000, timeout=30,
    )  # fmt: skip


def rates_of(less: Spent, full: Spent, more: int) -> tuple[float, float]:
    """Images a second, and a CPU second, of `more` images that `full` had over `less`."""
    if full.cpu <= less.cpu or full.wall <= less.wall:
        raise SystemExit(
            f"a run on {more:,} images more took {full.cpu - less.cpu:.2f} s of CPU and {full.wall - less.wall:.2f} s "
            "more: starting differs by more than the images take; ask for more --images"
        )
    return more / (full.wall - less.wall), more / (full.cpu - less.cpu)


def got(tool: str, home: Path) -> int:
    """Images that are there in the end."""
    if tool != "img2dataset":
        return sum(status == "ok" for status in pq.read_table(home / "images/index")["status"].to_pylist())
    return sum(json.loads(path.read_text())["successes"] for path in (home / "out").glob("*_stats.json"))


def main() -> None:
    """Print the table and the ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=4_000)  # with fewer, starting differs by more than they take
    parser.add_argument("internal", nargs="*", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.internal[:1] == ["serve"]:
        os.sched_setaffinity(0, CORES[:1])
        return serve(*options.internal[1:])
    if options.internal:
        name, home, port = options.internal
        os.sched_setaffinity(0, CORES[1:] or CORES)
        run = weft if name == "weft" else img2dataset
        return run(home, options.images, int(port))
    if options.images < LEAST:
        parser.error(f"--images is {LEAST:,} or more: of fewer, starting differs by more than they take")
    me, rates = [sys.executable, __file__], dict[str, float]()
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        (home / "pool").mkdir()
        for number in range(POOL):
            (home / f"pool/{number:03}.jpg").write_bytes(photograph(number))
        port_file = home / "port"
        server = threading.Thread(
            target=watch, args=([*me, "serve", str(home / "pool"), str(port_file)], home / "server.log"), daemon=True
        )
        server.start()
        while not port_file.exists() or not port_file.read_text():
            time.sleep(0.1)
        print(f"{options.images:,} images, {LATENCY_S * 1000:.0f} ms latency, {PROCESSES} x {CONNECTIONS} connections")
        print(f"{'':14}{'images/s':>10}{'CPU ms/image':>14}{'start, CPU s':>14}{'peak GB':>9}{'success':>9}")
        for tool in TOOLS:
            spent: list[Spent] = []
            for count in (options.images // 10, options.images):
                at = home / f"{tool} {count}"
                at.mkdir()
                command = [*me, "--images", str(count), tool, str(at), port_file.read_text()]
                spent.append(watch(command, home / f"{tool}.log"))
            less, full = spent
            more = count - options.images // 10
            each_second, rates[tool] = rates_of(less, full, more)
            start = full.cpu - count / rates[tool]
            told = f"{each_second:>10,.1f}{1000 / rates[tool]:>14.2f}{start:>14.1f}"
            print(f"{tool:14}{told}{full.memory:>9.2f}{got(tool, at) / count:>9.3f}", flush=True)
        print(f"ratio: {rates['weft'] / rates['img2dataset']:.2f}x")


if __name__ == "__main__":
    main()
