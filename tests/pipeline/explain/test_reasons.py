"""weft explain knows every reason of docs/fates.md, and names keys of the configuration that are there."""

from fates_page import documented

import weft.schemas.config as configuration
from weft.pipeline.explain.reasons import REASONS


def test_it_knows_each_documented_reason_and_no_other():
    assert {(*where, reason) for where, reasons in REASONS.items() for reason in reasons} == documented()


def test_each_key_that_decides_is_one_of_the_configuration():
    config = configuration.load()
    keys = {key for reasons in REASONS.values() for _, decide in reasons.values() for key in decide}
    assert len(keys) > 30
    assert [k for k in sorted(keys) if not hasattr(getattr(config, k.split(".")[0]), k.split(".")[1])] == []
