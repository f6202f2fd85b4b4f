"""Limits for each language: those that are shipped, those of a user's own, and files that say something else."""

import pytest

from weft.schemas.config import load
from weft.schemas.parameters import ConfigError, PageRules
from weft.transforms.extract import language, language_rules
from weft.transforms.extract.document_rules import ENGLISH
from weft.transforms.extract.page import check, extract_html

GERMAN = [
    "Der Rat der Stadt hat die alte Brücke im Winter wieder aufbauen lassen, und das Land hat für die Kosten gesorgt.",
    "Von den Bewohnern kamen viele mit dem Boot, als die Arbeiten am Ufer begannen und der Fluss noch wenig Wasser trug.",
    "Er wurde im Frühling fertig, mit Bögen aus Stein und einem Geländer, das in der Werkstatt am Markt gegossen war.",
]


def test_shipped_limits_are_fineweb_2s():
    found = language_rules.load("fineweb2")
    assert len(found) == 21 and found.keys() <= language.known()
    french = found["fr"]
    assert (french.language_score, french.dup_line_frac, french.line_punct_thr) == (0.824, 0.264, 0.1)
    assert french.top_n_grams == (0.161, 0.149, 0.134) and "l'" in french.stopwords
    for limits in found.values():
        assert limits.dup_para_frac == limits.dup_line_char_frac == limits.short_line_thr == 0
        assert limits.char_duplicates_ratio == 0.1 and limits.max_symbol_word_ratio == ENGLISH.max_symbol_word_ratio
        assert limits.stopwords and limits.stopwords.isdisjoint(ENGLISH.stopwords - {"the"})
        assert list(limits.dup_n_grams) == sorted(limits.dup_n_grams, reverse=True)


def test_a_page_is_judged_by_the_limits_of_its_language(tmp_path):
    own = tmp_path / "own.toml"
    page = "".join(f"<p>{line}</p>" for line in GERMAN)

    def reason(told: str, **changes) -> tuple[str, str]:
        own.write_text(told)
        language_rules.load.cache_clear()
        rules = PageRules(
            languages=(), min_language_score=0.0, gibberish=False, main_content=False, min_words=20,
            language_rules=str(own), gopher_quality=True, gopher_repetition=True, fineweb_quality=True, **changes,
        )  # fmt: skip
        fate = extract_html(page, "https://a.test/", rules).fates[0]
        return fate.reason, fate.detail

    assert reason('[de]\nstopwords = "der und die"') == ("", "")
    assert reason('[de]\nstopwords = "le la les"')[0] == "gopher_stop_words"
    assert reason("[de]\nmax_avg_word_length = 4")[0] == "gopher_word_length"
    assert reason('[all]\nnew_line_ratio = 0.01\n[de]\nstopwords = "der die"')[0] == "fineweb_newlines"
    assert reason("[de]\nlanguage_score = 1")[0] == "language"
    assert reason("[fr]\nlanguage_score = 0.1") == ("language", "de 1.00, and no rules for it")


def test_recipe_fineweb2_keeps_german_and_no_english():
    rules = load(recipe="fineweb2", overrides=["extract.min_words=20", "extract.extractor=fast"]).extract
    page = "".join(f"<p>{line}</p>" for line in GERMAN)
    assert extract_html(page, "https://a.test/", rules).document.language == "de"
    english = "<p>The council had the old bridge repaired before the winter came, and people walked to see it.</p>" * 5
    assert extract_html(english, "https://a.test/", rules).fates[0].reason == "language"


@pytest.mark.parametrize(
    ("told", "error"),
    [
        ("[de]\nstop_words = 'der'", r"\[de\] has an unknown key 'stop_words' \(did you mean 'stopwords'"),
        ("[de]\ntop_n_grams = [0.1]", r"\[de\]: top_n_grams is to be a list of 3 numbers"),
        ("[de]\nline_punct_thr = '1'", "line_punct_thr is to be a number"),
        ("[de]\nstopwords = ['der']", "stopwords is to be words"),
        ("de = 1", r"\[de\] is to be a table"),
        ("[de", "is not TOML"),
        ("", "names no language"),
        ("[all]\nline_punct_thr = 0.1", "names no language"),
        ("[de]\nline_punct_thr = 17", r"\[de\]: line_punct_thr = 17 is not from 0 to 1"),
        ("[de]\ndup_line_frac = -5", "dup_line_frac = -5 is not from 0 to 1"),
        ("[de]\nlanguage_score = 82.4", r"language_score = 82.4 is not from 0 to 1"),
        ("[all]\ntop_n_grams = [0.1, 0.1, 20]\n[de]", r"\[all\]: top_n_grams = .* is not from 0 to 1"),
        ("[de]\nnew_line_ratio = -1", "new_line_ratio = -1 is not 0 or more"),
        ("[de]\nmin_avg_word_length = 12", "min_avg_word_length is above max_avg_word_length"),
    ],
)
def test_a_file_that_says_something_else_is_told(tmp_path, told, error):
    path = tmp_path / "limits.toml"
    path.write_text(told)
    with pytest.raises(ConfigError, match=error):
        language_rules.load(str(path))
    with pytest.raises(ConfigError, match=r"extract.language_rules = 'fineweb3': No such file"):
        language_rules.load("fineweb3")


def test_a_language_that_no_text_is_in_is_refused_and_a_byte_order_mark_is_none(tmp_path):
    path = tmp_path / "limits.toml"
    for code in ("xx-klingon", "eng_Latn", "ALL"):
        path.write_text(f"[{code}]\n")
        language_rules.load.cache_clear()
        with pytest.raises(ConfigError, match=f"extract.language_rules: no text is found to be in '{code}'"):
            check(PageRules(language_rules=str(path)))
    path.write_text("[de]\n", encoding="utf-8-sig")
    language_rules.load.cache_clear()
    check(PageRules(language_rules=str(path)))
    with pytest.raises(
        ConfigError, match=r"extract.gopher_counts = 'dclm' counts nothing where extract.language_rules"
    ):
        check(PageRules(language_rules=str(path), gopher_counts="dclm"))
