import json
import math

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from weft.schemas.parameters import PageRules
from weft.schemas.records import Document, Fate
from weft.transforms.extract.archive import extract_archive

RULES = PageRules(languages=(), min_words=3)
TEXTS = ["The old barn burnt down in the year of the great flood.", "A new one was built of brick a little later."]
IMAGE = "http://img.test/barn.jpg"
TOLD = {"document_url": "http://a.test/p", "src": IMAGE, "alt_text": "a red barn by the river"}
ROWS = {
    "obelics": {
        "texts": [TEXTS[0], None, TEXTS[1]], "images": [None, IMAGE, None],
        "metadata": json.dumps([None, TOLD, None]), "general_metadata": json.dumps({"url": "http://a.test/p"}),
    },
    "obelics with bytes": {
        "texts": [TEXTS[0], None, TEXTS[1]], "images": [None, {"bytes": "x", "path": "0.jpg"}, None],
        "metadata": json.dumps([None, TOLD, None]), "general_metadata": "{}",
    },
    "mint": {"texts": [TEXTS[0], None, TEXTS[1]], "images": [None, IMAGE, None], "url": "http://a.test/p", "title": ""},
    "mmc4": {
        "url": "http://a.test/p", "text_list": TEXTS, "similarity_matrix": [[0.1, 0.3]],
        "image_info": [{"image_name": "x.jpg", "raw_url": IMAGE, "matched_text_index": 1, "matched_sim": 0.3}],
    },
}  # fmt: skip


def extract(path, rules=RULES):
    found = list(extract_archive(str(path), rules))
    return [one for one in found if isinstance(one, Document)], [one for one in found if isinstance(one, Fate)]


@pytest.mark.parametrize("name", ROWS)
@pytest.mark.parametrize("form", ["lines", "parquet"])
def test_each_published_form_is_the_same_document(tmp_path, name, form):
    if form == "lines":
        (tmp_path / "f").write_text(json.dumps(ROWS[name]) + "\n")
    else:
        pq.write_table(pa.Table.from_pylist([ROWS[name]]), tmp_path / "f")
    (document,), fates = extract(tmp_path / "f")
    assert (document.url, document.texts, document.images) == (
        "http://a.test/p", [TEXTS[0], None, TEXTS[1]], [None, IMAGE, None],
    )  # fmt: skip
    alt = TOLD["alt_text"] if name.startswith("obelics") else ""
    assert [meta and meta.alt for meta in document.image_meta] == [None, alt, None]
    fates = [(fate.kind, fate.reason) for fate in fates]
    assert fates == [("record", ""), ("page", ""), ("image", "")] + [("pair", "")] * bool(alt)


@pytest.mark.parametrize("form", ["lines", "parquet"])
@pytest.mark.parametrize(("page", "title"), [("url", "title"), ("document_url", "page_title"), ("page_url", "title")])
def test_a_page_is_named_by_whichever_column_says_it(tmp_path, form, page, title):
    row = {"texts": TEXTS, "images": [None, None], page: "http://a.test/p", title: "Barns", "more": 1}
    if form == "lines":
        (tmp_path / "f").write_text(json.dumps(row) + "\n")
    else:
        pq.write_table(pa.Table.from_pylist([row]), tmp_path / "f")
    (document,), _ = extract(tmp_path / "f")
    assert (document.url, document.title) == ("http://a.test/p", "Barns")


def test_the_rules_hold_for_them_and_each_row_has_its_fate(tmp_path):
    short = {**ROWS["mint"], "texts": ["Barn.", None, None]}
    broken = {"texts": "no list", "images": None}
    rows = [ROWS["mint"], short, ROWS["mint"], broken]
    (tmp_path / "f").write_text("".join(json.dumps(row) + "\n" for row in rows))
    found, fates = extract(tmp_path / "f")
    assert len(found) == 1
    told = [(fate.kind, fate.key.rpartition(":")[2] if fate.kind == "record" else "", fate.reason) for fate in fates]
    assert told == [
        ("record", "0", ""), ("page", "", ""), ("image", "", ""), ("record", "1", ""), ("page", "", "too_short"),
        ("record", "2", ""), ("page", "", "duplicate_record"), ("record", "3", "no_columns"),
    ]  # fmt: skip


@pytest.mark.parametrize("at", [1.0, 7.0, None, "1", math.nan, -1, True, 10**400])
def test_no_picture_of_mmc4_goes_without_a_fate(tmp_path, at):
    """Whole numbers may be floats, as pandas writes them beside none; a picture of no text stands at the end."""
    row = {**ROWS["mmc4"], "image_info": [{"raw_url": IMAGE, "matched_text_index": at}, {"raw_url": f"{IMAGE}?2"}]}
    (tmp_path / "f").write_text(json.dumps(row) + "\n")
    (document,), fates = extract(tmp_path / "f")
    found = [one for one in document.images if one]
    assert found == [IMAGE, f"{IMAGE}?2"] and len([fate for fate in fates if fate.kind == "image"]) == 2
    assert document.images[-1] == f"{IMAGE}?2"


def test_a_document_is_known_by_what_it_is_and_not_by_where_it_stood(tmp_path):
    (tmp_path / "a").write_text(json.dumps(ROWS["mint"]) + "\n")
    (tmp_path / "b").write_text(json.dumps(ROWS["mmc4"]) + "\n" + json.dumps(ROWS["mint"]) + "\n")
    assert extract(tmp_path / "a")[0][0].doc_id == extract(tmp_path / "b")[0][0].doc_id
