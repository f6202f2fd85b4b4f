"""Logits become what is kept: the greatest expected F1, no holes in a long document, images by what is around them."""

import random

import numpy as np
import pytest

from weft.transforms.extract.html.choose import choose, thresholds


def test_the_threshold_gives_the_greatest_expected_f1():
    chance = random.Random(1)
    for _ in range(30):
        count = chance.randint(1, 9)
        p = np.sort([chance.random() for _ in range(count)])[::-1]
        words = np.array([float(chance.randint(1, 60)) for _ in range(count)])

        def expected(chosen, p=p, words=words):
            return 2 * (p * words)[chosen].sum() / max(1e-9, words[chosen].sum() + (p * words).sum())

        best = max(expected(np.array([bool(n >> k & 1) for k in range(count)])) for n in range(1, 2**count))
        assert expected(p >= thresholds(p, words)[0]) == pytest.approx(best)


def test_a_doubtful_text_is_kept_where_nothing_better_is():
    def kept(*logits):
        count = len(logits)
        return choose(np.array(logits), np.zeros(count), np.full(count, 40.0), np.zeros(count, bool)).tolist()

    assert kept(-0.2, -5.0) == [True, False] and kept(6.0, 6.0, -0.2) == [True, True, False]


def test_where_nothing_is_sure_the_best_guess_is_kept():
    kept = choose(np.array([-4.0, -2.0]), np.zeros(2), np.array([30.0, 40.0]), np.zeros(2, bool))
    assert kept.tolist() == [False, True]


def test_texts_of_one_structure_are_decided_together():
    sure, doubtful = [4.0] * 4, [3.0, 2.0, 2.5, 0.0]
    logits, words = np.array([*sure, *doubtful, -9.0]), np.full(9, 20.0)
    groups = np.array([0] * 4 + [1] * 4 + [2])

    def kept(logits, groups=groups):
        return choose(logits, np.zeros(9), words, np.zeros(9, bool), groups=groups).tolist()

    assert kept(logits) == [True] * 8 + [False] and kept(logits, None) == [True] * 7 + [False] * 2
    worse = np.array([*sure, -3.0, -3.0, 1.0, -4.0, -9.0])
    assert kept(worse) == [True] * 4 + [False] * 5 and kept(worse, None)[6]


def test_few_texts_between_kept_ones_may_be_more_doubtful():
    logits = np.array([0.2, 4.0, 0.2, 4.0, 0.2, -9.0, 0.2, 4.0, 0.2, 0.2, 0.2, 0.2, 4.0, 0.2, -1.5, -9.0])
    kept = choose(logits, np.zeros(16), np.full(16, 20.0), np.zeros(16, bool))
    assert np.flatnonzero(kept).tolist() == [1, 2, 3, 4, 6, 7, 12]
    words = np.where(np.arange(16) == 10, 0.0, 20.0)  # an image is no text: three are left between
    assert choose(logits, np.zeros(16), words, words == 0)[[8, 9, 11]].all()


def test_two_of_a_kind_are_decided_each_and_an_image_does_not_count():
    logits, groups = np.array([4.0, 4.0, 4.0, 3.0, -3.0]), np.array([0, 0, 1, 1, 1])
    words, is_image = np.array([20.0, 20.0, 0.0, 20.0, 20.0]), np.arange(5) == 2
    kept = choose(logits, np.full(5, -5.0), words, is_image, groups=groups)
    assert kept.tolist() == [True, True, False, True, False]


def test_a_long_document_has_no_holes():
    logits = np.array([-9.0, *[3.0] * 40, -3.0, -3.0, -9.0, *[3.0] * 40, -3.0])
    is_image = np.zeros(85, bool)
    is_image[42] = True
    words = np.where(is_image, 0, 50.0)
    around = np.zeros((1, 85), np.int64), np.full((1, 85), 85)
    kept = choose(logits, np.full(85, -5.0), words, is_image, around=around)
    assert kept[41] and kept[42] and not kept[43] and not kept[0] and not kept[84]
    assert not choose(logits, np.full(85, -5.0), words / 10, is_image, around=around)[41:43].any()


def on(*after, structures=(), images=()):
    """Which items after a long document are kept: its 60 texts of structure 1, then items of logits and structures."""
    count = 60 + len(after)
    logits = np.array([3.0] * 60 + list(after))
    is_image = np.array([False] * 60 + [n in images for n in range(len(after))])
    words = np.where(is_image, 0.0, 50.0)
    built = np.array([1] * 60 + list(structures))
    around = np.zeros((1, count), np.int64), np.full((1, count), count)
    found = choose(
        logits,
        np.full(count, -5.0),
        words,
        is_image,
        np.zeros(count, bool),
        around=around,
        structures=lambda: built,
    )
    assert found[:60].all()
    return found[60:].tolist()


def test_a_long_document_goes_on_while_texts_are_built_like_its_own():
    assert on(-2.0, -2.0, -5.0, structures=[1, 1, 1]) == [True, True, False]
    assert on(-2.0, -5.0, -2.0, structures=[1, 1, 1]) == [True, False, False]  # the first hole is its end
    assert on(-2.0, -2.0, structures=[0, 0]) == [False, False]  # comments
    assert on(-2.0, -2.0, -2.0, structures=[0, 0, 1]) == [True] * 3  # code that nothing before had
    assert on(*[-2.0] * 4, structures=[0, 0, 0, 1]) == [False] * 4
    assert on(-2.0, 0.0, -2.0, structures=[1, -1, 1], images=[1]) == [True] * 3
    assert on(0.0, -2.0, structures=[-1, 0], images=[0]) == [False] * 2


def test_an_image_between_kept_texts_needs_less():
    words = np.array([20.0, 0, 20, 0, 20, 0])
    is_image = words == 0
    texts = np.array([5.0, 0, 5, 0, -9, 0])
    images = np.array([0.0, -0.5, 0, -0.5, 0, 5])
    assert choose(texts, images, words, is_image).tolist() == [True, True, True, False, False, True]


TEXT, IMAGE = False, True


def together(kept, tables, is_image=None):
    """Which of texts are kept, in tables by their numbers; logits are far from any threshold."""
    count = len(kept)
    logits = np.where(np.array(kept), 6.0, -6.0)
    images = np.array(is_image or [TEXT] * count)
    words = np.where(images, 0.0, 20.0)
    return choose(logits, np.full(count, -6.0), words, images, tables=np.array(tables)).tolist()


def test_a_table_is_whole_or_none():
    rows = [0] * 20
    assert together([True, *[True] * 2, *[False] * 18], [-1, *rows]) == [True] * 21
    assert together([True, True, *[False] * 19], [-1, *rows]) == [True] + [False] * 20
    assert together([True, *[False] * 20], [-1, *rows]) == [True] + [False] * 20
    # Each for itself, of several side by side; what is outside stays as it was.
    assert together([True, False, False, False, True], [0, 0, 1, 1, -1]) == [True, True, False, False, True]


def test_a_table_between_kept_texts_is_no_hole():
    assert together([True, False, False, True], [-1, 0, 0, -1]) == [True] * 4
    assert together([True, False, False, True], [-1, 0, 0, 0]) == [True] * 4
    assert together([False, False, False, True], [-1, 0, 0, -1]) == [False, False, False, True]
    assert together([False, False, True], [0, 0, -1]) == [False, False, True]
    images = [TEXT, IMAGE, TEXT, IMAGE, TEXT, TEXT]
    assert together([True, False, False, False, False, True], [-1, -1, 0, 0, 0, -1], images)[4]


def test_doubtful_tables_in_a_row_between_kept_texts_are_kept():
    def row(doubt, first=3.0, last=3.0, said=50.0):
        logits = np.array([first, -5.0, doubt, doubt - 0.25, doubt + 0.25, doubt, -5.0, last])
        tables, none = np.array([-1, -1, 0, 0, 1, 1, -1, -1]), np.zeros(8, bool)
        return choose(logits, logits, np.array([50.0] * 7 + [said]), none, tables=tables).tolist()

    assert row(-0.75) == [True, False, *[True] * 4, False, True]
    assert row(-1.5) == [True, *[False] * 6, True]
    # Before the first and after the last of what is kept they are left out.
    assert row(-0.75, last=-5.0) == [True, *[False] * 7]
    assert row(-0.75, first=-5.0) == [*[False] * 7, True]
    # A headline of another page behind them is no text that goes on.
    assert row(-0.75, said=9.0) == [True, *[False] * 6, True]


def test_a_table_in_what_was_a_hole_of_a_long_document_is_kept():
    logits = np.array([*[3.0] * 60, -3.0, -5.0, -5.0, -3.0, *[3.0] * 60])
    count = len(logits)
    tables = np.full(count, -1)
    tables[61:63] = 0
    around = np.zeros((1, count), np.int64), np.full((1, count), count)
    none = np.zeros(count, bool)
    assert choose(logits, logits, np.full(count, 50.0), none, around=around, tables=tables).all()
    assert not choose(logits, logits, np.full(count, 5.0), none, around=around, tables=tables)[60:64].any()


def test_a_table_of_many_rows_does_not_end_a_long_document():
    logits = np.array([*[3.0] * 60, *[-5.0] * 9, -2.0, -5.0])
    count = len(logits)
    tables, built = np.full(count, -1), np.full(count, 1)
    tables[60:69], built[60:69] = 0, np.arange(9) + 2
    around = np.zeros((1, count), np.int64), np.full((1, count), count)
    given = logits, np.full(count, -5.0), np.full(count, 50.0), np.zeros(count, bool)
    kept = choose(*given, around=around, tables=tables, structures=lambda: built)
    assert kept[:70].all() and not kept[70]


def test_what_is_said_is_not_said_again_elsewhere():
    def once(logits, texts, structures, furniture=(False, False, False)):
        count = len(logits)
        copies = np.array(texts), np.array(structures)
        return choose(
            np.array(logits),
            np.zeros(count),
            np.full(count, 20.0),
            np.zeros(count, bool),
            np.array(furniture),
            copies=copies,
        ).tolist()

    assert once([6.0, 6.0, 6.0], [0, 1, 0], [0, 0, 1]) == [True, True, False]
    assert once([6.0, 6.0, 6.0], [0, 1, 0], [0, 0, 0]) == [True, True, True]  # of one list
    assert once([6.0, 6.0, 6.0], [-1, 1, -1], [0, 0, 1]) == [True, True, True]
    assert once([-6.0, 6.0, 6.0], [0, 1, 0], [0, 0, 1]) == [False, True, True]  # what was not kept has not been said
    assert once([6.0, 6.0, 6.0], [0, 0, 1], [0, 1, 0], [True, False, False]) == [False, True, True]  # a pull quote
