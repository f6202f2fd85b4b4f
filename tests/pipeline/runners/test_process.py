"""What a process sets as it starts: one thread, silence, and what the user said before all that."""

import logging
import os
import threading
from collections.abc import Iterator

import pytest

from weft.pipeline.runners import process


@pytest.fixture(autouse=True)
def untouched(monkeypatch: pytest.MonkeyPatch) -> Iterator[logging.Logger]:
    """The root logger as a fresh process has it; all is put back at the end."""
    root = logging.getLogger()
    level = root.level
    monkeypatch.setattr(root, "handlers", root.handlers[:])
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    for name in ("OPENBLAS_NUM_THREADS", "OMP_WAIT_POLICY", process.LOG):
        monkeypatch.setenv(name, "x")  # so that it is put back even where the test sets it
        monkeypatch.delenv(name)
    yield root
    root.setLevel(level)


def test_the_command_has_one_thread_and_libraries_say_nothing(untouched: logging.Logger):
    before = threading.excepthook
    process.prepare()
    assert (os.environ["OPENBLAS_NUM_THREADS"], os.environ["OMP_WAIT_POLICY"]) == ("1", "PASSIVE")
    assert untouched.level == logging.CRITICAL and threading.excepthook is not before


def test_what_the_user_says_stays(untouched: logging.Logger, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "4")
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    monkeypatch.setenv(process.LOG, "info")
    monkeypatch.setattr(untouched, "handlers", [])  # pytest's own, of this test
    before = threading.excepthook
    process.prepare()
    assert (os.environ["OPENBLAS_NUM_THREADS"], os.environ["OMP_WAIT_POLICY"]) == ("4", "ACTIVE")
    assert untouched.level == logging.INFO and threading.excepthook is before


def test_a_worker_has_one_thread_and_a_log_that_goes_nowhere(untouched: logging.Logger):
    process.prepare_worker()
    assert os.environ["OPENBLAS_NUM_THREADS"] == "1" and isinstance(untouched.handlers[-1], logging.NullHandler)
