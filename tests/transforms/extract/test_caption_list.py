import csv
import dataclasses
import gzip
import io
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from weft.schemas.parameters import PageRules
from weft.schemas.records import Capture, Document, Fate, Pair, pair_id
from weft.transforms.extract.archive import extract_archive
from weft.transforms.io.tar import write_tar

RULES = PageRules(languages=())
URL = "http://w.test/"
ROWS = [(f"http://w.test/{n}.jpg", f"A red barn with {n} windows and a green door") for n in range(3)]


def parquet(url, caption):
    def make(rows):
        out = io.BytesIO()
        pq.write_table(
            pa.table({url: [r[0] for r in rows], "WIDTH": [1] * len(rows), caption: [r[1] for r in rows]}), out
        )
        return out.getvalue()

    return make


def table(comma, head=(), swapped=False):
    def make(rows):
        out = io.StringIO()
        lines = (
            [head, *([r[::-1] for r in rows] if swapped else rows)]
            if head
            else [r[::-1] if swapped else r for r in rows]
        )
        csv.writer(out, delimiter=comma, lineterminator="\n").writerows(lines)
        return out.getvalue().encode()

    return make


def lines(rows):
    return b"".join(json.dumps({"url": url, "text": text, "uid": 1}).encode() + b"\n" for url, text in rows)


FORMS = {
    "laion": parquet("URL", "TEXT"),
    "datacomp": parquet("url", "text"),
    "img2dataset": parquet("url", "caption"),
    "csv": table(",", ("caption", "url"), swapped=True),
    "tsv": table("\t", ("url", "caption")),
    "cc12m": table("\t"),
    "cc3m": table("\t", swapped=True),
    "jsonl": lines,
    "jsonl.gz": lambda rows: gzip.compress(lines(rows), mtime=0),
}


def extract(path, rules=RULES):
    found = list(extract_archive(str(path), rules))
    return {kind: [row for row in found if isinstance(row, kind)] for kind in (Document, Pair, Capture, Fate)}


@pytest.mark.parametrize("form", FORMS)
def test_every_published_form_gives_its_pairs(tmp_path, form):
    (tmp_path / "list").write_bytes(FORMS[form](ROWS))
    found = extract(tmp_path / "list")
    assert [(pair.image_url, pair.text) for pair in found[Pair]] == ROWS
    assert [pair.pair_id for pair in found[Pair]] == [pair_id(*row) for row in ROWS]
    assert [document.texts for document in found[Document]] == [[]] * 3
    assert {document.doc_id for document in found[Document]} == {pair.doc_id for pair in found[Pair]}
    assert not found[Capture]


def test_each_row_has_one_fate_a_kind(tmp_path):
    rows = [ROWS[0], ("data:image/png;base64,x", "A long enough caption"), ("http://w.test/9.jpg", "ab"), ROWS[0]]
    (tmp_path / "list").write_bytes(FORMS["laion"](rows))
    fates = [(f.kind, f.fate, f.reason) for f in extract(tmp_path / "list")[Fate]]
    assert fates == [
        ("record", "kept", ""), ("page", "kept", ""), ("pair", "kept", ""),
        ("record", "dropped", "not_http"),
        ("record", "kept", ""), ("page", "kept", ""), ("pair", "dropped", "too_short"),
        ("record", "kept", ""), ("page", "dropped", "duplicate_record"),
    ]  # fmt: skip


def test_a_page_is_named_by_its_address_and_place_for_who_looks_for_it(tmp_path):
    (tmp_path / "list").write_bytes(FORMS["laion"]([ROWS[0], ROWS[0]]))
    pages = [f for f in extract(tmp_path / "list")[Fate] if f.kind == "page"]
    assert [(f.url, f.place) for f in pages] == [(ROWS[0][0], f"{tmp_path / 'list'}:{n}") for n in range(2)]


def test_columns_of_other_names_can_be_named_and_are_asked_for(tmp_path):
    (tmp_path / "list").write_bytes(parquet("where", "what")(ROWS))
    named = extract(tmp_path / "list", PageRules(languages=(), list_url="where", list_caption="what"))
    assert len(named[Pair]) == 3
    (fate,) = extract(tmp_path / "list")[Fate]
    assert fate.reason == "no_columns" and "where, WIDTH, what" in fate.detail and "extract.list_url" in fate.detail


@pytest.mark.parametrize("named", ["similarity", "clip_similarity_vitb32", "mine"])
def test_given_similarities_are_trusted_where_that_is_asked(tmp_path, named):
    given = [0.31, 0.3, None]
    table = pa.table({"url": [r[0] for r in ROWS], "text": [r[1] for r in ROWS], named: pa.array(given, pa.float32())})
    pq.write_table(table, tmp_path / "list")
    rules = PageRules(languages=(), list_min_similarity=0.305, list_similarity="mine" if named == "mine" else "")
    found = extract(tmp_path / "list", rules)
    assert [pair.text for pair in found[Pair]] == [ROWS[0][1]]
    assert [pair.similarity for pair in found[Pair]] == [pytest.approx(0.31)]
    told = [(f.reason, f.detail) for f in found[Fate] if f.fate == "dropped"]
    assert told == [("low_similarity", f"{one}, as the list has it") for one in ("0.3000", "nan")]
    column = "mine" if named == "mine" else ""
    untrusted = extract(tmp_path / "list", PageRules(languages=(), list_similarity=column))[Pair]
    assert [pair.similarity for pair in untrusted] == [pytest.approx(0.31), pytest.approx(0.3), None]
    misspelt = dataclasses.replace(rules, list_similarity="clip_h14")
    for rules_of in (misspelt, dataclasses.replace(misspelt, list_min_similarity=-1.0)):
        assert [fate.reason for fate in extract(tmp_path / "list", rules_of)[Fate]] == ["no_columns"]
    (tmp_path / "bare").write_bytes(FORMS["laion"](ROWS))
    (fate,) = extract(tmp_path / "bare", rules)[Fate]
    assert fate.reason == "no_columns" and "extract.list_similarity" in fate.detail


def test_a_line_without_a_caption_costs_itself_alone(tmp_path):
    odd = [b'{"url": "http://w.test/8.jpg"}\n', b"not JSON\n", b"[1]\n", b"\n"]
    (tmp_path / "list").write_bytes(lines(ROWS[:1]) + b"".join(odd) + lines(ROWS[1:]))
    found = extract(tmp_path / "list")
    assert [(pair.image_url, pair.text) for pair in found[Pair]] == ROWS
    assert [f.reason for f in found[Fate] if f.reason] == ["too_short", "not_http", "not_http", "not_http"]


@pytest.mark.parametrize(("form", "reason"), [("laion", "unreadable"), ("jsonl.gz", "truncated")])
def test_half_a_list_is_named(tmp_path, form, reason):
    whole = FORMS[form]([(f"http://w.test/{n}.jpg", f"caption {n * 7919 % 997} of a list") for n in range(4_000)])
    (tmp_path / "list").write_bytes(whole[: len(whole) // 2])
    fates = extract(tmp_path / "list")[Fate]
    assert [f.reason for f in fates if f.reason] == [reason]


def test_a_tar_of_pictures_is_its_own_archive(tmp_path):
    told = json.dumps({"url": ROWS[0][0], "caption": "x"}).encode()
    write_tar(str(tmp_path / "t.tar"), [("0.jpg", b"\xff\xd8\xff"), ("0.json", told), ("0.txt", ROWS[0][1].encode())])
    found = extract(tmp_path / "t.tar")
    assert [(pair.image_url, pair.text) for pair in found[Pair]] == ROWS[:1]
    assert [(c.url, c.mime, c.warc_offset) for c in found[Capture]] == [(ROWS[0][0], "image/jpeg", 0)]


def test_every_sample_of_a_tar_has_a_fate(tmp_path):
    parts = [("a.b/1.jpg", b"\xff\xd8\xff"), ("a.b/1.json", b'{"url": "http://w.test/1.jpg"}'), ("a.b/1.txt", b"red")]
    parts += [("a.b/2.json", b'{"url": "http://w.test/2.jpg"}'), ("a.b/2.mp4", b"film")]
    write_tar(str(tmp_path / "t.tar"), parts)
    fates = [fate for fate in extract(tmp_path / "t.tar")[Fate] if fate.kind == "record"]
    assert [(fate.reason, fate.detail) for fate in fates] == [("", ""), ("no_picture", "a.b/2.json, a.b/2.mp4")]


def test_a_column_of_text_that_is_none_is_told(tmp_path):
    captions = pa.array([b"A red barn", b"A \xff barn"]).view(pa.string())
    pq.write_table(
        pa.table({"url": ["http://w.test/1.jpg", "http://w.test/2.jpg"], "text": captions}), tmp_path / "list"
    )
    (fate,) = extract(tmp_path / "list")[Fate]
    assert (fate.fate, fate.reason) == ("dropped", "unreadable")


def test_a_number_beyond_all_floats_is_no_similarity(tmp_path):
    said = [f'{{"url": "http://a.test/{n}.jpg", "caption": "one {n}", "similarity": {n}}}' for n in (1, 10**400)]
    (tmp_path / "list").write_text("\n".join(said))
    found = extract(tmp_path / "list", PageRules(languages=(), list_min_similarity=0.3))
    assert [pair.text for pair in found[Pair]] == ["one 1"]
    assert [fate.reason for fate in found[Fate] if fate.fate == "dropped"] == ["low_similarity"]


def test_a_row_that_is_no_utf8_is_told_and_costs_itself_alone(tmp_path):
    lines = [
        "url,caption",
        f"{URL}1,a caf\u00e9 in the old town",
        f"{URL}\u00e9,a red barn in a field",
        f"{URL}2,a red barn in a field",
    ]
    path = tmp_path / "list.csv"
    path.write_bytes("\n".join(lines).encode("latin-1"))
    found = list(extract_archive(str(path), RULES))
    fates = [(row.reason, row.detail) for row in found if isinstance(row, Fate) and row.kind == "record"]
    assert [reason for reason, _ in fates] == ["bad_encoding", "bad_encoding", ""]
    assert fates[0][1] == f"not UTF-8: {URL}1a caf? in the old town"
    assert [row.image_url for row in found if isinstance(row, Pair)] == [f"{URL}2"]


def test_columns_of_bytes_are_text(tmp_path):
    rows = pa.table({"url": [f"{URL}1".encode()], "caption": ["a caf\u00e9 in the old town".encode()]})
    pq.write_table(rows, tmp_path / "list.parquet")
    (pair,) = (row for row in extract_archive(str(tmp_path / "list.parquet"), RULES) if isinstance(row, Pair))
    assert (pair.image_url, pair.text) == (f"{URL}1", "a caf\u00e9 in the old town")


@pytest.mark.parametrize("form", ["laion", "csv", "jsonl"])
def test_a_list_without_rows_leaves_a_fate(tmp_path, form):
    (tmp_path / "list").write_bytes(FORMS[form]([]))
    found = list(extract_archive(str(tmp_path / "list"), RULES))
    assert [(row.kind, row.key, row.reason) for row in found] == [("record", f"{tmp_path / 'list'}:0", "empty_file")]
