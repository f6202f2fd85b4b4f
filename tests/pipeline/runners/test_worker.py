"""A worker process: Beam's harness, and nothing of its own on the terminal."""

import os
import subprocess
import sys


def test_a_worker_that_nobody_controls_ends_without_a_word():
    command = [sys.executable, "-P", "-m", "weft.pipeline.runners.worker"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("WEFT_", "CONTROL_"))}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode != 0 and done.stderr == ""
