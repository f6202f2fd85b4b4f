"""What `weft html` prints of one page."""

import json

from weft.pipeline import one_page
from weft.schemas.parameters import PageRules

SENTENCE = "The quick brown fox jumps over the lazy dog while nobody at all is watching it. " * 5
HTML = f"<nav>Home</nav><main><p>{SENTENCE}<img src=a.png alt='A red barn'><p>{SENTENCE}</main>".encode()


def test_a_page_is_plain_values():
    found = one_page.describe(HTML, "http://a.test/d/", PageRules())
    assert json.loads(json.dumps(found)) == found
    assert found["document"]["images"] == [None, "http://a.test/d/a.png", None]
    assert found["document"]["image_meta"][1]["alt"] == "A red barn"
    assert [pair["text"] for pair in found["pairs"]] == ["A red barn"]
    assert [fate["kind"] for fate in found["fates"]] == ["page", "image", "pair"]


def test_a_dropped_page_has_its_reason_alone():
    found = one_page.describe(b"<p>Short.</p>", "", PageRules())
    assert found["document"] is None and [fate["reason"] for fate in found["fates"]] == ["too_short"]


def test_blocks_say_what_is_kept_and_what_is_not():
    lines = one_page.blocks(HTML, "")
    assert [line[0] for line in lines] == ["-", "+", "+", "+"]
    assert [line.split()[2] for line in lines] == ["nav", "p", "image", "p"]


def test_a_page_that_is_too_complex_has_no_blocks_either():
    page = b"<x-y>" * 6_000 + b"x"
    (fate,) = one_page.describe(page, "", PageRules())["fates"]
    assert fate["reason"] == "too_complex"
    assert one_page.blocks(page, "") == [f"too_complex: {fate['detail']}"]
    tags = b"<p a" + b" b=c" * 200_000 + b">"  # one that no parser may be given
    assert one_page.blocks(tags, "") == ["too_complex: a tag of 200002 attributes"]


def test_a_page_that_is_too_slow_is_said_so(monkeypatch):
    def endless(html: str, url: str) -> None:
        while True:
            pass

    monkeypatch.setattr(one_page, "CPU_S", 0.1)
    monkeypatch.setattr(one_page.extraction, "explain", endless)
    assert one_page.blocks(HTML, "") == ["page_too_slow: over 0.1 seconds of processor time"]
