"""What a directory says of itself: finished, begun, or nobody's."""

from pathlib import Path

import pytest

import weft.schemas.config as configuration
from weft.pipeline.run import manifest
from weft.schemas.parameters import ConfigError


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


FOREIGN = (
    "[]",
    "{}",
    "",
    '{"config": {}, "inputs": []}',
    '{"config": {"recipe": "raw"}, "inputs": [3]}',
    '{"parts": []}',
)


@pytest.mark.parametrize("text", FOREIGN)
def test_a_run_json_that_is_not_wefts_makes_no_run(tmp_path: Path, text: str) -> None:
    output = str(tmp_path)
    manifest.refuse_foreign(output)  # empty: free
    (tmp_path / "run.json").write_text(text)
    (tmp_path / "extract").mkdir()
    (tmp_path / "extract/manifest.json").write_text("{}")
    assert manifest.read_run(output) is None and not manifest.is_run(output)
    with pytest.raises(ConfigError, match="is not empty and holds no weft run; name another --to"):
        manifest.refuse_foreign(output, "--to")
    with pytest.raises(ConfigError, match="holds no weft run"):
        manifest.known_run(output)
    manifest.start(output, "dedup", "f")  # something else of weft's
    assert manifest.is_run(output)
    with pytest.raises(ConfigError, match="is not what was written"):
        manifest.known_run(output)
    manifest.refuse_foreign(output)


def test_versions_are_of_what_decides_bytes() -> None:
    found = manifest.versions()
    assert {"python", "weft", "apache-beam", "pyarrow", "pillow"} <= found.keys() and all(found.values())
