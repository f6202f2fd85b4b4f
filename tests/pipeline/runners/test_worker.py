"""Worker processes: one, or forks of a parent, which end with their driver, however that ends."""

import ctypes
import json
import os
import resource
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from multiprocessing import Pipe
from pathlib import Path

import apache_beam as beam
import pytest

from weft.pipeline.runners import beam_options, stillness, worker
from weft.pipeline.runners.local import pool

PATIENCE_S = 600.0  # on a busy machine
TWO = ("--direct_num_workers=2", "--direct_running_mode=multi_processing")
DRIVER = """
import ctypes, os, sys, time
import apache_beam as beam
from weft.pipeline.runners import beam_options

def stand(folder):
    open(os.path.join(folder, str(os.getpid())), "w").close()
    ctypes.PyDLL(None).sleep(600)  # holds the interpreter

with beam_options.pipeline(("--direct_num_workers=2", "--direct_running_mode=multi_processing"), 4) as p:
    _ = p | beam.Create([sys.argv[1]] * 64) | beam.Reshuffle() | beam.Map(stand)
"""


def here(folder: Path) -> list[int]:
    """Numbers of processes that have left a file named so."""
    return sorted(int(path.name) for path in folder.iterdir())


def wait_for(happens) -> None:
    ends = time.monotonic() + PATIENCE_S
    while not happens():
        assert time.monotonic() < ends
        time.sleep(0.05)


def is_there(pid: int) -> bool:
    """Whether a process is there and has not ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def told_by_two(folder: Path) -> dict[int, int]:
    """Number of each worker → of its parent."""

    def tell(folder: str) -> None:  # pickled by value, as all here that a worker is to do
        Path(folder, str(os.getpid())).write_text(f"{os.getppid()} {len(os.listdir('/proc/self/fd'))}")
        time.sleep(0.05)  # for the other to have its share

    with beam_options.pipeline(TWO, 4) as p:
        _ = p | beam.Create([str(folder)] * 40) | beam.Reshuffle() | beam.Map(tell)
    return {pid: int((folder / str(pid)).read_text().split()[0]) for pid in here(folder)}


@pytest.fixture(autouse=True)
def fresh():
    """No worker of another test."""
    pool.close()
    yield
    pool.close()


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("there", [True, False], ids=["closes the pipes", "is gone"])
def test_workers_end_with_their_driver(there: bool, count: int, tmp_path: Path) -> None:
    told = {"PIPELINE_OPTIONS": "{}", stillness.WATCH: str(tmp_path)}
    with ExitStack() as stack:
        ends = [[stack.enter_context(end) for end in Pipe()] for _ in range(count)]
        pipes = {f"worker_{n}": theirs.fileno() for n, (_, theirs) in enumerate(ends)}
        command = worker.command(pipes)
        if not there:
            command[-1] = json.dumps([os.getppid(), *json.loads(command[-1])[1:]])
        started = subprocess.Popen(command, env={**os.environ, **told}, pass_fds=[*pipes.values()])
        for _, theirs in ends:
            theirs.close()
        if there:
            wait_for(lambda: len([*tmp_path.glob("worker_?")]) == count)
            for ours, _ in ends:
                ours.close()
        assert started.wait() == (0 if there else 1)
        for ours, _ in ends if not there else ():
            with pytest.raises((EOFError, OSError)):  # nobody holds the other end any more
                ours.recv()


def test_two_workers_are_forks_of_one_process_and_hold_nothing_of_each_other(tmp_path: Path) -> None:
    workers = told_by_two(tmp_path)
    (parent,) = {*workers.values()}
    assert len(workers) == 2 and parent not in (os.getpid(), *workers)
    assert len({(tmp_path / str(pid)).read_text() for pid in workers}) == 1  # as many open files
    command = Path(f"/proc/{parent}/cmdline").read_bytes()
    assert {Path(f"/proc/{pid}/cmdline").read_bytes() for pid in workers} == {command}
    pool.close()
    assert not any(map(is_there, [parent, *workers]))


def test_where_there_is_a_thread_nothing_is_forked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JE_ARROW_MALLOC_CONF", "background_thread:true")
    workers = told_by_two(tmp_path)
    (parent,) = {*workers.values()}
    commands = {Path(f"/proc/{pid}/cmdline").read_bytes() for pid in (parent, *workers)}
    assert len(workers) == 2 and len(commands) == 3
    pool.close()
    assert not any(map(is_there, [parent, *workers]))


def test_elsewhere_each_worker_is_the_drivers_own_child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    workers = told_by_two(tmp_path)
    assert len(workers) == 2 and {*workers.values()} == {os.getpid()}


@pytest.mark.parametrize("threads", [False, True], ids=["forks", "processes"])
def test_workers_end_with_a_killed_driver_whatever_they_do(
    threads: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if threads:
        monkeypatch.setenv("JE_ARROW_MALLOC_CONF", "background_thread:true")
    with subprocess.Popen([sys.executable, "-P", "-c", DRIVER, str(tmp_path)]) as driver:
        wait_for(lambda: len(here(tmp_path)) == 2 or driver.poll() is not None)
        driver.kill()
    assert len(here(tmp_path)) == 2
    wait_for(lambda: not any(map(is_there, here(tmp_path))))


def test_workers_end_with_their_parent(tmp_path: Path) -> None:
    def stand(folder: str) -> None:
        Path(folder, str(os.getpid())).touch()
        while len(os.listdir(folder)) < 2:
            time.sleep(0.05)
        os.kill(os.getppid(), signal.SIGKILL)
        ctypes.PyDLL(None).sleep(600)

    with pytest.raises(pool.Lost), beam_options.pipeline(TWO, 4) as p:
        _ = p | beam.Create([str(tmp_path)] * 64) | beam.Reshuffle() | beam.Map(stand)
    assert len(here(tmp_path)) == 2 and not any(map(is_there, here(tmp_path)))


def test_a_killed_worker_ends_the_others_too(tmp_path: Path) -> None:
    def stand(folder: str) -> None:
        Path(folder, str(os.getpid())).touch()
        while len(os.listdir(folder)) < 2:
            time.sleep(0.05)
        if str(os.getpid()) == min(os.listdir(folder)):
            os.kill(os.getpid(), signal.SIGKILL)
        os.kill(os.getpid(), signal.SIGSTOP)

    with pytest.raises(pool.Lost), beam_options.pipeline(TWO, 4) as p:
        _ = p | beam.Create([str(tmp_path)] * 64) | beam.Reshuffle() | beam.Map(stand)
    assert len(here(tmp_path)) == 2 and not any(map(is_there, here(tmp_path)))


def test_a_pool_of_which_one_has_ended_is_not_lent_again(tmp_path: Path) -> None:
    first = told_by_two(tmp_path)
    assert told_by_two(tmp_path) == first
    os.kill(min(first), signal.SIGKILL)
    wait_for(lambda: not is_there(min(first)))
    assert {*told_by_two(tmp_path)} - {*first}
    assert not any(map(is_there, first))


def test_what_workers_have_used_counts_once_they_are_closed() -> None:
    def burn(_: int) -> None:
        ends = time.thread_time() + 0.05
        while time.thread_time() < ends:
            pass

    def used() -> float:
        found = resource.getrusage(resource.RUSAGE_CHILDREN)
        return found.ru_utime + found.ru_stime

    with beam_options.pipeline(TWO, 4) as p:
        _ = p | beam.Create(range(40)) | beam.Reshuffle() | beam.Map(burn)
    before = used()
    pool.close()
    assert used() - before > 40 * 0.05
