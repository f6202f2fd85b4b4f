"""The whole stage on planted duplicates: verdicts, clusters, pairs, books, and equal bytes whatever the order."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from dedup_stage import again, checksums, document, pair, run, text, verdicts

from weft.pipeline.runners.local import pool
from weft.pipeline.stages.dedup import work
from weft.schemas.parameters import ConfigError
from weft.schemas.records import Document, Pair, hash_unit
from weft.schemas.tables import DOCUMENTS
from weft.transforms.io.parquet import write_table


def planted() -> tuple[list[Document], list[Pair]]:
    documents = [
        # a chain over two rules: a1 → a2 by URL, a2 → c by text, so both end at c
        document("a1", text("old news"), url="http://www.site.test/a/", date=1),
        document("a2", text("a"), url="https://site.test/a?utm_source=x", date=2),
        document("c", text("a", changed=[100]), date=3),
        # equal but for case and punctuation; the pictures differ
        document("e1", text("e"), date=5, images=1),
        document("e2", text("e").upper() + "!", date=4, images=3),
        # neighbours are similar, the ends of the line are not: one cluster all the same
        *[document(f"l{i}", text("l", changed=range(0, 6 * i, 1)), date=50 - i) for i in range(6)],
        # a page in a hundred places, each with a word of its own
        *[document(f"big{i:03}", text("big", changed=[i]), date=200 + i) for i in range(100)],
        # half alike: neither is a duplicate
        document("h1", text("h")),
        document("h2", text("h", changed=range(0, 200, 12))),
        # no words: equal only where the same pictures say so
        document("n1", ""),
        document("n2", ""),
        document("n3", "...", images=1)._replace(images=[None, "http://i.test/same.jpg"]),
        document("n4", "", images=1)._replace(images=[None, "http://i.test/same.jpg"], crawl_date=101),
        document("n5", "", images=1),
        # shorter than a shingle
        document("s1", "Hello there"),
        document("s2", "hello, there", date=101),
        document("s3", "Hello you"),
        # one record that two files hold, and a third copy at the very same place
        document("r", text("r"), place=("one.warc.gz", 5)),
        document("r", text("r"), place=("two.warc.gz", 3)),
        document("r", text("r"), place=("two.warc.gz", 3)),
        *[document(f"u{i}", text(f"unique {i}")) for i in range(30)],
    ]
    pairs = [
        *[pair("a1", "p0"), pair("c", "p1"), pair("u1", "p1"), pair("u0", "p1"), pair("u1", "p2")],
        *[pair("r", "p3"), pair("r", "p3"), pair("r", "p3"), pair("e2", "p4"), pair("e2", "p4"), pair("u2", "p4")],
        pair("nobody", "p5"),
    ]
    return documents, pairs


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, list[dict[str, Any]]]]:
    output = tmp_path_factory.mktemp("dedup")
    return output, run(output, *planted())


def test_every_planted_duplicate_and_nothing_else(result: Any) -> None:
    dropped = verdicts(result[1], "document")
    big = {f"big{i:03}": ("duplicate_near", "big099") for i in range(99)}
    assert dropped == big | {
        "a1": ("duplicate_url", "c"),
        "a2": ("duplicate_near", "c"),
        "e2": ("duplicate_exact", "e1"),
        **{f"l{i}": ("duplicate_near", "l0") for i in range(1, 6)},
        "n3": ("duplicate_exact", "n4"),
        "s1": ("duplicate_exact", "s2"),
        "r@two.warc.gz:3": ("duplicate_record", "one.warc.gz:5"),
        "r@two.warc.gz:3#2": ("duplicate_record", "one.warc.gz:5"),
    }


def test_clusters_say_who_is_with_whom(result: Any) -> None:
    rows = {row["doc_id"]: row for row in result[1]["clusters"]}
    assert len(rows) == len(result[1]["clusters"]) == 100 + 3 + 2 + 6 + 2 + 2
    assert {row["cluster_id"] for row in rows.values()} == {"a1", "big000", "e1", "l0", "n3", "s1"}
    for row in rows.values():
        members = [other for other in rows.values() if other["cluster_id"] == row["cluster_id"]]
        assert row["cluster_size"] == len(members)
        assert row["cluster_id"] == min(member["doc_id"] for member in members)
        assert {member["kept_id"] for member in members} == {row["kept_id"]}
    assert (rows["a1"]["how"], rows["a2"]["how"], rows["c"]["how"]) == ("url", "near", "near")
    assert (rows["e1"]["how"], rows["e2"]["how"]) == ("exact", "exact")
    assert rows["c"]["similarity"] == rows["e2"]["similarity"] == rows["n3"]["similarity"] == 1.0
    assert 0.8 <= rows["a2"]["similarity"] < 1.0
    assert rows["a1"]["similarity"] < 0.1  # another text at the same address
    assert rows["l5"]["similarity"] < 0.8 <= rows["l1"]["similarity"]  # reached through its neighbours


def test_kept_is_what_was_not_dropped(result: Any) -> None:
    documents, _ = planted()
    kept = {row["key"]: row for row in result[1]["kept"] if row["kind"] == "document"}
    assert set(kept) == {d.doc_id for d in documents} - set(verdicts(result[1], "document"))
    assert (kept["r"]["warc_file"], kept["r"]["warc_offset"]) == ("one.warc.gz", 5)
    pairs = {row["key"]: row for row in result[1]["kept"] if row["kind"] == "pair"}
    assert set(pairs) == {"c:p1", "u1:p2", "r:p3", "u2:p4"}
    assert pairs["c:p1"]["doc_id"] == "c"


def test_pairs_go_with_their_page_and_stay_once(result: Any) -> None:
    assert verdicts(result[1], "pair") == {
        "a1:p0": ("document_dropped", "c"),
        "u0:p1": ("duplicate", "c"),
        "u1:p1": ("duplicate", "c"),
        "r:p3@2": ("duplicate_record", "r:p3"),
        "r:p3@3": ("duplicate_record", "r:p3"),
        "e2:p4": ("document_dropped", "e1"),
        "e2:p4@2": ("duplicate_record", "e2:p4"),
        "nobody:p5": ("document_missing", ""),
    }


def test_order_files_and_workers_do_not_show(result: Any, tmp_path: Path) -> None:
    """In one process in the planted order, against two worker processes on shuffled rows in other files."""
    documents, pairs = planted()
    shuffled = sorted(documents, key=lambda d: hash_unit(f"{d.doc_id}{d.warc_file}", "order"))
    workers = ("--direct_running_mode=multi_processing", "--direct_num_workers=2")
    run(tmp_path, shuffled, list(reversed(pairs)), files=5, flags=workers)
    assert checksums(tmp_path) == checksums(result[0])


def test_every_job_of_a_large_input_is_for_all_workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    lent = pool.lent
    monkeypatch.setattr(work, "ROWS_PER_UNIT", 1)
    monkeypatch.setattr(pool, "lent", lambda count, options: (asked.append(count), lent(count, options))[1])
    run(tmp_path, [document(f"d{n}", text(f"some {n}")) for n in range(4)], flags=("--direct_num_workers=2",))
    assert asked == [2] * 4, "sketch, find, link, settle"


@pytest.mark.parametrize("rule", ["url", "exact", "near", ""])
def test_switches(tmp_path: Path, rule: str) -> None:
    rows = run(tmp_path, *planted(), **{name: name == rule for name in ("url", "exact", "near")})
    reasons = {reason for reason, _ in verdicts(rows, "document").values()}
    assert reasons == {"duplicate_record"} | ({f"duplicate_{rule}"} if rule else set())
    assert {row["how"] for row in rows["clusters"]} == ({rule} if rule else set())
    if rule == "near":  # near-duplicates without the exact rule: equal texts are nearly equal
        assert verdicts(rows, "document")["e2"] == ("duplicate_near", "e1")
    if rule == "":
        assert {reason for reason, _ in verdicts(rows, "pair").values()} == {"duplicate_record", "document_missing"}


def test_sketches_on_disk_are_used_again(result: Any, tmp_path: Path) -> None:
    shutil.copytree(result[0], tmp_path, dirs_exist_ok=True)
    for number in range(3):  # the same fingerprint promises the same rows: what is read again would show
        broken = [d._replace(texts=["same everywhere"], images=[None]) for d in planted()[0][number::3]]
        write_table(f"{tmp_path}/documents/d{number}.parquet", broken, DOCUMENTS)
    for table in ("clusters", "kept", "fates"):
        shutil.rmtree(tmp_path / table)
    again(tmp_path)
    assert checksums(tmp_path) == checksums(result[0])


@pytest.mark.parametrize("files", [0, 2])
def test_nothing_in_nothing_out(tmp_path: Path, files: int) -> None:
    rows = run(tmp_path, [], [], files=files)
    assert rows == {"clusters": [], "kept": [], "cuts": [], "fates/dedup": []}
    assert len(list((tmp_path / "kept").glob("*.parquet"))) == 8


def test_an_impossible_recall_is_refused_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"raise dedup\.permutations"):
        run(tmp_path, *planted(), permutations=8, threshold=0.2, recall=0.99)
    assert not (tmp_path / "dedup").exists()


def test_curve_is_written(result: Any) -> None:
    chosen = json.loads((result[0] / "dedup/curve.json").read_text())
    assert (chosen["bands"], chosen["rows"], chosen["cut"]) == (13, 7, 95 / 128)
    assert dict(map(tuple, chosen["curve"]))[0.8] >= chosen["recall"]
