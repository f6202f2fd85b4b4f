import pytest

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
