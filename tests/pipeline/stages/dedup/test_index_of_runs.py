"""Snapshots that are compared with earlier ones through an index, documents with evaluation texts, repeated lines."""

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from dedup_stage import checksums, document, pair, run, text, verdicts

from weft.pipeline.run import registry
from weft.schemas.config import Config, ConfigError, Dedup
from weft.schemas.records import Document
from weft.transforms.dedup import index

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


def test_documents_with_an_evaluation_text_go_before_all_others(tmp_path: Path) -> None:
    exam = " ".join(f"question{i}" for i in range(20))
    (tmp_path / "exam.jsonl").write_text(json.dumps({"q": exam}) + "\n")
    documents = [
        document("dirty", f"{text('page')} {exam}", date=9),
        document("clean", text("page"), date=1),  # its near-duplicate: must not be dropped for the dirty one
        document("short", " ".join(exam.split()[:12])),  # fewer than 13 words in common
    ]
    section = {"evaluation": (str(tmp_path / "exam.jsonl"),), "threshold": 0.7}
    rows = run(tmp_path / "out", documents, [pair("dirty", "p")], **section)
    dropped = verdicts(rows, "document")
    assert set(dropped) == {"dirty"} and kept(rows) == {"clean", "short"}
    assert dropped["dirty"][0] == "contaminated"
    assert dropped["dirty"][1].startswith(f"{tmp_path}/exam.jsonl:1: question0 question1")
    assert verdicts(rows, "pair") == {"dirty:p": ("document_dropped", "contaminated")}
    with pytest.raises(ConfigError, match="nowhere"):
        run(tmp_path / "bad", documents, evaluation=("/nowhere.txt",))


def test_lines_of_a_host_and_lines_of_all(tmp_path: Path) -> None:
    def page(name: str, host: str, *lines: str) -> Document:
        made = document(name, "", url=f"http://{host}/{name}", images=1)
        return made._replace(texts=[lines[0], None, "\n".join(lines[1:])], images=[None, "http://i.test/1", None],
                             image_meta=[None, None, None])  # fmt: skip

    documents = [
        *[page(f"h{i}", "one.test", text(f"h{i}", 30), "Subscribe to us", text(f"more {i}", 20)) for i in range(3)],
        page("other", "two.test", text("other", 30), "Subscribe to us", text("o", 20)),
    ]
    rows = run(tmp_path / "host", documents, lines_per_host=3, near=False)
    assert {row["doc_id"]: row["lines"] for row in rows["cuts"]} == {"h0": [1], "h1": [1], "h2": [1]}
    rows = run(tmp_path / "once", documents, lines_once=True, near=False)
    cut = {row["doc_id"]: row["lines"] for row in rows["cuts"]}
    assert len(cut) == 3 and set(map(tuple, cut.values())) == {(1,)}


def test_the_same_pictures_in_the_same_order(tmp_path: Path) -> None:
    def gallery(name: str, pictures: list[str], date: int) -> Document:
        return document(name, text(name), date=date)._replace(
            texts=[text(name), *[None] * len(pictures)],
            images=[None, *pictures],
            image_meta=[None] * (len(pictures) + 1),
        )

    one, two = "http://i.test/1", "http://i.test/2"
    documents = [
        gallery("g1", [one, two], 1),
        gallery("g2", [one, two], 2),
        gallery("reversed", [two, one], 3),
        gallery("logo1", [one], 4),
        gallery("logo2", [one], 5),
    ]
    assert verdicts(run(tmp_path / "on", documents, image_sets=True, near=False), "document") == {
        "g1": ("duplicate_images", "g2")
    }
    assert not verdicts(run(tmp_path / "off", documents, near=False), "document")


@pytest.mark.parametrize(
    ("policy", "stays"), [("newest", "young"), ("oldest", "old"), ("quality", "prose"), ("most_images", "pictures")]
)
def test_policies(tmp_path: Path, policy: str, stays: str) -> None:
    words = text("p", 60)
    documents = [
        document("young", words, date=9),
        document("old", words, date=1),
        document("prose", words + ".", date=5),
        document("pictures", words, date=4, images=3),
    ]
    assert kept(run(tmp_path, documents, keep=policy, near=False)) == {stays}
