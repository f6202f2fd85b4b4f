"""Length and gibberish rules: each names its reason, and good prose fails none."""

import dataclasses
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.schemas.parameters import TextRules
from weft.transforms.extract import gibberish

RULES = TextRules()
PROSE = "The old bridge was repaired before winter came, and #3 of its arches now carries a plaque. " * 6


@pytest.mark.parametrize(
    ("text", "count"),
    [("", 0), ("one two  three\nfour", 4), ("日本語の文章です", 5), ("ภาษาไทย", 4)],
)
def test_words_are_counted_in_scripts_without_spaces_too(text, count):
    assert gibberish.words(text) == count


def test_prose_is_kept():
    assert gibberish.judge(PROSE, RULES) == ("", "")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Too few words.", "too_short"),
        ("word " * 200_000, "too_long"),
        (PROSE + "so much fun \U0001f600\U0001f389 " * 10, "gibberish_emoji"),
        (PROSE + "#sale #now #cheap " * 10, "gibberish_hashtags"),
        (PROSE + "see https://a.test/x and www.b.test/y " * 10, "gibberish_links"),
        (PROSE + "a" * 41, "gibberish_run"),
        ("12 34 56 :: -- " * 20 + "a few words", "gibberish_symbols"),
    ],
)
def test_each_rule_has_its_reason(text, reason):
    assert gibberish.judge(text, RULES)[0] == reason


def test_a_little_of_each_is_no_gibberish():
    text = PROSE + "See https://a.test/x \U0001f600 #bridge " + "=" * 40
    assert gibberish.judge(text, RULES) == ("", "")


def test_the_marks_between_cells_and_before_items_are_no_words():
    rows = "\n".join(f"Station alpha | {n} | {3 * n} | open now" for n in range(30))  # .44 with the bars
    assert gibberish.judge(rows, RULES) == ("", "")
    assert gibberish.judge("\n".join(f"{n} | {3 * n} | open" for n in range(60)), RULES)[0] == "gibberish_symbols"
    assert gibberish.judge("\n".join(["- Station open"] * 18), RULES) == ("too_short", "36 words")
    assert gibberish.judge("| - | -", dataclasses.replace(RULES, min_words=0)) == ("", "")


def test_every_rule_can_be_turned_off():
    text = "#a \U0001f600 http://b.test " + "!" * 100
    off = dataclasses.replace(RULES, min_words=0, max_words=0, gibberish=False)
    assert gibberish.judge(text, off) == ("", "") and gibberish.judge("", off) == ("", "")
    assert gibberish.judge(text, RULES)[0] == "too_short"


def test_bounds_are_inclusive():
    exact = dataclasses.replace(RULES, min_words=4, max_words=4)
    assert gibberish.judge("these are four words", exact) == ("", "")
    assert gibberish.judge("these are only", exact)[0] == "too_short"
    assert gibberish.judge("now there are five words", exact)[0] == "too_long"


@pytest.mark.parametrize(
    "text", ["a-" * 500_000, "http://" * 200_000, "#" * 1_000_000, "a" * 1_000_000, " " * 1_000_000]
)
def test_hostile_texts_cost_little(text):
    assert gibberish.judge(text, dataclasses.replace(RULES, min_words=0))[0] in (
        "",
        "gibberish_run",
        "gibberish_links",
    )


@given(
    st.lists(
        st.sampled_from(
            ("http", "httpſ", "://", "WWW.", "a.", "com/", ".bız/", "x", " ", "é", "aaa", "\n\n", "\U0001f600")
        )
    ).map("".join)
)
def test_what_is_asked_first_misses_nothing(text):
    assert gibberish._MAY_LINK.search(text) or not gibberish._URL.search(text)
    assert gibberish._may_run(text) == (re.search(r"(.)\1{4}", text, re.DOTALL) is not None)


def test_what_python_calls_a_letter_is_one():
    assert all(gibberish._LETTER.match(chr(code)) for code in range(0x110000) if chr(code).isalpha())
