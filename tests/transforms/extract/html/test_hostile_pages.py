"""Pages made to break a parser: each ends in bounded time and memory, and is a page or has a name."""

import random
import re

import pytest
from small_pages import SENTENCE

from weft.transforms.extract.html import TooComplex, extract


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    "html",
    [
        "<div>" * 300_000 + "deep",
        "<b><p>" * 5_000 + SENTENCE,
        "<table><tr><td>" * 50_000,
        f"<p class='{'relatedpost ' * 500_000}'>{SENTENCE}</p>",
        f"<div style='{'background:' * 400_000}'>{SENTENCE}</div>",
        "<img " + "data-x='.' " * 3_000 + ">" + "<img src='" + "a." * 500_000 + "'>",
        "<p>" + "&lt;" * 500_000,
        "<!--" * 200_000,
        "<script>" * 200_000,
        "<p>\u202e\u0e01\u0e02 مرحبا 漢字</p>" * 20_000,
        "<span>a</span>" * 200_000,
        "<br>" * 500_000,
        "<script type='application/ld+json'>" + '{"@graph":[' * 100_000 + "</script><p>x",
        "\x00" * 1_000_000,
        "<" * 1_000_000,
        "<figure>" * 10_000 + "<figcaption>x" * 10_000,
        "<noscript><img src=a>" * 20_000,
        ("<div style=\"" + "background:" * 60 + "url(" * 850 + "\">") * 20,  # 224 s, once
        "<meta " + "a" * 40_000 + "! content=x>",
        "<div " + " ".join(f"a{n}" for n in range(900_000)) + ">",
        "<select>" + "<option>x" * 24_000,
        "<select>" + "<option>x" * 800_000,
    ],
    ids=lambda html: html[:12],
)  # fmt: skip
def test_hostile_pages_end(html):
    try:
        made = extract(html, "http://site.test/")
    except TooComplex as error:
        assert re.search("takes over|block elements|texts and images|[0-9] (options|attributes)", str(error))
    else:
        assert len(made.texts) == len(made.images) == len(made.image_meta) == len(made.alternates)


@pytest.mark.timeout(120)
def test_random_markup_is_a_page():
    chance = random.Random(7)
    tags = ["div", "p", "a", "img", "table", "td", "tr", "li", "ul", "span", "b", "figure", "figcaption", "noscript", "x-y",
            "script", "svg", "pre", "h1", "br", "select", "template", "title", "picture", "source"]  # fmt: skip
    noise = ["<", ">", "</", "<!--", "-->", "&#x0;", "&amp;", "\x00", "\ud800", "é", " ", "word ", "=\"'", "\n"]
    for _ in range(300):
        parts = []
        for _ in range(chance.randint(0, 80)):
            tag = chance.choice(tags)
            attributes = f' class="{chance.choice(["post", "caption", "nav"])}" src="a{chance.randint(0, 3)}.jpg" style="display:none"'
            parts.append(chance.choice([f"<{tag}>", f"</{tag}>", f"<{tag}{attributes}>", chance.choice(noise)]))
        made = extract("".join(parts), "http://site.test/")
        assert all((text is None) != (image is None) for text, image in zip(made.texts, made.images, strict=True))
        assert sum(not o.reason for o in made.occurrences) == sum(image is not None for image in made.images)
