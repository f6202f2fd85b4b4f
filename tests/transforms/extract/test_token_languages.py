"""The tables of other languages' tokens: each entry does what it stands there for."""

import pytest

from weft.transforms.extract import token_languages
from weft.transforms.extract.tokens import words


@pytest.mark.parametrize("language", token_languages.ABBREVIATIONS)
def test_an_abbreviation_is_one_token_of_its_language(language):
    listed = token_languages.ABBREVIATIONS[language].split()
    assert [one for one in listed if words(f"x {one} x", language) != ("x", one, "x")] == []
