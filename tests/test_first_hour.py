"""The first hour's commands are commands; what is quick is done as it stands, on a run that is there already.

The others are run by tests of their own: demo, training, removals and a second snapshot take minutes.
"""

import re
import shlex
import shutil
from pathlib import Path

import pyarrow.dataset as ds
import pytest

import weft.schemas.config as configuration
from weft.pipeline import arguments, cli

PAGE = (Path(__file__).parent.parent / "docs/first-hour.md").read_text("utf-8")
COMMANDS = [line for block in re.findall(r"```sh\n(.*?)```", PAGE, re.S) for line in block.splitlines()]
QUICK = ("doctor", "plan", "explain", "html", "report")


@pytest.mark.parametrize("line", COMMANDS)
def test_each_command_is_taken_as_it_stands(line: str) -> None:
    name, *given = shlex.split(line)
    options = arguments.parser().parse_args(given)
    assert name == "weft" and options.command == given[0]
    configuration.load(overrides=getattr(options, "set", []))


def test_what_is_quick_is_done(
    finished: Path, small_web: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = ds.field("fate") == "kept"
    page = ds.dataset(finished / "fates/extract", format="parquet").to_table(filter=kept & (ds.field("kind") == "page"))
    there = {"https://example.org/2024/story": page["url"][0].as_py(), "crawl.warc.gz": str(small_web / "warcs")}
    shutil.copytree(finished, tmp_path / "out")
    (tmp_path / "saved.html").write_text("<title>A story</title><p>" + "It goes on. " * 50)
    monkeypatch.chdir(tmp_path)
    asked = [shlex.split(line)[1:] for line in COMMANDS]
    asked = [
        given for given in asked if given[0] in QUICK or given[:4] == shlex.split("run --input crawl.warc.gz --output")
    ]
    assert len(asked) == 7
    said = []
    for given in asked:
        assert cli.main([there.get(word, word) for word in given]) == 0, given
        said.append(capsys.readouterr().out)
    doctor, plan, run, explain, blocks, html, report = said
    assert "extract   can run" in doctor and "5 files" in plan
    assert "extract   page" in run and "next     weft train --output out" in run  # what was done is not done again
    assert there["https://example.org/2024/story"] in explain and "shard" in explain
    assert len(blocks) > len(explain) and "A story" in html
    assert report.strip() == "out/report/index.html" and (tmp_path / "out/report/index.html").exists()
