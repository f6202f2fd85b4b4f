"""A whole run on an object store, by two workers and in another order: the bytes of a local one by one worker."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import fake_s3
import pytest

from weft.model_smoketest.dataset import ShardDataset
from weft.pipeline.run import lock
from weft.transforms.io import files, object_files

OUTPUT = f"{fake_s3.BUCKET}/out"
TOLD = (
    "images/index",
    "units/",
    "manifest.json",
    "run.json",
    "started.json",
    "files.jsonl",
)  # when, or in what order of input


@pytest.fixture(scope="module")
def store() -> Iterator[tuple[str, ...]]:
    with fake_s3.serve() as flags:
        object_files.configure(flags)
        yield flags
    object_files.configure(())


def weft(*arguments: str, flags: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "weft", *arguments, "--quiet", "--", *flags]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


@pytest.fixture(scope="module")
def remote(store: tuple[str, ...], run_on_web: Callable[..., str]) -> str:
    """A run like `finished`, but on the store, by two worker processes, with its input in another order."""
    return run_on_web(
        OUTPUT, flags=(*store, "--direct_num_workers=2", "--direct_running_mode=multi_processing"), reverse=True
    )


def test_neither_place_nor_workers_nor_order_change_a_byte(remote: str, finished: Path) -> None:
    there = {path.removeprefix(f"{remote}/"): path for path, _ in files.listing(f"{remote}/**")}
    here = {str(path.relative_to(finished)): path for path in finished.rglob("*") if path.is_file()}
    assert there.keys() == here.keys()
    assert len([name for name in there if name.endswith(".tar")]) == 9  # three corpora, two train shards and a val
    same = [name for name in there if not any(word in name for word in TOLD)]
    assert len(same) > 50
    assert [name for name in same if files.read_bytes(there[name]) != here[name].read_bytes()] == []


def test_two_runs_at_once_are_one_too_many(remote: str, store: tuple[str, ...]) -> None:
    with lock.held(remote):
        done = weft("pack", "--output", remote, flags=store)
    assert done.returncode == 2 and "another weft is writing to s3://weft/out" in done.stderr


def test_a_finished_stage_is_skipped_there_too(remote: str, store: tuple[str, ...]) -> None:
    command = [sys.executable, "-m", "weft", "extract", "--output", remote]
    done = subprocess.run([*command, "--", *store], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0 and "done before, skipped" in done.stderr


def test_a_trainer_reads_the_shards_there(
    remote: str, finished: Path, store: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in fake_s3.environment(store).items():
        monkeypatch.setenv(name, value)
    for corpus in ("interleaved", "pairs", "text"):
        there, here = (ShardDataset(f"{base}/shards", corpus) for base in (remote, finished))
        assert len(there) == len(here) > 0
        one, other = next(iter(there)), next(iter(here))
        assert one["key"] == other["key"] and one["images"] == other["images"]
        assert one["input_ids"].tolist() == other["input_ids"].tolist()
