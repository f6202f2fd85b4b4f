"""fastText's verdict on plain sentences, and the rule on top of it."""

import pytest
from tiny_fasttext import train

from weft.schemas.parameters import ConfigError
from weft.transforms.extract import language

SENTENCES = {
    "en": "The committee agreed that the old bridge should be repaired before the winter comes.",
    "de": "Der Ausschuss war sich einig, dass die alte Brücke vor dem Winter repariert werden soll.",
    "fr": "Le comité a convenu que le vieux pont devait être réparé avant l'arrivée de l'hiver.",
    "es": "El comité acordó que el viejo puente debía repararse antes de que llegara el invierno.",
    "ru": "Комитет согласился, что старый мост следует отремонтировать до наступления зимы.",
    "ja": "委員会は、冬が来る前に古い橋を修理することに同意しました。",
    "ar": "وافقت اللجنة على ضرورة إصلاح الجسر القديم قبل حلول فصل الشتاء.",
}


@pytest.mark.parametrize("code", SENTENCES)
def test_sentences_are_recognised(code):
    found, score = language.identify(SENTENCES[code])
    assert found == code and 0.5 < score <= 1.0


def test_line_breaks_and_spaces_change_nothing():
    spread = SENTENCES["en"].replace(" ", "\r\n\t ")
    assert language.identify(spread) == language.identify(SENTENCES["en"])


@pytest.mark.parametrize("text", ["", " \n\t "])
def test_nothing_has_no_language(text):
    assert language.identify(text) == ("", 0.0)


@pytest.mark.parametrize("text", ["\x00\x01", "12345 67890", "\U0001f600" * 50, "a" * 100_000, "x\ufffd" * 500])
def test_what_is_no_language_still_gets_a_verdict(text):
    code, score = language.identify(text)
    assert code == code.lower() and 0.0 <= score <= 1.0


def test_only_the_beginning_of_a_long_text_is_looked_at():
    long = SENTENCES["en"] * (language.MAX_CHARS // len(SENTENCES["en"]) + 1)
    assert language.identify(long + SENTENCES["ru"] * 1_000) == language.identify(long)


def test_a_language_that_no_text_is_found_to_be_in_is_told():
    language.check(["en", "als", "zh"], "extract.languages")
    assert len(language.known()) == 176
    with pytest.raises(
        ConfigError, match=r"extract.languages: no text is found to be in 'eng' \(did you mean 'en'\?\)"
    ):
        language.check(["en", "eng"], "extract.languages")


@pytest.mark.parametrize(
    ("code", "score", "languages", "kept"),
    [
        ("en", 0.9, ("en",), True),
        ("en", 0.65, ("en",), True),
        ("en", 0.64, ("en",), False),
        ("de", 0.9, ("en",), False),
        ("de", 0.9, ("en", "de"), True),
        ("", 0.0, ("en",), False),
        ("", 0.0, (), True),
    ],
)
def test_which_languages_are_wanted(code, score, languages, kept):
    assert language.wanted(code, score, languages, 0.65) is kept


def test_labels_of_glotlid_are_the_codes_of_lid_176(tmp_path):
    labels = {"en": "eng_Latn", "de": "deu_Latn", "ru": "rus_Cyrl", "ar": "arb_Arab", "ceb": "ceb_Latn"}
    spoken = SENTENCES | {
        "ceb": "Ang komite miuyon nga ang daang tulay kinahanglan nga ayohon sa dili pa ang tingtugnaw"
    }
    model = train(tmp_path / "glotlid.bin", {labels[code]: [spoken[code]] for code in labels})
    assert language.known(model) == set(labels)
    for code in labels:
        found, score = language.identify(spoken[code], model)
        assert found == code and 0.9 < score <= 1.0
    language.check(["ceb", "ar"], "extract.languages", model)
    with pytest.raises(ConfigError, match="no text is found to be in 'fr'"):
        language.check(["fr"], "extract.languages", model)


def test_codes_stand_for_what_lid_176_means_by_them():
    """CLDR's two letters for three; a label without a script is its model's own: als is Alemannic in lid.176."""
    whole = {
        "als_Latn": "sq",
        "pes_Arab": "fa",
        "zho_Hans": "zh",
        "nob_Latn": "no",
        "fil_Latn": "tl",
        "yue_Hani": "yue",
    }
    assert {label: language.code_of(label) for label in whole} == whole
    assert language.code_of("als") == "als" and language.code_of("") == ""
    assert set(language._SHORT.values()) - language.known() <= set(  # what lid.176 does not know
        "aa ab ae ak ay bi bm bs ca ch cr cu dz ee ff fj ha ho hz ig ii ik iu ki kj kg kr ks lg ln lu mh mi na nb nd ng "
        "nr nv ny oj om pi rn rw sg sm sn ss st tn to ts tw ty ve wo xh za zu ti se fo kl".split()
    )


def paragraphs(code: str, times: int = 20) -> str:
    return f"<p>{SENTENCES[code] * 2}</p>" * times


@pytest.mark.parametrize("code", sorted(SENTENCES.keys() - {"en"}))
def test_a_page_in_another_language_is_told_at_first_look(code):
    told, score = language.foreign(f"<html><body>{paragraphs(code)}", ("en", "it")).split()
    assert told == code and float(score) >= language.SURE


@pytest.mark.parametrize("code", SENTENCES)
def test_a_page_in_a_wanted_language_passes_the_first_look(code):
    assert language.foreign(f"<html><body>{paragraphs(code)}", ("nl", code)) == ""


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(f"<html lang=en-GB><body>{paragraphs('de')}", id="it says that it is English"),
        pytest.param(
            f"<html><body>{paragraphs('de')}{paragraphs('en', 10)}{paragraphs('de')}", id="a piece is English"
        ),
        pytest.param(f"<html><body>{paragraphs('de', 2)}", id="too short to tell"),
        pytest.param(f"<html><script>said = '{SENTENCES['de'] * 20}'</script>", id="code is no text"),
        pytest.param("<html><body>" + "<p>7 5 3 2 9 11 48 12 90 77 31 45 28 16 04 93 07 15</p>" * 50, id="no words"),
        pytest.param("", id="nothing"),
    ],
)
def test_the_first_look_drops_nothing_that_it_is_not_sure_of(page):
    assert language.foreign(page, ("en",)) == ""


def test_where_every_language_is_wanted_none_is_looked_for():
    assert language.foreign(paragraphs("de"), ()) == ""


def test_entities_are_read_at_first_look():
    coded = "".join(f"&#{ord(letter)};" for letter in SENTENCES["ru"])
    assert language.foreign(f"<p>{coded}</p>" * 20, ("en",)).startswith("ru ")
