"""A worker process ends with its driver, however that ends."""

import os
import subprocess
import sys
from multiprocessing import Pipe
from pathlib import Path

import pytest

from weft.pipeline.runners import stillness


@pytest.mark.parametrize("there", [True, False], ids=["closes the pipe", "is gone"])
def test_a_worker_ends_with_its_driver(there: bool, tmp_path: Path) -> None:
    told = {"PIPELINE_OPTIONS": "{}", "WORKER_ID": "one", stillness.WATCH: str(tmp_path)}
    driver = os.getpid() if there else os.getppid()
    pipe, theirs = Pipe()
    with theirs:
        command = [sys.executable, "-P", "-m", "weft.pipeline.runners.worker", str(theirs.fileno()), str(driver)]
        worker = subprocess.Popen(command, env={**os.environ, **told}, pass_fds=[theirs.fileno()])
    if there:
        pipe.close()
    assert worker.wait() == (0 if there else 1)
    pipe.close()
