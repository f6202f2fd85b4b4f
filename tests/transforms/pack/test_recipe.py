"""The recipe's decisions: each reason, each limit on both sides, and the order in which reasons are given."""

import dataclasses

import pytest

from weft.schemas.config import Pack
from weft.transforms.pack import recipe
from weft.transforms.pack.recipe import JudgedImage

GOOD = JudgedImage("ok", "a" * 64, 300, 200, False, 1, 0.3)
PACK = Pack(max_side=900, max_aspect=3.0, pair_max_aspect=2.0, min_document_similarity=0.1, pair_min_similarity=0.2)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({}, ""),
        ({"status": "svg"}, "image_svg"),
        ({"height": 64, "width": 64}, ""),
        ({"height": 63}, "too_small"),
        ({"width": 600}, ""),
        ({"width": 601}, "aspect"),
        ({"width": 900, "height": 900}, ""),
        ({"width": 900, "height": 901}, "too_large"),
        ({"single_colour": True}, "single_colour"),
        ({"shared": 11}, "placeholder"),
        ({"repeats": 10}, ""),
        ({"repeats": 11}, "repeated"),
        ({"similarity": 0.1}, ""),
        ({"similarity": 0.09}, "low_similarity"),
    ],
)
def test_an_image_of_a_document(change, reason):
    assert recipe.judge_image(GOOD._replace(**change), PACK) == reason


def test_an_image_that_fetch_never_met():
    assert recipe.judge_image(None, PACK) == "image_missing"


def test_limits_of_nought_are_off():
    off = Pack(min_side=0, max_aspect=0, max_repeats=0, drop_single_colour=False, max_images=0)
    odd = JudgedImage("ok", "x", 1, 5000, True, 999, -0.5)
    assert recipe.judge_images([odd] * 20, off) == [""] * 20


def test_the_first_images_of_a_document_stay():
    many = [GOOD._replace(image_id=str(n)) for n in range(8)]
    many[1] = many[1]._replace(width=5)  # takes nobody's place
    many[3] = many[0]
    got = recipe.judge_images(many, dataclasses.replace(PACK, max_images=3))
    assert got == ["", "too_small", "", "repeated_in_document", "", *["too_many_images"] * 3]


@pytest.mark.parametrize(
    ("has_text", "images", "change", "decision"),
    [
        (True, 2, {}, ("interleaved", "")),
        (True, 0, {}, ("text", "")),
        (True, 0, {"imageless": "drop"}, ("", "no_images")),
        (False, 0, {}, ("", "empty")),
        (False, 0, {"imageless": "drop"}, ("", "empty")),
        (False, 2, {}, ("", "no_text")),
        (False, 2, {"require_interspersed": False}, ("interleaved", "")),
        (True, 1, {"one_image_drop": 1.0}, ("", "one_image")),
        (True, 1, {"one_image_drop": 0.0}, ("interleaved", "")),
        (True, 2, {"one_image_drop": 1.0}, ("interleaved", "")),
        (True, 2, {"min_document_images": 2}, ("interleaved", "")),
        (True, 2, {"min_document_images": 3}, ("", "few_images")),
        (True, 0, {"min_document_images": 3}, ("text", "")),
        (True, 30, {"max_document_images": 30}, ("interleaved", "")),
        (True, 31, {"max_document_images": 30}, ("", "many_images")),
    ],
)
def test_a_document(has_text, images, change, decision):
    assert recipe.judge_document("d", has_text, images, dataclasses.replace(PACK, **change), "s") == decision


def test_half_of_one_image_documents_go_by_hash_and_another_salt_picks_others():
    def gone(salt):
        return {n for n in range(2000) if recipe.judge_document(f"{n}", True, 1, Pack(), salt)[1]}

    assert 900 < len(gone("a")) < 1100
    assert gone("a") == gone("a") != gone("b")


@pytest.mark.parametrize(
    ("change", "similarity", "reason"),
    [
        ({}, 0.2, ""),
        ({"status": "timeout"}, 0.2, "image_missing"),
        ({"width": 200}, 0.2, ""),
        ({"width": 199}, 0.2, "too_small"),
        ({"height": 199}, 0.2, "too_small"),
        ({"width": 400}, 0.2, ""),
        ({"width": 401}, 0.2, "aspect"),
        ({"single_colour": True}, 0.2, "single_colour"),
        ({"shared": 11}, 0.2, "placeholder"),
        ({}, 0.19, "low_similarity"),
    ],
)
def test_a_pair(change, similarity, reason):
    assert recipe.judge_pair(GOOD._replace(**change), similarity, PACK) == reason


def test_a_pair_without_an_image():
    assert recipe.judge_pair(None, 1.0, PACK) == "image_missing"


@pytest.mark.parametrize(
    ("language", "similarity", "top", "reason"),
    [
        ("en", 0.28, -1.0, ""),
        ("en", 0.27, -1.0, "low_similarity"),
        ("de", 0.2, -1.0, ""),
        ("de", 0.19, -1.0, "low_similarity"),
        ("de", 0.25, 0.25, ""),
        ("de", 0.24, 0.25, "low_similarity"),
        ("en", 0.27, 0.25, "low_similarity"),
    ],
)
def test_a_pair_by_language_and_by_the_top_of_all(language, similarity, top, reason):
    config = dataclasses.replace(PACK, pair_min_similarity_by_language={"en": 0.28})
    assert recipe.judge_pair(GOOD, similarity, config, language, top) == reason


def test_a_document_whose_images_are_like_its_texts_on_average():
    config = dataclasses.replace(PACK, min_mean_similarity=0.2)
    assert recipe.judge_document("d", True, 4, config, "s", 1.0, 0.2) == ("interleaved", "")
    assert recipe.judge_document("d", True, 4, config, "s", 1.0, 0.19) == ("", "dissimilar")
    assert recipe.judge_document("d", True, 4, PACK, "s", 1.0, -1.0) == ("interleaved", "")


@pytest.mark.parametrize(("matched", "decision"), [(0.75, ("interleaved", "")), (0.74, ("", "unmatched"))])
def test_a_document_whose_images_fit_their_texts(matched, decision):
    config = dataclasses.replace(PACK, min_matched_share=0.75)
    assert recipe.judge_document("d", True, 4, config, "s", matched) == decision
    assert recipe.judge_document("d", True, 4, PACK, "s", 0.0) == ("interleaved", "")
