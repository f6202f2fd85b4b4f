"""Same input and configuration, same bytes: over workers, orders and kills."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline.demo.run import SMALL

BEAM_STAGES = ("extract", "dedup", "fetch", "score", "pack")


def test_workers_and_input_order_do_not_change_a_byte(finished, run_on_web, sums, tmp_path):
    flags = ("--direct_num_workers=2", "--direct_running_mode=multi_processing")
    other = run_on_web(tmp_path, flags=flags, reverse=True)
    first = sums(finished / "shards")
    assert len([name for name in first if name.endswith(".tar")]) == 9  # three corpora, two train shards and a val
    assert sums(other / "shards") == first
    for table in ("documents", "pairs", "clusters", "kept", "scores"):
        assert sums(other / table) == sums(finished / table), table


@pytest.mark.timeout(900)
def test_a_run_killed_in_every_stage_ends_with_the_same_bytes(finished, small_web, served_web, sums, tmp_path):
    command = [
        sys.executable,
        "-m",
        "pipeline.cli",
        "run",
        "--input",
        str(small_web / "warcs"),
        "--output",
        str(tmp_path),
    ]
    for override in (
        *SMALL,
        f'fetch.connect_to=["weft.test=127.0.0.1:{served_web}"]',
        "train.steps=2",
        "train.eval_samples=4",
    ):
        command += ["--set", override]
    killed = []
    for stage in BEAM_STAGES:
        process = subprocess.Popen(command, start_new_session=True, stderr=subprocess.DEVNULL)
        if _wait_for(tmp_path / stage / "started.json", process):
            time.sleep(0.15)
            killed.append(stage)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        assert not (tmp_path / stage / "manifest.json").exists(), f"{stage} finished before it could be killed"
    assert killed == list(BEAM_STAGES)
    last = subprocess.run(command, capture_output=True, text=True, check=False)
    assert last.returncode == 0, last.stderr[-2000:]
    assert "was interrupted" in last.stderr
    assert sums(tmp_path / "shards") == sums(finished / "shards")
    left = [path for path in tmp_path.rglob("*") if ".tmp-" in path.name]
    assert left == []


def _wait_for(path: Path, process: subprocess.Popen, seconds: float = 240.0) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and process.poll() is None:
        if path.exists():
            return True
        time.sleep(0.02)
    return False
