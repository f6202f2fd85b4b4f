"""What a stage is given: paths below its output, sorted files, the configuration's runner."""

from pathlib import Path

from weft.pipeline.run.context import Context
from weft.schemas.config import Config


def test_paths_are_below_the_output_local_or_remote(tmp_path: Path):
    context = Context("s3://bucket/run/", (), Config(), "f")
    assert context.path("images", "index") == "s3://bucket/run/images/index"
    assert context.table("documents") == "s3://bucket/run/documents/*.parquet"
    assert Context(str(tmp_path), (), Config(), "f").path("a") == str(tmp_path / "a")


def test_parts_of_a_table_are_sorted_and_nothing_else(tmp_path: Path):
    (tmp_path / "pairs").mkdir()
    for name in ("b.parquet", "a.parquet", "c.parquet.tmp-1", "note.txt"):
        (tmp_path / "pairs" / name).touch()
    context = Context(str(tmp_path), (), Config(), "f")
    assert [Path(part).name for part in context.parts("pairs")] == ["a.parquet", "b.parquet"]
    assert list(context.parts("none")) == []


def test_who_does_not_listen_is_told_all_the_same():
    context = Context("o", (), Config(), "f")
    context.say("line")
    context.expect(3)
