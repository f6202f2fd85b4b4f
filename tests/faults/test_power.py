"""The power goes at one write of each kind of file of extract; `make faults` cuts it everywhere, and in a removal."""

import re
from pathlib import Path

from faults import power


def test_what_a_power_cut_leaves_goes_on_to_the_same_bytes(tmp_path: Path) -> None:
    source, whole = power.archive(tmp_path / "a.warc.gz"), tmp_path / "whole"
    whole.mkdir()
    disk = power.Disk(whole, tmp_path / "kept")
    with disk.watched():
        power.go(whole, source, ("extract",))
    expected = power.contents(whole)
    kinds: dict[str, int] = {}
    for at, (what, *_) in enumerate(disk.cuts):
        if what.startswith("replace"):
            kinds.setdefault(re.sub(r"/[^/]*?(\.\w+)$", r"/*\1", what) if "units" in what else what, at)
    assert {"run.json", "started.json", "manifest.json", "files.jsonl"} <= {kind.rpartition("/")[2] for kind in kinds}
    assert len(expected) == 7
    chosen = sorted(kinds.values())
    cuts = [disk.cuts[at] for at in {0, *chosen[1::5], chosen[-1], chosen[-1] + 1, len(disk.cuts) - 1}]
    found = power.different(cuts)
    assert len(found) > len(cuts) > 5
    for cut in found:
        assert power.goes_on(tmp_path / "work", cut, source, expected, "extract") == [], cut[:2]


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
