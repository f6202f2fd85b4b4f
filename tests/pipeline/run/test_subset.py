"""A subset is a run that never had the others."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from small_crawls import ALONE, STAGES, crawl, kept, text

from weft.pipeline import cli
from weft.pipeline.run import manifest, registry, removal, subset, where
from weft.pipeline.run import place as placing
from weft.pipeline.run.context import Context
from weft.pipeline.stages.dedup import stage as dedup_stage
from weft.schemas import tables
from weft.schemas.parameters import ConfigError
from weft.schemas.records import Document, KeptRow, Pair, PairKey, Score
from weft.transforms.dedup import index as dedup_index
from weft.transforms.io import state
from weft.transforms.io.parquet import read_table, write_table


@pytest.mark.timeout(900)
def test_the_bytes_are_those_of_a_run_that_never_had_the_others(
    finished: Path, sums: Callable[[Path], dict[str, str]], run_on_web: Callable[..., Path], tmp_path: Path
) -> None:
    quiet = {"quiet": True, "say": lambda line: None}
    made = subset.subset(
        str(finished), str(tmp_path / "some"), "words > 100 and similarity > 0.5", ("--direct_num_workers=1",), **quiet
    )
    (listed,) = made.exclude
    assert any(":" in line for line in Path(listed).read_text().splitlines())  # pairs are among them
    never = run_on_web(tmp_path / "never", f'exclude=["{listed}"]')
    for name in ("shards", "documents", "pairs", "kept", "scores"):
        assert sums(tmp_path / "some" / name) == sums(never / name), name
    assert 0 < len(list(read_table(str(never / "pairs"), Pair))) < len(list(read_table(str(finished / "pairs"), Pair)))
    removal.finished(str(tmp_path / "some"))
    with pytest.raises(ConfigError, match="holds another run"):
        subset.subset(str(finished), str(tmp_path / "some"), "words > 200")


def test_a_condition_that_means_nothing_begins_nothing(finished: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="did you mean 'words'"):
        subset.subset(str(finished), str(tmp_path / "none"), "wrods > 3")
    assert not (tmp_path / "none").exists()


def test_the_index_follows_a_removal_that_is_whole_and_no_subset_or_other_output(
    tmp_path: Path, sums: Callable[[Path], dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    for place in (registry, removal):
        monkeypatch.setattr(place, "CORPUS", STAGES)
    quiet = {"quiet": True, "say": lambda line: None}
    first = {f"{name}.test": text(name) for name in "abc"}
    output, index, listed = crawl(tmp_path, "first", first), tmp_path / "index", tmp_path / "list"
    before = sums(index)
    write_table(str(output / "scores/a.parquet"), [], tables.SCORES)
    subset.subset(str(output), str(tmp_path / "small"), "domain = 'a.test'", ALONE, **quiet)
    assert kept(tmp_path / "small") == {"a.test"} and sums(index) == before
    with pytest.raises(ConfigError, match=f"has this input from the run in {output}: set another dedup.index"):
        crawl(tmp_path, "first", first, output="other")
    assert not (tmp_path / "other").exists() and sums(index) == before
    listed.write_text("a.test\n")
    real = removal._settle
    with monkeypatch.context() as killed, pytest.raises(KeyboardInterrupt):
        killed.setattr(removal, "_settle", raising(KeyboardInterrupt))
        removal.remove(str(output), [str(listed)], ALONE, **quiet)
    assert {name: sums(index)[name] for name in before} == before  # what it has made lies beside, and counts for nobody
    real(str(output / "removing"), str(output))
    assert kept(output) == {"b.test", "c.test"} and len(sums(index)) == len(before)
    parts = dedup_index.parts(str(index), dedup_index.against(str(index), "another"))
    assert {sketch.doc_id for part in parts for sketch in dedup_index.read(part)} == {
        row.doc_id for row in read_table(str(output / "kept"), KeptRow)
    }


def test_a_subset_that_was_killed_before_it_said_of_what_is_begun_anew_by_whatever_comes_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place in (registry, removal):
        monkeypatch.setattr(place, "CORPUS", STAGES)
    output, to = crawl(tmp_path, "first", {f"{name}.test": text(name) for name in "abc"}), tmp_path / "small"

    def ask(host: str) -> int:
        told = ["--output", str(output), "--to", str(to), "--where", f"domain = '{host}'", "--quiet"]
        return cli.main(["subset", *told, "--", *ALONE])

    with monkeypatch.context() as killed:
        killed.setattr(manifest, "write_run", raising(KeyboardInterrupt))
        assert ask("b.test") == 130 and len(list((to / "exclude").iterdir())) == 1
    assert ask("a.test") == 0 and kept(to) == {"a.test"} and len(list((to / "exclude").iterdir())) == 1


def test_a_run_to_which_a_removal_is_half_put_is_none_to_take_a_subset_of(tmp_path: Path) -> None:
    output = crawl(tmp_path, "first", {"a.test": text("a")})
    state.write(str(output / "removing/settling"), {"changed": [], "gone": []})
    with pytest.raises(ConfigError, match="was interrupted: call `weft remove` again first"):
        subset.subset(str(output), str(tmp_path / "small"), "words > 3")
    assert not (tmp_path / "small").exists()


def raising(error: type[BaseException]) -> Callable[..., None]:
    def call(*_: object, **__: object) -> None:
        raise error

    return call


def test_a_similarity_is_the_decimal_that_was_written(tmp_path: Path) -> None:
    values = [n / 100 for n in range(100)]
    pairs = [
        Pair(str(one), "page", "http://a.test/", "http://a.test/a.jpg", "words", "alt", "en", 0.9) for one in values
    ]
    write_table(str(tmp_path / "documents/a.parquet"), [], tables.DOCUMENTS)
    write_table(str(tmp_path / "pairs/a.parquet"), pairs, tables.PAIRS)
    scores = [Score("pair", str(one), 0, 0, "http://a.test/a.jpg", one) for one in values]
    write_table(str(tmp_path / "scores/a.parquet"), scores, tables.SCORES)
    for least in values:
        gone = set(subset._unfit(str(tmp_path), where.parse(f"similarity >= {least}", subset.NAMES)))
        assert gone == {str(PairKey("page", str(one))) for one in values if one < least}


@pytest.mark.parametrize(
    ("condition", "stays"),
    [
        ("words > 100", "list wat"),
        ("images > 0", "list wat"),
        ("title like '%barn%'", "list wat"),
        ("domain = 'w.test'", "list wat"),
        ("domain = 'a.test'", "list"),
        ("url like 'http://w.test/%'", "list wat"),
        ("language = 'en'", "list wat"),
        ("language = 'de'", ""),
        ("date > '2000-01-01'", "list wat"),
        ("text like '%wat%'", "wat"),
    ],
)
def test_a_document_that_only_carries_pairs_is_asked_for_nothing_that_it_does_not_have(
    tmp_path: Path, condition: str, stays: str
) -> None:
    """A row of a list has no address of a page, a page of WAT no language; neither has words or images."""
    nothing: tuple[Any, ...] = ([], [], [], [])
    documents = [
        Document("list", "", 0, "l", 1, "", "en", 0.9, "", *nothing),
        Document("wat", "http://w.test/p", 10**15, "w", 1, "", "", 0.0, "A barn", *nothing),
    ]
    pairs = [
        Pair("1", "list", "", "http://a.test/1.jpg", "a list's", "list", "en", 0.9),
        Pair("2", "wat", "http://w.test/p", "http://a.test/2.jpg", "a wat's", "alt", "en", 0.9),
    ]
    write_table(str(tmp_path / "documents/a.parquet"), documents, tables.DOCUMENTS)
    write_table(str(tmp_path / "pairs/a.parquet"), pairs, tables.PAIRS)
    write_table(str(tmp_path / "scores/a.parquet"), [], tables.SCORES)
    gone = set(subset._unfit(str(tmp_path), where.parse(condition, subset.NAMES)))
    lost = {pair.doc_id for pair in pairs if gone & {pair.doc_id, str(PairKey(pair.doc_id, pair.pair_id))}}
    assert lost == {"list", "wat"} - set(stays.split())


def test_a_run_that_takes_its_place_while_another_works_is_not_half_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a dedup is said to be compared with is what it is compared with, also where it goes on after a kill."""
    pages = {f"{name}.test": text(name) for name in "ab"}
    begin, real = dedup_stage.Work, dedup_stage.settle

    def late(ctx: Context) -> dedup_stage.Work:
        monkeypatch.setattr(dedup_stage, "Work", begin)
        monkeypatch.setattr(dedup_stage, "settle", real)
        crawl(tmp_path, "other", {"c.test": text("a")})
        monkeypatch.setattr(dedup_stage, "settle", raising(KeyboardInterrupt))
        return begin(ctx)

    monkeypatch.setattr(dedup_stage, "Work", late)
    with pytest.raises(KeyboardInterrupt):
        crawl(tmp_path, "first", pages)
    monkeypatch.setattr(dedup_stage, "settle", real)
    output = crawl(tmp_path, "first", pages)  # goes on, and asks for no --redo
    assert kept(output) == {"a.test", "b.test"}
    places = [state.read(str(path)) or {} for path in (tmp_path / "index").glob("*/run.json")]
    assert [place["against"] for place in places] == [[], []]
    monkeypatch.setattr(dedup_stage, "settle", raising(KeyboardInterrupt))
    crawl(tmp_path, "first", pages)  # is done, and knows it


def test_a_dedup_that_is_done_again_takes_its_place_when_its_tables_have_theirs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages = {f"{name}.test": text("a") for name in "ab"}
    output = crawl(tmp_path, "first", pages)
    (published,) = (tmp_path / "index").glob("*/run.json")
    before = state.read(str(published))
    for room, name in ((placing, "replace"), (dedup_index, "publish")):  # killed before the one, then before the other
        with monkeypatch.context() as killed, pytest.raises(KeyboardInterrupt):
            killed.setattr(room, name, raising(KeyboardInterrupt))
            crawl(tmp_path, "first", pages, redo=True, more=("dedup.keep='oldest'",))
        assert state.read(str(published)) == before
    assert "oldest" in (output / "dedup/manifest.json").read_text()
    crawl(tmp_path, "first", pages, more=("dedup.keep='oldest'",))  # is done, but for its place
    after = state.read(str(published)) or {}
    assert after["parts"] != (before or {})["parts"] and all(
        (published.parent / part).exists() for part in after["parts"]
    )


def test_files_that_others_had_the_names_of_are_not_lost_from_the_index(tmp_path: Path) -> None:
    """A crawl that writes the same name every day, whose output is moved away: each day's place would be the next's."""
    monday = crawl(tmp_path, "today", {"a.test": text("a")}, "monday")
    monday.rename(tmp_path / "kept")
    assert crawl(tmp_path, "today", {"a.test": text("a")}, "again").exists(), "the same files may be run over again"
    shutil.rmtree(tmp_path / "again")
    with pytest.raises(
        ConfigError, match=r"has other files of these names from the run in .*/again, and would lose them"
    ):
        crawl(tmp_path, "today", {"a.test": text("b")}, "tuesday")
    assert not (tmp_path / "tuesday/dedup").exists()
    other = crawl(tmp_path, "tomorrow", {"c.test": text("a")}, "wednesday")
    assert kept(other) == set(), "what was there on Monday is known"
