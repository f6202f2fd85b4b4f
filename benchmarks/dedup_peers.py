"""The peers' half of benchmarks/dedup.py, and its stopwatches: runs where the peers are and imports nothing of weft.

    pip install "datatrove[processing]==0.10.0" spacy orjson "xxhash<4" rensa datasketch text-dedup==0.4.1

Python 3.12 or later, for text-dedup. benchmarks/dedup.py starts it and reads what it writes:

    dedup_peers.py have                    names of the peers that can be imported
    dedup_peers.py signatures DIR          DIR/texts.json → JSON lines {"name", "rates", "estimates"}
    dedup_peers.py datatrove DIR WORKERS   DIR/texts/*.parquet → DIR/datatrove/clusters/*.clusters, *.remove
    dedup_peers.py filter DIR WORKERS      datatrove's last step: every text is read again, nothing is written
    dedup_peers.py text-dedup DIR WORKERS  DIR/texts/*.parquet → DIR/text-dedup/out/clusters.pickle
    dedup_peers.py clusters DIR NAME       clusters of the above as JSON, {row number: cluster}
"""

from __future__ import annotations

import importlib.util
import json
import os
import pickle
import re
import runpy
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

PERMUTATIONS, NGRAM, SEED, REPEATS = 128, 5, 1, 5
TEXT_DEDUP = """
input.input_type = "local_files"
input.read_arguments = {{ path = "parquet", data_files = {files}, split = "train" }}
algorithm = {{ algorithm_name = "minhash", text_column = "text", num_perm = 128, ngram_size = 5, threshold = 0.8, num_proc = {workers} }}
output = {{ output_dir = "out", save_clusters = true }}
debug = {{}}
"""  # noqa: E501


def rate(work: Callable[[Sequence[str]], Any], texts: Sequence[str]) -> float:
    """Documents per second of CPU time, best of REPEATS."""
    work(texts[:2])
    best = float("inf")
    for _ in range(REPEATS):
        begun = time.process_time()
        work(texts)
        best = min(best, time.process_time() - begun)
    return len(texts) / best


def by_rensa(texts: Sequence[str]) -> list[Any]:
    """RMinHash over all shingles, a document at a time, which is as fast as its bulk calls or faster."""
    from rensa import RMinHash

    made = [RMinHash(PERMUTATIONS, SEED) for _ in texts]
    for sketch, text in zip(made, texts, strict=True):
        words = text.lower().split()
        sketch.update([" ".join(words[i : i + NGRAM]) for i in range(len(words) - NGRAM + 1)])
    return [sketch.digest() for sketch in made]


def by_datatrove() -> Callable[[Sequence[str]], list[Any]]:
    """Its signature step as it comes (14 x 8 values, spaCy's English tokenizer) without its files."""
    import tempfile

    from datatrove.pipeline.dedup import MinhashDedupSignature

    step = MinhashDedupSignature(tempfile.mkdtemp())
    return lambda texts: [
        [value for band in step.get_signature(step.get_shingles(text)) for value in band] for text in texts
    ]


def signatures(home: Path) -> None:
    given = json.loads((home / "texts.json").read_text())
    ways: dict[str, Callable[[], Any]] = {"rensa RMinHash": lambda: by_rensa, "datatrove 14x8, spaCy": by_datatrove}
    for name, make in ways.items():
        if name.split()[0] not in have():
            continue
        way = make()
        rates = [rate(way, texts) for texts in given["texts"]]
        first, second = (way(side) for side in zip(*given["pairs"], strict=True))
        equal = [sum(map(int.__eq__, a, b)) / len(a) for a, b in zip(first, second, strict=True)]
        print(json.dumps({"name": name, "rates": rates, "estimates": equal}), flush=True)


def datatrove_steps(home: Path, workers: int, last: bool) -> None:
    from datatrove.executor.local import LocalPipelineExecutor
    from datatrove.pipeline import dedup
    from datatrove.pipeline.readers import ParquetReader

    at, reader = f"{home}/datatrove", ParquetReader(f"{home}/texts")
    files = len(list((home / "texts").glob("*.parquet")))
    steps: list[Any] = [
        ([reader, dedup.MinhashDedupSignature(f"{at}/signatures")], files),
        ([dedup.MinhashDedupBuckets(f"{at}/signatures", f"{at}/buckets")], 14),
        ([dedup.MinhashDedupCluster(f"{at}/buckets", f"{at}/clusters", save_cluster_id=True)], 1),
        ([reader, dedup.MinhashDedupFilter(f"{at}/clusters")], files),
    ]
    for pipeline, tasks in steps[3:] if last else steps[:3]:
        LocalPipelineExecutor(
            pipeline, tasks=tasks, workers=min(workers, tasks), skip_completed=False, logging_dir=f"{at}/logs"
        ).run()


def text_dedup(home: Path, workers: int) -> None:
    """Its own module, run as it is meant to be: `python -m text_dedup.minhash` beside a config.toml."""
    at = home / "text-dedup"
    at.mkdir(exist_ok=True)
    files = json.dumps(sorted(map(str, (home / "texts").glob("*.parquet"))))
    (at / "config.toml").write_text(TEXT_DEDUP.format(files=files, workers=workers))
    os.environ |= {"HF_HOME": str(at / "cache"), "HF_HUB_OFFLINE": "1"}
    os.chdir(at)
    sys.argv = ["minhash"]
    runpy.run_module("text_dedup.minhash", run_name="__main__")


def clusters(home: Path, name: str) -> dict[int, int]:
    """Row number over all files, in order → cluster."""
    if name == "text-dedup":
        return dict(pickle.loads((home / "text-dedup/out/clusters.pickle").read_bytes()))
    import pyarrow.parquet as pq

    found, first = {}, 0
    for index, path in enumerate(sorted((home / "texts").glob("*.parquet"))):
        rows = home / f"datatrove/clusters/{index:06d}.clusters"
        for row, cluster in struct.iter_unpack("<2I", rows.read_bytes() if rows.exists() else b""):
            found[first + row] = cluster
        first += pq.ParquetFile(path).metadata.num_rows
    return found


class Spent(NamedTuple):
    """What a child process and all that it started have used: seconds, seconds, GB."""

    wall: float
    cpu: float
    memory: float
    driver: float = 0.0  # of the child itself
    worker: float = 0.0  # of the largest of the others


def watch(command: Sequence[str], log: Path) -> Spent:
    """Run to the end; CPU seconds are those of all processes seen, or what the kernel says of the ended ones."""
    begun, seen, peak = time.perf_counter(), dict[int, float](), (0.0, 0.0, 0.0)
    with log.open("wb") as out:
        child = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT)
    while os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        held = dict[int, float]()
        for pid, ticks in _tree(child.pid):
            seen[pid] = ticks
            try:
                rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
            except OSError:  # it has ended
                continue
            held[pid] = sum(int(size) for size in re.findall(r"^Pss: +(\d+)", rollup, re.M)) / 1e6
        memory, driver = sum(held.values()), held.pop(child.pid, 0.0)
        now = memory, driver, max(held.values(), default=0.0)
        peak = max(peak[0], now[0]), max(peak[1], now[1]), max(peak[2], now[2])
        time.sleep(min(2.0, 0.2 + (time.perf_counter() - begun) / 100))  # looking costs CPU too
    wall = time.perf_counter() - begun
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{log.read_text(errors='replace')[-3000:]}")
    return Spent(wall, max(used.ru_utime + used.ru_stime, sum(seen.values()) / os.sysconf("SC_CLK_TCK")), *peak)


def _tree(root: int) -> list[tuple[int, float]]:
    """(process, ticks of CPU) of a process and its descendants."""
    parents: dict[int, tuple[int, float]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        parents[int(path.parent.name)] = int(fields[1]), float(fields[11]) + float(fields[12])
    members = {root}
    while more := {pid for pid, (parent, _) in parents.items() if parent in members} - members:
        members |= more
    return [(pid, parents[pid][1]) for pid in members if pid in parents]


def have() -> list[str]:
    modules = {"datasketch": "datasketch", "rensa": "rensa", "datatrove": "datatrove", "text-dedup": "text_dedup"}
    return [name for name, module in modules.items() if importlib.util.find_spec(module)]


def main() -> None:
    """Do as the first argument says; without any there is nothing to do here."""
    if len(sys.argv) == 1:
        print("run benchmarks/dedup.py --peers PYTHON")
        return
    what, home, rest = sys.argv[1], Path(sys.argv[2] if len(sys.argv) > 2 else "."), sys.argv[3:]
    if what in ("datatrove", "filter"):
        datatrove_steps(home, int(rest[0]), what == "filter")
    elif what in ("text-dedup", "signatures"):
        text_dedup(home, int(rest[0])) if rest else signatures(home)
    else:
        print(json.dumps(have() if what == "have" else clusters(home, rest[0])))


if __name__ == "__main__":
    main()
