"""What a worker sees of itself: which threads are looked at, and when they stand still."""

import threading
import time

from weft.pipeline.runners import stillness
from weft.transforms.io import files


def test_a_thread_that_works_is_no_standing_still_and_one_that_waits_is(monkeypatch):
    ready = threading.Event()
    monkeypatch.setattr(stillness, "at_work", lambda: {thread.native_id: "here"})

    def work() -> None:
        until = time.thread_time() + 0.05
        while time.thread_time() < until:
            pass
        ready.set()
        threading.Event().wait()

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    look = stillness.Look()
    ready.wait()
    assert look.again().still < 1  # seen for the first time
    time.sleep(0.05)
    before = look.again()
    time.sleep(0.05)
    after = look.again()
    assert before.still < after.still and after.where == "stands in here"


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
