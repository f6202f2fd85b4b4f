"""What decides a stage's bytes changes its fingerprint and those after it; how it is done changes none."""

import dataclasses

import pytest

import weft.schemas.config as configuration
from weft.pipeline.run import registry

INPUTS = [("a.warc.gz", 5)]


def changed(*overrides: str, inputs=INPUTS) -> list[str]:
    before = registry.fingerprints(configuration.load(), INPUTS)
    after = registry.fingerprints(configuration.load(overrides=overrides), inputs)
    return [name for name in before if before[name] != after[name]]


@pytest.mark.parametrize(
    ("override", "first"),
    [
        ("extract.min_words=7", "extract"),
        ("dedup.threshold=0.7", "dedup"),
        ("fetch.max_side=64", "fetch"),
        ("score.batch_size=8", "score"),
        ("pack.shards=9", "pack"),
        ("train.steps=7", "train"),
    ],
)
def test_a_change_redoes_its_stage_and_those_after_it(override: str, first: str) -> None:
    names = [stage.name for stage in registry.STAGES]
    assert changed(override) == names[names.index(first) :]


def test_input_and_salt_decide_everything() -> None:
    everything = [stage.name for stage in registry.STAGES]
    assert changed(inputs=[("a.warc.gz", 6)]) == everything
    assert changed("salt=other") == everything


def test_how_a_stage_is_done_decides_nothing() -> None:
    for stage in registry.STAGES:
        section = getattr(configuration.Config(), stage.section or stage.name)
        assert stage.how <= {field.name for field in dataclasses.fields(section)}
    assert changed("fetch.concurrency=3", "fetch.per_host=1", "score.min_ram=1GB") == []


def test_stages_stand_after_what_they_need_and_own_what_nobody_else_does() -> None:
    seen: set[str] = set()
    owned: list[str] = []
    for stage in registry.STAGES:
        assert set(stage.needs) <= seen
        seen.add(stage.name)
        owned += stage.outputs
    assert len(owned) == len(set(owned))
