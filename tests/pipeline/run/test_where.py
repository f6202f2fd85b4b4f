import pytest

from weft.pipeline.run import where
from weft.schemas.parameters import ConfigError

NAMES = ("language", "similarity", "words", "url")
ROW = {"language": "en", "similarity": 0.3, "words": 12, "url": "http://a.test/news/it's"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("language = 'en'", True),
        ("language='de' or words>=12", True),
        ("language = 'de' or words > 12", False),
        ("not language = 'de' and words <> 13 and similarity < 3e-1", False),
        ("not (language = 'de' and words = 12)", True),
        ("language in ('de', 'en')", True),
        ("NOT language IN ('de')", True),
        ("url like '%/news/%'", True),
        ("url like '/news/%'", False),
        ("url like '%it''s'", True),
        ("url like 'http%/news/%it%''s'", True),
        ("url like '%s%s%s%s%s%'", False),
        ("language = 'de' and words = 12 or words = 12", True),
        ("words = -12", False),
    ],
)
def test_conditions(text, said):
    assert where.parse(text, NAMES)(ROW) is said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("similarity > 0.3", None),
        ("not similarity > 0.3", None),
        ("similarity > 0.3 or language = 'en'", True),
        ("similarity > 0.3 and language = 'en'", None),
        ("similarity > 0.3 and language = 'de'", False),
    ],
)
def test_what_is_not_there_decides_nothing(text, said):
    assert where.parse(text, NAMES)({"language": "en", "similarity": None}) is said


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "ends too soon"),
        ("langage = 'en'", "did you mean 'language'?"),
        ("language = en", "neither a number nor a 'text'"),
        ("language 'en'", "compares nothing"),
        ("language = 'en' words = 3", "'words' is there"),
        ("(language = 'en'", "ends too soon"),
        ("language = 'en", "no part of a condition"),
        ("__import__('os')", "there is no '__import__'"),
        ("(" * 2_000 + "language = 'en'" + ")" * 2_000, "more than 100 brackets or nots in each other"),
        ("not " * 2_000 + "language = 'en'", "more than 100 brackets or nots in each other"),
        ("langage" * 10_000, "there is no"),
    ],
)
def test_what_means_nothing_is_said(text, told):
    with pytest.raises(ConfigError, match=told.replace("?", "[?]")):
        where.parse(text, NAMES)


def test_brackets_beside_each_other_and_long_conditions_are_no_depth():
    text = " and ".join(["(not (language = 'de'))"] * 2_000)
    assert where.parse(text, NAMES)(ROW) is True


def test_names_are_those_that_are_compared_and_not_what_texts_say():
    assert where.names("url like '%similarity%' or not (words > 3)", NAMES) == {"url", "words"}
    assert where.names("similarity>0.3", NAMES) == {"similarity"}


def test_numbers_are_not_texts():
    with pytest.raises(ConfigError, match="words is a number"):
        where.parse("words = 'many'", NAMES)(ROW)
