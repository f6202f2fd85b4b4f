"""What a record is, and the rows that an archive becomes."""

import json
import re
from collections import Counter

import pytest
from archive_bytes import gz, http, record, stored

from weft.schemas.parameters import PageRules
from weft.schemas.records import Capture, Document, Fate, Pair
from weft.transforms.archives.read import read_archive
from weft.transforms.archives.record import Broken, Record
from weft.transforms.extract import exclusions
from weft.transforms.extract.archive import classify, extract_archive, extract_record
from weft.transforms.io.tar import write_tar

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(200))
EVERYTHING = PageRules(min_words=0, languages=())


@pytest.mark.parametrize(
    ("mime", "body", "kind"),
    [
        ("text/html", b"<p>x", "page"),
        ("APPLICATION/XHTML+XML; charset=x", b"<p>x", "page"),
        ("", b" <!DOCTYPE html><p>x", "page"),
        ("application/octet-stream", PNG, "image"),
        ("text/html", PNG, "image"),
        ("image/svg+xml", b"<svg/>", "image"),
        ("application/pdf", b"%PDF-1.4", ""),
    ],
)
def test_what_a_response_is(mime, body, kind):
    headers = (("content-type", mime),)
    assert classify(Record("response", "http://a/", "", 0, "", 0, 200, headers, body, ""))[0] == kind


def archive(tmp_path, *parts):
    return stored(tmp_path, gz(*parts))


def test_an_archive_is_rows_in_its_order_and_a_page_read_twice_is_one(tmp_path):
    parts = [
        record(block=http(b"<p>A page of few words.</p>"), number=1),
        record(block=http(PNG, ["Content-Type: image/png"]).replace(b"Content-Type: text/html\r\n", b""), number=2),
        record("request", block=b"GET / HTTP/1.1", number=3),
        record(block=http(b"<p>A page of few words.</p>"), number=1),
    ]
    path = archive(tmp_path, *parts)
    rows = list(extract_archive(path, EVERYTHING))
    assert [type(row) for row in rows] == [Fate, Fate, Document, Fate, Capture, Fate, Fate, Fate]
    assert Counter(row.kind for row in rows if isinstance(row, Fate)) == {"record": 4, "page": 2}
    assert [row.reason for row in rows if isinstance(row, Fate)] == ["", "", "", "request", "", "duplicate_record"]
    document, capture = (next(row for row in rows if isinstance(row, kind)) for kind in (Document, Capture))
    offsets = [one.offset for one in read_archive(path)]
    assert (document.warc_file, document.warc_offset) == (path, offsets[0])
    assert (capture.warc_file, capture.warc_offset, capture.mime) == (path, offsets[1], "image/png")


def test_a_record_alone_has_the_rows_that_it_has_in_its_archive(tmp_path):
    parts = [record(block=http(b"<p>Words.</p>"), number=n) for n in range(3)]
    path = archive(tmp_path, *parts)
    alone = [row for one in read_archive(path) for row in extract_record(one, EVERYTHING)]
    assert alone == list(extract_archive(path, EVERYTHING))


def test_records_at_one_offset_have_keys_of_their_own(tmp_path):
    one_member = b"".join(record(block=http(b"<p>Words.</p>"), number=n) for n in range(3))
    keys = [row.key for row in extract_archive(archive(tmp_path, one_member), EVERYTHING) if row[1] == "record"]
    assert len(set(keys)) == 3 and keys[2] == f"{keys[1]}#2"


def test_every_record_is_a_page_an_image_or_has_a_reason(tmp_path):
    whole = gz(record("warcinfo", block=b"x"), *(record(block=http(), number=n) for n in range(3)))
    for one in read_archive(stored(tmp_path, whole + b"no gzip")):
        kind, reason, _ = classify(one)
        assert bool(kind) != bool(reason) and (reason if isinstance(one, Broken) else True)


def test_texts_of_conversion_records_are_pages_of_text_alone(tmp_path):
    text = "Escopete is a town in Guadalajara. It has a church, a square and a fountain, and few people in winter."
    head = "WARC/1.0\r\nWARC-Type: conversion\r\nWARC-Target-URI: http://a.test/\r\nWARC-Date: 2024-05-18T01:58:10Z\r\n"
    record = f"{head}WARC-Record-ID: <urn:uuid:1>\r\nContent-Type: text/plain\r\nContent-Length: {len(text)}\r\n\r\n{text}\r\n\r\n"
    (tmp_path / "x.warc.wet").write_text(record)
    found = list(extract_archive(str(tmp_path / "x.warc.wet"), PageRules(languages=(), min_words=5)))
    (document,) = [row for row in found if isinstance(row, Document)]
    assert (document.url, document.texts, document.images) == ("http://a.test/", [text], [None])
    assert [(row.kind, row.reason) for row in found if isinstance(row, Fate)] == [("record", ""), ("page", "")]


MINE = "Write to jo@here.org for a print of the barn"
URL = "http://a.test/barn.jpg"
WAT = {"Head": {"Title": "Barns"}, "Links": [{"path": "IMG@/src", "url": "/barn.jpg", "alt": MINE}]}
DOORS = {  # how a page comes: its file, or the record that it is
    "alt of a page": ("text/html", f"<p>A barn.<p><img src=/barn.jpg alt='{MINE}'>"),
    "caption of a page": (
        "text/html",
        f"<figure><img src=/barn.jpg><figcaption>{MINE}</figcaption></figure><p>A barn.",
    ),
    "title of a page": ("text/html", f"<title>{MINE}</title><p>A barn."),
    "text of a page": ("text/html", f"<p>{MINE}<p><img src=/barn.jpg>"),
    "WET": ("text/plain", MINE),
    "WAT": ("", json.dumps({"Envelope": {"Payload-Metadata": {"HTTP-Response-Metadata": {"HTML-Metadata": WAT}}}})),
    "list of captions": ("list.jsonl", json.dumps({"url": URL, "caption": MINE})),
    "tar of pictures": ("list.tar", ""),
    "documents": ("list.jsonl", json.dumps({"texts": [MINE, None], "images": [None, URL], "title": ""})),
    "rows of pages": ("list.jsonl", json.dumps({"html": f"<p>{MINE}<p><img src=/barn.jpg>", "url": "http://a.test/"})),
}
KINDS = {"text/html": "resource", "text/plain": "conversion", "": "metadata"}


def rows_by(door, tmp_path, said=MINE, **rules):
    """The rows of what comes by a door, and says something."""
    media, body = DOORS[door]
    body = body.replace(MINE, said)
    asked = PageRules(min_words=0, languages=(), main_content=False, gibberish=False, **rules)
    if media in KINDS:
        headers = (("content-type", media),)
        one = Record(KINDS[media], "http://a.test/", "", 0, "<1>", 0, 200, headers, body.encode(), "", "a.warc")
        return list(extract_record(one, asked))
    path = tmp_path / media
    if door == "tar of pictures":
        write_tar(
            str(path),
            [("0.png", PNG), ("0.json", json.dumps({"url": URL, "caption": MINE}).replace(MINE, said).encode())],
        )
    else:
        path.write_text(body + "\n")
    return list(extract_archive(str(path), asked))


@pytest.mark.parametrize("door", DOORS)
def test_personal_data_come_in_by_no_door(tmp_path, door):
    assert "jo@here.org" in repr(rows_by(door, tmp_path, pii="off"))
    masked = rows_by(door, tmp_path, pii="mask")
    assert "jo@" not in repr(masked) and "email@example.com" in repr(masked)
    dropped = rows_by(door, tmp_path, pii="drop")
    assert [row.reason for row in dropped if isinstance(row, Fate) and row.kind == "page"] == ["personal_data"]
    assert "jo@" not in repr(dropped) and not any(isinstance(row, Document | Pair) for row in dropped)


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("line", ["a.test", "http://a.test/", URL, "other.test"])
def test_what_is_excluded_comes_in_by_no_door_and_its_books_balance(tmp_path, door, line):
    came, asked = rows_by(door, tmp_path), exclusions.parse([line], "list")
    found = list(exclusions.withhold(iter(came), asked))
    fates = Counter((row.kind, row.fate) for row in found if isinstance(row, Fate))
    assert fates.total() == sum(isinstance(row, Fate) for row in came) or fates["page", "dropped"] == 1
    documents, pairs = ([row for row in found if isinstance(row, kind)] for kind in (Document, Pair))
    assert len(documents) == fates["page", "kept"] and len(pairs) == fates["pair", "kept"]
    assert not any(
        asked.page(row.url, row.doc_id) or any(map(asked.image, filter(None, row.images))) for row in documents
    )
    assert not any(asked.page(row.page_url, row.doc_id) or asked.pair(row) for row in pairs)
    if line in ("a.test", "other.test"):
        assert (found == came) == (line == "other.test")


HALF = r"Barns \ud83d of the valley"  # an emoji that was cut, as JSON has it


@pytest.mark.parametrize("door", [*DOORS, "JSON-LD of a page"])
def test_half_a_character_comes_in_by_no_door(tmp_path, door, monkeypatch):
    told = """<script type="application/ld+json">{"@type": "Article", "author": {"name": "SAID"}}</script><p>A barn."""
    monkeypatch.setitem(DOORS, "JSON-LD of a page", ("text/html", told.replace("SAID", MINE)))
    rows = rows_by(door, tmp_path, HALF)
    assert any(isinstance(row, Document) for row in rows)
    for row in rows:
        assert not re.search("[\ud800-\udfff]", json.dumps(row, ensure_ascii=False)), row
    assert "Barns" in repr(rows)
