"""What is left after a removal is what a run makes that never had it."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.dataset as ds
import pytest
from small_crawls import ALONE, STAGES, crawl, kept
from small_crawls import text as words
from tiny_fasttext import train

from weft.pipeline.run import integrity, manifest, registry, removal
from weft.schemas.parameters import ConfigError
from weft.transforms.extract import own_filters
from weft.transforms.io import files, state

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


def fetched(output: Path) -> dict[str, dict]:
    """What came of each image, but for where it lies and when it was asked for."""
    apart = ("image_url", "blob", "offset", "fetched_at")
    return {
        row["image_url"]: {key: value for key, value in row.items() if key not in apart}
        for row in rows(output, "images/index")
    }


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
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Killed once in the midst of each stage, and called again each time."""
    listed = tmp_path / "list.txt"
    listed.write_text("# asked to be taken out\n" + "\n".join(entries.values()) + "\n")
    never = run_on_web(tmp_path / "never", f'exclude=["{listed}"]')
    output = tmp_path / "removed"
    shutil.copytree(finished, output)
    before, written = sums(output / "shards"), {p: p.stat().st_mtime_ns for p in (output / "shards").rglob("*.tar")}
    told: list[str] = []
    killed, write = [], state.write

    def cut(path: str, value: dict) -> None:
        write(path, value)
        stage, _, unit = path.partition("/removing/")[2].partition("/")
        if unit.startswith("units/") and stage not in killed:
            killed.append(stage)
            raise RuntimeError("killed here")

    monkeypatch.setattr(state, "write", cut)
    for _ in range(len(registry.CORPUS) + 1):
        try:
            done = removal.remove(str(output), [str(listed)], ONE, quiet=True, say=told.append)
            break
        except RuntimeError as error:
            assert "killed here" in str(error)
        assert sums(output / "shards") == before, "until it is whole the run is as it was"
    monkeypatch.undo()
    assert killed == list(registry.CORPUS)
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
    assert fetched(output) == fetched(never)
    of_all, of_less, of_never = (sums(one / "images/blobs") for one in (finished, output, never))
    assert len(of_less.items() & of_never.items()) > len(of_never) / 2  # all but what the twin alone has shown
    stand = {f"{Path(name).stem}.parquet" for name in of_less.keys() & of_all.keys()}
    made = sums(finished / "embeddings/blobs")
    assert (
        stand
        and {name: made[name] for name in stand & made.keys()}.items() <= sums(output / "embeddings/blobs").items()
    )
    assert not done.idle and not any("nothing in" in line for line in told)
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
    assert left[:2] == [str(work / "source.json"), str(work / "settling")]
    assert (output / "kept/a").read_text() == "same"
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
    for half in ("kept/a.tmp-7-0123abcd", "run.json.tmp-7-0123abcd"):
        (output / half).touch()
    with pytest.raises(ConfigError, match="interrupted"):
        removal.check(str(output))
    assert removal._settle(str(work), str(output)) == ["kept/a"]
    assert {p.name: p.read_text() for p in output.rglob("*") if p.is_file()} == {
        "a": "new", "b": "same", "run.json": "new", "x": "mine"
    }  # fmt: skip
    removal.check(str(output))


def test_a_removal_that_is_killed_while_it_settles_still_names_what_it_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work, output = tmp_path / "out/removing", tmp_path / "out"
    for name in ("shards/a.tar", "shards/b.tar", "shards/c.tar", "exclude/1.txt", "run.json"):
        files.write_atomic(str(work / name), "new")
        files.write_atomic(str(output / name), "new" if "c.tar" in name else "old")
    files.write_atomic(str(output / "exclude/2.txt"), "of the user's own")
    real = files.copy

    def killed(source: str, target: str) -> None:
        if target.endswith("b.tar"):
            raise KeyboardInterrupt
        real(source, target)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(files, "copy", killed)
        removal._settle(str(work), str(output))
    assert (output / "shards/a.tar").read_text() == "new" and (output / "shards/b.tar").read_text() == "old"
    assert removal._settle(str(work), str(output)) == ["exclude/1.txt", "shards/a.tar", "shards/b.tar"]
    assert {path.name for path in (output / "exclude").iterdir()} == {"1.txt", "2.txt"}


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run of three pages that is finished when extract is."""
    for place in (registry, removal):
        monkeypatch.setattr(place, "CORPUS", ("extract",))
    return crawl(tmp_path, "web", {f"{name}.test": words(name) for name in "abc"}, stages=("extract",))


def test_a_removal_is_gone_on_with_only_where_what_it_takes_is_the_same(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "list").write_text("a.test\n")
    manifest.write(str(small), "fetch", {"fingerprint": "f", "files": {"sha256": "of few images"}})

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    def begun() -> bool:
        with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
            patched.setattr(removal, "_settle", killed)
            removal.remove(str(small), [str(tmp_path / "list")], ALONE, quiet=True)
        before = (small / "removing/mark").exists()
        (small / "removing/mark").touch()
        return not before

    assert [begun(), begun()] == [True, False]
    assert not (small / "exclude").exists(), "until it is whole the run is as it was"
    manifest.write(str(small), "fetch", {"fingerprint": "f", "files": {"sha256": "of many"}})
    assert begun()


def test_a_removal_that_is_called_again_with_another_list_is_of_that_alone(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    for name in ("wrong", "a"):
        (tmp_path / name).write_text(f"{name}.test\n")
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(removal.Run, "go", killed)
        removal.remove(str(small), [str(tmp_path / "wrong")], ALONE, quiet=True)
    removal.remove(str(small), [str(tmp_path / "a")], ALONE, quiet=True, say=lambda line: None)
    assert [path.read_text() for path in (small / "exclude").iterdir()] == ["a.test\n"]


def test_lists_are_read_as_exclude_reads_them_and_what_is_out_is_not_taken_out_again(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ut1").mkdir()
    (tmp_path / "ut1/domains").write_text("a.test\nlocalhost\nnowhere.test\n")
    (tmp_path / "list").write_text("# asked\nz.test\nnot a thing\n")
    lists = [str(tmp_path / "ut1"), str(tmp_path / "list")]
    with pytest.raises(ConfigError, match=r"list, line 3: 'not a thing' matches nothing"):
        removal.remove(str(small), lists, ALONE, quiet=True)
    told: list[str] = []
    done = removal.remove(str(small), lists[:1], ALONE, quiet=True, say=told.append)
    assert done.idle == ("nowhere.test",) and told[0].startswith("1 of what is listed names nothing in")
    assert [row["url"] for row in rows(small, "documents")] == ["http://b.test/index.html", "http://c.test/index.html"]
    assert done.config.exclude == tuple(str(path) for path in (small / "exclude").iterdir())
    monkeypatch.setattr(removal, "Run", None)  # nothing is run
    for of_another, is_there in ((True, True), (False, False)):  # a removal that goes on, and what one has left
        files.write_atomic(str(small / "removing/documents/a"), "half")
        (state.write if of_another else lambda path, _: files.remove_tree(path))(
            str(small / "removing/source.json"), {}
        )
        assert removal.remove(str(small), lists[:1]).rewritten == ()
        assert (small / "removing").exists() == is_there
    (tmp_path / "empty").write_text("# nobody\n")
    assert removal.remove(str(small), [str(tmp_path / "empty")]).rewritten == ()
    (tmp_path / "deep").mkdir()
    small.rename(tmp_path / "deep/moved")
    assert removal.finished(str(tmp_path / "deep/moved"))[0].exclude == tuple(
        str(path) for path in (tmp_path / "deep/moved/exclude").iterdir()
    )
    assert state.read(str(tmp_path / "deep/moved/run.json"))["config"]["exclude"][0].startswith("exclude/")  # type: ignore[index]


def test_a_removal_needs_nothing_that_judged_the_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Filters, models and lists are named, and their hashes known: no page is judged again."""
    for place in (registry, removal):
        monkeypatch.setattr(place, "CORPUS", STAGES)
    lists = {
        "limits.toml": "[en]\n[de]\n",
        "en": "zounds\n",
        "judges_of_removed.py": "def judge(row): return None",
    }
    for name, text in lists.items():
        (tmp_path / name).write_text(text)
    train(tmp_path / "model.bin", {"en": ["a b"], "de": ["c d"]})
    monkeypatch.syspath_prepend(str(tmp_path))
    more = (
        f'extract.language_model="{tmp_path}/model.bin"', f'extract.quality_models={{en="{tmp_path}/model.bin"}}',
        f'extract.bad_words=["{tmp_path}/en"]', 'extract.filters=["judges_of_removed:judge"]',
        f'extract.language_rules="{tmp_path}/limits.toml"', 'dedup.index=""', 'extract.min_quality={en=0.0}',
    )  # fmt: skip
    pages = {f"{name}.test": words(name) for name in "abc"}
    output, never = (crawl(tmp_path, "web", pages, output=name, more=more) for name in ("had", "never"))
    (tmp_path / "list").write_text("a.test\n")
    removal.remove(str(never), [str(tmp_path / "list")], ALONE, quiet=True, say=lambda line: None)
    (tmp_path / "judges_of_removed.py").write_text("def judge(row): return 'another'")
    own_filters.load.cache_clear()
    (tmp_path / "model.bin").rename(tmp_path / "moved.bin")
    (tmp_path / "en").write_text("other\n")
    removal.remove(str(output), [str(tmp_path / "list")], ALONE, quiet=True, say=lambda line: None)
    assert {path.name: path.read_bytes() for path in (output / "documents").iterdir()} == {
        path.name: path.read_bytes() for path in (never / "documents").iterdir()
    }
    assert [row["url"].split("/")[2] for row in rows(output, "documents")] == ["b.test", "c.test"]
    for stage in STAGES:  # of what had judged, and not of what lies there now
        assert manifest.read(str(output), stage)["fingerprint"] == manifest.read(str(never), stage)["fingerprint"]  # type: ignore[index]
    _, _, apart = removal.finished(str(output))
    assert apart is None


def test_removals_from_runs_of_one_index_do_not_keep_each_other_from_theirs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place in (registry, removal):
        monkeypatch.setattr(place, "CORPUS", STAGES)
    made = [
        crawl(tmp_path, name, {f"{name}.test": words("same"), f"{name}{name}.test": words(name)})
        for name in ("a", "b", "c")
    ]
    assert kept(made[1]) == {"bb.test"}
    for output, name in zip(made, ("a", "bb", "cc"), strict=True):
        (tmp_path / "list").write_text(f"{name}.test\n")
        removal.remove(str(output), [str(tmp_path / "list")], ALONE, quiet=True, say=lambda line: None)
    assert [kept(output) for output in made] == [{"aa.test"}, {"b.test"}, set()]


def test_a_list_may_take_all_and_one_that_says_nothing_changes_nothing(
    small: Path, tmp_path: Path, sums: Callable[[Path], dict]
) -> None:
    (tmp_path / "empty").write_text("")
    (tmp_path / "all").write_text("a.test\nb.test\nc.test\n")
    before = sums(small)
    assert removal.remove(str(small), [str(tmp_path / "empty")], ALONE, quiet=True) == removal.Removed(
        removal.finished(str(small))[0], 0, ()
    )
    assert sums(small) == before
    removal.remove(str(small), [str(tmp_path / "all")], ALONE, quiet=True)
    assert rows(small, "documents") == []
    assert {row["reason"] for row in rows(small, "fates/extract") if row["kind"] == "page"} == {"excluded"}
