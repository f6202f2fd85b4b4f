"""The report on a small output directory of real tables, and on parts of one."""

from __future__ import annotations

import io
import json
import re
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from html_seen import Seen
from PIL import Image

import weft.schemas.config as configuration
from weft.pipeline.report import charts, figures, opt_outs, report, samples
from weft.pipeline.run import manifest
from weft.pipeline.stages import extract
from weft.schemas import shards
from weft.schemas import tables as schemas
from weft.schemas.records import DROPPED, KEPT, Cluster, Fate, ImageRow, KeptRow, Score
from weft.transforms.io import parquet

CONFIG = configuration.load(overrides=["extract.min_words=25", "report.samples=4"])
PICTURE = "http://a.test/red.jpg"
EVIL = "<script>alert(1)</script><img src=http://evil.test/x.png onerror=alert(2)>\u202eevil"
SENTENCE = "The lighthouse keeper walked along the quiet shore and wrote down what the weather did on that day. "


def response(url: str, body: bytes, mime: str = "text/html; charset=utf-8", more: str = "") -> bytes:
    http = f"HTTP/1.1 200 OK\r\nContent-Type: {mime}\r\n{more}\r\n".encode() + body
    head = (
        f"WARC/1.0\r\nWARC-Type: response\r\nWARC-Record-ID: <urn:x:{url}>\r\nWARC-Date: 2025-01-01T00:00:00Z\r\n"
        f"WARC-Target-URI: {url}\r\nContent-Type: application/http; msgtype=response\r\n"
        f"Content-Length: {len(http)}\r\n\r\n"
    )
    return head.encode() + http + b"\r\n\r\n"


def html_page(title: str, words: str, alt: str = "A red square") -> bytes:
    image = f'<img src="/red.jpg" alt="{charts.text(alt)}" width="300" height="200">'
    body = f"<p>{words}</p>{image}<p>{SENTENCE * 3}</p>" if words else f"<p>{SENTENCE}</p>{image}"
    return (
        f"<html><head><title>{charts.text(title)}</title></head><body><article>{body}</article></body></html>".encode()
    )


def jpeg(colour: str = "red", size: tuple[int, int] = (300, 200)) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, colour).save(buffer, "JPEG")
    return buffer.getvalue()


def add_extract(output: Path) -> None:
    archive = output.parent / f"{output.name}.warc"
    evil = html_page(EVIL, charts.text(EVIL) + " " + SENTENCE * 3, f'" onload="alert(3) {EVIL}')
    archive.write_bytes(
        response("http://a.test/evil", evil)
        + response("http://a.test/one", html_page("One", SENTENCE * 4))
        + response("http://a.test/two", html_page("Two", SENTENCE * 4 + "Altogether."))
        + response("http://a.test/short", html_page("Short", ""))
        + response("http://a.test/private", html_page("Private", SENTENCE * 4), more="X-Robots-Tag: noai\r\n")
        + response(PICTURE, jpeg(), "image/jpeg")
    )
    entered = extract.extract_file(str(archive), str(output), "f", CONFIG.extract)
    books = figures.count_fates(str(output), "extract")
    assert entered["page"] == 5 and books["page"]["kept"] == 3
    manifest.write_run(str(output), CONFIG, [(str(archive), archive.stat().st_size)])
    manifest.write(str(output), "extract", {"stage": "extract", "fingerprint": "f", "books": books, "seconds": 1.5})


def documents(output: Path) -> dict[str, str]:
    """URL → doc_id."""
    return {
        row["url"]: row["doc_id"]
        for table in figures.tables(str(output), "documents", ["url", "doc_id"])
        for row in table.to_pylist()
    }


def add_rest(output: Path) -> None:
    ids = documents(output)
    evil, one, two = (ids[f"http://a.test/{name}"] for name in ("evil", "one", "two"))
    pairs = [r for t in figures.tables(str(output), "pairs", ["doc_id", "pair_id"]) for r in t.to_pylist()]
    keys = sorted(f"{r['doc_id']}:{r['pair_id']}" for r in pairs if r["doc_id"] != two)

    def table(name: str, rows: list, schema) -> None:
        parquet.write_table(str(output / name / "part-0.parquet"), rows, schema)

    cluster = min(one, two)
    table("clusters", [Cluster(d, cluster, 2, one, s, "near") for d, s in ((one, 1.0), (two, 0.93))], schemas.CLUSTERS)
    kept = [KeptRow("document", d, d, "x", 0) for d in (evil, one)]
    table("kept", kept + [KeptRow("pair", k, k.split(":")[0], "", 0) for k in keys], schemas.KEPT)
    fates = [Fate("dedup", "document", d, KEPT, "", "") for d in (evil, one)]
    table("fates/dedup", [*fates, Fate("dedup", "document", two, DROPPED, "duplicate_near", one)], schemas.FATES)
    blob = jpeg()
    (output / "images/blobs").mkdir(parents=True)
    (output / "images/blobs/b-000.bin").write_bytes(b"head" + blob)
    row = ImageRow(
        image_url=PICTURE, image_id="00", status="ok", http_status=200, mime="image/jpeg", width=300, height=200,
        stored_width=300, stored_height=200, phash="0" * 16, blob="images/blobs/b-000.bin", offset=4, length=len(blob),
        fetched_at=0, origin="warc", single_colour=True,
    )  # fmt: skip
    table("images/index", [row], schemas.IMAGES)
    scores = [Score("pair", k.split(":")[1], 0, 0, PICTURE, 0.2 + 0.1 * i) for i, k in enumerate(keys)]
    inside = [Score("document", evil, 1, at, PICTURE, s) for at, s in ((0, 0.31), (2, 0.42), (5, 0.11))]
    table("scores", scores + inside, schemas.SCORES)
    strangers = [(f"p{n}", 0.3 + n / 1000, f"p{(n + 1) % 40}", 0.1 + n / 200) for n in range(40)]
    table("baseline", strangers, schemas.BASELINE)
    packed = [Fate("pack", "document", evil, KEPT, "", "interleaved/train/000000.tar")]
    packed += [Fate("pack", "document", one, KEPT, "", "text/train/000000.tar")]
    packed += [
        Fate("pack", "image", f"{evil}:1", KEPT, "", ""),
        Fate("pack", "image", f"{one}:1", DROPPED, "too_small", ""),
    ]
    packed += [Fate("pack", "pair", keys[0], DROPPED, "too_small", ""), Fate("pack", "pair", keys[1], KEPT, "", "")]
    table("fates/pack", packed, schemas.FATES)
    name = shards.shard_name("text", "train", 0)
    (output / "shards/text/train").mkdir(parents=True)
    with tarfile.open(output / "shards" / name, "w") as tar:
        for key, length in (("a", 100), ("b", 500)):
            data = shards.npy(np.zeros(length, np.uint16))
            member = tarfile.TarInfo(shards.member(key, shards.INPUT_IDS))
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    line = shards.ShardInfo(name, 2, 600, 0, 4096, "ab" * 32)
    (output / "shards" / shards.MANIFEST).write_text(shards.dump_manifest([line]))
    manifest.write(str(output), "pack", {"books": figures.count_fates(str(output), "pack"), "seconds": 2.0})
    (output / "model").mkdir()
    log = [{"step": s, "loss": {"pairs": 6 - s / 100, "text": 7 - s / 100}, "eta_s": 1.0} for s in range(10, 210, 10)]
    log[-1]["gap"] = log[9]["gap"] = {"pairs": 0.5, "interleaved": -0.25}
    (output / "model/train_log.jsonl").write_text("".join(json.dumps(x) + "\n" for x in log))
    gap = {"right": 2.0, "wrong": 2.75, "gap": 0.75, "standard_error": 0.1, "win_rate": 0.9, "samples": 20}
    evaluated = {
        "loss": {"pairs": 2.0, "text": 3.0, "interleaved": None},
        "samples": {"pairs": 20, "text": 5, "interleaved": 0},
        "tokens": {"pairs": 200, "text": 900, "interleaved": 0},
        "grounding": {"pairs": gap, "interleaved": None},
        "bits_per_byte": {"pairs": 0.9, "text": 1.25, "interleaved": None},
        "checks": [
            {"name": "pairs.cut", "value": 0.3, "allowed": 0.1, "p": 1e-6, "told": "6 of 20 <long>", "failed": True}
        ],
        "failed": ["pairs.cut"],
        "notes": ["no held-out interleaved sample: its figures are null"],
    }
    (output / "model/eval.json").write_text(json.dumps(evaluated))


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("report") / "out"
    add_extract(output)
    add_rest(output)
    return output


@pytest.fixture(scope="module")
def written(full: Path) -> str:
    return Path(report.write(str(full), CONFIG)).read_text("utf-8")


def test_losses_and_gaps_are_drawn_over_the_steps(written: str):
    for title, told in (("Training loss", "pairs 5.90 → 4.00"), ("Grounding gap in training", "pairs 0.50 → 0.50")):
        figure = written.partition(f"<h3>{title}")[2].partition("</figure>")[0]
        assert "<polyline" in figure and told in figure


def test_nothing_of_a_page_becomes_markup_and_nothing_is_loaded(written: str):
    seen = Seen(written)
    assert {tag for tag, _ in seen.tags}.isdisjoint({"script", "iframe", "link", "object", "base", "form"})
    for tag, attributes in seen.tags:
        assert not [name for name in attributes if name.startswith("on")], (tag, attributes)
        if "src" in attributes:
            assert attributes["src"].startswith("data:image/jpeg;base64,")
        if "href" in attributes:
            assert attributes["href"].startswith(("#", "http://", "https://")) or attributes["href"] == "images.html"
        if tag == "img":
            assert attributes["alt"]
    assert "alert(1)" in seen.words and "alert(3)" in written  # shown, as words
    assert "\u202e" not in written
    assert "url(" not in written and "@import" not in written
    assert "default-src 'none'" in written


def test_the_page_shows_what_a_researcher_looks_for(written: str, full: Path):
    words = " ".join(Seen(written).words.split())
    for shown in (
        "Of 5 pages, 3 became documents, and 1 of these were duplicates.",
        "+0.75 in pairs (nats a token)",
        "too_small",
        "estimated similarity 0.930",
        "text/train/000000.tar",
        "600",
        "recipe kosmos1",
        "no held-out interleaved sample",
        "of the corpus' checks pairs.cut fails",
        "6 of 20 <long>",
        "pairs 5.90 → 4.00",
    ):
        assert shown in words, shown
    ids = [attributes["id"] for _, attributes in Seen(written).tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    for section in re.findall(r"\w+", "funnel distributions documents pairs dropped duplicates shards training card"):
        assert section in ids


def test_pairs_are_shown_beside_strangers(written: str, full: Path):
    found = json.loads((full / "report/metrics.json").read_text())
    assert found["strangers"]["n"] == 40 and found["strangers"]["mean_strangers"] == pytest.approx(0.1975)
    (row,) = found["strangers"]["thresholds"]
    assert (row["strangers"], row["pairs"], row["threshold"]) == (0.05, 1.0, 0.29)
    assert "captions of others" in json.dumps(found["distributions"]["CLIP similarity of pairs"])
    assert "strangers that pass" in Seen(written).words


def test_metrics_are_the_same_figures_for_a_program(written: str, full: Path):
    metrics = json.loads((full / "report/metrics.json").read_text())
    pages = {"entered": 5, "kept": 3, "dropped": {"opt_out": 1, "too_short": 1}}
    assert metrics["stages"]["extract"]["books"]["page"] == pages
    assert metrics["stages"]["dedup"]["state"] == "unfinished"  # fates, but no manifest
    deduplicated = {"entered": 3, "kept": 2, "dropped": {"duplicate_near": 1}}
    assert metrics["stages"]["dedup"]["books"]["document"] == deduplicated
    assert metrics["stages"]["fetch"] == {"state": "not run", "books": {}}
    assert metrics["corpora"]["text"]["tokens"] == 600 == metrics["corpora"]["total_tokens"]
    assert metrics["corpora"]["interleaved"]["documents"] == 1 == metrics["corpora"]["text"]["documents"]
    assert metrics["distributions"]["images per document"]["counts"]["documents"] == [1, 1]
    assert metrics["distributions"]["tokens per sequence"]["summary"]["text"]["max"] == 500
    inside = metrics["distributions"]["CLIP similarity in documents"]["summary"]
    assert (inside["text beside the image"]["n"], inside["other texts of the document"]["n"]) == (2, 1)
    assert metrics["distributions"]["languages"] == {"en": 2}
    assert metrics["eval"]["grounding"]["pairs"]["gap"] == 0.75
    assert metrics["config"]["extract"]["min_words"] == 25


def test_a_section_made_from_the_first_rows_of_a_table_says_so(full: Path, tmp_path: Path, monkeypatch):
    output = shutil.copytree(full, tmp_path / "out")
    monkeypatch.setattr(figures, "MOST_ROWS", 1)
    found = figures.gather(str(output))
    assert found["corpora"]["text"]["documents"] is None
    assert {"documents", "clusters", "scores", "fates/extract", "fates/pack"} <= set(found["cut"])
    page = Path(report.write(str(output), CONFIG)).read_text("utf-8")
    for section in ("distributions", "domains", "documents", "pairs", "dropped", "duplicates", "card"):
        body = page.partition(f'<section id="{section}"')[2].partition("</section>")[0]
        assert "Of the first 1 rows of" in body, section
    assert "interleaved sequences" in page and "interleaved documents" not in page


def test_the_same_directory_gives_the_same_bytes(full: Path, written: str):
    metrics = (full / "report/metrics.json").read_bytes()
    assert Path(report.write(str(full), CONFIG)).read_text("utf-8") == written
    assert (full / "report/metrics.json").read_bytes() == metrics


def test_dropped_pages_are_read_again_but_not_those_that_opted_out(full: Path):
    lost = {sample.reason: sample for sample in samples.dropped(str(full), 4, CONFIG)["extract"]}
    assert lost["too_short"].title == "Short" and "quiet shore" in lost["too_short"].excerpt
    assert lost["too_short"].picture is not None and lost["too_short"].picture.data
    assert lost["opt_out"].url == "http://a.test/private"
    assert (lost["opt_out"].title, lost["opt_out"].excerpt, lost["opt_out"].picture) == ("", "", None)


def test_dropped_pages_keep_their_reason_when_the_archive_is_gone(tmp_path: Path):
    add_extract(tmp_path / "out")
    (tmp_path / "out.warc").unlink()
    lost = samples.dropped(str(tmp_path / "out"), 4, CONFIG)["extract"]
    assert {sample.reason for sample in lost} == {"too_short", "opt_out"}
    assert {sample.excerpt for sample in lost} == {""}


@pytest.mark.parametrize(
    ("documents", "told"), [(3, (3, "documents")), (0, (7, "sequences")), (None, (7, "sequences"))]
)
def test_a_corpus_of_the_rests_of_documents_is_counted_in_sequences(documents: int | None, told: tuple[int, str]):
    assert report._most({"documents": documents, "samples": 7}) == told


def test_stages_that_have_not_run_are_said_to_have_not_run(tmp_path: Path):
    output = tmp_path / "out"
    add_extract(output)
    seen = Seen(Path(report.write(str(output), CONFIG)).read_text("utf-8"))
    assert "Of 5 pages, 3 became documents." in seen.words
    assert seen.words.count("Not run.") == 5  # pairs, images, duplicates, shards, training
    assert "not fetched" in seen.words
    assert "Not finished when this was written: dedup, fetch, score, pack." in seen.words


def test_opt_outs_that_were_not_honoured_are_told(tmp_path: Path):
    archive = tmp_path / "a.warc"
    archive.write_bytes(response("http://a.test/p", html_page("Private", SENTENCE * 4), more="X-Robots-Tag: noai\r\n"))
    config = configuration.load(recipe="raw")
    extract.extract_file(str(archive), str(tmp_path / "out"), "f", config.extract)
    seen = Seen(Path(report.write(str(tmp_path / "out"), config)).read_text("utf-8"))
    assert "1 pages that opted out were kept all the same" in seen.words


def test_an_empty_directory_has_a_report_too(tmp_path: Path):
    seen = Seen(Path(report.write(str(tmp_path), CONFIG)).read_text("utf-8"))
    assert "No stage has run yet." in seen.words


def test_a_run_of_an_older_weft_has_a_report_though_columns_are_missing(full: Path, tmp_path: Path):
    first = {  # the columns that every version has written
        "documents": "doc_id url crawl_date warc_file warc_offset record_id language language_score title texts images image_meta",
        "clusters": "doc_id cluster_id cluster_size kept_id similarity how",
        "images/index": "image_url image_id status http_status mime width height stored_width stored_height phash blob offset length fetched_at origin",
        "fates": "stage kind key fate reason detail",
        "scores": "kind id image_position text_position image_url similarity",
    }
    old = tmp_path / "old"
    shutil.copytree(full, old)
    for table, columns in first.items():
        for path in (old / table).rglob("*.parquet"):
            whole = pq.read_table(path)
            pq.write_table(whole.select([name for name in whole.column_names if name in columns.split()]), path)
    took = Fate("fetch", "image", PICTURE, DROPPED, "opt_out", "X-Robots-Tag: noai")._asdict()
    forbidden = Fate("extract", "page", "p", DROPPED, "opt_out", "meta robots: noai")._asdict()
    for stage, row in (("fetch", took), ("extract", forbidden)):
        made = pa.Table.from_pylist([{name: row[name] for name in first["fates"].split()}])
        (old / f"fates/{stage}").mkdir(exist_ok=True)
        pq.write_table(made, old / f"fates/{stage}/old.parquet")
    report.write(str(old), CONFIG)
    assert [one["signal"] for one in opt_outs.gather(str(old))] == ["X-Robots-Tag", "meta element"]


def test_pairs_are_shown_from_both_ends(full: Path):
    groups = dict(samples.pairs(str(full), 1))
    assert [row["similarity"] for row in groups["highest"]] == [pytest.approx(0.3)]
    assert [row["similarity"] for row in groups["lowest"]] == [pytest.approx(0.2)]
    assert groups["lowest"][0]["reason"] == "too_small" and groups["highest"][0]["reason"] == ""
