"""What a killed run has left is swept by its lock; what somebody holds, or is just making, stays."""

import fcntl
import tempfile
from pathlib import Path

import pytest

from weft.pipeline.runners.local import scratch


def test_what_nobody_holds_is_swept_when_the_next_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    for name in ("weft-workers-left", "weft-workers-made", "weft-workers-held", "weft-shuffle-other"):
        (tmp_path / name).mkdir()
        if not name.endswith("made"):
            (tmp_path / name / "lock").touch()
    with (tmp_path / "weft-workers-held/lock").open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with scratch.folder(scratch.WORKERS) as mine, scratch.folder(scratch.WORKERS) as other:
            there = {path.name for path in tmp_path.iterdir()}
            assert there == {
                "weft-workers-made", "weft-workers-held", "weft-shuffle-other", Path(mine).name, Path(other).name
            }  # fmt: skip
        assert not Path(mine).exists() and not Path(other).exists()
