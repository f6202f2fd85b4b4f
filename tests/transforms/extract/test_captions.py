"""Which texts stand for an image, and which of them say something."""

import pytest

from weft.schemas.parameters import CaptionRules
from weft.schemas.records import ImageMeta
from weft.transforms.extract import captions
from weft.transforms.extract.captions import candidates, judge

RULES = CaptionRules()


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
        "See www.a.test for the barn", "Barn.jpg of a farm", "Image courtesy of NASA", "Stratford-upon-Avon",
        "Rhein-Main-Donau-Kanal", "2020-03-05東京の写真", "Photo edited by Ann", "See adjacent text and the barn",
        "A well-known mother-in-law", "WP 7 was its last version",
    ],
)  # fmt: skip
def test_captions_that_say_something(text):
    assert judge(text, RULES) == ""


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
        ("Captain_america_civil_war_teaser", "file_name"),
        ("vitamin-c-face-wash-for-men", "file_name"),
        ("Captain-America-Civil-War-Poster", "file_name"),
        ("Barn-2019-150x150", "file_name"),
        ("WP 20190829 18 40 10 Pro edit 150x150", "file_name"),
        ("IMG_1234-scaled", "file_name"),
        ("2ee84a1a1f307328.gif (460×155)", "file_name"),
        ("See adjacent text.", "stock_text"),
        ("Animated GIF", "stock_text"),
        ("https://a.test/barn", "url"),
        ("12.5 / 2024", "no_letter"),
        ("-----", "no_letter"),
    ],
)
def test_captions_that_say_nothing(text, reason):
    assert judge(text, RULES) == reason


def test_bounds_are_the_rules():
    assert judge("two words", CaptionRules(min_pair_words=3)) == "too_few_words"
    assert judge("abc", CaptionRules(min_pair_chars=1)) == ""
    assert judge("IMG_1234.jpg", RULES, gibberish=False) == ""
    assert judge("<PERSON> smiles", CaptionRules(pair_forbidden=())) == ""


def test_the_bounds_themselves_are_kept():
    assert judge("abcde", RULES) == "" and judge("a" * RULES.max_pair_chars, RULES) == ""


def test_a_text_that_many_images_share_describes_none():
    metas = [meta(alt="Acme store"), None, meta(alt="Acme store"), meta(alt="Acme store"), meta(alt="A red barn")]
    assert captions.shared(["a", None, "b", "c", "d"], metas, 2) == {"Acme store"}
    assert captions.shared(["a", None, "a", "a", "d"], metas, 2) == set()  # one image three times
    figure = [ImageMeta("", "Both of them", "", None, None, "", "figcaption")] * 3
    assert captions.shared(["a", "b", "c"], figure, 2) == set()


def test_each_text_has_its_source():
    found = list(captions.candidates(ImageMeta("An alt", "Said below", "A title", 1, 1, "A label", "caption")))
    assert found == [("caption", "Said below"), ("alt", "An alt"), ("aria_label", "A label"), ("title", "A title")]
