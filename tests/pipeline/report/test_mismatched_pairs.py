"""The report's figures on strangers beside a count, and what is said where little or nothing is known."""

import json

import numpy as np
import pytest

from weft.pipeline.report import mismatched_pairs

RNG = np.random.default_rng(5)
PAIRS = RNG.normal(0.3, 0.05, 2_000).round(5).tolist()
STRANGERS = RNG.normal(0.15, 0.05, 2_000).round(5).tolist()


def test_shares_are_what_a_count_gives():
    found = mismatched_pairs.describe(PAIRS, STRANGERS, 0.28)
    assert [row["set_by"] for row in found["thresholds"]] == [
        "this run", "5.0% of strangers", "1.0% of strangers", "0.1% of strangers",
    ]  # fmt: skip
    for row in found["thresholds"]:
        assert row["pairs"] == pytest.approx(np.mean(np.array(PAIRS) >= row["threshold"]), abs=1e-5)
        assert row["strangers"] == pytest.approx(np.mean(np.array(STRANGERS) >= row["threshold"]), abs=1e-5)
    assert [row["strangers"] for row in found["thresholds"][1:]] == pytest.approx([0.05, 0.01, 0.001], abs=1e-9)
    pairs, others = np.array(PAIRS)[:, None], np.array(STRANGERS)[None]
    assert found["pair_above_stranger"] == pytest.approx(((pairs > others) + 0.5 * (pairs == others)).mean(), abs=1e-5)
    assert found["mean_pairs"] > 0.29 and found["mean_strangers"] < 0.16 and found["n"] == 2_000


def test_a_value_on_the_threshold_passes_as_it_does_in_pack():
    stored = np.float32([0.26, 0.1]).tolist()  # 0.26 as float32 is below 0.26
    (row,) = mismatched_pairs.describe(stored, stored, 0.26)["thresholds"]
    assert (row["pairs"], row["strangers"]) == (0.5, 0.5)


def test_of_few_strangers_nothing_is_said_that_they_cannot_say():
    found = mismatched_pairs.describe(PAIRS[:50], STRANGERS[:50], None)
    assert [row["set_by"] for row in found["thresholds"]] == ["5.0% of strangers"]
    assert "<table>" in mismatched_pairs.section(found)
    assert mismatched_pairs.describe(PAIRS[:2], STRANGERS[:2], None)["thresholds"] == []
    assert "<table>" not in mismatched_pairs.section(mismatched_pairs.describe(PAIRS[:2], STRANGERS[:2], None))
    assert mismatched_pairs.describe([], [], 0.3) is None and mismatched_pairs.section(None) == ""


@pytest.mark.parametrize(
    ("pack", "top", "expected"),
    [
        ({}, None, None),
        ({"pair_min_similarity": -1.0}, None, None),
        ({"pair_min_similarity": 0.28}, None, 0.28),
        ({"pair_min_similarity": -1.0, "pair_top_share": 0.3}, 0.25, 0.25),
        ({"pair_min_similarity": 0.28, "pair_top_share": 0.3}, 0.25, 0.28),
        ({"pair_min_similarity": 0.28}, 0.9, 0.28),  # left from another configuration
        ({"pair_top_share": 0.3}, None, None),  # no pairs
    ],
)
def test_the_threshold_is_the_one_that_decided(tmp_path, pack, top, expected):
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack/top.json").write_text(json.dumps(top))
    assert mismatched_pairs.threshold(str(tmp_path), pack) == expected


def test_the_table_says_both_shares():
    shown = mismatched_pairs.section(mismatched_pairs.describe(PAIRS, STRANGERS, 0.28))
    assert "this run" in shown and "0.280" in shown and "2,000 pairs" in shown
