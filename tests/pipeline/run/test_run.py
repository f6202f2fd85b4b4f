"""One run: what is refused, what is swept away, and stages that go on after a worker was killed."""

from pathlib import Path

import pytest

from weft.pipeline.run import manifest, registry, run
from weft.pipeline.run.context import Context
from weft.pipeline.runners import local_workers
from weft.schemas.config import Config
from weft.schemas.parameters import ConfigError


def test_a_stage_goes_on_when_its_worker_was_killed():
    told: list[str] = []
    ends = iter([RuntimeError(local_workers.LOST), RuntimeError(f"x {local_workers.LOST}"), {"page": 3}])

    def stage(context: Context) -> dict[str, int]:
        end = next(ends)
        if isinstance(end, RuntimeError):
            raise end
        return end

    assert run._persist(stage, Context("o", (), Config(), "f", say=told.append)) == {"page": 3}
    assert told == ["a worker process was killed: going on with what is left"] * 2


def test_a_stage_whose_workers_die_again_and_again_says_what_to_do():
    def stage(context: Context) -> dict[str, int]:
        raise RuntimeError(local_workers.LOST)

    with pytest.raises(ConfigError, match="direct_num_workers"):
        run._persist(stage, Context("o", (), Config(), "f"))


def test_a_stage_is_refused_before_those_that_it_needs(tmp_path: Path):
    some = run.Run(str(tmp_path), (), Config(), quiet=True)
    with pytest.raises(ConfigError, match="dedup needs extract with this configuration"):
        some.go(["dedup"])
    manifest.write(str(tmp_path), "extract", {"fingerprint": "of another configuration"})
    with pytest.raises(ConfigError, match="dedup needs extract with this configuration"):
        some.go(["dedup"])
    assert not (tmp_path / "dedup").exists()


def test_what_is_done_is_skipped_and_what_was_made_otherwise_is_cleared(tmp_path: Path):
    told: list[str] = []
    some = run.Run(str(tmp_path), (), Config(), quiet=True, say=told.append)
    stage, wanted = registry.BY_NAME["extract"], registry.fingerprints(Config(), ())["extract"]
    manifest.write(str(tmp_path), "extract", {"fingerprint": wanted})
    some.go(["extract"])
    assert told == ["extract  done before, skipped"]
    (tmp_path / "documents").mkdir()
    (tmp_path / "documents/old.parquet").touch()
    assert some._begin(stage, "another") and "doing it again" in told[-1]
    assert not (tmp_path / "documents").exists() and manifest.started(str(tmp_path), "extract") == "another"


def test_an_interrupted_stage_keeps_what_is_whole(tmp_path: Path):
    told: list[str] = []
    stage = registry.BY_NAME["extract"]
    (tmp_path / "documents").mkdir()
    for name in ("whole.parquet", "half.parquet.tmp-1"):
        (tmp_path / "documents" / name).touch()
    manifest.start(str(tmp_path), "extract", "f")
    assert run.Run(str(tmp_path), (), Config(), say=told.append)._begin(stage, "f")
    assert [path.name for path in (tmp_path / "documents").iterdir()] == ["whole.parquet"]
    assert "was interrupted" in told[0]


def test_a_line_says_how_many_of_each_kind_were_kept():
    account = {"page": {"entered": 1200, "kept": 1100}, "image": {"entered": 5, "kept": 5}}
    assert run._summary(account) == "images 5, pages 1,100 of 1,200"
