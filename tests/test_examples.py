"""Every example runs as its first lines say, and shows what it is there to show."""

import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from archive_bytes import gz, http, record, stored

EXAMPLES = Path(__file__).parents[1] / "examples"
pytestmark = pytest.mark.slow


def run(name: str, *arguments: object, cwd: Path) -> str:
    command = [sys.executable, str(EXAMPLES / name), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=cwd, check=False)
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


def test_filters_of_ones_own_in_worker_processes(tmp_path: Path) -> None:
    """They are found in the directory that weft starts in; a worker that cannot ask one ends the run in one line."""
    text = "<p>The barn stands on the hill above the river, and its doors are painted red in spring.</p>" * 6
    credit = "<figure><img src=/b.jpg alt='The barn on its hill'><figcaption>Photo by Ann Other</figcaption></figure>"
    pages = {f"http://{host}.test/": f"<main><h1>Barns</h1>{credit}{text}</main>" for host in "abcd"}
    shop = "<p>A red barn, made of the finest oak. Buy now and add to cart: free shipping, free shipping!</p>"
    pages["http://shop.test/"] = f"<main><h1>Barns</h1>{text}{shop}{text}</main>"
    for number, (url, page) in enumerate(pages.items()):
        stored(tmp_path, gz(record(url=url, block=http(page.encode()), number=number)), f"{number}.warc.gz")
    shutil.copy(EXAMPLES / "own_rules.py", tmp_path)
    command = [Path(sys.executable).with_name("weft"), "extract", "--input", "*.warc.gz", "--output", "out", "--quiet"]
    command += [
        "--set",
        'extract.filters=["own_rules:judge"]',
        "--set",
        'extract.pair_filters=["own_rules:judge_pair"]',
    ]
    beam = ["--", "--direct_num_workers=2", "--direct_running_mode=multi_processing"]

    def weft(*more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*command, *more, *beam], capture_output=True, text=True, cwd=tmp_path)

    done = weft()
    assert done.returncode == 0, done.stderr[-3000:]
    fates = pq.read_table(tmp_path / "out/fates/extract").to_pylist()
    found = Counter((fate["kind"], fate["reason"]) for fate in fates if fate["kind"] in ("page", "pair"))
    assert found == {("page", ""): 4, ("page", "filter_shop"): 1, ("pair", "filter_credit"): 4, ("pair", ""): 4}
    assert {fate["detail"] for fate in fates if fate["reason"] == "filter_shop"} == {"own_rules:judge"}
    told = subprocess.run(
        [*command[:1], "explain", "http://shop.test/", "--output", "out"], capture_output=True, text=True, cwd=tmp_path
    )
    assert (
        "filter_shop: a filter of the user's own dropped it; own_rules:judge; extract.filters = own_rules:judge"
        in told.stdout
    )

    assert weft().returncode == 0  # finished; nothing is done again ...
    source = (tmp_path / "own_rules.py").read_text("utf-8")
    (tmp_path / "own_rules.py").write_text(source.replace("MOST_OFFERS = 3", "MOST_OFFERS = 9"))
    assert weft().returncode == 2  # ... until the source is another: what is finished would be discarded
    assert weft("--redo").returncode == 0
    kept = [fate for fate in pq.read_table(tmp_path / "out/fates/extract").to_pylist() if fate["kind"] == "page"]
    assert [fate["reason"] for fate in kept] == [""] * 5

    (tmp_path / "own_rules.py").write_text(source.replace("offers = ", "document.nosuch\n    offers = "))
    failed = weft("--redo")
    assert failed.returncode == 2 and len(failed.stderr.strip().splitlines()) == 1
    assert "filter own_rules:judge failed on http://" in failed.stderr and "AttributeError" in failed.stderr


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
