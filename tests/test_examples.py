"""Every example runs as its first lines say, and shows what it is there to show."""

import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
pytestmark = pytest.mark.slow


def run(name: str, *arguments: object, cwd: Path) -> str:
    command = [sys.executable, str(EXAMPLES / name), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=cwd, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def test_all_are_tested() -> None:
    source = Path(__file__).read_text("utf-8")
    assert all(f'"{path.name}"' in source for path in EXAMPLES.glob("*.py"))


def test_one_page(tmp_path: Path) -> None:
    shown = run("one_page.py", cwd=tmp_path)
    assert "Lighthouses [en]" in shown and "<image https://example.org/bell-rock.jpg>" in shown
    assert "pair (figcaption)" in shown and "All rights reserved" not in shown


def test_dedup_in_a_pipeline_of_ones_own(tmp_path: Path) -> None:
    shown = run("dedup_in_your_pipeline.py", cwd=tmp_path)
    assert {"kept b", "kept c"} <= set(shown.splitlines()) and "kept a" not in shown
    assert "a: dropped duplicate_near b" in shown


def test_a_filter_of_ones_own(small_web: Path, tmp_path: Path) -> None:
    shown = run("filter_of_your_own.py", small_web / "warcs" / "*0*.warc.gz", tmp_path / "out.parquet", cwd=tmp_path)
    rows = [row for path in tmp_path.glob("out*.parquet") for row in pq.read_table(path).to_pylist()]
    assert rows and all(row["images"] and len(row["text"].split()) >= 40 * row["images"] for row in rows)
    assert ": more_pictures_than_text" in shown or ": no_pictures" in shown


def test_shards_in_a_pytorch_loop(finished: Path, tmp_path: Path) -> None:
    shown = run("pytorch_loop.py", finished / "shards", cwd=tmp_path)
    assert shown.count(" sequences, ") == 3 and " tokens, " in shown and "images [(" in shown


def test_a_second_snapshot(small_web: Path, tmp_path: Path) -> None:
    warcs = sorted((small_web / "warcs").glob("*.warc.gz"))
    again = tmp_path / "again.warc.gz"
    shutil.copy(warcs[0], again)  # what the first has, and something new
    shown = run("second_snapshot.py", tmp_path / "out", warcs[0], "--", again, warcs[1], cwd=tmp_path)
    documents, new = (int(word) for word in shown.split() if word.isdigit())
    assert 0 < new < documents
