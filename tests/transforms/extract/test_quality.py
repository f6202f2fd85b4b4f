"""Scores as DCLM and FineWeb-Edu have them, limits, and what pages are dropped for."""

import dataclasses

import pytest
from tiny_fasttext import train

from weft.schemas.parameters import ConfigError, PageRules
from weft.transforms.extract import fasttext_models, quality
from weft.transforms.extract.page import check, extract_html

GOOD = "the proof holds because energy is kept and a force does work"
BAD = "buy now best price sale click here"
MARKS = {"0": [BAD], "3": ["a page on energy"], "5": [GOOD]}


@pytest.fixture
def models(tmp_path):
    hq = train(tmp_path / "hq.bin", {"hq": [GOOD], "cc": [BAD]})
    return PageRules(
        min_words=0,
        languages=(),
        main_content=False,
        quality_models={"edu": train(tmp_path / "edu.bin", MARKS), "hq": hq, "ads": hq},
        quality_labels={"ads": "cc"},
    )


def test_the_score_is_the_probability_of_one_label_or_the_mark_to_be_expected(models):
    scores = dict(quality.score(GOOD, models))
    assert list(scores) == ["ads", "edu", "hq"]
    assert scores["hq"] > 0.9 and scores["ads"] == pytest.approx(1 - scores["hq"], abs=1e-4)
    found = fasttext_models.predict(GOOD, models.quality_models["edu"], 3, -1.0)
    assert scores["edu"] == pytest.approx(sum(share * int(mark) for share, mark in found), abs=1e-3)
    assert dict(quality.score(BAD, models))["edu"] < 2 < scores["edu"]
    assert dict(quality.score(" \n", models)) == {"ads": 0.0, "edu": 0.0, "hq": 0.0}


def test_lines_are_joined_as_dclm_joins_them(models):
    """quality_prediction_enrichers_calc_fasttext.py: " ".join(content.strip().splitlines())."""
    assert quality.score("\n\n" + GOOD.replace(" ", "\u2028", 2).replace(" ", "\n\n") + "\n", models) == quality.score(
        GOOD, models
    )


def test_limits_are_met_exactly():
    assert quality.judge((("hq", 0.018112),), {"hq": 0.018112}, {"hq": 0.018112}) == ("", "")
    assert quality.judge((("hq", 0.018111),), {"hq": 0.018112}, {}) == ("quality", "hq 0.018111 < 0.018112")
    assert quality.judge((("a", 1.0), ("b", 0.5)), {"a": 0.5}, {"b": 0.4}) == ("quality", "b 0.5 > 0.4")
    assert quality.judge((), {"a": 1.0}, {}) == ("", "")


def test_a_page_has_its_scores_or_a_fate_that_names_model_score_and_limit(models):
    kept = extract_html(f"<p>{GOOD}</p><p>{GOOD}</p>", "https://a.test/", models)
    assert dict(kept.document.quality)["hq"] > 0.9 and [name for name, _ in kept.document.quality] == sorted(
        models.quality_models
    )
    rules = dataclasses.replace(models, min_quality={"hq": 0.5})
    assert extract_html(f"<p>{GOOD}</p>", "https://a.test/", rules).document is not None
    lost = extract_html(f"<p>{BAD}</p>", "https://a.test/", rules)
    score = dict(quality.score(BAD, models))["hq"]
    assert lost.document is None and lost.pairs == []
    assert lost.fates[0][4:6] == ("quality", f"hq {score} < 0.5")
    rules = dataclasses.replace(models, max_quality={"ads": 0.5})
    assert extract_html(f"<p>{BAD}</p>", "https://a.test/", rules).fates[0].reason == "quality"


def test_markdown_does_not_change_a_score(models):
    page = f"<h1>{GOOD}</h1><p>{GOOD} <b>energy</b></p><ul><li>{BAD}</ul>"
    marked = extract_html(page, "https://a.test/", dataclasses.replace(models, markup="markdown")).document
    plain = extract_html(page, "https://a.test/", models).document
    assert marked.texts != plain.texts and marked.quality == plain.quality


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"quality_models": {"hq": ""}}, "extract.quality_models.hq is to be the path of a fastText model"),
        ({"quality_models": {"hq": "/none.bin"}}, "extract.quality_models.hq = '/none.bin': No such file"),
        ({"quality_labels": {}}, "extract.quality_labels.ads is to be one of this model's labels: cc, hq"),
        ({"min_quality": {"educ": 1.0}}, r"extract.min_quality.educ: extract.quality_models has no 'educ' \(ads, edu"),
        ({"max_quality": {"x": 1.0}}, "extract.max_quality.x"),
        ({"quality_labels": {"ads": "cc", "x": "y"}}, "extract.quality_labels.x"),
        ({"quality_labels": {"ads": "cc", "edu": "5"}}, "extract.quality_labels.edu: this model's labels are marks"),
        ({"min_quality": {"hq": 3.0}}, r"extract.min_quality.hq = 3.0: its model gives 1 at most"),
        ({"min_quality": {"edu": 5.5}}, r"extract.min_quality.edu = 5.5: its model gives 5 at most"),
        (
            {"min_quality": {"hq": 0.9}, "max_quality": {"hq": 0.1}},
            r"min_quality.hq = 0.9 is above extract.max_quality.hq",
        ),
        ({"language_model": "/none.bin"}, "extract.language_model = '/none.bin': No such file"),
    ],
)
def test_models_that_cannot_be_asked_are_told_before_anything_starts(models, changes, told):
    check(models)
    with pytest.raises(ConfigError, match=told):
        check(dataclasses.replace(models, **changes))


def test_a_name_is_a_word_and_a_model_of_quality_names_no_language(models):
    path = models.quality_models["hq"]
    for name in ("", "a.b", "a b", "hq\n"):
        with pytest.raises(ConfigError, match="is no name: letters, digits, _ and -"):
            check(dataclasses.replace(models, quality_models={**models.quality_models, name: path}))
    with pytest.raises(ConfigError, match=r"extract.language_model = .*: none of its labels is a language"):
        check(dataclasses.replace(models, language_model=path))
    quality.check_limits({"hq": 3.0}, {}, models, "pack", scores=False)  # of a finished run, whose models may be gone
    with pytest.raises(ConfigError, match=r"pack.min_quality.hq = 3.0: its model gives 1 at most"):
        quality.check_limits({"hq": 3.0}, {}, models, "pack")
