"""A picture has its own caption: of its figure's row, of its column, of what is next to it; where nothing tells, none."""

import pytest
from small_pages import URL, article, p

from weft.transforms.extract.html import extract


def img(name):
    return f"<img src={name}.jpg width=200 height=150>"


def captions(*parts):
    """(name of the file, caption) of each picture."""
    made = extract(article(p(), *parts, p()), URL)
    assert all(
        meta.caption_source == "" or meta.caption for meta in made.image_meta if meta
    )  # a source only with a caption
    pairs = zip(made.images, made.image_meta, strict=True)
    return [(url.rpartition("/")[2].partition(".")[0], meta.caption) for url, meta in pairs if url]


def test_a_caption_is_bound_to_its_image_and_said_once():
    html = article(p(), "<figure><img src=a.jpg><figcaption>A <b>fine</b> caption</figcaption></figure>", p())
    made = extract(html, URL)
    assert made.image_meta[1].caption == "A fine caption" and made.image_meta[1].caption_source == "figcaption"
    assert "".join(t or "" for t in made.texts).count("A fine caption") == 1


def test_a_figure_of_two_binds_each_caption_to_its_own():
    assert captions(
        "<figure><img src=a.jpg><figcaption>First one</figcaption><img src=b.jpg><figcaption>Second one</figcaption></figure>"
    ) == [("a", "First one"), ("b", "Second one")]


def test_a_figures_captions_are_of_the_pictures_in_their_row():
    def row(*names, caption):
        return f"<div class=row>{''.join(map(img, names))}<figcaption>{caption}</figcaption></div>"

    rows = row("a", "b", caption="First row") + row("c", "d", "e", caption="Second row")
    assert captions(f"<figure>{rows}</figure>") == [
        ("a", "First row"), ("b", "First row"), ("c", "Second row"), ("d", "Second row"), ("e", "Second row"),
    ]  # fmt: skip
    whole = (
        f"<figure><div>{img('a')}<figcaption>Of a</figcaption></div>{img('b')}<figcaption>Of both</figcaption></figure>"
    )
    assert captions(whole) == [("a", "Of a"), ("b", "Of both")]


def test_captions_that_do_not_fit_their_pictures_are_of_none():
    row = "<div><figcaption>One</figcaption><figcaption>Two</figcaption></div>"
    assert captions(f"<figure><div>{img('a')}{img('b')}{img('c')}</div>{row}</figure>") == [
        ("a", ""), ("b", ""), ("c", ""),
    ]  # fmt: skip


def test_a_caption_outside_a_figure_is_that_of_the_picture_before_it():
    html = article(p(), "<img src=a.jpg><div class=wp-caption-text>A barn in May</div>", p(), "<img src=b.jpg>", p())
    metas = [meta for meta in extract(html, URL).image_meta if meta]
    assert [(meta.caption, meta.caption_source) for meta in metas] == [("A barn in May", "caption"), ("", "")]


def test_icons_and_twins_between_a_picture_and_its_caption_are_passed_over():
    icon = '<a href="/a.jpg" title="Enlarge"><img src=clip.png width=15 height=11></a>'
    thumb = f'{img("a")}<div class="thumbcaption"><div class="magnify">{icon}</div>A note in a book</div>'
    assert dict(captions(thumb))["a"] == "A note in a book" and not dict(captions(thumb)).get("clip")
    figure = f"<figure>{img('a')}{icon}<figcaption>A note in a book</figcaption></figure>"
    assert dict(captions(figure))["a"] == "A note in a book" and not dict(captions(figure)).get("clip")
    lazy = "<img data-src=a.jpg src=blank.gif><noscript><img src=a.jpg></noscript><p class=caption>A red barn</p>"
    assert captions(lazy) == [("a", "A red barn")]


def box(*parts):
    return f"<div class=pic>{''.join(parts)}</div>"


def says(text):
    return f"<p class=caption>{text}</p>"


@pytest.mark.parametrize(
    ("parts", "wanted"),
    [
        # Above its picture, and behind one that has none.
        ((img("z"), box(says("A"), img("a")), box(says("B"), img("b"))), [("z", ""), ("a", "A"), ("b", "B")]),
        ((says("A"), img("a"), says("B"), img("b")), [("a", "A"), ("b", "B")]),
        # Its own picture has no address, or is no part of the document: it is not the next one's.
        ((box("<img src='data:x'>", says("A")), box(img("b"), says("B"))), [("b", "B")]),
        ((box(says("A"), "<img src='data:x'>"), box(says("B"), img("b"))), [("b", "B")]),
        # A second line below a caption, as of who took the picture.
        ((box(img("a"), says("A"), says("By me")), box(img("b"), says("B"), says("By me"))), [("a", "A"), ("b", "B")]),
        ((img("a"), says("A"), says("By me"), img("b"), says("B")), [("a", "A"), ("b", "B")]),
    ],
)  # fmt: skip
def test_a_caption_is_that_of_the_nearest_picture_and_of_no_other(parts, wanted):
    assert captions(*parts) == wanted


def test_a_figures_caption_may_stand_in_elements_of_its_own():
    figure = f"<figure>{img('a')}<figcaption><div><p>A barn</p><p>Photo: me</p></div></figcaption></figure>"
    assert captions(figure) == [("a", "A barn Photo: me")]
    classes = f"<figure>{img('a')}<figcaption>{says('A barn')}<p class=credit>Photo: me</p></figcaption></figure>"
    assert captions(classes) == [("a", "A barn Photo: me")]
    card = f"<figure>{img('a')}<figcaption><h4>A barn</h4><p><a href=/b>Add to cart</a></p></figcaption></figure>"
    assert captions(card) == [("a", "A barn")]
    around = f"<figure><div class=captioned>{img('a')}<p>No caption</p><figcaption>A barn</figcaption></div></figure>"
    assert captions(around) == [("a", "A barn")]


PICTURES = f"<tr><td>{img('a')}</td><td>{img('b')}</td></tr>"
BOTH = [("a", "The first"), ("b", "The second")]


@pytest.mark.parametrize(
    "rows",
    [
        PICTURES + "<tr><td class=caption>The first</td><td class=caption>The second</td></tr>",
        PICTURES + "<tr><td><p class=caption>The first</p></td><td><div class=thumbcaption>The second</div></td></tr>",
        "<tr><td class=caption>The first</td><td class=caption>The second</td></tr>" + PICTURES,
        f"<tr><td>{img('a')}</td><td></td><td>{img('b')}</td></tr>"
        "<tr><td class=caption>The first</td><td></td><td class=caption>The second</td></tr>",
        f"<tr><td>{img('a')}</td></tr><tr><td><p class=caption>The first</p></td></tr>"
        f"<tr><td>{img('b')}</td></tr><tr><td><p class=caption>The second</p></td></tr>",
        f"<tr><td>{img('a')}</td><td><p class=caption>The first</p></td></tr>"
        f"<tr><td>{img('b')}</td><td><p class=caption>The second</p></td></tr>",
        f"<tr><td>{img('a')}<p class=caption>The first</p></td><td>{img('b')}<p class=caption>The second</p></td></tr>",
    ],
)  # fmt: skip
def test_captions_in_a_table_are_of_the_pictures_in_their_column(rows):
    assert captions(f"<table>{rows}</table>") == BOTH


def test_a_caption_that_spans_a_row_of_pictures_is_of_each():
    assert captions(f"<table>{PICTURES}<tr><td colspan=2 class=caption>Two barns</td></tr></table>") == [
        ("a", "Two barns"), ("b", "Two barns"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "rows",
    [
        PICTURES + "<tr><td class=caption>One</td><td class=caption>Two</td><td class=caption>Three</td></tr>",
        f"<tr><td>{img('a')}{img('b')}</td></tr><tr><td><p class=caption>One</p></td></tr>",
        PICTURES + "<tr><td>One</td><td>Two</td></tr>",  # no caption
    ],
)
def test_rows_that_do_not_fit_bind_nothing(rows):
    assert captions(f"<table>{rows}</table>") == [("a", ""), ("b", "")]
