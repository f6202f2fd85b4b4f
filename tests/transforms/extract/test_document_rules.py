"""Gopher's and FineWeb's numbers: each rule has a text that only it refuses, and prose is refused by none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.schemas.parameters import PageRules
from weft.transforms.extract import document_rules

PROSE = "\n\n".join(
    f"In the year {year} the council of the {place} had the old bridge repaired, and people came with {thing} to see it."
    for year, place, thing in zip(
        range(1801, 1841),
        ["upper valley", "harbour town", "northern hills", "river island", "eastern marsh"] * 8,
        [f"{a} {b}" for a in ("bread", "songs", "lanterns", "horses", "flowers") for b in ("too", "and joy", "by night",
         "at dawn", "for days", "in carts", "from afar", "without end")], strict=True
    )
)  # fmt: skip


def test_prose_passes_all():
    assert document_rules.gopher_quality(PROSE) == ("", "")
    assert document_rules.fineweb(PROSE) == ("", "")


def test_text_that_is_no_template_passes_repetition():
    lines = [" ".join(f"w{(n * k) % 997}" for k in range(1, 12)) for n in range(1, 60)]
    assert document_rules.gopher_repetition("\n".join(lines)) == ("", "")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a b c to be " * 20, "gopher_word_length"),
        ("extraordinarily incomprehensible the to " * 20 + "uncharacteristically " * 60, "gopher_word_length"),
        ("the first #one and #two of these " * 10, "gopher_symbols"),
        ("the first... and of these… " * 10, "gopher_symbols"),
        ("- the first point of that list\n" * 10, "gopher_bullets"),
        ("the rest of that story is long...\n" * 4 + "and this is not so short now\n" * 6, "gopher_ellipses"),
        ("the and words 1234 5678 9012 " * 10, "gopher_alphabetic"),
        ("words without what joins them elsewhere the " * 10, "gopher_stop_words"),
    ],
)
def test_each_quality_rule(text, reason):
    assert document_rules.gopher_quality(text)[0] == reason


def test_stop_words_are_english():
    german = "Der Rat der Stadt hat die alte Brücke im Winter wieder aufbauen lassen. " * 5
    rules = PageRules(gopher_quality=True, min_words=0)
    assert document_rules.judge(german, "en", rules)[0] == "gopher_stop_words"
    assert document_rules.judge(german, "de", rules) == document_rules.judge("", "en", rules) == ("", "")


def filler(count, start=0):
    return [f"unlike{n}a other{n}b words{n}c again{n}d never{n}e" for n in range(start, start + count)]


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (["x y"] * 32 + filler(68), "repetition_lines"),  # 31 of 100 again
        (["x y"] * 30 + filler(70), ""),
        ([" ".join(filler(8))] * 4 + filler(60, 8), "repetition_lines"),  # by characters
        ([f"commonest run q{n} r{n} s{n}" for n in range(40)], "repetition_top_ngram"),
    ],
)
def test_repetition(lines, reason):
    assert document_rules.gopher_repetition("\n".join(lines))[0] == reason


def test_a_short_text_can_be_all_one_run():
    """Of a text of few words one pair is more than a fifth, though it stands there once: so it is in datatrove."""
    assert document_rules.gopher_repetition("Contact us")[0] == "repetition_top_ngram"


def test_paragraphs_are_between_empty_lines():
    block = "one two three\nfour five six"  # few of the lines, many of the paragraphs
    blocks = [block] * 12 + ["\n".join(filler(12, 12 * n)) for n in range(16)]
    assert document_rules.gopher_repetition("\n\n".join(blocks))[0] == "repetition_paragraphs"
    assert document_rules.gopher_repetition("\n".join(blocks)) == ("", "")


def test_longer_runs_count_wherever_they_stand():
    run, apart = ([f"{name}{k}" for k in range(60)] for name in ("phrase", "others"))
    assert document_rules.gopher_repetition(" ".join([*run[:30], *apart[:30], *run[:30], *apart[30:]]))[0] == (
        "repetition_ngrams"
    )
    assert document_rules.gopher_repetition(" ".join([*run, *apart])) == ("", "")


@given(st.lists(st.sampled_from("abc"), max_size=40), st.integers(2, 6))
def test_no_character_is_counted_twice(words, n):
    assert 0 <= document_rules._again(words, n) <= len(words)
    runs = max(len(words) - n + 1, 0)
    assert (2 * n - 1) * min(runs, 1) <= document_rules._top(words, n) <= (2 * n - 1) * runs


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("\n".join([f"a line of more than thirty characters {n}" for n in range(20)]), "fineweb_punctuation"),
        ("\n".join([f"It is {n} of the words." for n in range(20)]), "fineweb_short_lines"),
        ("\n".join(["The same line stands here two times now."] * 2 + [f"But this one is {n}, and only once here."
                    for n in range(20)]), "fineweb_repeated"),
        ("\n".join([f"Incomprehensibilities{n} abound{n}everywhere." for n in range(20)]), "fineweb_newlines"),
    ],
)  # fmt: skip
def test_each_of_finewebs_rules(text, reason):
    assert document_rules.fineweb(text)[0] == reason
