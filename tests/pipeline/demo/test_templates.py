"""Templates: what is on a page is on it once and escaped, and what surrounds it is known."""

import dataclasses

import pytest

from weft.pipeline.demo import templates
from weft.pipeline.demo.templates import Block, Page, Shown

SHOWN = Shown(
    "http://a.test/large.jpg", "/large.jpg", 640, 480, 'a "red" fox', also=(("http://a.test/small.jpg", 320),)
)
PAGE = Page(
    "news", "http://one.weft.test/x", "Tom & Jerry <1>", "Ann O'Neil", "en",
    (Block("p", ("First & last.", "A < B.")), Block("image", (), SHOWN), Block("code", ("if a < b:",)), Block("list", ("one",))),
    comments=(("Bob", "<b>Nice</b>"),), related=("Other & more",),
)  # fmt: skip


@pytest.mark.parametrize("style", templates.STYLES)
def test_the_large_picture_is_in_every_style(style):
    html = templates.picture_html(dataclasses.replace(SHOWN, style=style))
    assert "/large.jpg" in html and html.count("&quot;red&quot;") == html.count("alt=")
    if style in ("srcset", "lazy_srcset"):
        assert "small.jpg 320w" in html and "/large.jpg 640w" in html
    if style == "lazy":
        assert 'src="data:' in html and "data-src=" in html


@pytest.mark.parametrize("kind", ["news", "gallery", "forum", "product", "blog", "docs"])
def test_words_of_a_page_stand_in_it_once_and_escaped(kind):
    html, furniture = templates.render(dataclasses.replace(PAGE, kind=kind))
    for words in ("First &amp; last.", "A &lt; B.", "if a &lt; b:", "Other &amp; more"):
        assert html.count(words) == 1, words
    assert "Tom &amp; Jerry &lt;1&gt;" in html and "<b>Nice</b>" not in html
    assert (
        not [text for text in furniture.texts if text in ("First & last.", "one")] and "Other & more" in furniture.texts
    )


def test_a_forum_and_a_list_close_what_they_open():
    for kind in ("forum", "blog", "gallery"):
        blocks = (
            Block("avatar", ("bob", "/a.png")),
            Block("p", ("x",)),
            Block("h2", ("y",)),
            Block("image", (), SHOWN),
        )
        blocks = blocks if kind == "forum" else blocks[1:]
        html, _ = templates.render(dataclasses.replace(PAGE, kind=kind, blocks=blocks))
        for tag in ("div", "section", "ul", "li", "article", "main"):
            assert html.count(f"<{tag}>") + html.count(f"<{tag} ") == html.count(f"</{tag}>"), (kind, tag)


def test_a_site_has_one_frame_and_sites_differ():
    def frame(url):
        return templates.render(dataclasses.replace(PAGE, url=url))[1].texts[0]

    assert frame("http://one.weft.test/a") == frame("http://one.weft.test/b") != frame("http://two.weft.test/a")
