"""What rules name is told by its contents, and a process obeys what lies there now."""

import json
import os
from pathlib import Path

import pytest
from tiny_fasttext import train

from weft.pipeline.stages.extract import extract_file
from weft.schemas.parameters import ConfigError, PageRules, Table
from weft.schemas.records import Fate
from weft.transforms.extract import named, own_filters
from weft.transforms.io.parquet import read_table

TEXT = "The barn that we have is to be old, and of the river with its boats we see a part. "
GOOD, BAD = ["the barn of the river"], ["buy now best price"]


def later(path: Path, write) -> None:
    """Write a file anew, with another time than before on any file system."""
    write()
    os.utime(path, ns=(1, 1 if path.stat().st_mtime_ns != 1 else 2))


@pytest.fixture
def rules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PageRules:
    (tmp_path / "page/a.test").mkdir(parents=True)
    (tmp_path / "page/a.test/index.html").write_text(f"<title>Barns</title><p>{TEXT * 5}</p>")
    (tmp_path / "limits.toml").write_text("[en]\n")
    (tmp_path / "en").write_text("zounds\n")
    module = f"rules_{tmp_path.name}"
    (tmp_path / f"{module}.py").write_text("def judge(row): return None")
    monkeypatch.syspath_prepend(str(tmp_path))
    own_filters.load.cache_clear()
    hq = train(tmp_path / "hq.bin", {"hq": GOOD, "cc": BAD})
    return PageRules(
        min_words=0, min_language_score=0.0, languages=(), main_content=False, gibberish=False,
        language_rules=str(tmp_path / "limits.toml"), bad_words=(str(tmp_path / "en"),),
        quality_models=Table(hq=hq), min_quality=Table(hq=0.5), filters=(f"{module}:judge",),
    )  # fmt: skip


CHANGES = {
    "limits.toml": lambda path: path.write_text("[de]\n"),
    "en": lambda path: path.write_text("barn\n"),
    "hq.bin": lambda path: train(path, {"hq": BAD, "cc": GOOD}),
}
REASONS = {"limits.toml": "language", "en": "bad_words", "hq.bin": "quality"}


def reason(tmp_path: Path, rules: PageRules, wanted: str, name: str) -> str:
    extract_file(f"{tmp_path}/page/", str(tmp_path / name), name, rules, decides=wanted)
    (fate,) = [row for row in read_table(str(tmp_path / name / "fates/extract"), Fate) if row.kind == "page"]
    return fate.reason


@pytest.mark.parametrize("name", CHANGES)
def test_another_run_of_a_process_obeys_what_lies_there_now(tmp_path: Path, rules: PageRules, name: str) -> None:
    before = json.dumps(named.contents(rules))
    assert reason(tmp_path, rules, before, "first") == ""
    later(tmp_path / name, lambda: CHANGES[name](tmp_path / name))
    now = json.dumps(named.contents(rules))
    assert now != before and reason(tmp_path, rules, now, "second") == REASONS[name]


@pytest.mark.parametrize("name", [*CHANGES, "a filter"])
def test_a_worker_with_something_else_is_an_error_and_no_other_corpus(
    tmp_path: Path, rules: PageRules, name: str
) -> None:
    begun = json.dumps(named.contents(rules))
    change = CHANGES.get(name) or (lambda path: path.write_text("def judge(row): return 'other'"))
    path = tmp_path / name if name in CHANGES else tmp_path / f"rules_{tmp_path.name}.py"
    later(path, lambda: change(path))
    own_filters.load.cache_clear()  # as in another process
    with pytest.raises(ConfigError, match=r"another (source )?on "):
        extract_file(f"{tmp_path}/page/", str(tmp_path / "out"), "f", rules, decides=begun)
    assert not (tmp_path / "out").exists()
