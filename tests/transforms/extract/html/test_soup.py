"""Whatever stands in a page: a document comes of it or a named refusal, never another error, and always the same."""

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from weft.transforms.extract import html

NAMES = st.sampled_from(
    "html body div p span a img picture source figure figcaption table tr td th ul li pre code br hr h1 h2 article nav "
    "noscript template script style svg textarea select option button iframe base meta title amp-img x-y b/ =".split()
)
VALUES = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        (
            "a.jpg", "/b.png 2x, c.png 1x", "a 1w,,, b 99999999999999999999w", "data:image/png;base64,AAAA",
            "//h/x.jpg", "javascript:1", "http://[::1", "%zz%", "http://h:99999999/", "\x00", "(max-width: 1px) 1px",
            "background:url(x.jpg)", "background:url('", "nav menu", "post-content", "100%", "1e999", "-5", "rtl",
        )
    ),
)  # fmt: skip
ATTRIBUTES = st.dictionaries(
    st.sampled_from(
        "src srcset sizes data-src data-srcset alt title class id href style width height rel name".split()
    ),
    VALUES,
    max_size=4,
)
WORDS = st.one_of(
    st.text(max_size=20),
    st.sampled_from(("A sentence of words. ", "&amp;&lt;&#0;&#x110000;&nosuch;&amp", "日本語", "\u202eabc", "<!--", "-->", "<![CDATA[", "]]>", "<", "</", "</ p>", "<p", "\ud83d")),
)  # fmt: skip


@st.composite
def tags(draw: st.DrawFn) -> str:
    name = draw(NAMES)
    if draw(st.booleans()) and draw(st.booleans()):
        return f"</{name}>"
    quote = draw(st.sampled_from(('"', "'", "")))
    given_ = " ".join(f"{key}={quote}{value}{quote}" for key, value in draw(ATTRIBUTES).items())
    return f"<{name} {given_}{draw(st.sampled_from(('>', '/>', '', '>>')))}"


SOUP = st.lists(st.one_of(tags(), WORDS), max_size=60).map("".join)


@given(SOUP, st.sampled_from(("http://h.test/a/b", "", "not an address", "http://h.test/?q=%ff")))
@settings(max_examples=400, deadline=None, derandomize=True)
def test_soup_becomes_a_document(text: str, url: str) -> None:
    try:
        page = html.extract(text, url)
    except html.TooComplex:
        return
    assert len(page.texts) == len(page.images) == len(page.image_meta)
    for said, image in zip(page.texts, page.images, strict=True):
        assert (said is None) != (image is None)
        assert said is None or said.strip()
        assert image is None or re.match(r"https?://[^\s]+$", image)
    again = html.extract(text, url)
    assert (again.texts, again.images) == (page.texts, page.images)


@given(st.binary(max_size=200), st.text(max_size=30))
@settings(max_examples=300, deadline=None, derandomize=True)
def test_bytes_become_characters_under_any_header(body: bytes, header: str) -> None:
    text = html.to_text(body, f"text/html; charset={header}")
    assert "\x00" not in text or b"\x00" in body
    text.encode("utf-8")  # no half of a pair, which no file could hold
