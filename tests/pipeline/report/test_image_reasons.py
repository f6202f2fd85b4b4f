"""Reasons in words: each has its numbers from the configuration."""

import pytest

import weft.schemas.config as configuration
from weft.pipeline.report import image_reasons


@pytest.mark.parametrize("reason", sorted(image_reasons._WORDS))
def test_each_is_a_phrase_without_holes(reason):
    told = image_reasons.told(reason, configuration.load())
    assert told and "{" not in told and not told.endswith(".")


def test_numbers_are_those_of_the_run():
    config = configuration.load(overrides=["pack.min_side=99", "fetch.timeout_s=2.5", "fetch.max_bytes=1234567"])
    told = [image_reasons.told(reason, config) for reason in ("too_small", "timeout", "too_many_bytes")]
    assert "fewer than 99 pixels" in told[0] and "within 2.5 s" in told[1] and "1,234,567 bytes" in told[2]


def test_a_reason_that_nobody_knows_has_no_words():
    assert image_reasons.told("invented", configuration.load()) == ""
