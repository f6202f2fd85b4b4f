import re
import shutil

import pytest

from weft.pipeline import cli
from weft.pipeline.card import card, facts
from weft.schemas.parameters import ConfigError


def test_all_papers_are_written_and_named(carded):
    assert [line.split()[0].rpartition("/")[2] for line in carded.lines] == [
        "croissant.json", "README.md", "public-summary.md"
    ]  # fmt: skip
    assert all((carded.home / line.split()[0]).exists() for line in carded.lines)


def test_somebody_elses_directory_is_left_alone(finished, tmp_path):
    (tmp_path / "README.md").write_text("mine")
    with pytest.raises(ConfigError, match="not empty and holds no card"):
        card.write(str(finished), str(tmp_path), facts.Said(), ())
    assert (tmp_path / "README.md").read_text() == "mine"


def test_a_mistyped_run_leaves_nothing(tmp_path):
    with pytest.raises(ConfigError, match="holds no finished shards"):
        card.write(str(tmp_path / "typo"), "", facts.Said(), ())
    assert not (tmp_path / "typo").exists()


def test_a_card_made_anew_of_fewer_parts_counts_nothing_twice(finished, carded, tmp_path, monkeypatch):
    said = facts.Said("Corpus of the test", "A laboratory", "cc-by-4.0", "", "2026-01-31")
    monkeypatch.setattr(facts.spread, "ROWS_A_FILE", 5)
    card.write(str(finished), str(tmp_path), said, ["--direct_num_workers=1"])
    assert len(list((tmp_path / "contents").iterdir())) > 1
    monkeypatch.undo()
    card.write(str(finished), str(tmp_path), said, ["--direct_num_workers=1"])
    assert (tmp_path / "README.md").read_bytes() == (carded.home / "README.md").read_bytes()


def test_a_damaged_shard_is_one_line(finished, tmp_path, capsys):
    shutil.copytree(finished, tmp_path / "run")
    (tmp_path / "run/shards/pairs/train/000000.tar").write_bytes(b"no tar at all")
    assert cli.main(["card", "--output", str(tmp_path / "run"), "--", "--direct_num_workers=1"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert re.search(r"^weft: .*000000\.tar is damaged .*run `weft pack` again", line)
