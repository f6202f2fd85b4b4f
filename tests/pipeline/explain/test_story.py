"""weft explain: one thing of every kind and every reason, from a run and from a world of unit rows."""

import tarfile
from collections import Counter, defaultdict
from pathlib import Path

import pyarrow.dataset as ds
import pytest

import weft.schemas.config as configuration
from weft.pipeline.explain import find, story
from weft.pipeline.explain.reasons import REASONS, value
from weft.pipeline.run import manifest
from weft.schemas.parameters import ConfigError
from weft.schemas.records import DROPPED, Document, Fate, ImageRow, Pair
from weft.schemas.tables import DOCUMENTS, FATES, IMAGES, PAIRS
from weft.transforms.io.parquet import write_table
from weft.transforms.io.work_units import unit_name
from weft.transforms.urls import image_key


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


def test_a_wrong_number_in_whatever_names_something_is_one_line(finished: Path):
    (shard,) = (finished / "shards/text/val").glob("*.tar")
    with tarfile.open(shard) as tar:
        sample = tar.getnames()[0].partition(".")[0]
    fates = ds.dataset(finished / "fates", format="parquet").to_table().to_pylist()
    kept = [row for row in fates if row["stage"] == "pack" and row["fate"] == "kept"]
    document = next(r["key"] for r in kept if r["kind"] == "document" and r["detail"].startswith("interleaved"))
    doc_id, _, pair_id = next(row["key"] for row in kept if row["kind"] == "pair").partition(":")
    place = next(row["key"] for row in fates if row["kind"] == "record" and row["fate"] == "kept")
    image = ds.dataset(finished / "images/index", format="parquet").to_table().to_pylist()[0]
    right = [sample, f"{document}-000", f"{document}:1", f"{pair_id}-{doc_id}", f"{doc_id}:{pair_id}", place]
    for thing in (*right, image["image_id"] or image["image_url"]):
        assert story.explain(str(finished), thing), thing
    wrong = [f"{sample[:-1]}", f"{sample}9", "text-val-999999-00000000", "text-train-٠٠٠٠٠٠-0", f"{document}-999"]
    wrong += [
        f"{document}:999",
        f"{document}:999:alt",
        f"{pair_id}-{'0' * 32}",
        f"{'0' * 32}:{pair_id}",
        f"{place}9",
        ":9",
    ]
    for thing in (*wrong, "0" * 64, f"{place.rpartition(':')[0]}:{'9' * 5_000}"):
        with pytest.raises(ConfigError, match=r"^nothing in .* is called "):
            story.explain(str(finished), thing)


def test_a_table_is_read_once_for_all_pairs_of_a_page(finished: Path, monkeypatch):
    of = Counter(row["doc_id"] for row in ds.dataset(finished / "pairs", format="parquet").to_table().to_pylist())
    ((doc_id, many),) = of.most_common(1)
    asked: Counter[str] = Counter()
    read = find.rows

    def counted(output, table, *more, **wanted):
        asked[table] += wanted.get("kind") == "pair"
        return read(output, table, *more, **wanted)

    monkeypatch.setattr(find, "rows", counted)
    assert explained(finished, doc_id).count("\npair     ") == many > 3
    assert +asked == Counter(["fates/dedup", "fates/score", "fates/pack", "scores"])


def test_an_image_leads_to_every_place_where_it_stands(finished: Path):
    documents = ds.dataset(finished / "documents", format="parquet").to_table().to_pylist()
    places = defaultdict(set)
    for row in documents:
        for n, url in enumerate(row["images"]):
            if url:
                places[image_key(url)].add(f"in document {row['doc_id']} at {n}")
    packed = {row["key"] for row in ds.dataset(finished / "fates/pack", format="parquet").to_table().to_pylist()}
    key = max(places, key=lambda key: len(places[key]))
    wanted = {place for place in places[key] if ":".join(place.split()[2::2]) in packed}
    told = explained(finished, key)
    assert len(wanted) > 1 and sum(place in told for place in wanted) == min(len(wanted), 40)


PLACE, DOC, PAIR, URL = "/in/a.warc.gz:7", "d" * 32, "a" * 32, "http://w.test/1.jpg"
KEYS = {"page": DOC, "document": DOC, "record": PLACE, "pair": f"{DOC}:{PAIR}", "image": URL, "instruction": "e" * 32}


# A crawl is no run: its directory holds fates, and nothing that they lead to.
@pytest.mark.parametrize(("stage", "kind"), sorted(where for where in REASONS if where[0] != "crawl"))
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
            write_table(
                str(tmp_path / f"documents/{unit}.parquet"),
                [(*row[:12], [None], "", "", "", "", (), [None])],
                DOCUMENTS,
            )
        told = explained(tmp_path, key)
        assert f"{kind} dropped, {reason}: {why}; 12 of them" in told
        for one in decide:
            assert f"{one} = {value(config, one)}" in told
