"""The power goes at one write of each kind of file of extract; `make faults` cuts it in all stages of a corpus."""

import re
from pathlib import Path

from faults import power


def test_what_a_power_cut_leaves_goes_on_to_the_same_bytes(tmp_path: Path) -> None:
    source, stages = power.archive(tmp_path / "a.warc.gz"), ("extract",)
    every = power.writes(tmp_path / "whole", source, stages)
    whole = power.contents(tmp_path / "whole")
    kinds: dict[str, int] = {}
    for last, what in enumerate(every, 1):
        if what.startswith("replace"):
            kinds.setdefault(re.sub(r"/[^/]*?(\.\w+)$", r"/*\1", what) if "units" in what else what, last)
    assert {"run.json", "started.json", "manifest.json", "files.jsonl"} <= {kind.rpartition("/")[2] for kind in kinds}
    assert len(whole) == 7
    chosen = sorted(kinds.values())
    for last in {1, *chosen[1::5], chosen[-1], chosen[-1] + 1}:  # before and after it is renamed
        assert power.survives(tmp_path / "work", source, last, whole, stages) == [], every[last - 1]


def test_a_disk_keeps_what_is_synced_alone(tmp_path: Path) -> None:
    root = tmp_path / "disk"
    root.mkdir()
    disk = power.Disk(root, 2)
    with disk.watched():
        try:
            (root / "a").write_bytes(b"never synced")
            with open(root / "b", "wb") as stream:
                stream.write(b"synced")
                stream.flush()
                power.os.fsync(stream.fileno())
            power.os.replace(root / "b", root / "c")
        except power.PowerCut:
            pass
    disk.left(tmp_path / "names", "names")
    disk.left(tmp_path / "data", "data")
    assert list((tmp_path / "names").iterdir()) == []
    assert {path.name: path.read_bytes() for path in (tmp_path / "data").iterdir()} == {"a": b"", "b": b"synced"}
