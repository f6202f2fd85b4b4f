"""What was lost, cut, overwritten or zeroed after it was finished is found, and said in one line with its stage."""

import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from weft.pipeline import cli
from weft.pipeline.run import integrity, manifest, registry
from weft.transforms.io import files, parquet, state


@pytest.fixture
def copy(finished: Path, tmp_path: Path) -> Path:
    made = Path(shutil.copytree(finished, tmp_path / "run", copy_function=os.link))
    (made / ".lock").unlink(missing_ok=True)
    return made


def write(path: Path, data: bytes) -> None:
    """In the place of a file that is a link to another run's."""
    path.unlink()
    path.write_bytes(data)


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    write(path, bytes(data))


def flip_in_footer(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-8 - int.from_bytes(data[-8:-4], "little")] ^= 1
    write(path, bytes(data))


def lose(path: Path) -> None:
    path.unlink()


def zero(path: Path) -> None:
    write(path, bytes(path.stat().st_size))


def cut(path: Path) -> None:
    write(path, path.read_bytes()[:-1])


def take_another(path: Path) -> None:
    write(path, next(one for one in sorted(path.parent.iterdir()) if one != path).read_bytes())


@pytest.mark.parametrize(
    ("place", "damage", "command", "stage"),
    [
        ("documents/*.parquet", lose, "dedup", "extract"),
        ("documents/*.parquet", zero, "dedup", "extract"),
        ("documents/*.parquet", flip_in_footer, "dedup", "extract"),
        ("kept/*.parquet", take_another, "fetch", "dedup"),
        ("images/blobs/*.bin", cut, "score", "fetch"),
        ("images/blobs/*.bin", zero, "score --verify", "fetch"),
        ("scores/*.parquet", flip, "pack --verify", "score"),
        ("shards/text/train/*.tar", lose, "train", "pack"),
        ("shards/text/train/*.tar", take_another, "train", "pack"),
        ("extract/files.jsonl", flip, "dedup", "extract"),
    ],
)
def test_each_way_of_losing_finished_work_is_one_line_that_names_the_stage(
    copy: Path, capsys: pytest.CaptureFixture[str], place: str, damage: Callable[[Path], None], command: str, stage: str
) -> None:
    path = sorted(copy.glob(place))[0]
    damage(path)
    flags = [] if command == "train" else ["--", "--direct_num_workers=1"]
    assert cli.main([*command.split(), "--output", str(copy), *flags]) == 2
    told = capsys.readouterr().err
    assert str(path.relative_to(copy)) in told and f"`weft {stage} --redo" in told and len(told.splitlines()) == 1


def test_verify_finds_one_flipped_byte_in_every_kind_of_file(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["verify", str(copy)]) == 0
    assert "as they were written" in capsys.readouterr().out
    files_ = [path for path in sorted(copy.rglob("*")) if path.is_file() and path.name != ".lock"]
    says = [path for path in files_ if path.name in ("run.json", "manifest.json", "started.json", integrity.LIST)]
    kinds = {(path.parent, path.suffix, "units" in str(path) or path.name): path for path in files_ if path not in says}
    assert len(says) == 16 and len({kind[:2] for kind in kinds}) > 30
    for path in says:  # one by one: a stage whose list is broken says no more
        whole = path.read_bytes()
        flip(path)
        assert [line.split(" ")[0] for _, line in integrity.everything(str(copy))] == [str(path.relative_to(copy))]
        write(path, whole)
    for path in kinds.values():
        flip(path)
    found = sorted(line for _, line in integrity.everything(str(copy)))
    assert found == sorted(f"{path.relative_to(copy)} is not what was written" for path in kinds.values())
    assert cli.main(["verify", str(copy)]) == 2
    assert (
        f"{len(kinds)} files are not as they were written; `weft extract --redo --output {copy}`, "
        in capsys.readouterr().err
    )


@pytest.mark.parametrize("lost", [{"run.json": flip}, {"run.json": lose, "kept/*.parquet": cut},
                                  {"extract/manifest.json": flip}])  # fmt: skip
def test_what_verify_advises_mends_what_it_found(
    copy: Path, small_web: Path, capsys: pytest.CaptureFixture[str], lost: dict[str, Callable[[Path], None]]
) -> None:
    config = (manifest.read_run(str(copy)) or {})["config"]
    setting = [f"--set={section}.{key}={json.dumps(value)}" for section, values in config.items()
               if isinstance(values, dict) for key, value in values.items() if not isinstance(value, dict)]  # fmt: skip
    options = ["--input", str(small_web / "warcs"), "--recipe", config["recipe"], *setting]
    for place, damage in lost.items():
        damage(sorted(copy.glob(place))[0])
    assert cli.main(["verify", str(copy)]) == 2
    told = capsys.readouterr().err
    said = options if "with the --input and the options of that run" in told else []
    for command in re.findall("`weft (.*?)`", told):
        assert cli.main([*command.split(), *said, "--quiet", "--", "--direct_num_workers=1"]) == 0
        said = []
    assert cli.main(["verify", str(copy)]) == 0


def test_what_is_not_the_stage_s_is_told_where_it_would_be_read(copy: Path) -> None:
    shutil.copy(next((copy / "pairs").iterdir()), copy / "pairs/another.parquet")
    (copy / "pairs/notes.txt").write_text("read by nobody")
    assert list(integrity.problems(str(copy), registry.BY_NAME["extract"])) == [
        "pairs/another.parquet is not extract's"
    ]


def test_rows_are_counted_by_the_list_and_without_one_by_the_tables(
    finished: Path, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, real = [], integrity.listed
    monkeypatch.setattr(integrity, "listed", lambda *of: read.append(of) or real(*of))
    integrity._rows_by_table.cache_clear()
    counts = [integrity.count_rows(str(finished), name) for name in ("documents", "pairs", "documents")]
    assert len(read) == 1 and counts[0] == counts[2] != counts[1]
    whole = counts[0]
    assert whole == parquet.count_rows(f"{finished}/documents/*.parquet") > 0
    images = integrity.count_rows(str(finished), "images/index")
    assert images == parquet.count_rows(f"{finished}/images/index/*.parquet") > 0, "and of no table below images/"
    (copy / "extract/manifest.json").unlink()
    assert integrity.count_rows(str(copy), "documents") == whole
    sorted((copy / "documents").iterdir())[0].unlink()
    assert 0 < integrity.count_rows(str(copy), "documents") < whole


def test_the_list_holds_rows_and_digests_of_all_that_a_stage_wrote(finished: Path) -> None:
    listed = (finished / "extract/files.jsonl").read_text()
    assert f'"name": "documents/{next((finished / "documents").iterdir()).name}"' in listed and '"rows": ' in listed
    said = (manifest.read(str(finished), "extract") or {})["files"]
    assert said["files"] == len(listed.splitlines())
    assert said["sha256"] == files.digest(str(finished / "extract/files.jsonl")).sha256
    assert not (finished / "extract/slips").exists()


def test_tables_of_a_list_without_ends_are_told_by_their_rows(copy: Path) -> None:
    """As lists were before ends were noted."""
    path, manifest_path = str(copy / "extract/files.jsonl"), str(copy / "extract/manifest.json")
    rows = [json.loads(line) for line in Path(path).read_text().splitlines()]
    files.write_atomic(path, "".join(json.dumps({k: v for k, v in row.items() if k != "end"}) + "\n" for row in rows))
    said = state.read(manifest_path) or {}
    state.write(manifest_path, said | {"files": said["files"] | {"sha256": files.digest(path).sha256}})
    stage = registry.BY_NAME["extract"]
    assert list(integrity.problems(str(copy), stage)) == []
    zero(table := sorted((copy / "documents").iterdir())[0])
    assert [line.split(" ")[0] for line in integrity.problems(str(copy), stage)] == [f"documents/{table.name}"]
