"""What must hold of the repository itself."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def test_a_cpu_worker_needs_no_torch():
    code = (
        "import sys; sys.modules['torch'] = sys.modules['open_clip'] = sys.modules['torchvision'] = None\n"
        "import weft.pipeline.cli, weft.pipeline.run.registry, weft.pipeline.stages.extract, weft.pipeline.stages.dedup.stage, weft.pipeline.stages.fetch, weft.pipeline.stages.score\n"
        "import weft.pipeline.stages.pack, weft.pipeline.report.report, weft.pipeline.demo.web, weft.transforms.score.clip, weft.transforms.extract.html\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


@pytest.mark.parametrize("name", ["lock.txt", "dev.txt", "worker.txt", "docs.txt"])
def test_a_lock_holds_hashes_and_no_addresses(name):
    lock = (ROOT / "requirements" / name).read_text()
    assert not re.search(r"https?://|--index|--find-links|--extra-index", lock)
    pins = re.findall(r"^[a-z0-9][\w.-]*==\S+", lock, re.MULTILINE)
    assert len(pins) > (20 if name == "docs.txt" else 100 if name == "lock.txt" else 50)
    for block in re.split(r"\n(?=[a-z0-9])", lock):
        assert "--hash=sha256:" in block, block[:80]


def test_the_core_installs_without_torch():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    core = " ".join(project["dependencies"])
    assert "torch" not in core and "open_clip" not in core
    assert {"clip", "train", "gcp", "dev"} <= set(project["optional-dependencies"])


def test_every_file_is_of_a_readable_length():
    long = {
        str(path.relative_to(ROOT)): count
        for folder in ("schemas", "transforms", "pipeline", "model_smoketest")
        for path in (ROOT / folder).rglob("*.py")
        if path.name != "vocabulary.py"  # word lists
        and (count := len(path.read_text().splitlines())) > 500
    }
    assert long == {}
