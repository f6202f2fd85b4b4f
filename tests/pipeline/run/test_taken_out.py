"""Lists of what was taken out go with their run: moved, called from elsewhere, or made into another one."""

import dataclasses
from pathlib import Path

import pytest

import weft.schemas.config as configuration
from weft.pipeline.run import manifest, taken_out
from weft.transforms.extract import exclusions
from weft.transforms.io import files, state


def test_lists_are_found_wherever_the_run_is_moved_to_or_named_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    files.write_atomic("mine.txt", "b.test\n")
    asked = dataclasses.replace(configuration.Config(), exclude=("mine.txt",))
    config, lists = taken_out.into("out", "none", asked, ["a.test"])
    for path, text in lists.items():
        files.write_atomic(path, text)
    manifest.write_run("out", config, [])
    assert manifest.known_run("out")["config"]["exclude"] == list(config.exclude) == sorted(["mine.txt", *lists])
    (tmp_path / "below").mkdir()
    (tmp_path / "out").rename(tmp_path / "below/moved")
    monkeypatch.chdir(tmp_path / "below")
    for output in ("moved", "./moved/", str(tmp_path / "below/moved")):
        own = [path for path in manifest.known_run(output)["config"]["exclude"] if path != "mine.txt"]
        assert own == taken_out.there(output) and exclusions.load(tuple(own)).domains == {"a.test"}
        manifest.write_run(output, dataclasses.replace(config, exclude=(*own, "mine.txt")), [])
    # As it was written before, by the path that was typed; and a list of this name that lies nowhere here.
    for typed, found in ((str(tmp_path / Path(*Path(own[0]).parts[-2:])), own), ("x/exclude/" + "0" * 16 + ".txt", [])):
        told = configuration.to_dict(dataclasses.replace(config, exclude=(typed,)))
        state.write("moved/run.json", {"config": told, "inputs": []})
        assert manifest.known_run(str(tmp_path / "below/moved"))["config"]["exclude"] == (found or [typed])


def test_a_run_out_of_another_has_its_lists_itself(tmp_path: Path) -> None:
    home, source = str(tmp_path / "home"), str(tmp_path / "source")
    first, lists = taken_out.into(source, "none", configuration.Config(), ["a.test", "b.test", "a.test"])
    for path, text in lists.items():
        files.write_atomic(path, text)
    second, lists = taken_out.into(home, source, first, ["c.test"])
    assert sorted(lists.values()) == ["a.test\nb.test\n", "c.test\n"]
    assert second.exclude == tuple(sorted(lists)) and all(path.startswith(f"{home}/exclude/") for path in lists)
