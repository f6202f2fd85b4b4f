"""What a worker sees of itself: which threads are looked at, and when they stand still."""

import os
import threading
import time
from types import SimpleNamespace

import pytest

from weft.pipeline.runners import stillness
from weft.transforms.io import files


def test_a_thread_that_works_is_no_standing_still_and_one_that_waits_is(monkeypatch):
    begin, ready = threading.Event(), threading.Event()
    monkeypatch.setattr(stillness, "at_work", lambda: {thread.native_id: "here"})

    def work() -> None:
        begin.wait()
        until = time.thread_time() + 0.05
        while time.thread_time() < until:
            pass
        ready.set()
        threading.Event().wait()

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    look = stillness.Look()
    for _ in range(2):  # seen for the first time; it has worked since
        now = time.monotonic()
        assert look.again().still <= time.monotonic() - now
        begin.set()
        ready.wait()
    before = after = look.again()
    while after.still <= before.still:  # what it did after the look before was little
        before, after = after, look.again()
    assert after.where == "stands in here"


def test_only_threads_in_bundles_and_in_wefts_code_are_looked_at(tmp_path):
    waiting, let_go = threading.Barrier(3), threading.Event()

    def wait(*_: object) -> None:
        waiting.wait()
        let_go.wait()

    outside = threading.Thread(target=wait, daemon=True)
    inside = threading.Thread(target=files.write_atomic, args=(str(tmp_path / "x"), wait), daemon=True)
    outside.start()
    inside.start()
    waiting.wait()
    found = stillness.at_work()
    let_go.set()
    inside.join()
    assert outside.native_id not in found
    assert found[inside.native_id].startswith("weft.transforms.io.files:")


def test_what_was_not_written_is_not_known(tmp_path):
    assert stillness.read(str(tmp_path), "worker_1") is None
    (tmp_path / "worker_1").write_text("{")
    assert stillness.read(str(tmp_path), "worker_1") is None


def test_a_worker_that_could_not_write_for_a_while_goes_on_saying_that_it_is_there(tmp_path, monkeypatch):
    """As on a disk that was full; silent for good, it would be given up in the middle of its work."""
    looks = []

    def sleep(_: float) -> None:
        looks.append(stillness.read(str(tmp_path / "home"), "worker_1"))
        (tmp_path / "home").mkdir(exist_ok=True)
        if len(looks) == 3:
            raise InterruptedError

    monkeypatch.setattr(stillness, "time", SimpleNamespace(time=time.time, monotonic=time.monotonic, sleep=sleep))
    with pytest.raises(InterruptedError):
        stillness._watch(str(tmp_path / "home/worker_1"))
    assert looks[0] is None and all(state and state.pid == os.getpid() for state in looks[1:])


def test_a_run_that_was_suspended_stood_not_still(monkeypatch):
    """By Ctrl-Z, or because the machine slept: workers and driver were stopped alike."""
    clock = [1e9]
    monkeypatch.setattr(stillness, "time", SimpleNamespace(time=lambda: clock[0], monotonic=lambda: clock[0]))
    monkeypatch.setattr(stillness, "at_work", lambda: {1: "here"})
    monkeypatch.setattr(stillness, "_spent", lambda thread: 7)
    look, presence = stillness.Look(), stillness.Presence()
    look.again()
    for passed, still, here in ((1, 1, True), (9, 10, True), (7_200, 0, False), (1, 1, False), (15, 16, True)):
        clock[0] += passed
        assert (look.again().still, presence.here()) == (still, here)
