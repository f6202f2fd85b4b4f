import json

import pytest

from weft.schemas.parameters import PageRules
from weft.schemas.records import Document, Fate, Pair, pair_id
from weft.transforms.archives.record import Record
from weft.transforms.extract import wat
from weft.transforms.extract.archive import extract_record

RULES = PageRules(languages=())
LINKS = [
    {"path": "IMG@/src", "url": "/img/barn.jpg", "alt": "A red barn beside a green field"},
    {"path": "IMG@/src", "url": "/img/barn.jpg", "alt": "A red  barn beside a green field"},
    {"path": "IMG@/src", "url": "x.png", "alt": "x"},
    {"path": "IMG@/src", "url": "/no-alt.png"},
    {"path": "IMG@/src", "url": "data:image/png;base64,AA", "alt": "A picture in the page itself"},
    {"path": "A@/href", "url": "/next", "alt": "not a picture at all"},
]


def record(links=LINKS, meta=(), headers=None, kind="HTTP-Response-Metadata", **head) -> Record:
    page = {"Head": {"Title": "Barns", "Metas": list(meta), **head}, "Links": links}
    told = {"Envelope": {"Payload-Metadata": {kind: {"Headers": headers or {}, "HTML-Metadata": page}}}}
    fixed = ("metadata", "http://a.test/farm/", "2024-05-18T01:58:10Z", 1, "<urn:uuid:1>", 7, 0)
    return Record(*fixed, (("content-type", "application/json"),), json.dumps(told).encode(), "", "x.warc.wat.gz")


def extract(one: Record, rules: PageRules = RULES):
    found = list(extract_record(one, rules, seen=set()))
    return {kind: [row for row in found if isinstance(row, kind)] for kind in (Document, Pair, Fate)}


def test_pictures_with_alt_texts_are_candidate_pairs():
    found = extract(record())
    (document,), (pair,) = found[Document], found[Pair]
    assert (document.url, document.title, document.texts) == ("http://a.test/farm/", "Barns", [])
    assert pair.pair_id == pair_id("http://a.test/img/barn.jpg", "A red barn beside a green field")
    assert (pair.page_url, pair.source, pair.doc_id) == (document.url, "alt", document.doc_id)
    told = [(fate.kind, fate.reason) for fate in found[Fate]]
    assert told == [("record", ""), ("page", ""), ("pair", ""), ("pair", "repeated"), ("pair", "too_short")]
    assert extract(record(Base="http://b.test/"))[Pair][0].image_url == "http://b.test/img/barn.jpg"
    assert extract(record(), PageRules(pairs=False))[Pair] == []


@pytest.mark.parametrize(
    ("more", "fates"),
    [
        ({"meta": [{"name": "robots", "content": "noai"}]}, [("record", ""), ("page", "opt_out")]),
        ({"headers": {"X-Robots-Tag": "noai"}}, [("record", ""), ("page", "opt_out")]),
        ({"headers": {"X-Robots-Tag": "noimageai"}}, [("record", ""), ("page", "")]),
        ({"kind": "HTTP-Request-Metadata"}, [("record", "metadata")]),
        ({"links": {"not": "a list"}}, [("record", ""), ("page", "")]),
    ],
)
def test_wishes_are_kept_to_and_what_speaks_of_no_page_is_dropped(more, fates):
    assert [(fate.kind, fate.reason) for fate in extract(record(**more))[Fate]] == fates


def test_the_same_record_twice_is_one_page():
    seen: set[str] = set()
    for reason in ("", "duplicate_record"):
        fates = [row for row in extract_record(record(), RULES, "f:7", seen) if isinstance(row, Fate)]
        assert fates[1].reason == reason


@pytest.mark.parametrize("body", [b"", b"fetchTimeMs: 1", b'{"Envelope": []}', b'{"Envelope"' * 3, b'["Envelope"]'])
def test_other_metadata_is_none(body):
    assert wat.of_page(body) is None
