"""What is made anew takes the place of the old when it is whole, and a power cut in between loses neither."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import fake_s3
import pytest

from weft.pipeline.run import manifest, place, registry
from weft.schemas.parameters import ConfigError
from weft.transforms.io import files, object_files, state

SCORE = registry.BY_NAME["score"]


@pytest.fixture(scope="module")
def store() -> Iterator[None]:
    with fake_s3.serve() as flags:
        object_files.configure(flags)
        yield
    object_files.configure(())


def at(where: str, request: pytest.FixtureRequest) -> str:
    if where == "remote":
        request.getfixturevalue("store")
        object_files.remove(f"{fake_s3.BUCKET}/out")
        return f"{fake_s3.BUCKET}/out"
    return str(request.getfixturevalue("tmp_path") / "out")


def plant(home: str, said: str, *tables: str) -> None:
    for name in ("score", "fates/score", *tables):
        files.write_atomic(f"{home}/{name}/part.parquet", said)


def contents(output: str) -> dict[str, str]:
    found = files.listing(f"{output}/**")
    return {path.removeprefix(f"{output}/"): files.read_bytes(path).decode() for path, _ in found}


NEW = {f"{name}/part.parquet": "new" for name in ("score", "fates/score", "scores", "baseline")}


@pytest.mark.parametrize("where", ["local", "remote"])
def test_what_is_whole_takes_the_place_of_the_old_and_of_what_is_made_no_more(
    where: str, request: pytest.FixtureRequest
) -> None:
    output = at(where, request)
    plant(output, "old", "scores", "image_scores")
    plant(place.aside(output, SCORE), "new", "scores", "baseline")
    place.replace(output, SCORE)
    assert contents(output) == NEW


@pytest.mark.parametrize(("where", "after"), [*(("local", n) for n in range(11)), ("remote", 3), ("remote", 8)])
def test_a_replacement_that_is_cut_short_is_finished_by_whoever_comes_next(
    where: str, after: int, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = at(where, request)
    plant(output, "old", "scores", "image_scores")
    plant(place.aside(output, SCORE), "new", "scores", "baseline")
    steps = iter(range(100))
    with monkeypatch.context() as patched:
        for real in (files.remove_tree, files.move_tree):

            def cut(*paths: str, real: Callable[..., None] = real) -> None:
                if next(steps) >= after:
                    raise KeyboardInterrupt
                real(*paths)

            patched.setattr(files, real.__name__, cut)
        try:
            place.replace(output, SCORE)
        except KeyboardInterrupt:
            assert state.read(f"{output}/.redo/score.json")
    place.recover(output)
    assert contents(output) == NEW


def test_a_stage_directory_that_is_a_link_stays_one(tmp_path: Path) -> None:
    disk, output = tmp_path / "disk", str(tmp_path / "out")
    disk.mkdir()
    os.makedirs(output)
    os.symlink(disk, f"{output}/scores")
    plant(output, "old", "scores")
    plant(place.aside(output, SCORE), "new", "scores", "baseline")
    place.replace(output, SCORE)
    assert contents(output) | {"scores/part.parquet": "new"} == NEW
    assert os.path.islink(f"{output}/scores") and (disk / "part.parquet").read_text() == "new"


@pytest.mark.parametrize("after", range(3))
def test_a_link_that_is_filled_half_is_filled_whole_by_whoever_comes_next(
    after: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk, output = tmp_path / "disk", str(tmp_path / "out")
    disk.mkdir()
    os.makedirs(output)
    os.symlink(disk, f"{output}/scores")
    plant(output, "old", "scores")
    names = {"a.parquet", "b.parquet", "below/c.parquet"}
    for name in names:
        files.write_atomic(f"{place.aside(output, SCORE)}/scores/{name}", "new")
    steps, real = iter(range(100)), os.replace

    def cut(source: str, target: str) -> None:
        if target.startswith((str(disk), f"{output}/scores")) and next(steps) >= after:
            raise KeyboardInterrupt
        real(source, target)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(os, "replace", cut)
        place.replace(output, SCORE)
    place.recover(output)
    assert {str(path.relative_to(disk)) for path in disk.rglob("*") if path.is_file()} == names
    assert os.path.islink(f"{output}/scores") and not os.path.exists(f"{output}/.redo")


@pytest.mark.parametrize("stage", [one for one in registry.STAGES if one.files], ids=lambda one: one.name)
@pytest.mark.parametrize("how", ["replaced", "cleared"])
def test_a_stage_whose_file_goes_with_another_s_directory_is_not_done_any_more(
    stage: registry.Stage, how: str, tmp_path: Path
) -> None:
    output, (name,) = str(tmp_path), stage.files
    host = next(one for one in registry.STAGES if name.partition("/")[0] in one.outputs)
    files.write_atomic(f"{output}/{name}", "old")
    for one in (host, stage):
        state.write(f"{output}/{one.name}/manifest.json", {"fingerprint": "f"})
    files.write_atomic(f"{place.aside(output, host)}/{name.partition('/')[0]}/new", "new")
    if how == "cleared":
        place.clear(place.aside(output, host), host)  # what is there stands until all is whole
        assert manifest.read(output, stage.name) and files.exists(f"{output}/{name}")
        place.clear(output, host)
    else:
        place.replace(output, host)
        assert files.exists(f"{output}/{name.partition('/')[0]}/new")
    assert manifest.read(output, stage.name) is None and not files.exists(f"{output}/{name}")


@pytest.mark.parametrize("after", range(5))
def test_what_is_left_of_a_stage_that_was_cleared_half_is_cleared_by_whoever_comes_next(
    after: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output, steps, real = str(tmp_path), iter(range(100)), files.remove_tree
    plant(output, "old", "scores", "image_scores")
    manifest.start(output, SCORE.name, "f")

    def cut(path: str) -> None:
        if next(steps) >= after:
            raise KeyboardInterrupt
        real(path)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(files, "remove_tree", cut)
        place.clear(output, SCORE)
    place.check_foreign(output, SCORE)
    place.clear(output, SCORE)
    assert contents(output) == {}
    plant(output, "mine", "scores")
    with pytest.raises(ConfigError, match="holds files that score has not made"):
        place.check_foreign(output, SCORE)


def test_a_model_that_torchrun_has_trained_is_not_cleared(tmp_path: Path) -> None:
    files.write_atomic(str(tmp_path / "model/model.safetensors"), "days of eight GPUs")
    with pytest.raises(ConfigError, match="model holds files that train has not made"):
        place.check_foreign(str(tmp_path), registry.BY_NAME["train"])


def test_a_directory_that_is_none_is_said(tmp_path: Path) -> None:
    place.check_writable(str(tmp_path), SCORE)
    (tmp_path / "scores").symlink_to(tmp_path / "nowhere")
    with pytest.raises(ConfigError, match="scores is no directory that can be written to"):
        place.check_writable(str(tmp_path), SCORE)
