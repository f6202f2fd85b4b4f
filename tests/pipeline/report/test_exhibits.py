"""Samples as markup: what strangers wrote stays words, and what is shown is what was asked."""

import pytest
from html_seen import Seen

from weft.pipeline.report import charts, exhibits
from weft.pipeline.report.samples import Lost, Picture

PAIR = {"text": "A <b>red</b> fox", "source": "alt", "page_url": "http://a.test/p", "similarity": 0.25, "reason": ""}


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "JavaScript:alert(1)", "data:text/html,x", "//a.test/", "", " http:"]
)
def test_only_web_addresses_become_links(url: str):
    assert exhibits.link(url) == charts.text(url)


def test_a_long_text_keeps_its_ends():
    shown = exhibits.ends("begin " + "word " * 1000 + "end")
    assert shown.startswith("begin word") and shown.endswith("word end") and "characters]" in shown and len(shown) < 800
    assert exhibits.ends("short") == "short"


def test_a_link_cannot_leave_its_attribute():
    seen = Seen(exhibits.link('http://a.test/"onclick="alert(1)'))
    assert [sorted(attributes) for _, attributes in seen.tags] == [["href", "rel"]]


def test_a_pair_says_why_it_was_left_out_and_that_it_has_no_picture():
    shown = exhibits.pair(PAIR, Picture("data:image/jpeg;base64,AA==", 9, 9, "warc"))
    assert [a["alt"] for tag, a in Seen(shown).tags if tag == "img"] == [PAIR["text"]]
    assert "left out" not in shown and "similarity 0.250" in shown
    bare = Seen(exhibits.pair({**PAIR, "reason": "too_small"}, None))
    assert "no picture" in bare.words and "left out: too_small" in bare.words
    assert not {tag for tag, _ in bare.tags} & {"img", "b"}
    assert "word …" in Seen(exhibits.pair({**PAIR, "text": "word " * 99}, None)).words


def test_of_duplicates_the_words_that_differ_are_marked():
    row = {"images": [None, "http://a.test/i.jpg"], "url": "http://a.test/", "doc_id": "d"}
    kept, gone = ({**row, "texts": [words, None]} for words in ("the old <mill> burned", "the old barn burned"))
    shown = exhibits.duplicate({"how": "near", "similarity": 0.9, "cluster_size": 2}, kept, gone)
    assert "<mark>&lt;mill&gt;</mark>" in shown and "<mark>barn</mark>" in shown and "<mark>the" not in shown
    assert Seen(shown).words.count("1 picture") == 2


@pytest.mark.parametrize(("reason", "told"), [("duplicate_near", "kept instead: abc"), ("too_short", "abc")])
def test_what_was_dropped_names_what_stays_only_where_something_does(reason, told):
    words = Seen(exhibits.lost(Lost("dedup", reason, "abc", "key", "", "", "", None))).words
    assert told in " ".join(words.split()) and ("kept instead" in words) == reason.startswith("duplicate")
