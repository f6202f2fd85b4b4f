"""Labels: how much of each text of a page is in the gold text."""

import pytest

from weft.transforms.extract.html.training import labels

GOLD = "Foxes and dogs. The quick brown fox jumps over the lazy dog. Reviews. It was a fine day for all of them."


@pytest.mark.parametrize(
    ("texts", "wanted"),
    [
        (["The quick brown fox jumps over the lazy dog.", "Nothing of the kind is said here"], [1.0, 0.0]),
        (["Reviews", "The quick brown fox jumps over the lazy dog.", "Reviews"], [0.0, 1.0, 1.0]),  # the one in order
        (["The quick brown fox walks over the lazy dog."], [8 / 9]),
        (["", "!!"], [0.0, 0.0]),
    ],
)
def test_labels_say_what_is_in_the_gold_text(texts, wanted):
    assert labels.label(texts, GOLD) == pytest.approx(wanted)


def test_parts_label_the_texts_that_hold_them():
    texts = ["Die GEMA dreht  völlig am Rad!", "Impressum", "Von gestern", "GEMA und Impressum", ""]
    found = labels.parts(texts, ["MA dreht völlig", "GEMA und"], ["Impressum", " "])
    assert found.tolist() == [1, 0, labels.UNKNOWN, labels.UNKNOWN, labels.UNKNOWN]
