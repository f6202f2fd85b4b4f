"""What the foreign loaders' tests share: readers.py in a loader's own environment."""

import json
import os
import subprocess
from pathlib import Path

import pytest

ENVIRONMENTS = Path(os.environ.get("WEFT_LOADERS", ".venv-loaders"))  # tests/conftest.py leaves this out without it


@pytest.fixture
def read():
    """(loader, what it reads, its environment where that has another name, variables) → the rows that it gives."""

    def run(loader, place, environment="", **variables):
        python = ENVIRONMENTS / (environment or loader) / "bin/python"
        asked = [python, Path(__file__).with_name("readers.py"), loader, place]
        done = subprocess.run(asked, capture_output=True, text=True, env=os.environ | variables)
        assert done.returncode == 0, done.stderr[-2000:]
        return [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"key"')]

    return run
