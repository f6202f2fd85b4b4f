"""What a benchmark says where it cannot measure."""

import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from weft.transforms.extract.page import HtmlPage

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


def test_filters_tells_what_each_takes_beside_the_truth():
    filters = runpy.run_path(str(BENCHMARKS / "filters.py"))
    said = "The barn stands on the hill above the river, and its doors are painted red in spring. " * 9
    pages = [
        (said, "kept"),
        ("Der Hof liegt am Fluss, und seine Tore sind rot gestrichen. " * 12, "language"),
        ("The barn stands on the hill above the river, and its doors are red.", "too_short"),
    ]
    records = [
        (HtmlPage("http://a.test/", f"<main><p>{text}</p></main>".encode()).record(), told) for text, told in pages
    ]
    lines = [line.strip("|").split("|") for line in filters["of_demo"](records) if line.startswith("| `")]
    found = {name.strip(" `"): [cell.strip() for cell in cells] for name, *cells in lines}
    assert found.keys() == filters["FILTERS"].keys()
    assert found["languages"] == ["1", "1.000", "1.00", "0.00", "0.00%"]
    assert found["min_words"] == ["1", "1.000", "0.00", "1.00", "0.00%"]
    assert found["all of kosmos1"] == ["2", "1.000", "1.00", "1.00", "0.00%"]
    assert found["honour_opt_out"] == ["0", "–", "0.00", "0.00", "0.00%"]


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
