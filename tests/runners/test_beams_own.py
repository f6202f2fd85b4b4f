"""Every Beam stage on Beam's own runners for one machine, the new and the old: the same bytes as on weft's."""

import subprocess
from pathlib import Path

import pytest
from faults import harness as faults

ROOT = Path(__file__).parents[2]
PRISM = ("--runner=PrismRunner", f"--prism_location={ROOT / '.spark/prism'}", "--environment_type=LOOPBACK")


@pytest.mark.parametrize("flags", [PRISM, ("--runner=FnApiRunner",)], ids=["Prism", "FnApiRunner"])
def test_all_stages_on_beams_own(flags: tuple[str, ...], tmp_path: Path) -> None:
    with faults.world(tmp_path) as world:
        for stage in faults.BEAM_STAGES:
            command = world.command(stage, tmp_path / "output", flags)
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
            assert done.returncode == 0, done.stderr[-3000:]
            assert faults.differences(world.reference, tmp_path / "output", stage) == [], stage
