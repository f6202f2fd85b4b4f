"""The power goes at a few writes of each stage; `make faults` cuts it at all of them, and in a removal."""

from pathlib import Path

import pytest
from faults import power

A_STAGE = 3  # cuts


@pytest.mark.slow
def test_what_a_power_cut_leaves_goes_on_to_the_same_bytes(tmp_path: Path) -> None:
    source, whole = power.archive(tmp_path / "a.warc.gz"), tmp_path / "whole"
    whole.mkdir()
    disk = power.Disk(whole, tmp_path / "kept")
    with disk.watched():
        power.go(whole, source)
    expected, found = power.contents(whole), power.different(disk.cuts)
    assert {"documents", "clusters", "images", "scores", "shards"} <= {name.partition("/")[0] for name in expected}
    assert len(found) > 100 and {way for _, way, _ in found} == set(power.LOSES)
    for stage in power.STAGES:
        cuts = [cut for cut in found if power.struck(cut[2]) == stage]
        for cut in cuts[1 :: len(cuts) // A_STAGE]:
            assert power.goes_on(tmp_path / "work", cut, source, expected) == [], cut[:2]


def test_a_disk_keeps_what_is_synced_alone(tmp_path: Path) -> None:
    root = tmp_path / "disk"
    root.mkdir()
    (root / "old").write_bytes(b"from before")
    disk = power.Disk(root, tmp_path / "kept")
    with disk.watched():
        (root / "a").write_bytes(b"never synced")
        (root / "old").unlink()
        with open(root / "b", "wb") as stream:
            stream.write(b"synced")
            stream.flush()
            power.os.fsync(stream.fileno())
        power.os.replace(root / "b", root / "c")
    synced, renamed, end = disk.cuts
    assert synced.left("data") == {"a": b"", "b": b""}
    assert renamed.left("data") == {"a": b"", "b": b"synced"}
    assert end.left("data") == {"a": b"", "c": b"synced"}
    assert end.left("names") == {"old": b"from before"}
    assert [(cut.before, way) for cut, way, _ in power.different(disk.cuts)] == [
        ("sync /b", "names"), ("sync /b", "data"), ("replace /c", "data"), ("the end", "data"),
    ]  # fmt: skip
    laid = power.lay({"d": None, "d/e": b"1", "f": b""}, tmp_path / "laid")
    assert ((laid / "d" / "e").read_bytes(), (laid / "f").read_bytes()) == (b"1", b"")
