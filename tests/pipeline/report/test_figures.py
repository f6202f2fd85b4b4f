"""The report's numbers, each from tables small enough to count by hand."""

import json

import numpy as np

from weft.pipeline.report import figures
from weft.schemas.records import DROPPED, KEPT, Fate
from weft.schemas.shards import CORPORA
from weft.schemas.tables import FATES
from weft.transforms.io import parquet


def fates(output, stage, *rows):
    parquet.write_table(str(output / f"fates/{stage}/0.parquet"), [Fate(stage, *row) for row in rows], FATES)


def test_histograms_put_a_value_on_an_edge_into_the_column_that_begins_there():
    made = figures.histogram({"a": [0, 9, 10, 10, 999]}, (0, 5, 10, 20))
    assert made["from"] == [0, 5, 10, 20] and made["counts"]["a"] == [1, 1, 2, 1]
    assert figures.histogram({"a": [0.15]}, (0.1, 0.15, 0.2))["from"] == [0.15]
    stored = [float(np.float32(n / 100)) for n in range(100)]  # as a table has them
    assert figures.histogram({"a": stored}, [n / 100 for n in range(100)])["counts"]["a"] == [1] * 100


def test_books_of_a_stage_that_has_not_ended_are_counted_from_its_fates(tmp_path):
    fates(
        tmp_path, "extract",
        ("page", "a", KEPT, "", ""), ("page", "b", DROPPED, "too_short", ""), ("page", "c", DROPPED, "too_short", ""),
        ("record", "r", DROPPED, "unreadable", ""),
    )  # fmt: skip
    assert figures.count_fates(str(tmp_path), "extract") == {
        "page": {"entered": 3, "kept": 1, "dropped": {"too_short": 2}},
        "record": {"entered": 1, "kept": 0, "dropped": {"unreadable": 1}},
    }
    assert figures.count_fates(str(tmp_path), "dedup") == {}


def test_the_corpus_of_a_document_is_that_of_its_shard(tmp_path):
    fates(
        tmp_path, "pack",
        ("document", "a", KEPT, "", "interleaved/train/000000.tar"), ("document", "b", KEPT, "", "text/val/000000.tar"),
        ("document", "c", DROPPED, "one_image", "text/x"), ("pair", "p", KEPT, "", "pairs/train/000000.tar"),
    )  # fmt: skip
    assert figures.corpora(str(tmp_path)) == {"a": "interleaved", "b": "text"}


def test_only_kept_pages_that_opted_out_are_counted_as_not_honoured(tmp_path):
    fates(
        tmp_path, "extract",
        ("page", "a", KEPT, "", "not honoured: noai"), ("page", "b", KEPT, "", "noai"),
        ("page", "c", DROPPED, "opt_out", "not honoured: noai"),
    )  # fmt: skip
    assert figures._opt_outs_not_honoured(str(tmp_path)) == 1


def test_a_table_is_read_up_to_so_many_rows(tmp_path, monkeypatch):
    monkeypatch.setattr(figures, "MOST_ROWS", 15)
    for part in range(4):
        fates(tmp_path / str(part), "extract", *(("page", f"{part}{n}", KEPT, "", "") for n in range(10)))
        (tmp_path / "fates/extract").mkdir(parents=True, exist_ok=True)
        (tmp_path / f"{part}/fates/extract/0.parquet").rename(tmp_path / f"fates/extract/{part}.parquet")
    assert sum(table.num_rows for table in figures.tables(str(tmp_path), "fates/extract", ["key"])) == 20


def test_the_loss_curve_is_steps_and_losses_alone(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model/train_log.jsonl").write_text(json.dumps({"step": 1, "loss": {"text": 7.0}, "eta_s": 3}) + "\n")
    assert figures._training(str(tmp_path)) == [{"step": 1, "loss": {"text": 7.0}}]
    assert figures._training(str(tmp_path / "none")) == []


def test_sequences_are_shown_with_their_pictures_and_tokens(finished):
    shown = figures.gather(str(finished))["distributions"]
    pictures = shown["pictures per sequence"]["summary"]["interleaved"]
    assert pictures["min"] >= 1 and pictures["n"] == shown["tokens per sequence"]["summary"]["interleaved"]["n"]


def test_what_is_counted_of_some_rows_alone_is_told_or_not_told_at_all(tmp_path, monkeypatch):
    """The first rows hold one document of three: no such number stands as if it were of all."""
    packed = [
        ("document", n, KEPT, "", f"{corpus}/train/0.tar") for n, corpus in zip("abc", ("interleaved", "text") * 2)
    ]
    for part, row in enumerate(packed):
        fates(tmp_path / str(part), "pack", row, ("image", f"{row[1]}:0", KEPT, "", ""))
        (tmp_path / "fates/pack").mkdir(parents=True, exist_ok=True)
        (tmp_path / f"{part}/fates/pack/0.parquet").rename(tmp_path / f"fates/pack/{part}.parquet")
    whole = figures.gather(str(tmp_path))
    assert whole["cut"] == [] and whole["corpora"]["interleaved"]["documents"] == 2
    monkeypatch.setattr(figures, "MOST_ROWS", 2)
    found = figures.gather(str(tmp_path))
    assert found["cut"] == ["fates/pack"]
    assert {found["corpora"][corpus]["documents"] for corpus in CORPORA} == {None}
