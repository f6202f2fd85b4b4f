"""Scores against worked examples."""

import math

import pytest

from weft.model_smoketest import metrics


def test_exact_and_vqa_answers():
    assert metrics.exact("A red Circle.", ["a blue circle", "a red circle"]) == 1.0
    assert metrics.exact("a red", ["a red circle"]) == 0.0
    ten = ["two"] * 3 + ["2"] * 1 + ["three"] * 6
    # of the nine others: for one of the four who agree 3 others do, else 4: min(1, n / 3)
    assert metrics.vqa("The two", ten) == pytest.approx(1.0)
    assert metrics.vqa("two", ["two", "two", *["a cat"] * 8]) == pytest.approx((2 * 1 / 3 + 8 * 2 / 3) / 10)
    assert metrics.vqa("dog", ten) == 0.0 and metrics.vqa("cat", ["a cat"]) == 1.0


@pytest.mark.parametrize(
    ("said", "wanted", "right"),
    [
        ("кошка", "Кошка.", 1.0),
        ("кошка", "собака", 0.0),
        ("猫", "犬", 0.0),
        ("की", "का", 0.0),  # letters alike, vowel signs not
        ("e\u0301te\u0301", "Été", 1.0),
        ("été", "t", 0.0),
        ("+", "-", 0.0),
        ("", "犬", 0.0),
    ],
)
def test_answers_of_any_script_are_told_apart(said, wanted, right):
    assert metrics.exact(said, [wanted]) == metrics.vqa(said, [wanted] * 10) == right
    assert metrics.f1(said, metrics.words(wanted), metrics.words(wanted)) == right
    assert (metrics.cider([said, "x"], [[wanted], ["x"]])[0] > 0) == bool(right)


def test_f1_counts_words_of_the_vocabulary_alone():
    of = ["red", "blue", "circle", "two"]
    assert metrics.f1("Two red circle on grass", ["two", "red", "circle"], of) == 1.0
    assert metrics.f1("a red circle", ["two", "blue", "circle"], of) == pytest.approx(2 * 1 / 5)
    assert metrics.f1("red red", ["red"], of) == pytest.approx(2 / 3)
    assert metrics.f1("", ["red"], of) == metrics.f1("grass", [], of) == 0.0


def test_cider_is_ten_for_the_reference_itself_and_weighs_rare_words():
    references = [["a red circle on a green field"], ["a blue square on a green field"], ["one dog runs in the snow"]]
    own = metrics.cider([one[0] for one in references], references)
    assert own == pytest.approx([10.0, 10.0, 10.0])
    rare, common = metrics.cider(
        ["a red circle", "a blue square on a green field", "x"],
        references,
    )[0], metrics.cider(["on a green field", "a blue square on a green field", "x"], references)[0]  # fmt: skip
    assert rare > common > 0
    assert metrics.cider(["", "a", ""], references)[0] == 0.0


def test_cider_by_hand():
    """Two items: a word of both has weight log(2/2) = 0, of one log 2; unigrams 1/sqrt(2 * 1), no bigram shared."""
    (first, _) = metrics.cider(["cat dog", "x"], [["cat bird"], ["bird fox"]])
    # unigrams: said cat (log 2), dog (log 2: never seen, counted as once); reference cat (log 2), bird (0)
    assert first == pytest.approx(10 * (1 / math.sqrt(2)) / 4)


def test_the_area_under_the_curve_and_its_error():
    area, error = metrics.roc_auc([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1])
    assert area == 0.75 and 0 < error < 0.5
    assert metrics.roc_auc([1, 1], [0, 1])[0] == 0.5
    assert math.isnan(metrics.roc_auc([1.0], [1])[0])
