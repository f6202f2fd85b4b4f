"""What a benchmark says where it cannot measure."""

import runpy
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


def test_fetch_measures_no_few_images():
    asked = subprocess.run(
        [sys.executable, BENCHMARKS / "fetch.py", "--images", "999"], capture_output=True, text=True, check=False
    )
    assert asked.returncode == 2 and "--images is 1,000 or more" in asked.stderr


def test_fetch_tells_no_rate_where_more_images_took_no_more(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    fetch = runpy.run_path(str(BENCHMARKS / "fetch.py"))
    less, full = fetch["Spent"](2.0, 3.0, 0.1), fetch["Spent"](11.0, 9.0, 0.1)
    assert fetch["rates_of"](less, full, 900) == (100.0, 150.0)
    for noisy in (full._replace(cpu=3.0), full._replace(wall=1.0)):
        with pytest.raises(SystemExit, match="starting differs by more than the images take"):
            fetch["rates_of"](less, noisy, 900)
