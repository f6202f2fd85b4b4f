"""What a benchmark says where it cannot measure."""

import io
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

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


def test_every_address_has_a_picture_of_its_own(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    through = runpy.run_path(str(BENCHMARKS / "through.py"))
    jpeg = runpy.run_path(str(BENCHMARKS / "fetch.py"))["photograph"](40, 300, {"restart_marker_rows": 1})
    pool = [through["cut"](jpeg)]
    first, again, other = (through["shuffled"](pool, address) for address in ("/1.jpg", "/1.jpg", "/2.jpg"))
    assert first == again != other
    whole = _rows_of_blocks(jpeg)
    for made in (first, other):
        rows = _rows_of_blocks(made)
        assert rows != whole and len(rows) == len(whole)
        assert len(set(rows) & set(whole)) >= len(whole) - 1  # the lowest may be cut


def _rows_of_blocks(jpeg):
    """Brightness of each row of blocks, which are 16 pixels high."""
    picture = Image.open(io.BytesIO(jpeg))
    picture.draft("L", picture.size)
    shown = np.asarray(picture)
    return [shown[top : top + 16].tobytes() for top in range(0, len(shown) - 15, 16)]
