"""The model gives the same on every machine, and on a plain article what a reader would."""

import random
from fractions import Fraction

import numpy as np
from small_pages import SENTENCE

from weft.transforms.extract.html import choose, model
from weft.transforms.extract.html.features import GRID, features
from weft.transforms.extract.html.scan import IMAGE, Scanner

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
