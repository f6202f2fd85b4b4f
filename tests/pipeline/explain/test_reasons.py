"""weft explain knows every reason of docs/fates.md, and names keys of the configuration that are there."""

from fates_page import documented

import weft.schemas.config as configuration
from weft.pipeline.explain.reasons import REASONS, of_image


def test_it_knows_each_documented_reason_and_no_other():
    assert {(*where, reason) for where, reasons in REASONS.items() for reason in reasons} == documented()


def test_each_key_that_decides_is_one_of_the_configuration():
    config = configuration.load()
    keys = {key for reasons in REASONS.values() for _, decide in reasons.values() for key in decide}
    assert len(keys) > 30
    assert [k for k in sorted(keys) if not hasattr(getattr(config, k.split(".")[0]), k.split(".")[1])] == []


def test_why_an_image_is_not_there_is_told_with_the_values_of_the_run():
    config = configuration.load(overrides=["pack.min_side=99", "fetch.min_bytes=1234", "fetch.http=false"])
    told = [of_image(reason, config) for reason in ("too_small", "too_few_bytes", "not_in_warc", "document_dropped")]
    assert told == [
        "the image is too small; pack.min_side = 99",
        "its file is too small; fetch.min_bytes = 1234",
        "no archive holds it, and fetch.http is false; fetch.http = False",
        "its document was dropped",
    ]
    assert of_image("invented", config) == ""
