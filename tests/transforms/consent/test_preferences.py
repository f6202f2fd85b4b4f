"""Values of Content-Usage and Content-Signal say what their drafts say they do, and any text is read in a short time."""

import pytest
from consent_cases import CASES, named
from hypothesis import given
from hypothesis import strategies as st

from weft.transforms.consent import preferences


@pytest.mark.parametrize("case", CASES["usage"], ids=named)
def test_content_usage(case):
    assert preferences.usage(case["value"]) == case["said"]


@pytest.mark.parametrize("case", CASES["signal"], ids=named)
def test_content_signal(case):
    assert preferences.signal(case["value"]) == case["said"]


@given(st.text(alphabet='train-ai=yn, ;"?()\\:@%*\t', max_size=60))
def test_no_value_is_an_error(value):
    assert preferences.usage(value) in ("", "y", "n") and preferences.signal(value) in ("", "y", "n")


def test_values_that_never_end_are_read_once():
    for value in ("a;b" * 50_000, "a=(" * 50_000, 'a="' + "\\" * 100_000, "a=1," * 50_000, "a" * 200_000 + "!"):
        assert preferences.usage(value) == ""
