"""Chains of drops: what a dropped document points at is kept."""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apache_beam as beam
import pytest
from apache_beam.testing.util import assert_that, equal_to

from weft.pipeline.runners import beam_options
from weft.transforms.dedup.chains import FinalDrops, Follow
from weft.transforms.dedup.rules import Drop


def saver(path: Path) -> Callable[[Any], None]:
    def write(rows: Any) -> None:
        path.write_bytes(pickle.dumps(sorted(rows)))

    return write


def test_follow_keeps_how_and_moves_the_target() -> None:
    earlier = [Drop("a", "b", "url"), Drop("c", "d", "url")]
    later = [Drop("b", "z", "near"), Drop("q", "z", "near")]
    moved = [Drop("a", "z", "url"), Drop("c", "d", "url")]
    with beam.Pipeline(options=beam_options.options((), 1)) as p:
        drops = p | "E" >> beam.Create(earlier), p | "L" >> beam.Create(later)
        assert_that(drops | "Alone" >> Follow(), equal_to(moved), label="alone")
        assert_that(drops | "Both" >> Follow(both=True), equal_to(moved + later), label="both")


@pytest.mark.parametrize("both", [False, True])
def test_follow_moves_a_crowd_that_points_at_one_document(tmp_path: Path, both: bool) -> None:
    crowd = [Drop(f"d{i:05}", "middle" if i % 50 else f"end{i}", "url") for i in range(20_000)]
    middle = Drop("middle", "kept", "near")
    with beam.Pipeline(options=beam_options.options((), 1)) as p:
        earlier, later = p | "E" >> beam.Create(crowd), p | "L" >> beam.Create([middle])
        assert_that((earlier, later) | Follow(both), saver(tmp_path / "drops"))
    expected = [drop._replace(kept_id="kept") if drop.kept_id == "middle" else drop for drop in crowd]
    assert pickle.loads((tmp_path / "drops").read_bytes()) == sorted(expected + [middle] * both)


def test_final_drops_point_at_what_no_rule_dropped() -> None:
    by_key = [Drop("a", "b", "url"), Drop("x", "y", "url"), Drop("b", "c", "exact"), Drop("e", "f", "images")]
    near = [Drop("c", "d", "near"), Drop("f", "d", "near")]
    with beam.Pipeline(options=beam_options.options((), 1)) as p:
        drops = p | "K" >> beam.Create(by_key), p | "N" >> beam.Create(near)
        final = drops | FinalDrops(["url", "exact", "images"])
        ends = [Drop("a", "d", "url"), Drop("x", "y", "url"), Drop("b", "d", "exact"), Drop("e", "d", "images")]
        assert_that(final, equal_to(ends + near))
