"""Whatever stands in a page: a document comes of it or a named refusal, never another error, and always the same."""

import re

from hypothesis import given, settings
from hypothesis import strategies as st
from soup import SOUP

from weft.transforms.extract import html


@given(SOUP, st.sampled_from(("http://h.test/a/b", "", "not an address", "http://h.test/?q=%ff")))
@settings(max_examples=400, deadline=None, derandomize=True)
def test_soup_becomes_a_document(text: str, url: str) -> None:
    try:
        page = html.extract(text, url, markup=True, links=True)
        assert html.extract(text, url) == page._replace(marked=())
    except html.TooComplex:
        return
    assert len(page.texts) == len(page.images) == len(page.image_meta)
    for said, image in zip(page.texts, page.images, strict=True):
        assert (said is None) != (image is None)
        assert said is None or said.strip()
        assert image is None or re.match(r"https?://[^\s]+$", image)
    assert ["\n".join(line.plain for line in lines) for lines in page.marked] == [said or "" for said in page.texts]
    for lines in page.marked:
        html.marked.written(html.marked.kept(lines, [line.plain if n % 3 else None for n, line in enumerate(lines)]))
    again = html.extract(text, url)
    assert (again.texts, again.images) == (page.texts, page.images)


@given(st.binary(max_size=200), st.text(max_size=30))
@settings(max_examples=300, deadline=None, derandomize=True)
def test_bytes_become_characters_under_any_header(body: bytes, header: str) -> None:
    text = html.to_text(body, f"text/html; charset={header}")
    assert "\x00" not in text or b"\x00" in body
    text.encode("utf-8")  # no half of a pair, which no file could hold
