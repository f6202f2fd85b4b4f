"""Every Beam stage on Prism, Beam's own new local runner: the same bytes as in-process."""

import subprocess
from pathlib import Path

from faults import harness as faults

ROOT = Path(__file__).parents[2]


FLAGS = ("--runner=PrismRunner", f"--prism_location={ROOT / '.spark/prism'}", "--environment_type=LOOPBACK")


def test_all_stages_on_prism(tmp_path):
    with faults.world(tmp_path) as world:
        for stage in faults.BEAM_STAGES:
            command = world.command(stage, tmp_path / "output", FLAGS)
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
            assert done.returncode == 0, done.stderr[-3000:]
            assert faults.differences(world.reference, tmp_path / "output", stage) == [], stage
