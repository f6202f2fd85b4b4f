"""One pass over a page: items in reading order, and what stands around each."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.transforms.extract.html import scan as scan_module
from weft.transforms.extract.html.scan import BLOCKS, IMAGE, KIND, PURPOSES, Scanner

NAMES = {
    name: number for number, name in enumerate(("content", "post", "~content", "~post", "side", "@hidden", "lede"))
}


def scan(body, head=""):
    return Scanner(NAMES).scan(f"<html><head>{head}</head><body>{body}</body></html>")


def items(body):
    page = scan(body)
    return [
        (text or "IMAGE", "image" if k == IMAGE else BLOCKS[k]) for text, k in zip(page.texts, page.kinds, strict=True)
    ]


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        ("<p>One <b>two</b></p>three", [("One two", "p"), ("three", "body")]),
        ("a<br>b<br><br>c", [("a\nb", "body"), ("c", "body")]),
        ("<table><tr><td>1<td>2<tr><td>3</table>", [("1 | 2", "tr"), ("3", "tr")]),
        ("<tr><td><p>x</p></td><td>y</td></tr>", [("x", "p"), ("y", "body")]),  # no table: its tags are dropped
        ("<pre>a\n  <i>b</i></pre>", [("a\n  b", "pre")]),
        ("<span>one</span><span>two</span>", [("one two", "body")]),  # boxes of their own on nearly every page
        ("<pre><span>f</span><span>(</span></pre>", [("f(", "pre")]),
        ("<a>Paris</a><span>, France</span> <span>(</span><a>map</a><span>)</span>", [("Paris, France (map)", "body")]),
        ("<span>「</span><span>東京</span><span>」</span><a>。次</a><a>x</a>", [("「東京」。次 x", "body")]),
        ("<a>One</a><a>(two)</a><span>|</span>", [("One (two) |", "body")]),
        ("H<sub>2</sub>O", [("H2O", "body")]),
        ("<p>a &amp; b &lt; c&nbsp;d", [("a & b < c d", "p")]),
        ("<div class=wp-caption-text>said</div>", [("said", "figcaption")]),
        ("<p>a<img src=x>b", [("a", "p"), ("IMAGE", "image"), ("b", "p")]),
        ("a<!-- <p>no --><script>'<p>no</p>'</script><select><option>no</select>b", [("ab", "body")]),
        ("<h2>T</h2><hr>x<hr>y", [("T", "h2"), ("x", "body"), ("y", "body")]),
        ("x<hr class=thin>y<hr id=a>z", [("x", "body"), ("y", "body"), ("z", "body")]),
        ("x <picture><source srcset=a.jpg></picture> y", [("x", "body"), ("IMAGE", "image"), ("y", "body")]),
        ("a<svg><svg><text>no</text></svg><text>no</text></svg>b", [("ab", "body")]),
        ("a<object><object><p>no</object><p>no</object>b", [("ab", "body")]),
        ("a<template><template>no</template><p>no</template>b", [("ab", "body")]),
        ("a<svg><!-- <svg> --></svg>b<svg></svg>c", [("abc", "body")]),  # what is no element has no end
        ("<div x<y=1 <button>a</div><p>b", [("a", "div"), ("b", "p")]),  # a "<" in an attribute's name
    ],
)  # fmt: skip
def test_items_are_what_a_reader_sees(body, wanted):
    assert items(body) == wanted


def test_containers_span_their_items():
    page = scan("<main><p>a</p><div><p>b</p><p>c</p></div></main>d")
    spans = {(page.tags[c].kind, page.starts[c], page.ends[c]) for c in range(len(page.starts))}
    assert {(KIND["main"], 0, 3), (KIND["div"], 1, 3), (KIND["p"], 2, 3), (KIND["body"], 0, 4)} <= spans
    around, at = [], page.containers[2]
    while at >= 0:
        around.append(BLOCKS[page.tags[at].kind])
        at = page.parents[at]
    assert around == ["p", "div", "main", "body"] and page.depths[page.containers[2]] == 3


def test_names_are_words_of_classes_and_ids_and_what_they_are_for():
    page = scan("<div class='postContent' id=side hidden><span class=lede>x</span></div>")
    tag = page.tags[page.containers[0]]
    assert [list(NAMES)[n] for n in tag.names] == ["post", "~post", "content", "~content", "side", "@hidden"]
    assert list(page.inline) == [NAMES["lede"]]


def test_links_are_counted_in_characters():
    page = scan("<p>four<a href=/x>twelve chars</a></p>")
    assert list(page.linked) == [12] and page.texts == ["fourtwelve chars"]


def test_a_page_tells_what_it_is():
    page = scan(
        "<p>x<a rel=license href=/by>CC</a>",
        "<title>A  title</title><base href=/b/><meta property=og:Type content=article>"
        '<script type=\'application/ld+json\'>{"a": "</p>"}</script>',
    )
    assert (page.title, page.base, page.licence) == ("A title", "/b/", "/by")
    assert page.meta == [("og:type", "article")] and page.json_ld == ['{"a": "</p>"}']


def test_images_know_their_link_their_sources_and_noscript():
    page = scan("<a href=big.jpg><img src=s.jpg></a><picture><source srcset=w.webp><img></picture>"
                "<noscript><img src=n.jpg></noscript><svg></svg>"
                "<div role=img style=\"background-image:url('b.jpg')\"></div>")  # fmt: skip
    linked, sourced, unscripted, background = page.images.values()
    assert "big.jpg" in linked.link and sourced.picture == ["w.webp"] and unscripted.noscript and page.drawings == [3]
    assert 'src="b.jpg"' in background.tag and 'role="img"' in background.tag


def test_what_a_scanner_remembers_changes_nothing():
    bodies = [f"<div class='post p{n}' id=c{n}><p>text {n}</p></div>" for n in range(50)]
    warm = Scanner(NAMES)
    for body in bodies:
        old, new = warm.scan(body), Scanner(NAMES).scan(body)
        assert (old.texts, [t.names for t in old.tags]) == (new.texts, [t.names for t in new.tags])


def test_an_item_knows_where_in_the_source_it_stands():
    page = scan("<p>One <b>two</b><p>a<img src=x>b<br><br>c<table><tr><td>1<td><i>2</i></table><p x<y=1>d")
    assert [page.source[start:end] for start, end in page.spans] == [
        "One <b>two</b>", "a", '<img src="x">', "b<br>", "c", "1</td><td><i>2</i></td>", "d"
    ]  # fmt: skip


@given(st.lists(st.sampled_from([*PURPOSES, *(word[:-1] for word in PURPOSES), "x"])).map("".join))
def test_purposes_are_found_in_their_order_however_they_are_put_together(word):
    assert scan_module._PURPOSE.findall(word) == re.findall("|".join(PURPOSES), word)
