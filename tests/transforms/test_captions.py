"""Which texts stand for an image, and which of them say something."""

import pytest

from schemas.config import Extract
from schemas.records import ImageMeta
from transforms.captions import candidates, judge

CONFIG = Extract()


def meta(alt="", caption="", title=""):
    return ImageMeta(alt, caption, title, None, None)


def test_candidates_come_in_order_with_white_space_as_rendered():
    given = meta(alt=" a red\n barn ", caption="The barn  in May", title="Barn")
    assert list(candidates(given)) == [("figcaption", "The barn in May"), ("alt", "a red barn"), ("title", "Barn")]


def test_a_text_said_twice_is_one_candidate():
    assert list(candidates(meta(alt="The barn", caption="The  barn", title="The barn"))) == [("figcaption", "The barn")]


def test_an_image_without_words_has_no_candidate():
    assert list(candidates(meta(alt="  ", title="\n"))) == []


@pytest.mark.parametrize(
    "text",
    [
        "A red barn in May", "Ein Haus", "Ōita castle, 1890", "猫が窓辺で寝ている", "Photo of 3 cats", "Fig. 2: yield",
        "See www.a.test for the barn", "Barn.jpg of a farm", "Image courtesy of NASA",
    ],
)  # fmt: skip
def test_captions_that_say_something(text):
    assert judge(text, CONFIG) == ""


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("barn", "too_short"),
        ("x " * 1_001, "too_long"),
        ("<PERSON> opens the fair", "forbidden_tag"),
        ("IMG_1234.jpg", "file_name"),
        ("my holiday (2).JPEG", "file_name"),
        ("DSC00123", "file_name"),
        ("image 17", "file_name"),
        ("Screenshot_2024", "file_name"),
        ("https://a.test/barn", "url"),
        ("12.5 / 2024", "no_letter"),
        ("-----", "no_letter"),
    ],
)
def test_captions_that_say_nothing(text, reason):
    assert judge(text, CONFIG) == reason


def test_bounds_are_the_configurations():
    assert judge("two words", Extract(min_pair_words=3)) == "too_few_words"
    assert judge("abc", Extract(min_pair_chars=1)) == ""
    assert judge("IMG_1234.jpg", Extract(gibberish=False)) == ""
    assert judge("<PERSON> smiles", Extract(pair_forbidden=())) == ""


def test_the_bounds_themselves_are_kept():
    assert judge("abcde", CONFIG) == "" and judge("a" * CONFIG.max_pair_chars, CONFIG) == ""
