"""Gopher's rules as DCLM counts: each where it parts from datatrove's way, beside what both agree on."""

import pytest

from weft.schemas.parameters import PageRules
from weft.transforms.extract import dclm_rules, document_rules

PROSE = "\n".join(f"In {year} the council of town {year * 7} had its bridge repaired with stone." for year in range(90))


def test_prose_passes():
    assert dclm_rules.quality(PROSE, 50, 100_000) == ("", "")
    assert dclm_rules.repetition("\n".join(f"unlike{n} other{n} words{n} again{n}" for n in range(50))) == ("", "")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "too_short"),
        ("the to " * 24, "too_short"),
        ("- " * 60 + "the to " * 20, "too_short"),  # marks alone are no words
        ("a b c to be " * 20, "gopher_word_length"),
        ("the first #one and #two of these " * 10, "gopher_symbols"),
        ("another day. . . of these rather. . . with words " * 10, "gopher_symbols"),  # spaced, too
        ("* the first point of that list\n" * 10, "gopher_bullets"),  # datatrove knows no asterisk
        (
            "the rest of that quite long story is here...\n" * 4 + "and this is not so short now\n" * 6,
            "gopher_ellipses",
        ),
        ("the and words 1234 5678 9012 " * 10, "gopher_alphabetic"),
        ("the and words, 1234 word word " * 10, ""),  # marks are part of their words
        ("words without what joins them elsewhere " * 10 + "the", "gopher_stop_words"),
        ("words without what joins them elsewhere " * 10 + "The THE", ""),  # one word twice, in any case
    ],
)
def test_each_quality_rule(text, reason):
    assert dclm_rules.quality(text, 50, 100_000)[0] == reason


def filler(count, start=0):
    return [f"unlike{n}a other{n}b words{n}c again{n}d never{n}e" for n in range(start, start + count)]


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (["Contact us"], ""),  # one line is no repetition, and no run of it is there twice
        (["x y"] * 2 + filler(4), "repetition_lines"),  # 2 of 6, where datatrove counts one again
        (["x y"] * 2 + filler(5), ""),
        ([" ".join(filler(6))] * 2 + filler(40, 10), "repetition_lines"),  # few lines, many characters
    ],
)
def test_lines_count_from_their_first_time_on(lines, reason):
    assert dclm_rules.repetition("\n".join(lines))[0] == reason


def test_paragraphs_are_parted_by_two_breaks():
    blocks = [word for n in range(10) for word in (f"one{n}\nown{n}", f"two{n}\ntoo{n}")]
    again = "\n\n".join([*blocks, *["same\nhere" + str(n) for n in range(2)], *["old\nnews"] * 9])
    assert dclm_rules.repetition(again)[0] == "repetition_lines"
    assert dclm_rules._parts("a\n\n\nb\n \n\n", "\n\n") == ["a", "b"]


def test_of_equally_common_runs_the_longest_counts():
    assert dclm_rules._top("a b cc dd a b cc dd".split(), 2) == 2 * 4
    assert dclm_rules._top("a b c".split(), 2) == 0


def test_each_word_of_repeated_runs_counts_once():
    assert dclm_rules._in_repeated("a b c d a b c d".split(), 3) == 8
    assert dclm_rules._in_repeated("a a a a".split(), 2) == 4
    assert dclm_rules._in_repeated("a b c d".split(), 2) == 0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Don't stop: e.g. 3,141.5 km", ["Don't", "stop", "e.g", "3,141.5", "km"]),
        ("well-known _private_ snake_case x2y", ["well", "known", "snake_case", "x2y"]),
        ("cafe\u0301s na\u00efve", ["cafe\u0301s", "na\u00efve"]),
        ("\u6771\u4eac\u30bf\u30ef\u30fc 5\u00bd", ["\u6771", "\u4eac", "\u30bf\u30ef\u30fc", "5", "\u00bd"]),
        ("कंकोळ ते कुपोषण, উঁচু", ["कंकोळ", "ते", "कुपोषण", "উঁচু"]),  # vowel signs stand on letters
        ("גָּדוֹל กี่", ["גָּדוֹל", "กี่"]),
    ],
)
def test_words_are_those_of_unicode_that_begin_with_a_letter_or_digit(text, words):
    """What uniseg 0.10 gives, of which DCLM keeps these."""
    assert [word for word in dclm_rules._WORD.findall(text) if word[0].isalnum()] == words


def test_the_rules_that_are_asked_for_are_asked_and_no_others():
    text = "* the first point of that list\n" * 20
    assert dclm_rules.judge(text, "en", PageRules(gopher_quality=True))[0] == "gopher_bullets"
    assert dclm_rules.judge(text, "en", PageRules(gopher_repetition=True))[0] == "repetition_lines"
    assert dclm_rules.judge(text, "en", PageRules()) == ("", "")
    assert document_rules.gopher_quality(text)[0] == ""
