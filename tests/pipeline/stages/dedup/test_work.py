"""Snapshots that are compared with earlier ones through an index."""

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from dedup_stage import again, checksums, document, pair, run, text, verdicts

from weft.pipeline.run import registry
from weft.pipeline.stages.dedup import stage
from weft.schemas.config import Config, Dedup
from weft.schemas.parameters import ConfigError, DuplicateRules
from weft.schemas.records import SiteFile
from weft.schemas.tables import SITE_FILES
from weft.transforms.consent import site_files
from weft.transforms.dedup import index
from weft.transforms.io import state
from weft.transforms.io.parquet import write_table

FIRST = [
    document("a1", text("a"), date=1),
    document("b1", text("b"), date=2),
    document("b2", text("b", changed=[50]), date=3),
    document("d1", text("d"), url="http://site.test/d", date=4),
    document("e1", text("e"), date=5, images=2),
    *[document(f"u{i}", text(f"unique {i}"), date=6) for i in range(8)],
]
SECOND = [
    document("a2", text("a"), date=11),  # equal to a kept one
    document("b3", text("b", changed=[150]), date=12),  # like both; b1 was kept
    document("d2", text("something else"), url="https://www.site.test/d/", date=13),  # a later capture
    document("f1", text("f"), date=14),
    document("f2", text("f", changed=[9]), date=15),
    document("u1", text("unique 1"), date=6),  # the very record once more
    *[document(f"v{i}", text(f"new {i}"), date=16) for i in range(8)],
]
OLDEST: dict[str, Any] = {"keep": "oldest", "url": False}


def kept(rows: dict[str, list[dict[str, Any]]]) -> set[str]:
    return {row["key"] for row in rows["kept"] if row["kind"] == "document"}


def test_a_second_snapshot_is_compared_with_the_first(tmp_path: Path) -> None:
    where = {"index": str(tmp_path / "index"), "keep": "oldest"}
    first = run(tmp_path / "1", FIRST, inputs=("1.warc",), **where)
    assert kept(first) == {d.doc_id for d in FIRST} - {"b2"}
    second = run(
        tmp_path / "2", SECOND, [pair("a2", "p"), pair("f1", "q"), pair("u1", "r")], inputs=("2.warc",), **where
    )
    assert verdicts(second, "document") == {
        "a2": ("duplicate_exact", "a1"),
        "b3": ("duplicate_near", "b1"),
        "d2": ("duplicate_url", "d1"),
        "f2": ("duplicate_near", "f1"),
        f"u1@one.warc.gz:{SECOND[5].warc_offset}": ("duplicate_record", f"one.warc.gz:{FIRST[6].warc_offset}"),
    }
    assert verdicts(second, "pair") == {"a2:p": ("document_dropped", "a1"), "u1:r": ("document_dropped", "u1")}
    rows = {row["doc_id"]: row for row in second["clusters"]}
    assert (rows["b3"]["kept_id"], rows["b3"]["how"]) == ("b1", "near") and rows["b3"]["similarity"] > 0.8


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any, Any]:
    """Both snapshots, one after the other: their folder, the rows of the first and of the second."""
    home = tmp_path_factory.mktemp("two")
    first = run(home / "1", FIRST, inputs=("1",), index=str(home / "index"), **OLDEST)
    return home, first, run(home / "2", SECOND, inputs=("2",), index=str(home / "index"), **OLDEST)


def test_two_snapshots_end_as_one_would(two: tuple[Path, Any, Any], tmp_path: Path) -> None:
    """Where the older one wins and no new document joins two old clusters, the split must not show."""
    _, first, second = two
    whole = run(tmp_path / "all", FIRST + [d for d in SECOND if d.doc_id != "u1"], **OLDEST)
    assert kept(first) | kept(second) == kept(whole)
    assert {(row["doc_id"], row["kept_id"]) for row in whole["clusters"]} == {
        (row["doc_id"], row["kept_id"]) for rows in (first, second) for row in rows["clusters"]
    }


def test_what_the_first_run_dropped_still_connects(tmp_path: Path) -> None:
    """c is like b alone, which was dropped for a: in one run the three are one cluster, so they are in two."""
    chain = [document(f"c{i}", text("c", 200, changed=range(9 * i)), date=i) for i in range(3)]
    settings = {**OLDEST, "threshold": 0.85, "recall": 0.99, "verify": "exact"}
    whole = run(tmp_path / "all", chain, **settings)
    assert kept(whole) == {"c0"}
    where = str(tmp_path / "index")
    run(tmp_path / "1", chain[:2], inputs=("1",), index=where, **settings)
    second = run(tmp_path / "2", chain[2:], inputs=("2",), index=where, **settings)
    assert verdicts(second, "document") == {"c2": ("duplicate_near", "c0")}


def test_a_text_whose_kept_copy_was_taken_out_is_kept_by_the_next_run(tmp_path: Path) -> None:
    """e equal, n alike. The second run dropped both for the first one's, which has lost them; nobody redid the second."""
    where = str(tmp_path / "index")

    def crawl(number: int) -> set[str]:
        near = text("n", changed=[number])
        two = [document(f"e{number}", text("e"), date=number), document(f"n{number}", near, date=number)]
        return kept(run(tmp_path / str(number), two, files=1, inputs=(str(number),), index=where, buckets=1, **OLDEST))

    assert crawl(1) == {"e1", "n1"} and crawl(2) == set()
    index.publish(where, index.run_name(("1",)), {"parts": [], "against": []})
    assert crawl(3) == {"e3", "n3"}


def test_a_run_again_sees_what_it_saw_the_first_time(two: tuple[Path, Any, Any], tmp_path: Path) -> None:
    home, _, _ = two
    again = run(tmp_path, FIRST, inputs=("1",), index=str(home / "index"), **OLDEST)
    assert "a2" not in {row["kept_id"] for row in again["clusters"]}
    assert checksums(tmp_path) == checksums(home / "1")
    assert len(list((home / "index").glob("*/run.json"))) == 2


def test_what_an_index_holds_decides_whether_the_stage_is_done(tmp_path: Path) -> None:
    config = dataclasses.replace(Config(), dedup=Dedup(index=str(tmp_path / "index")))
    before = registry.fingerprints(config, [("2", 5)])["dedup"]
    run(tmp_path / "1", FIRST, inputs=("1",), index=config.dedup.index, near=False)
    after = registry.fingerprints(config, [("2", 5)])["dedup"]
    assert before != after
    run(tmp_path / "2", SECOND, inputs=("2",), index=config.dedup.index, near=False)
    assert registry.fingerprints(config, [("2", 5)])["dedup"] == after


def test_a_foreign_index_is_one_clear_line(tmp_path: Path) -> None:
    where = str(tmp_path / "index")
    run(tmp_path / "1", FIRST[:2], inputs=("1",), index=where)
    with pytest.raises(ConfigError, match=r"was made with ngram = 5, not 3: use another dedup\.index"):
        run(tmp_path / "2", SECOND, inputs=("2",), index=where, ngram=3)
    (tmp_path / "index/header.json").write_text('{"some": "table"}')
    with pytest.raises(ConfigError, match="is not a dedup index"):
        run(tmp_path / "2", SECOND, inputs=("2",), index=where)


@pytest.mark.parametrize("section", [{}, {"near": False}, {"image_sets": True}])
def test_an_index_that_has_other_keys_of_documents_is_one_clear_line(tmp_path: Path, section: dict[str, Any]) -> None:
    """Documents that an earlier run has no signature of would be found by no later one."""
    rules = DuplicateRules(**section)
    (tmp_path / "header.json").write_text(json.dumps(index.header(rules)))
    index.check(str(tmp_path), rules)
    for other in (DuplicateRules(), DuplicateRules(near=False), DuplicateRules(image_sets=True)):
        if other != rules:
            with pytest.raises(ConfigError, match=r"was made with (near|image_sets) = (True|False), not (False|True)"):
                index.check(str(tmp_path), other)
    (tmp_path / "header.json").write_text(json.dumps({**index.header(rules), "addresses": 1}))
    with pytest.raises(ConfigError, match="addresses = 1, not 2"):
        index.check(str(tmp_path), rules)
    (tmp_path / "header.json").write_text('{"what": "weft dedup index", "unit": "word"}')
    with pytest.raises(ConfigError, match="is an older version's"):
        index.check(str(tmp_path), rules)


def test_tables_of_a_killed_run_that_are_lost_are_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each table between two jobs is named in a marker; without one of them the run ends as it would have."""
    rules = site_files.read("robots.txt", b"User-agent: GPTBot\nDisallow: /no\n", ("train",))
    documents = [*SECOND[:5], document("n", text("n"), url="http://site.test/no", date=1)]
    where: dict[str, Any] = {"index": str(tmp_path / "index"), "buckets": 1}
    run(tmp_path / "1", FIRST[:4], files=1, inputs=("1",), **where)
    write_table(f"{tmp_path}/2/site_files/s.parquet", [SiteFile("site.test", 1, "robots.txt", rules)], SITE_FILES)
    parts = lambda: sorted(str(one.relative_to(tmp_path / "2")) for one in (tmp_path / "2").glob("dedup/*/*.parquet"))  # noqa: E731
    for section in ({"cluster": "bucket"}, {}):
        with monkeypatch.context() as killed:
            killed.setattr(stage, "settle", lambda *_: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                run(tmp_path / "2", documents, files=1, inputs=("2",), **where, **section)
        there = parts()
        markers = [state.read(str(path)) for path in (tmp_path / "2/dedup/units").glob("*.json")]
        assert set(there) == {name for marker in markers for name in state.noted(marker) if name.endswith(".parquet")}
        if section:
            assert {name.split("/")[1] for name in there} >= {"seats-0", "seats-1", "near-1"}
            shutil.rmtree(tmp_path / "2/dedup")
    assert {name.split("/")[1] for name in there} == {
        "astray", "drops", "earlier", "edges", "forbidden", "sketches", "stars-1",
    }  # fmt: skip
    for name in there:
        if name.split("/")[1] in ("forbidden", "edges", "drops", "sketches"):
            (tmp_path / "2" / name).unlink()
    rows = again(tmp_path / "2", inputs=("2",), **where)
    assert parts() == there
    assert {key: reason for key, (reason, _) in verdicts(rows, "document").items()} == {
        "a2": "duplicate_exact", "b3": "duplicate_near", "d2": "duplicate_url", "f1": "duplicate_near", "n": "opt_out",
    }  # fmt: skip


def test_a_lost_run_is_missed(tmp_path: Path) -> None:
    where = str(tmp_path / "index")
    run(tmp_path / "1", FIRST[:2], inputs=("1",), index=where, near=False)
    run(tmp_path / "2", SECOND[:2], inputs=("2",), index=where, near=False)
    shutil.rmtree(tmp_path / "index" / index.run_name(("1",)))
    with pytest.raises(ConfigError, match="has lost run"):
        run(tmp_path / "3", SECOND[:2], inputs=("2",), index=where, near=False)


def test_a_run_that_died_while_it_wrote_is_not_there(tmp_path: Path) -> None:
    where = tmp_path / "index"
    run(tmp_path / "1", FIRST, inputs=("1",), index=str(where), near=False)
    (where / index.run_name(("1",)) / "run.json").unlink()
    second = run(tmp_path / "2", SECOND, inputs=("2",), index=str(where), near=False)
    assert "a2" in kept(second)
