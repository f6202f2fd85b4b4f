"""Features, the model that reads them, and what is kept: the same on every machine, and bounded."""

import random
from fractions import Fraction

import numpy as np
import pytest

from weft.transforms.extract.html import TooComplex, choose, extract, model
from weft.transforms.extract.html.features import GRID, LEVELS, features
from weft.transforms.extract.html.scan import IMAGE, Scanner

SENTENCE = "The quick brown fox jumps over the lazy dog while nobody at all is watching it. "
PAGE = (
    "<nav><ul><li><a href=/>Home</a><li><a href=/n>News</a></ul></nav><main><article class=post><h1>Foxes and dogs</h1>"
    + f"<p>{SENTENCE * 3}</p><figure><img src=fox.jpg alt='A fox' width=800><figcaption>A fox.</figcaption></figure>"
    * 4
    + "</article></main><footer>© nobody, all rights reserved</footer>"
)


def read(html=PAGE):
    weights = model.shipped()
    scan = Scanner(weights.names).scan(html)
    return scan, features(scan, "https://site.test/news/foxes", weights.names, weights.words)


def test_features_are_parallel_and_on_their_grid():
    scan, found = read()
    total = len(scan.texts)
    assert found.dense.shape[0] == total and found.low.shape == found.high.shape == (LEVELS, total)
    for values in (found.dense, found.page):
        assert np.isfinite(values).all() and (values * GRID == np.rint(values * GRID)).all()
    order = np.arange(total)
    assert (found.low <= order).all() and (found.high > order).all()
    assert (np.diff(found.low, axis=0) <= 0).all() and (np.diff(found.high, axis=0) >= 0).all()


def test_sums_are_exact_whatever_order_they_are_taken_in():
    """What makes a decision the same on every machine: no product sum of the model rounds."""
    weights = model.shipped()._w
    chance = random.Random(0)
    values = np.rint(np.array([chance.uniform(-6, 6) for _ in range(weights["w1"].shape[0])]) * GRID) / GRID
    for column in weights["w1"].T[:8]:
        exact = sum((Fraction(float(a)) * Fraction(float(b)) for a, b in zip(values, column, strict=True)), Fraction())
        assert Fraction(float(values @ column)) == exact == Fraction(float(values[::-1] @ column[::-1]))


def test_the_shipped_weights_are_on_their_grid():
    for name, values in model.shipped()._w.items():
        if name not in ("mean", "scale", "page_mean", "page_scale"):
            assert (values * model.WEIGHTS == np.rint(values * model.WEIGHTS)).all(), name


def test_a_plain_article_is_kept_and_its_furniture_is_not():
    scan, found = read()
    kept = choose.choose(*model.shipped()(found), found.words, found.kinds == IMAGE, article=np.array(scan.figures) > 0)
    said = [text for text, keep in zip(scan.texts, kept, strict=True) if keep and text]
    assert sum(text.startswith("The quick") for text in said) == 4 and "Home" not in said
    assert kept[found.kinds == IMAGE].sum() == 4


def test_the_threshold_gives_the_greatest_expected_f1():
    chance = random.Random(1)
    for _ in range(30):
        count = chance.randint(1, 9)
        p = np.sort([chance.random() for _ in range(count)])[::-1]
        words = np.array([float(chance.randint(1, 60)) for _ in range(count)])

        def expected(chosen, p=p, words=words):
            return 2 * (p * words)[chosen].sum() / max(1e-9, words[chosen].sum() + (p * words).sum())

        best = max(expected(np.array([bool(n >> k & 1) for k in range(count)])) for n in range(1, 2**count))
        assert expected(p >= choose.thresholds(p, words)[0]) == pytest.approx(best)


def test_a_doubtful_text_is_kept_where_nothing_better_is():
    def kept(*logits):
        count = len(logits)
        return choose.choose(np.array(logits), np.zeros(count), np.full(count, 40.0), np.zeros(count, bool)).tolist()

    assert kept(-0.2, -5.0) == [True, False] and kept(6.0, 6.0, -0.2) == [True, True, False]


def test_where_nothing_is_sure_the_best_guess_is_kept():
    kept = choose.choose(np.array([-4.0, -2.0]), np.zeros(2), np.array([30.0, 40.0]), np.zeros(2, bool))
    assert kept.tolist() == [False, True]


def test_a_long_document_has_no_holes():
    logits = np.array([-9.0, *[3.0] * 40, -3.0, -3.0, -9.0, *[3.0] * 40, -3.0])
    is_image = np.zeros(85, bool)
    is_image[42] = True
    words = np.where(is_image, 0, 50.0)
    around = np.zeros((1, 85), np.int64), np.full((1, 85), 85)
    kept = choose.choose(logits, np.full(85, -5.0), words, is_image, around=around)
    assert kept[41] and kept[42] and not kept[43] and not kept[0] and not kept[84]
    assert not choose.choose(logits, np.full(85, -5.0), words / 10, is_image, around=around)[41:43].any()


def test_an_image_between_kept_texts_needs_less():
    words = np.array([20.0, 0, 20, 0, 20, 0])
    is_image = words == 0
    texts = np.array([5.0, 0, 5, 0, -9, 0])
    images = np.array([0.0, -0.5, 0, -0.5, 0, 5])
    assert choose.choose(texts, images, words, is_image).tolist() == [True, True, True, False, False, True]


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
    ],
    ids=lambda html: html[:12],
)  # fmt: skip
def test_hostile_pages_end(html):
    made = extract(html, "http://site.test/")
    assert len(made.texts) == len(made.images) == len(made.image_meta) == len(made.alternates)


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "html",
    ["<i>" * 1_100_000, "<a " + "".join(f"a{n}=1 " for n in range(200_000)) + ">", "<b><i><u></b>" * 400_000],
    ids=["tags", "attributes", "unclosed"],
)
def test_what_would_take_the_parser_too_long_is_refused(html):
    with pytest.raises(TooComplex):
        extract(html, "http://site.test/")


def test_a_script_is_no_tag_of_many_attributes():
    script = "for(i=0;i<n;i++){" + "a=b;" * 100_000 + "}"
    assert extract(f"<script>{script}</script><p>{SENTENCE * 3}</p>", "http://site.test/").texts
    assert extract(f"<p data-x='{'a=b&' * 200_000}'>{SENTENCE * 3}</p>", "http://site.test/").texts


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
