"""weft explain: one thing of every kind and every reason, from a run and from a world of unit rows."""

from pathlib import Path

import pyarrow.dataset as ds
import pytest

import weft.schemas.config as configuration
from weft.pipeline.explain import story
from weft.pipeline.explain.reasons import REASONS
from weft.pipeline.run import manifest
from weft.schemas.parameters import ConfigError
from weft.schemas.records import DROPPED, Document, Fate, ImageRow, Pair
from weft.schemas.tables import DOCUMENTS, FATES, IMAGES, PAIRS
from weft.transforms.io.parquet import write_table
from weft.transforms.io.work_units import unit_name


def explained(output: Path, thing: str) -> str:
    return "\n".join(story.explain(str(output), thing))


def test_one_thing_of_every_kind_and_every_reason_of_a_run(finished: Path):
    first = {}
    for row in ds.dataset(finished / "fates", format="parquet").to_table().to_pylist():
        first.setdefault((row["stage"], row["kind"], row["reason"]), row["key"].partition("@")[0])
    assert len(first) > 40
    for (stage, kind, reason), key in first.items():
        told = explained(finished, key)
        assert (f"{kind} dropped, {reason}: " if reason else f"{kind} kept") in told or kind == "record", (stage, key)
        assert "see docs/fates.md" not in told


def test_a_page_is_found_by_its_address_and_followed_to_its_shard(finished: Path):
    row = ds.dataset(finished / "documents", format="parquet").to_table().to_pylist()[0]
    spelled = row["url"].replace("http://", "https://") if row["url"].startswith("http:") else row["url"] + "/"
    told = explained(finished, spelled)
    assert told == explained(finished, row["doc_id"]) or row["doc_id"] in told
    assert f"archive  {row['warc_file']}, offset {row['warc_offset']:,}" in told
    assert "extract.min_words = 50" in told and "dedup    document" in told


def test_a_sample_leads_back_to_its_documents(finished: Path):
    kept = ds.field("fate") == "kept"
    fates = ds.dataset(finished / "fates/pack", format="parquet").to_table(filter=kept).to_pylist()
    for corpus in ("interleaved", "text"):
        fate = next(f for f in fates if f["kind"] == "document" and f["detail"].startswith(corpus))
        line = next(line for line in explained(finished, fate["key"]).splitlines() if line.startswith("shard "))
        assert f"shards/{fate['detail']}, sample " in line
        assert fate["key"] in explained(finished, line.rpartition(" ")[2])
    pair = next(f for f in fates if f["kind"] == "pair")
    doc_id, _, pair_id = pair["key"].partition(":")
    told = explained(finished, f"{pair_id}-{doc_id}")
    assert f"key {pair_id}-{doc_id}" in told and "similarity" in told


def test_the_blocks_of_a_page_are_shown_but_not_of_one_that_opted_out(finished: Path):
    pages = ds.dataset(finished / "fates/extract", format="parquet").to_table(filter=ds.field("kind") == "page")
    by_reason = {row["reason"]: row["key"] for row in pages.to_pylist()}
    assert any(" p  " in line for line in story.explain(str(finished), by_reason[""], blocks=True))
    assert "not shown" in "\n".join(story.explain(str(finished), by_reason["opt_out"], blocks=True))


def test_nothing_of_that_name_and_no_run_are_errors(finished: Path, tmp_path):
    for output, thing in ((finished, "https://nowhere.test/"), (finished, "0" * 32), (tmp_path, "0" * 32)):
        with pytest.raises(ConfigError):
            story.explain(str(output), thing)


PLACE, DOC, PAIR, URL = "/in/a.warc.gz:7", "d" * 32, "a" * 32, "http://w.test/1.jpg"
KEYS = {"page": DOC, "document": DOC, "record": PLACE, "pair": f"{DOC}:{PAIR}", "image": URL}


@pytest.mark.parametrize(("stage", "kind"), sorted(REASONS))
def test_every_documented_reason_is_told_with_its_values(tmp_path, stage, kind):
    config = configuration.load()
    manifest.write_run(str(tmp_path), config, [])
    unit = unit_name("/in/a.warc.gz")
    write_table(
        str(tmp_path / "pairs/p.parquet"), [Pair(PAIR, DOC, "http://w.test/", URL, "t", "alt", "en", 1.0)], PAIRS
    )
    index = ImageRow(URL, "", "gone", 0, "", 0, 0, 0, 0, "", "", 0, 0, 0, "http", False)
    write_table(str(tmp_path / "images/index/i.parquet"), [index], IMAGES)
    key = KEYS[kind]
    if kind in ("image", "pair") and stage == "extract":
        key = f"{DOC}:0" + (":alt" if kind == "pair" else "")
    if kind == "image" and stage == "pack":
        key = f"{DOC}:0"
    name = {"page": f"{unit}.pages", "record": f"{unit}.records"}.get(kind, f"{unit}.parts")
    for reason, (why, decide) in REASONS[stage, kind].items():
        fate = Fate(stage, kind, key, DROPPED, reason, "12 of them", URL, PLACE)
        write_table(str(tmp_path / f"fates/{stage}/{name}.parquet"), [fate], FATES)
        if kind == "document":  # the page and its row lead there
            page = fate._replace(stage="extract", kind="page", fate="kept", reason="")
            write_table(str(tmp_path / f"fates/extract/{unit}.pages.parquet"), [page], FATES)
            row = Document(DOC, "http://w.test/", 0, "/in/a.warc.gz", 7, "", "en", 0.9, "t", ["x"], [None], [None])
            write_table(str(tmp_path / f"documents/{unit}.parquet"), [(*row[:12], [None], "", "", "")], DOCUMENTS)
        told = explained(tmp_path, key)
        assert f"{kind} dropped, {reason}: {why}; 12 of them" in told
        for one in decide:
            section, field = one.split(".")
            value = getattr(getattr(config, section), field)
            assert f"{one} = {', '.join(value) or 'none' if isinstance(value, tuple) else value}" in told
