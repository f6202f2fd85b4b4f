"""Words and sentences are those of spaCy's English tokenizer, whose answers stand here, and of any text there are some."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.transforms.extract import language_rules
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
        ("John (8 July 2016)", "John ( 8 July 2016 )"),
        ("ეს იყო საზღვრებშია. 1922", "ეს იყო საზღვრებშია. 1922"),
        ("केली.Last उस ने कहा. अब", "केली . Last उस ने कहा . अब"),
        ("উঁচু-নিচু সন:ক", "উঁচু - নিচু সন : ক"),
        ("он сказал.Она ушла", "он сказал . Она ушла"),
        ("smile :-)) ಠ_ಠ O.O yes", "smile :-)) ಠ_ಠ O.O yes"),
        ("1º. 5µ. ª. ok", "1º. 5µ. ª. ok"),
        ("ถูก.ต้อง. ไทย", "ถูก.ต้อง. ไทย"),
        ("Հայ-երեն. այո", "Հայ-երեն. այո"),
        ("ἀρχή. λόγος. τέλος-μέρος", "ἀρχή . λόγος . τέλος - μέρος"),
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


@given(st.text(max_size=80), st.sampled_from(["en", *language_rules.load("fineweb2")]))
def test_nothing_is_lost_or_made_up(text, language):
    assert "".join(words(text, language)) == "".join(text.split())


@pytest.mark.parametrize("language", ["en", *language_rules.load("fineweb2")])
def test_no_text_takes_long(language):
    for text in (
        "." * 100_000,
        "a-" * 50_000,
        "((((" * 25_000,
        "a." * 50_000,
        "1'" * 50_000,
        "http://" + "a." * 50_000,
    ):
        assert "".join(words(text, language)) == text


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
        ("da", "kl. 10, ca. 5 kr. pr. A/S og/eller bl.a. gibt's ja?nej", "kl. 10 , ca. 5 kr. pr. A/S og/eller bl.a. gibt's ja ? nej"),
        ("ro", "Informeaza-te dr. Pop, nr. 5, s-au dus 50mm 5% etc.", "Informeaza -te dr. Pop , nr. 5 , s- au dus 50mm 5% etc."),
        ("bg", "с. Бяла, 5 лв. през 1990 г.", "с. Бяла , 5 лв. през 1990 г."),
        ("el", "στις 9 π.μ. ο κ. Παπάς 5%", "στις 9 π.μ. ο κ. Παπάς 5%"),
        ("id", "orang-orang V-2 MP3- buku-nya hari-hari", "orang-orang V - 2 MP3 - buku -nya hari-hari"),
        ("fr", "A-t-il dit peut-être rendez-vous? anglo-saxons Île-de-France n° 5 celle-ci vis-à-vis", "A -t -il dit peut-être rendez-vous ? anglo-saxons Île-de-France n° 5 celle-ci vis-à-vis"),
        ("pl", "W. 1990 r. 52- wersja 1.8", "W . 1990 r . 52 - wersja 1 . 8"),
        ("ru", "в 1990 г. б/у и т.д.", "в 1990 г. б/у и т.д."),
        ("nl", "Murphy's 5%", "Murphy's 5%"),
        ("de", "geht's 2021/22 don’t und/ was?Wie", "geht's 2021 / 22 don ’ t und / was ? Wie"),
        ("it", "23° Saint-Denis po’ e-mail anti-Isis", "23° Saint-Denis po’ e-mail anti-Isis"),
        ("es", "el 50% de EE.UU.", "el 50% de EE.UU."),
        ("hu", "kb. 37% itt-e", "kb. 37% itt -e"),
        ("fi", "ky’omubaka VVS-chef", "ky ’ omubaka VVS-chef"),
        ("uk", "ст. 5, м. Київ", "ст. 5 , м. Київ"),
        ("pt", "S/A e/ou km/h", "S/A e/ou km/h"),
    ],
)  # fmt: skip
def test_words_of_other_languages_are_spacys_for_them(language, text, tokens):
    """What spacy.blank(language) of 3.8 gives."""
    assert words(text, language) == tuple(tokens.split())
