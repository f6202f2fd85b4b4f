"""What is left after a removal is what a run makes that never had it."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.dataset as ds
import pytest

from weft.pipeline.run import integrity, removal
from weft.schemas.parameters import ConfigError
from weft.transforms.io import files

ONE = ("--direct_num_workers=1",)
EQUAL = (
    "shards",
    "documents",
    "pairs",
    "captures",
    "kept",
    "clusters",
    "scores",
    "baseline",
    "fates/extract",
    "fates/dedup",
)


def rows(output: Path, table: str) -> list[dict]:
    return ds.dataset(output / table, format="parquet").to_table().to_pylist()


@pytest.fixture(scope="module")
def entries(finished: Path) -> dict[str, str]:
    """One of each kind of entry, and what is tricky: the kept one of a cluster, an image that documents share."""
    clusters, documents, pairs = (rows(finished, name) for name in ("clusters", "documents", "pairs"))
    winner = next(row["kept_id"] for row in clusters if row["how"] == "near")
    others = [row for row in documents if row["doc_id"] != winner]
    uses: dict[str, set[str]] = {}
    for row in documents:
        for url in filter(None, row["images"]):
            uses.setdefault(url, set()).add(row["doc_id"])
    stored = [row for row in rows(finished, "images/index") if row["status"] == "ok"]
    return {
        "winner": winner,
        "page": others[3]["url"],
        "domain": others[40]["url"].split("/")[2],
        "shared image": max(uses, key=lambda url: (len(uses[url]), url)),
        "sha256": stored[5]["image_id"],
        "phash": stored[20]["phash"],
        "pair": pairs[10]["pair_id"],
        "pair of a page": f"{pairs[30]['doc_id']}:{pairs[30]['pair_id']}",
    }


@pytest.mark.timeout(900)
def test_the_bytes_are_those_of_a_run_that_never_had_it(
    finished: Path,
    entries: dict[str, str],
    run_on_web: Callable[..., Path],
    sums: Callable[[Path], dict],
    tmp_path: Path,
) -> None:
    listed = tmp_path / "list.txt"
    listed.write_text("# asked to be taken out\n" + "\n".join(entries.values()) + "\n")
    never = run_on_web(tmp_path / "never", f'exclude=["{listed}"]')
    output = tmp_path / "removed"
    shutil.copytree(finished, output)
    before, written = sums(output / "shards"), {p: p.stat().st_mtime_ns for p in (output / "shards").rglob("*.tar")}
    done = removal.remove(str(output), [str(listed)], ONE, quiet=True, say=lambda line: None)
    for name in EQUAL:
        assert sums(output / name) == sums(never / name), name
    after = sums(output / "shards")
    assert {f"shards/{name}" for name in after if name.endswith(".tar") and after[name] != before[name]} == set(
        done.rewritten
    )
    for path, moment in written.items():
        assert (path.stat().st_mtime_ns != moment) == (str(path.relative_to(output)) in done.rewritten)
    fates = {row["key"]: row["fate"] for row in rows(output, "fates/dedup") if row["kind"] == "document"}
    twins = [row["doc_id"] for row in rows(finished, "clusters") if row["kept_id"] == entries["winner"]]
    assert entries["winner"] not in fates and "kept" in {fates.get(doc_id) for doc_id in twins}
    index = ds.dataset(output / "images/index", format="parquet").to_table()
    assert pc.sum(pc.equal(index["status"], "excluded")).as_py() >= 2
    assert not (output / "removing").exists()
    assert list(integrity.everything(str(output))) == []  # lists and digests are those of the files that are there now


def test_a_run_that_is_not_finished_and_a_list_that_means_nothing_change_nothing(
    finished: Path, tmp_path: Path
) -> None:
    (tmp_path / "list").write_text("what is this\n")
    with pytest.raises(ConfigError, match="'what is this' matches nothing"):
        removal.remove(str(finished), [str(tmp_path / "list")])
    with pytest.raises(ConfigError, match="holds no weft run"):
        removal.remove(str(tmp_path / "none"), [str(tmp_path / "list")])
    assert not (finished / "exclude").exists() and not (finished / "removing").exists()


def test_a_removal_that_is_killed_at_its_very_end_takes_nothing_of_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work, output = tmp_path / "out/removing", tmp_path / "out"
    for home in (work, output):
        files.write_atomic(str(home / "kept/a"), "same")
        files.write_atomic(str(home / "run.json"), "same")
    real, left = files.remove_tree, []

    def killed(path: str) -> None:
        left.append(path)
        real(path)
        if path.endswith("kept") or path == str(work):
            raise KeyboardInterrupt

    monkeypatch.setattr(files, "remove_tree", killed)
    with pytest.raises(KeyboardInterrupt):
        removal._settle(str(work), str(output))
    assert left[0] == str(work / "settling") and (output / "kept/a").read_text() == "same"
    removal.check(str(output))


def test_a_removal_that_is_killed_while_it_settles_is_ended_first(tmp_path: Path) -> None:
    work, output = tmp_path / "out/removing", tmp_path / "out"
    for name, text in {"kept/a": "new", "kept/b": "same", "run.json": "new"}.items():
        files.write_atomic(str(work / name), text)
    for name, text in {
        "kept/a": "old",
        "kept/b": "same",
        "kept/c": "gone",
        "run.json": "old",
        "model/x": "mine",
    }.items():
        files.write_atomic(str(output / name), text)
    removal.check(str(output))
    files.write_atomic(str(work / "settling"), "")
    with pytest.raises(ConfigError, match="interrupted"):
        removal.check(str(output))
    assert removal._settle(str(work), str(output)) == ["kept/a"]
    assert {p.name: p.read_text() for p in output.rglob("*") if p.is_file()} == {
        "a": "new", "b": "same", "run.json": "new", "x": "mine"
    }  # fmt: skip
    removal.check(str(output))
