"""Figures that are drawn in their page: which ones, as what file, in which place; and everything else stays as it was."""

import hashlib

import pytest
from small_pages import URL, article, p

from weft.transforms.extract.html import compiled, extract, figures_of, inline
from weft.transforms.fetch import svg
from weft.transforms.urls import drawing_of

BARS = "".join(f"<rect x={10 * n} y=0 width=8 height={9 * n} fill='#0{n}f'></rect>" for n in range(9))


def drawing(inside=BARS, told="width=240 height='120px' viewBox='0 0 240 120'"):
    return f"<svg {told}>{inside}</svg>"


def figures(*parts):
    return list(figures_of(article(p(), *parts)).values())


def test_a_figure_is_an_image_of_its_document_at_its_place():
    html = article(p(), "<img src=a.jpg>", p(), drawing(f"<title>Barns a year</title>{BARS}"), p())
    (file,) = figures_of(html).values()
    made = extract(html, f"{URL}#top", figures=True)
    assert [image and drawing_of(image) for image in made.images] == [
        None, "", None, hashlib.sha256(file.encode()).hexdigest(), None,
    ]  # fmt: skip
    assert made.images[3].startswith(f"{URL}#svg=") and made.occurrences[1][:2] == (made.images[3], "")
    assert (made.image_meta[3].alt, made.image_meta[3].width, made.image_meta[3].height) == ("Barns a year", 240, 120)
    drawn = svg.read(file.encode())
    assert (drawn.width, drawn.height, drawn.xml.count("<rect")) == (240, 120, 9)
    without = extract(html, URL)
    assert [o.reason for o in without.occurrences] == ["", "svg_inline"] and without.images[:2] == made.images[:2]


@pytest.mark.parametrize(
    "other",
    {
        "small": drawing(told="width=99 height=400"),
        "of no size": drawing(told="width='100%' height=auto"),
        "few parts": drawing(BARS.split("</rect>", 5)[0] + "<g></g>" * 40),
        "hidden": drawing(told="width=240 height=120 aria-hidden=true"),
        "a sprite's": drawing(f"<use href='#elsewhere'></use>{BARS}"),
        "another file's": drawing(f"<use xlink:href='/icons.svg#cow'></use>{BARS}"),
        "with HTML in it": drawing(f"<foreignObject><p>Barns</p></foreignObject>{BARS}"),
        "a drawing in a drawing": drawing(f"<svg></svg>{BARS}"),
        "coloured by its page": drawing(BARS.replace("fill", "data-fill"), "width=240 height=120 class=chart"),
        "too long": drawing(f"<path d='{'M0 0 ' * (inline.MOST_BYTES // 5)}' fill=red></path>{BARS}"),
        "of a script": f"<script>document.write(`{drawing()}`)</script>",
        "of a comment": f"<!--{drawing()}-->",
    }.values(),
)
def test_what_is_no_figure_stays_what_it_was(other):
    assert figures(other) == []
    html = article(p(), other, p())
    made, as_before = extract(html, URL, figures=True), extract(html, URL)
    assert (made.texts, made.images, made.occurrences) == (as_before.texts, as_before.images, as_before.occurrences)


def test_its_size_is_its_view_boxs_where_it_says_no_length():
    assert len(figures(drawing(told="viewBox='0 0 240 120' width='100%'"))) == 1
    assert inline.size('<svg viewBox="0,0,240.4,120" height="300px">') == (240.4, 300)
    assert inline.size("<svg>") == inline.size('<svg viewBox="0 0">') == (0, 0)


def test_the_file_is_xml_whatever_its_page_calls_things():
    inside = (
        "<g @click=a() :class=b v-on:tap=c onclick='d(1)' xlink:title=e data-x=\"1<2 &amp; 3\"><text>1 &lt; 2&nbsp;m"
        "<tspan>—</tspan></text></g><a href=http://b.test/><desc><p>Two<br>lines<img src=x></p></desc></a>"
        "<linearGradient id=l gradientUnits=userSpaceOnUse></linearGradient><style>.a>.b{fill:red}</style>"
        "<use href='#l'></use><!-- no -- comment -->"
    )
    (file,) = figures(drawing(inside + BARS))
    drawn = svg.read(file.encode()).xml
    assert "@click" not in file and "v-on" not in file and "&nbsp;" not in file and "linearGradient" in drawn
    assert "1 &lt; 2\u00a0m" in drawn and 'viewBox="0 0 240 120"' in drawn and ".a&gt;.b{fill:red}" in drawn
    assert len(svg.png(svg.read(file.encode()), 24, 12)) > 60


def test_one_in_a_link_is_a_mark_and_a_page_has_so_many():
    made = extract(article(p(), f"<a href=/home>{drawing()}</a>", p()), URL, figures=True)
    assert made.images == [None] and [o.reason for o in made.occurrences] == ["svg_inline"]
    many = [drawing(BARS.replace("y=0", f"y={n}")) for n in range(inline.MOST + 2)]
    assert len(figures(*many)) == inline.MOST and len(figures(*[drawing()] * 9)) == 1


def test_no_page_makes_an_image_that_means_a_drawing():
    name = "0" * 64
    html = article(
        p(), f"<img DRAWN={name} drawn={name}>", f"<img src='{URL}#svg={name}'>", f"<p title=' DRAWN=\"{name}\"'>x", p()
    )
    made = extract(html, URL, main_content=False, figures=True)
    assert [drawing_of(o.url) for o in made.occurrences] == ["", ""] and inline.named("img") == ""


def test_the_compiled_scanner_finds_the_same(monkeypatch):
    html = article(p(), drawing(), f"<a href=/x>{drawing()}</a><p>and</p>", drawing("<path>"), p(), drawing(BARS * 2))
    found = extract(html, URL, figures=True)
    monkeypatch.setattr(compiled, "module", None)
    assert (
        extract(html, URL, figures=True) == found and sum(map(bool, map(drawing_of, filter(None, found.images)))) == 2
    )
