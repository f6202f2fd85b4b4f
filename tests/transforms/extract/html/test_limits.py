"""What would take the parser too long is refused by name, and what only looks so is not."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_pages import SENTENCE

from weft.transforms.extract.html import TooComplex, extract, limits, parser


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "html",
    ["<i>" * 1_100_000, "<a " + "".join(f"a{n}=1 " for n in range(200_000)) + ">", "<b><i><u></b>" * 400_000],
    ids=["tags", "attributes", "unclosed"],
)
def test_what_would_take_the_parser_too_long_is_refused(html):
    with pytest.raises(TooComplex):
        extract(html, "http://site.test/")


@given(st.text(alphabet="\"'>ab ", max_size=40))
def test_a_tag_is_told_from_the_script_after_it_by_its_quotes(part):
    tag = limits._TO_ITS_END.match(part)[0]
    assert limits._QUOTED.sub("", tag) == limits._QUOTED.sub("", part).partition(">")[0]


def test_a_script_is_no_tag_of_many_attributes():
    script = "for(i=0;i<n;i++){" + "a=b;" * 100_000 + "}"
    assert extract(f"<script>{script}</script><p>{SENTENCE * 3}</p>", "http://site.test/").texts
    assert extract(f"<p data-x='{'a=b&' * 200_000}'>{SENTENCE * 3}</p>", "http://site.test/").texts


PIECES = st.sampled_from(
    "<b id=1>|<b>|<i a=2>|<font c=3>|<u\te>|</b>|</i>|<p>|</p>|x|<a href=1>|</a>|<div>|</div>|<table><td>|</table>|"
    "<object>|</object>|<!--</b>-->|<select>|</select>|<svg>|</svg>|<nobr>|<br>|<li>".split("|")
)


@given(st.lists(PIECES, max_size=60))
@settings(max_examples=300, derandomize=True)
def test_the_parser_opens_no_more_again_than_is_counted(pieces):
    """Many pieces of a kind that opens them again: the bound holds for any order of them."""
    html = "".join(pieces)
    elements = len(re.findall(r"<(?=[a-z])", parser.written(html)))
    opening = html.count("<") - html.count("</")
    again = opening * (len(limits._ATTRIBUTED.findall(html)) + limits._ALIKE)
    assert elements <= 3 + 3 * opening + again  # tables bring rows and bodies


def test_a_page_that_is_none_of_them_is_parsed_here(monkeypatch):
    monkeypatch.setattr(parser, "_apart", None)
    bold = "".join(f"<p>{SENTENCE}<b class=a>or</b> <i class='b>'>not</i></p>" for _ in range(500))
    assert extract(bold, "http://site.test/").texts


@pytest.mark.parametrize(
    "html",
    [
        "<p>" + "".join(f"<b id={n}>" for n in range(4_000)) + "</p>" + "<p>x" * 20_000,
        "<p><b id='" + "a>" * 100_000 + "'></p>" + "<p>x" * 40_000,
        "<p><b id=<" + "a" * 200_000 + "></p>" + "<p>x" * 40_000,
        "<p>" + "".join(f"<i\nid={n}><!--</i>-->" for n in range(4_000)) + "</p>" + "<p>x</p>" * 20_000,
        "<x-y>" * 60_000 + "<rb>x" * 100_000,
        "<p><a href='" + "a" * 100_000 + "'></p>" + "<p>x" * 20_000,
        "<p><nobr id='" + "a" * 100_000 + "'></p>" + "<p>x" * 20_000,
        "<\u017f id=1><p><b id=<" + "a" * 100_000 + "></p>" + "<p>x" * 20_000,
        "<p><b id='" + '"' * 24_000 + "'></p>" + "<p>x" * 20_000,
        "<p><b id='" + "\U0001f600\xa0&amp;" * 20_000 + "'></p>" + "<p>x" * 10_000,
        "<svg>" * 60_000 + "</body>x" * 60_000,
    ],
    ids="many long unquoted hidden deep link nobr folded quotes wide foreign".split(),
)
def test_what_grows_in_the_parser_takes_no_more_than_it_is_given(html, monkeypatch):
    assert limits.laborious(html)
    monkeypatch.setattr(parser, "MEMORY", 256 << 20)
    monkeypatch.setattr(parser, "CPU_S", 2)
    assert "<p>x</p>" in parser.written("<p>x", laborious=True)
    with pytest.raises(TooComplex, match="takes over"):
        extract(html, "http://site.test/")


@given(st.lists(PIECES, min_size=20, max_size=60), st.sampled_from('aé"&'))
@settings(max_examples=200, derandomize=True)
def test_what_is_written_is_no_longer_than_is_counted(pieces, character):
    """The bound on bytes, with attributes of some length: that of the smallest limit that lets a page pass."""
    html = "".join(pieces).replace("id=1", f"id='{character * 50}'").replace("href=1", f"href='{character * 70}'")
    low, high = 1, 1 << 40
    with pytest.MonkeyPatch.context() as patched:
        while low < high:
            patched.setattr(limits, "MAX_COPIES", (low + high) // 2)
            low, high = ((low + high) // 2 + 1, high) if limits.laborious(html) else (low, (low + high) // 2)
    assert len(parser.written(html).encode()) <= low + 6 * len(html) + 100
