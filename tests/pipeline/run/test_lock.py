"""One weft at a time on an output, local or on a store; what a dead one left is no obstacle."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import fake_s3
import pytest

from weft.pipeline.run import lock
from weft.schemas.parameters import ConfigError
from weft.transforms.io import files, object_files

OUTPUT = f"{fake_s3.BUCKET}/run"
PATH = f"{OUTPUT}/{lock.NAME}"


@pytest.fixture(scope="module")
def store() -> Iterator[None]:
    with fake_s3.serve() as flags:
        object_files.configure(flags)
        yield
    object_files.configure(())


@pytest.fixture(params=["local", "remote"])
def output(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "remote":
        request.getfixturevalue("store")
    return str(tmp_path / "run") if request.param == "local" else OUTPUT


def test_a_second_run_is_refused_and_a_later_one_is_not(output: str) -> None:
    for _ in range(2):
        with lock.held(output), pytest.raises(ConfigError, match="another weft is writing to"), lock.held(output):
            pass
    assert files.is_local(output) or not files.exists(PATH)


def test_a_lock_is_let_go_of_when_the_run_fails(output: str) -> None:
    with pytest.raises(RuntimeError), lock.held(output):
        raise RuntimeError
    with lock.held(output):
        pass


def test_a_directory_that_was_refused_is_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "theirs").touch()
    with pytest.raises(RuntimeError), lock.held(str(tmp_path)):
        raise RuntimeError
    assert [path.name for path in tmp_path.iterdir()] == ["theirs"]
    with lock.held(str(tmp_path)):
        (tmp_path / "mine").touch()
    with pytest.raises(RuntimeError), lock.held(str(tmp_path)):
        raise RuntimeError
    assert {path.name for path in tmp_path.iterdir()} == {"theirs", "mine", lock.NAME}


def test_a_lock_alone_occupies_nothing_and_a_file_in_a_directory_does(output: str) -> None:
    assert not lock.occupied(output)
    with lock.held(output):
        assert not lock.occupied(output)
        files.write_atomic(f"{output}/a/b/c", "")
        assert lock.occupied(output)
    files.remove_tree(f"{output}/a")


@pytest.mark.usefixtures("store")
def test_the_lock_of_the_dead_is_taken_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "SETTLE_S", 0.01)
    gone = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    here = {"host": socket.gethostname(), "renewed": time.time()}
    for dead in (
        {**here, "pid": int(gone.stdout)},  # its process is gone from this machine
        {"host": "elsewhere", "pid": 1, "renewed": time.time() - lock.STALE_S - 1},  # not renewed for too long
    ):
        files.write_atomic(PATH, json.dumps(dead))
        with lock.held(OUTPUT):
            assert json.loads(files.read_bytes(PATH))["pid"] == os.getpid()
    for alive in ({**here, "pid": os.getpid()}, {**here, "host": "elsewhere", "pid": 1}):
        files.write_atomic(PATH, json.dumps(alive))
        with pytest.raises(ConfigError, match="its lock ends 10 minutes after"), lock.held(OUTPUT):
            pass
    object_files.remove(PATH)


@pytest.mark.usefixtures("store")
def test_a_lock_is_renewed_while_it_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "RENEW_S", 0.05)
    with lock.held(OUTPUT):
        first = json.loads(files.read_bytes(PATH))["renewed"]
        deadline = time.monotonic() + 20
        while json.loads(files.read_bytes(PATH))["renewed"] == first and time.monotonic() < deadline:
            time.sleep(0.05)
        assert json.loads(files.read_bytes(PATH))["renewed"] > first


OTHER = {"host": "elsewhere", "pid": 1, "token": "another", "renewed": time.time() + 1e6}
DEAD = {**OTHER, "token": "dead", "renewed": 0.0}


@pytest.mark.usefixtures("store")
def test_of_two_that_take_a_lock_over_at_once_one_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    files.write_atomic(PATH, json.dumps(DEAD))

    def meanwhile(
        seconds: float,
    ) -> None:  # the other has seen the dead one's too, deletes what is there and makes its own
        files.write_atomic(PATH, json.dumps(OTHER))

    with monkeypatch.context() as patched:
        patched.setattr(lock.time, "sleep", meanwhile)
        with (
            pytest.raises(ConfigError, match=r"another weft is writing to .* \(process 1 on elsewhere"),
            lock.held(OUTPUT),
        ):
            pass
    assert json.loads(files.read_bytes(PATH)) == OTHER
    object_files.remove(PATH)


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize("when", ["before a renewal", "within a renewal", "at the end"])
def test_a_lock_that_is_another_s_by_now_is_left_to_it_and_ends_the_run(
    monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    """Its holder was suspended for longer than it counts; or between its look at the lock and its writing."""
    ends, real = when != "at the end", lock._read

    def theirs_by_now(path: str) -> dict[str, object] | None:
        found = real(path)
        monkeypatch.setattr(lock, "_read", real)
        files.write_atomic(PATH, json.dumps(OTHER))
        return found

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
    monkeypatch.setattr(lock, "RENEW_S", 0.05 if ends else 60)
    told = pytest.raises(ConfigError, match=r"has taken .*/run over") if ends else contextlib.nullcontext()
    try:
        with told, lock.held(OUTPUT):
            if when == "within a renewal":
                monkeypatch.setattr(lock, "_read", theirs_by_now)
            else:
                files.write_atomic(PATH, json.dumps(OTHER))
            for _ in range(10_000 * ends):
                time.sleep(0.02)
    finally:
        signal.signal(signal.SIGINT, before)
    assert json.loads(files.read_bytes(PATH)) == OTHER
    object_files.remove(PATH)
