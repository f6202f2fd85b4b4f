"""Faults of shards that no model is needed for: each is found in a finished run, and none in the run itself."""

import planted
import pytest

from weft.model_smoketest import census, data

WITHOUT_MODEL = [fault for fault, (_, check) in planted.FAULTS.items() if check.split(".")[1][:3] != "mis"]


def taken(shards):
    return {check.name: check for check in census.take(str(shards), data.read_vocabulary(str(shards)))}


def test_a_clean_run_passes_every_check(finished):
    checks = taken(finished / "shards")
    assert len(checks) >= 15 and not [check for check in checks.values() if check.failed]


def test_pages_that_spell_special_tokens_have_tokens_of_their_own(kit, tmp_path):
    shards = kit.write_texts(tmp_path / "s", [f"Page {n} of <image> tags: </s> and <s>" for n in range(9)])
    assert taken(shards)["text.tokens"].value == 0.0


@pytest.mark.parametrize("fault", WITHOUT_MODEL)
def test_a_planted_fault_is_found(finished, tmp_path, fault):
    shards = planted.plant(fault, finished / "shards", tmp_path / "shards")
    check = taken(shards)[planted.FAULTS[fault][1]]
    assert check.failed and check.p < 0.01, check


def test_moved_images_alone_are_nothing_to_the_census(finished, tmp_path):
    """They are in the contract's form: only a model can tell."""
    shards = planted.plant("documents one image late", finished / "shards", tmp_path / "shards")
    assert not [check for check in taken(shards).values() if check.failed]
