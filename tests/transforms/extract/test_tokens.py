"""Words and sentences are those of spaCy's English tokenizer, whose answers stand here, and of any text there are some."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.transforms.extract.tokens import sentences, words


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("Don't go to www.foo.com/x well-known U.S. (e.g. 10am)", "Do n't go to www.foo.com/x well - known U.S. ( e.g. 10 am )"),
        ("it's $5.00 and/or... \"Hi!\" She'll.", "it 's $ 5.00 and/or ... \" Hi ! \" She 'll ."),
        ("i.e. 2,000km a_b", "i.e. 2,000 km a_b"),
        ("the dogs’ bowl isn’t Day’s.", "the dogs ’ bowl is n’t Day ’s ."),
        ("Woolsey, D-Calif., said", "Woolsey , D - Calif. , said"),
        ("me@here.org or http://a.test:8080/x?y#z;", "me@here.org or http://a.test:8080/x?y#z ;"),
        ("yes,no one/two 3/4 5-6 7*8", "yes , no one / two 3/4 5 - 6 7 * 8"),
        ("end.Start of it", "end . Start of it"),
        ("I cannot; let's. We've — they'd've", "I can not ; let 's . We 've — they 'd 've"),
        ("so :) and (8) <3", "so :) and ( 8) <3"),
        ("• one ☃two “three”", "• one ☃ two “ three ”"),
        ("well ill its", "well ill its"),
    ],
)  # fmt: skip
def test_tokens(text, tokens):
    assert words(text) == tuple(tokens.split())


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        ("Home | About us", 1),
        ('Mr. X came. He said "Hi." Then? 3.5 ok... yes!', 4),
        ("One. Two! Three?", 3),
        ("It ended (at last.) But no.", 2),
        ("wait... what", 1),
        ("这是。那是。", 1),
    ],
)
def test_sentences(text, count):
    assert sentences(words(text)) == count


@given(st.text(max_size=80))
def test_nothing_is_lost_or_made_up(text):
    assert "".join(words(text)) == "".join(text.split())


def test_no_text_takes_long():
    for text in (
        "." * 100_000,
        "a-" * 50_000,
        "((((" * 25_000,
        "a." * 50_000,
        "1'" * 50_000,
        "http://" + "a." * 50_000,
    ):
        assert "".join(words(text)) == text


@pytest.mark.parametrize(
    ("language", "text", "tokens"),
    [
        ("de", "Im 2. Stock, am 04.01. bzw. z.B. in der U-Bahn (3-4)", "Im 2. Stock , am 04.01. bzw. z.B. in der U-Bahn ( 3 - 4 )"),
        ("en", "Im 2. U-Bahn", "I m 2 . U - Bahn"),
        ("fr", "L’eau d'Aix, abv-abv 90%.", "L’ eau d' Aix , abv - abv 90 % ."),
        ("it", "dell'anno 32-bis", "dell' anno 32-bis"),
        ("sv", "PG:s VVS-chef bl.a. 3-4", "PG:s VVS-chef bl.a. 3-4"),
        ("nl", "en/of live-album", "en/of live-album"),
        ("ru", "один-два 32-я", "один - два 32-я"),
        ("pl", "abv-abv 32-abv", "abv - abv 32 - abv"),
        ("da", "den 3. juli 2006.", "den 3. juli 2006 ."),
    ],
)  # fmt: skip
def test_words_of_other_languages_are_spacys_for_them(language, text, tokens):
    """What spacy.blank(language) of 3.8 gives."""
    assert words(text, language) == tuple(tokens.split())
