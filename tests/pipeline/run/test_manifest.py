"""What a directory says of itself: finished, begun, or nobody's."""

from pathlib import Path

import weft.schemas.config as configuration
from weft.pipeline.run import manifest


def test_a_stage_is_begun_then_finished(tmp_path: Path) -> None:
    output = str(tmp_path)
    assert manifest.read(output, "pack") is None and manifest.started(output, "pack") == ""
    manifest.start(output, "pack", "f")
    assert manifest.read(output, "pack") is None and manifest.started(output, "pack") == "f"
    manifest.write(output, "pack", {"fingerprint": "f"})
    assert manifest.read(output, "pack") == {"fingerprint": "f"}


def test_a_run_comes_back_with_its_configuration(tmp_path: Path) -> None:
    config = configuration.load(recipe="obelics", overrides=["pack.shards=3"])
    assert manifest.read_run(str(tmp_path)) is None
    manifest.write_run(str(tmp_path), config, [("a", 1)])
    known = manifest.read_run(str(tmp_path))
    assert known is not None and configuration.from_dict(known["config"]) == config and known["inputs"] == [["a", 1]]


def test_versions_are_of_what_decides_bytes() -> None:
    found = manifest.versions()
    assert {"python", "weft", "apache-beam", "pyarrow", "pillow"} <= found.keys() and all(found.values())
