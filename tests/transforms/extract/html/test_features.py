"""What is known of each item, as numbers: parallel, finite, on their grid."""

import numpy as np

from weft.transforms.extract.html.features import GRID, LEVELS, features
from weft.transforms.extract.html.scan import Scanner

PAGE = (
    "<nav><ul><li><a href=/>Home</a><li><a href=/n>News</a></ul></nav><main><article class=post><h1>Foxes and dogs</h1>"
    + "<p>The quick fox jumps over the lazy dog.</p><figure><img src=fox.jpg alt='A fox'><figcaption>A fox.</figcaption></figure>"
    * 4
    + "</article></main><footer>© nobody, all rights reserved</footer>"
)


def test_features_are_parallel_and_on_their_grid():
    scan = Scanner({"post": 0}).scan(PAGE)
    found = features(scan, "https://site.test/news/foxes", {"post": 0}, {"the": 0, "quick": 1})
    total = len(scan.texts)
    assert found.dense.shape[0] == total and found.low.shape == found.high.shape == (LEVELS, total)
    for values in (found.dense, found.page):
        assert np.isfinite(values).all() and (values * GRID == np.rint(values * GRID)).all()
    order = np.arange(total)
    assert (found.low <= order).all() and (found.high > order).all()
    assert (np.diff(found.low, axis=0) <= 0).all() and (np.diff(found.high, axis=0) >= 0).all()


def test_words_are_counted_in_scripts_without_spaces_too():
    texts = {"two words": 2, "窓辺で寝ている猫": 5, "แมวนอนหลับ": 6, "고양이가 잔다": 2, "قطة نائمة": 2}
    scan = Scanner({}).scan("".join(f"<p>{text}</p>" for text in texts))
    assert features(scan, "https://site.test/", {}, {}).words.tolist() == list(texts.values())
