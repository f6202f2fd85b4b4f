"""A snapshot's id means files: always the same ones, more of them where more is asked for, and the bytes they have."""

import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from crawl_server import crawl_server, lay_out

from weft.pipeline import cli
from weft.pipeline.run import inputs, snapshots
from weft.schemas.parameters import ConfigError
from weft.transforms.extract import selection
from weft.transforms.io import web_files

ID = "CC-MAIN-2024-10"
PATHS = [f"crawl-data/{ID}/segments/17{n // 90:03}.{n // 90}/warc/CC-MAIN-{n:05}.warc.gz" for n in range(9000)]
BAD_DAY = ("ok", "break", "503+", "ok", "reset", "slow", "403", "ok", "500", "break")


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(web_files, "BACKOFF_S", 0.01)
    monkeypatch.setattr(web_files, "JITTER_S", 0.01)
    monkeypatch.setattr(web_files, "CONNECT_TRIES", 1)
    monkeypatch.setattr(web_files, "FIRST_WINDOW", 20_000)


@pytest.fixture(scope="session")
def crawl(small_web, tmp_path_factory):
    """Root of a snapshot of the demo's archives, and their paths below it."""
    root = tmp_path_factory.mktemp("crawl")
    return root, lay_out(root, ID, sorted((small_web / "warcs").iterdir()))


def chosen(query):
    return snapshots.choose(PATHS, snapshots.parse(f"cc:{ID}?{query}"))


def test_a_larger_part_holds_the_smaller_in_the_order_of_the_list():
    for smaller, larger in (
        ("share=0.01", "share=0.03"),
        ("files=5", "files=50"),
        ("segments=2", "segments=5"),
        ("segments=3&files=7", "segments=3&files=70"),
        ("segments=3&share=0.1", "segments=4&share=0.2"),
    ):
        few, many = chosen(smaller), chosen(larger)
        assert 0 < len(few) < len(many) and set(few) < set(many)
        assert many == sorted(many)
    assert len(chosen("files=50")) == 50 and chosen("") == PATHS == chosen("share=1") == chosen("files=10000")
    assert 200 < len(chosen("share=0.03")) < 340  # 270 ± 4 sigma
    assert len({path.split("/")[3] for path in chosen("segments=4")}) == 4
    assert chosen("files=3") == [PATHS[n] for n in (907, 1679, 5516)]  # today as tomorrow


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("cc:", "named like cc:CC-MAIN-2024-10"),
        ("cc:2024-10", "named like"),
        ("cc:CC-MAIN-2024-10/x", "named like"),
        (f"cc:{ID}?shar=1", "did you mean 'share'"),
        (f"cc:{ID}?subset=foo", "subset is one of warc, crawldiagnostics, robotstxt, wat, wet, not 'foo'"),
        (f"cc:{ID}?subset=robots", "did you mean 'robotstxt'"),
        (f"cc:{ID}?subset", "not ''"),
        (f"cc:{ID}?share=0", "above 0 and up to 1"),
        (f"cc:{ID}?share=nan", "above 0 and up to 1"),
        (f"cc:{ID}?share=1.1", "above 0 and up to 1"),
        (f"cc:{ID}?files=1.5", "a whole number above 0"),
        (f"cc:{ID}?files", "a whole number above 0"),
        *(
            (f"cc:{ID}?{key}{empty}", f"{key} has an empty value")
            for key in selection.KEYS
            for empty in ("=", "", "=,")
        ),
        *(
            (f"cc:{ID}?{key}=1&{key}=2", f"{key} is given twice")
            for key in (*snapshots._PARTS, *selection.KEYS, "subset")
        ),
        (f"cc:{ID}?sample=0.1,0.2", "sample is a number above 0"),
    ],
)
def test_what_means_nothing_says_so(text, told):
    with pytest.raises(ConfigError, match=told):
        snapshots.parse(text)


def test_errors_of_a_user_are_one_line(crawl, tmp_path, capsys):
    def told(text, base):
        out = str(tmp_path / "out")
        assert cli.main(["extract", "--input", text, "--output", out, "--set", f"extract.common_crawl={base}"]) == 2
        line = capsys.readouterr().err.strip()
        assert "\n" not in line
        return line

    with crawl_server(crawl[0]) as server:
        assert "no snapshot CC-MAIN-2031-01" in told("cc:CC-MAIN-2031-01", server.url)
        assert "none of the snapshot's 5 files" in told(f"cc:{ID}?share=0.0001", server.url)
        assert "404" in told(server.url + "none.warc.gz", server.url)
    assert "no answer from 127.0.0.1:9" in told(f"cc:{ID}", "http://127.0.0.1:9/")
    assert "no snapshot" in told(f"cc:{ID}", str(tmp_path))
    with crawl_server(crawl[0], ("503",)) as server:
        assert "answers 503" in told(f"cc:{ID}", server.url)
    shutil.copytree(crawl[0], tmp_path / "bad")
    (tmp_path / "bad/crawl-data" / ID / "warc.paths.gz").write_bytes(b"<html>not found</html>")
    assert "is no path list" in told(f"cc:{ID}", str(tmp_path / "bad"))


def test_files_and_bytes_are_said_before(crawl, capsys):
    root, paths = crawl
    total = inputs.human(sum((root / path).stat().st_size for path in paths))
    with crawl_server(root) as server:
        at = f"extract.common_crawl={server.url}"
        assert cli.main(["plan", "--input", f"cc:{ID}", "--set", at]) == 0
        assert f"5 files, {total}" in capsys.readouterr().out
        assert cli.main(["plan", "--input", f"cc:{ID}?files=1", "--set", at]) == 0
        assert "input: 1 file, " in capsys.readouterr().out
        assert cli.main(["plan"]) == 2
        many = [(f"{server.url}{paths[n % 5]}?{n}", 0) for n in range(1000)]
        assert inputs.describe(many) == "1,000 files of unknown size"  # the server knows no such names
    with crawl_server(root) as server:
        many = [(f"{server.url}{paths[n % 5]}".replace("//crawl", "/" * (n // 5 + 1) + "crawl"), 0) for n in range(500)]
        assert "500 files, about" in inputs.describe(many)
        assert len(server.seen) == inputs.SIZED


def rows(output: Path, table: str) -> list[dict]:
    """All rows of a table, sorted, with archives by name alone: where they lie differs."""
    found = []
    for path in output.glob(f"{table}/*.parquet"):
        for row in pq.read_table(path).to_pylist():
            found.append({k: v.rpartition("/")[2] if k in ("warc_file", "key", "place") else v for k, v in row.items()})
    return sorted(found, key=str)


def test_what_comes_of_a_snapshot_on_a_bad_day_is_what_comes_of_the_files(crawl, finished, tmp_path, sums, capsys):
    def extract(out, base):
        more = ["--set", f"extract.common_crawl={base}", "--", "--direct_num_workers=1"]
        assert cli.main(["extract", "--input", f"cc:{ID}", "--output", str(tmp_path / out), *more]) == 0
        return tmp_path / out

    with crawl_server(crawl[0]) as server:
        good = extract("good", server.url)
        assert "5 files, " in capsys.readouterr().err
        server.moods = list(BAD_DAY)
        server.had.clear()
        bad = extract("bad", server.url)
        assert all(server.had[mood] for mood in BAD_DAY) and not server.too_early
    for table in ("documents", "pairs", "captures", "fates/extract"):
        assert rows(finished, table) == rows(good, table) != []
        assert sums(good / table) == sums(bad / table)


def test_an_outage_stops_the_run_and_is_no_fate_and_a_missing_file_is_one(crawl, tmp_path, capsys):
    root = tmp_path / "root"
    shutil.copytree(crawl[0], root)
    (root / crawl[1][0]).unlink()
    with crawl_server(root) as server:
        command = ["extract", "--input", f"cc:{ID}", "--output", str(tmp_path / "out"), "--quiet"]
        command += ["--set", f"extract.common_crawl={server.url}", "--", "--direct_num_workers=1"]
        server.fails_after = 12
        assert cli.main(command) == 2
        assert "answers 503" in capsys.readouterr().err.strip().splitlines()[-1]
        assert not (tmp_path / "out/extract/manifest.json").exists()
        server.fails_after = None
        assert cli.main(command) == 0
    gone = [row for row in rows(tmp_path / "out", "fates/extract") if row["reason"] == "unreadable"]
    assert len(gone) == 1 and "404" in gone[0]["detail"]
