"""What a user can do wrong costs one line and exit status 2, or an empty but valid result where that is the truth."""

import contextlib
import errno
import gzip
import io
import json
import os
import resource
import subprocess
import sys

import pyarrow.parquet as pq
import pytest

from weft.pipeline import cli
from weft.pipeline.demo import run as demo_run
from weft.pipeline.run import lock

PAGE = b"<html><body><article><p>" + b"Some words that make a page. " * 20 + b"</p></article></body></html>"


def weft(*arguments, env=None):
    return subprocess.run(
        [sys.executable, "-m", "weft.pipeline.cli", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **(env or {})},
    )


def here(*arguments):
    """The command in this process: for what is not about the process itself."""
    told = io.StringIO()
    with contextlib.redirect_stderr(told):
        try:
            status = cli.main([*map(str, arguments)])
        except SystemExit as end:  # argparse's
            status = end.code
    return subprocess.CompletedProcess(arguments, status, stderr=told.getvalue())


def warc(path, body=PAGE, mime=b"text/html"):
    http = b"HTTP/1.1 200 OK\r\nContent-Type: " + mime + b"\r\n\r\n" + body
    record = (
        b"WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: http://a.test/\r\nWARC-Date: 2024-01-02T03:04:05Z\r\n"
        b"WARC-Record-ID: <urn:uuid:00000000-0000-0000-0000-000000000001>\r\n"
        b"Content-Type: application/http;msgtype=response\r\n"
        b"Content-Length: " + str(len(http)).encode() + b"\r\n\r\n" + http + b"\r\n\r\n"
    )
    path.write_bytes(gzip.compress(record, mtime=0))
    return path


NO_INPUT = ["run", "--output", "OUT"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["run", "--input", "nothing/*.warc.gz", "--output", "OUT"], "no file matches the input 'nothing/*.warc.gz'"),
        (NO_INPUT, "no input"),
        (["run", "--input", "WARC", "--output", "OUT", "--set", "pack.shrads=3"], "did you mean 'shards'"),
        (["run", "--input", "WARC", "--output", "OUT", "--config", "none.toml"], "cannot read none.toml"),
        (["run", "--input", "WARC", "--output", "OUT", "--", "--runer=x"], "did you mean '--runner'"),
        (["run", "--input", "WARC", "--output", "OUT", "--recipe", "rw"], "did you mean 'raw'"),
        (["run", "--input", "WARC", "--output", "OUT", "--recipe", ""], "no recipe ''"),
        (["run", "--input", "WARC", "--output", "OUT", "--config", ""], "--config takes a path, not ''"),
        (["run", "--input", "WARC", "--output", ""], "--output takes a path, not ''"),
        (["run", "--input", "", "--output", "OUT"], "--input takes a path, not ''"),
        (["card", "--output", "FULL", "--to", ""], "--to takes a path, not ''"),
        (["verify", ""], "DIR takes a path, not ''"),
        (
            ["run", "--input", "WARC", "--output", "OUT\udcff"],
            "--output takes a path in UTF-8, which 'OUT\\udcff' is not",
        ),
        (
            ["run", "--input", "WARC", "--output", "foo://b/out"],
            "weft: foo://b/out: there is no file system for foo://",
        ),
        (["report", "--output", "foo://b/out"], "weft: foo://b/out: there is no file system for foo://"),
        (
            ["export", "obelix", "--from", "FULL", "--output", "OUT"],
            "no format 'obelix' (did you mean 'obelics'?): one of",
        ),
        (["pack", "--input", "WARC", "--output", "OUT"], "pack needs score"),
        (["train", "--output", "OUT"], "holds no weft run"),
        (["eval", "--output", "OUT", "--suite", "kosmos", "--check"], "--check is for an evaluation without --suite"),
        (["eval", "--output", "OUT", "--suite", "kosmos", "--shards", "x"], "--shards is for an evaluation without"),
        (["eval", "--output", "OUT", "--items", "9"], "--items is for an evaluation with --suite"),
        (["subset", "--where", "x", "--output", "FULL", "--to", "FULL"], "--to must be another directory than --out"),
        (["report", "--output", "OUT"], "holds no weft run"),
        (["html", "none.html"], "none.html"),
        (["run", "--input", "WARC", "--output", "FULL"], "not empty and holds no weft run"),
        (["run", "--input", "WARC", "--output", "WARC"], "is a file, not a directory"),
    ],
)
def test_one_line_and_status_2(tmp_path, arguments, told):
    named = {"WARC": warc(tmp_path / "a.warc.gz"), "OUT": tmp_path / "out", "FULL": tmp_path}
    call = weft if arguments is NO_INPUT else here  # of one, nothing else may be on a real stderr
    found = call(*[named.get(a, a) for a in arguments])
    assert found.returncode == 2, found.stderr
    assert told in found.stderr
    assert len(found.stderr.strip().splitlines()) == 1
    assert not list(tmp_path.rglob("manifest.json"))


def shell(line, **env):
    return subprocess.run(
        line.replace("weft", f"{sys.executable} -P -m weft.pipeline.cli"), shell=True, capture_output=True, check=False,
        env={**os.environ, "PYTHONUNBUFFERED": "", **env},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("line", "status", "told"),
    [
        ("weft recipes >&-", 0, b""),
        ("weft recipes 2>&-", 0, b""),
        ("weft html nowhere 2>&- >&-", 2, b""),
        ("weft html nowhere <&- >&-", 2, b"No such file or directory: nowhere"),
        ("weft --version >/dev/full", 2, b"cannot write to the standard output: No space left"),
        ("weft recipes | head -c 1", 0, b""),
    ],
)
def test_a_stream_that_is_closed_or_full_is_no_traceback(line, status, told):
    found = shell(line)
    assert found.returncode == status and told in found.stderr and len(found.stderr.splitlines()) == bool(told)


def test_an_encoding_without_a_character_gets_its_escape(tmp_path):
    (tmp_path / "a.html").write_text(f"<h1>Été</h1><p>{'Zoë mag Kühe. ' * 30}</p>")
    helped = shell("weft run --help", PYTHONIOENCODING="ascii")
    assert helped.returncode == 0 and b"options:" in helped.stdout and not helped.stderr
    page = shell(f"weft html {tmp_path}/a.html --recipe raw", PYTHONIOENCODING="ascii")
    assert page.returncode == 0 and "Zoë mag Kühe" in str(json.loads(page.stdout)) and page.stdout.isascii()


@pytest.mark.parametrize("text", ["[]", "{}", "not JSON"])
@pytest.mark.parametrize("redo", [[], ["--redo"]])
def test_a_directory_with_a_run_json_of_somebody_elses_is_not_emptied(tmp_path, text, redo):
    source, home = warc(tmp_path / "a.warc.gz"), tmp_path / "theirs"
    (home / "documents").mkdir(parents=True)
    (home / "documents/thesis.txt").write_text("years of work")
    (home / "run.json").write_text(text)
    for command in ("extract", "run"):
        found = here(command, "--input", source, "--output", home, *redo)
        assert found.returncode == 2 and "is not empty and holds no weft run" in found.stderr, found.stderr
    for arguments in (
        ["report", "--output", home], ["plan", "--output", home], ["train", "--output", home], ["verify", home],
        ["remove", source, "--output", home], ["card", "--output", home], ["explain", "x", "--output", home],
        ["export", "mds", "--from", home, "--output", tmp_path / "new"],
    ):  # fmt: skip
        found = here(*arguments)
        assert found.returncode == 2 and len(found.stderr.splitlines()) == 1, (arguments, found.stderr)
    assert (home / "documents/thesis.txt").read_text() == "years of work"
    assert {path.name for path in home.iterdir()} == {"documents", "run.json"}


def test_an_unknown_option_is_argparse_status_2():
    found = here("run", "--inptu", "x")
    assert found.returncode == 2 and len(found.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(
    "content",
    [
        b"",
        gzip.compress(b"", mtime=0),
        b"not an archive at all",
        gzip.compress(b"WARC/1.0\r\nWARC-Type: resp", mtime=0)[:30],
    ],
    ids=["empty", "empty-gzip", "not-an-archive", "cut-gzip"],
)
def test_a_file_that_holds_nothing_gives_an_empty_valid_result_and_is_named(tmp_path, content):
    bad = tmp_path / "bad.warc.gz"
    bad.write_bytes(content)
    found = here("extract", "--input", bad, "--output", tmp_path / "out")
    assert found.returncode == 0, found.stderr
    manifest = json.loads((tmp_path / "out/extract/manifest.json").read_text())
    assert manifest["books"]["page"]["kept"] == 0
    fates = [
        row for path in (tmp_path / "out/fates/extract").glob("*.parquet") for row in pq.read_table(path).to_pylist()
    ]
    assert [row["kind"] for row in fates] == ["record"]
    assert "bad.warc.gz" in fates[0]["key"] and fates[0]["fate"] == "dropped"


def test_a_run_on_input_without_a_page_says_what_it_is(tmp_path):
    (tmp_path / "README.md").write_text("# Not an archive\n")
    (tmp_path / "page.html").write_text("<title>A story</title><p>It goes on.")
    found = here(
        "run", "--quiet", "--input", tmp_path / "README.md", tmp_path / "page.html", "--output", tmp_path / "out"
    )
    assert found.returncode == 2 and f"{tmp_path}/README.md is text" in found.stderr
    assert found.stderr.rstrip().endswith(f"HTML files are read as a folder: --input {tmp_path}")
    assert not (tmp_path / "out/dedup").exists()


@pytest.mark.parametrize("how", ["no-html", "keeps-nothing"])
def test_a_run_that_keeps_nothing_is_whole_and_empty(tmp_path, how):
    source = warc(tmp_path / "a.warc.gz", mime=b"application/pdf" if how == "no-html" else b"text/html")
    sets = [part for value in ("extract.min_words=5000", *demo_run.SMALL) for part in ("--set", value)]
    for stage in ("extract", "dedup", "fetch", "score", "pack"):
        flags = ["--", "--direct_num_workers=1"]
        found = here(stage, "--input", source, "--output", tmp_path / "out", *sets, *flags)
        assert found.returncode == 0, found.stderr
    lines = [json.loads(line) for line in (tmp_path / "out/shards/manifest.jsonl").read_text().splitlines()]
    assert lines and all(line["samples"] == 0 for line in lines)
    last = here("train", "--output", tmp_path / "out")
    assert last.returncode == 2 and len(last.stderr.strip().splitlines()) == 1, last.stderr


def test_another_recipe_or_input_does_not_touch_what_is_there(tmp_path):
    source, other = warc(tmp_path / "a.warc.gz"), warc(tmp_path / "b.warc.gz")
    assert here("extract", "--input", source, "--output", tmp_path / "out").returncode == 0
    before = (tmp_path / "out/extract/manifest.json").read_bytes()
    for change in (["--input", source, "--recipe", "raw"], ["--input", other]):
        found = here("extract", *change, "--output", tmp_path / "out")
        assert found.returncode == 2 and "--redo" in found.stderr
    assert (tmp_path / "out/extract/manifest.json").read_bytes() == before
    assert "skipped" in here("extract", "--input", source, "--output", tmp_path / "out").stderr
    redone = here("extract", "--input", other, "--output", tmp_path / "out", "--redo")
    assert redone.returncode == 0 and "doing it again" in redone.stderr and not (tmp_path / "out/.redo").exists()


def test_a_changed_section_redoes_its_stage_alone(tmp_path):
    source = warc(tmp_path / "a.warc.gz")
    for _ in range(2):
        for stage in ("extract", "dedup"):
            last = here(stage, "--input", source, "--output", tmp_path / "out", "--set", "dedup.threshold=0.7")
    assert "skipped" in last.stderr
    change = ("dedup", "--input", source, "--output", tmp_path / "out", "--set", "dedup.threshold=0.9")
    refused = here(*change)
    assert refused.returncode == 2 and "would discard dedup (documents 1, " in refused.stderr
    assert "made with dedup.threshold = 0.7, not 0.9: add --redo" in refused.stderr
    changed = here(*change, "--redo")
    assert changed.returncode == 0 and "doing it again" in changed.stderr and "extract" not in changed.stderr


def test_two_runs_cannot_share_an_output(tmp_path):
    with lock.held(str(tmp_path)):
        found = weft("extract", "--input", warc(tmp_path / "a.warc.gz"), "--output", tmp_path)
    assert found.returncode == 2 and "another weft is writing" in found.stderr


def test_a_limit_on_file_size_leaves_no_half_file_and_goes_on_when_lifted(tmp_path):
    source, output = warc(tmp_path / "a.warc.gz"), tmp_path / "out"
    command = [sys.executable, "-m", "weft.pipeline.cli", "extract", "--input", str(source), "--output", str(output)]
    limit = 2500  # bytes: enough for run.json, too little for a Parquet file
    found = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )
    assert found.returncode == 2, found.stderr
    assert "run the same command again" in found.stderr.splitlines()[-1]
    assert not list(output.rglob("documents/*.parquet")) and not (output / "extract/manifest.json").exists()
    assert all(pq.read_table(path).num_columns for path in output.rglob("*.parquet"))  # what is there is whole
    assert not [path for path in output.rglob("*") if ".tmp-" in path.name]
    assert here("extract", "--input", source, "--output", output).returncode == 0


@pytest.mark.parametrize(
    "error",
    [
        OSError(28, "No space left on device"),
        RuntimeError("Error from worker: Traceback …\nOSError: [Errno 28] No space left on device [while running 'X']"),
    ],
)
def test_a_full_disk_says_so(error):
    assert "no space left" in cli.mendable(error)
    assert cli.mendable(KeyError("x")) is None


@pytest.mark.parametrize("number", [errno.ELOOP, errno.ENAMETOOLONG, errno.EIO, errno.EROFS, errno.ENOENT])
def test_an_error_of_the_system_with_a_file_is_a_line(number):
    assert cli.mendable(OSError(number, os.strerror(number), "a/b")) == f"{os.strerror(number)}: a/b"
