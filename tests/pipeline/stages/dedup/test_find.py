"""What the rules find: contaminated documents, equal pictures, and which of a cluster stays."""

import json
from pathlib import Path
from typing import Any

import pytest
from dedup_stage import document, pair, run, text, verdicts

from weft.schemas.parameters import ConfigError
from weft.schemas.records import Document


def kept(rows: dict[str, list[dict[str, Any]]]) -> set[str]:
    return {row["key"] for row in rows["kept"] if row["kind"] == "document"}


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


def test_policy_decides_inside_clusters_but_not_at_an_address(tmp_path: Path) -> None:
    documents = [
        document("long", text("k") + " and some more", date=1),
        document("new", text("k"), date=9),
        document("exact1", text("x"), date=1, images=1),
        document("exact2", text("x"), date=2),
        document("old", text("page"), url="http://site.test/page", date=1, images=1),
        document("young", text("short", 50), url="http://site.test/page", date=2),
    ]
    rows = run(tmp_path, documents, keep="longest")
    assert {row["doc_id"]: row["kept_id"] for row in rows["clusters"]} == {
        **dict.fromkeys(("long", "new"), "long"),
        **dict.fromkeys(("exact1", "exact2"), "exact2"),
        **dict.fromkeys(("old", "young"), "young"),
    }
