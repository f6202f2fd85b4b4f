"""Chains of drops: what a dropped document points at is kept."""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apache_beam as beam
import pytest
from apache_beam.testing.util import assert_that, equal_to

from weft.pipeline.runners import beam_options
from weft.schemas.records import EARLIER_DROPPED, EARLIER_KEPT, Sketch
from weft.transforms.dedup.chains import FinalDrops, Follow, Standing, WithoutAstray, _follow
from weft.transforms.dedup.rules import Drop


def saver(path: Path) -> Callable[[Any], None]:
    def write(rows: Any) -> None:
        path.write_bytes(pickle.dumps(sorted(rows)))

    return write


def test_follow_keeps_how_and_moves_the_target() -> None:
    earlier = [Drop("a", "b", "url"), Drop("c", "d", "url")]
    later = [Drop("b", "z", "near"), Drop("q", "z", "near")]
    moved = [Drop("a", "z", "url"), Drop("c", "d", "url")]
    with beam_options.pipeline((), 1) as p:
        drops = p | "E" >> beam.Create(earlier), p | "L" >> beam.Create(later)
        assert_that(drops | "Alone" >> Follow(), equal_to(moved), label="alone")
        assert_that(drops | "Both" >> Follow(both=True), equal_to(moved + later), label="both")


@pytest.mark.parametrize("both", [False, True])
def test_follow_moves_a_crowd_that_points_at_one_document(tmp_path: Path, both: bool) -> None:
    crowd = [Drop(f"d{i:05}", "middle" if i % 50 else f"end{i}", "url") for i in range(20_000)]
    middle = Drop("middle", "kept", "near")
    with beam_options.pipeline((), 1) as p:
        earlier, later = p | "E" >> beam.Create(crowd), p | "L" >> beam.Create([middle])
        assert_that((earlier, later) | Follow(both), saver(tmp_path / "drops"))
    expected = [drop._replace(kept_id="kept") if drop.kept_id == "middle" else drop for drop in crowd]
    assert pickle.loads((tmp_path / "drops").read_bytes()) == sorted(expected + [middle] * both)


def test_of_drops_of_one_record_in_two_runs_the_smaller_target_counts_in_any_order() -> None:
    several = [Drop("b", "y", "near"), Drop("b", "x", "exact")]
    for later in (several, several[::-1]):
        assert list(_follow("b", {"rows": [Drop("a", "b", "url")], "one": later})) == [Drop("a", "x", "url")]


def test_a_drop_stands_while_what_it_points_at_is_kept() -> None:
    kept = [Drop(name, name, "") for name in ("k", "k", "b")]  # b is kept by one run and was dropped by another
    stand = [Drop("a", "k", "near"), Drop("b", "k", "url")]
    astray = [Drop("a", "gone", "exact"), Drop("c", "gone", "near"), Drop("d", "c", "near"), Drop("b", "gone", "near")]
    sketch = Sketch("", "w", 7, 0, 0, 0, 0, "", "", "", "")
    sketches = [sketch._replace(doc_id=name, origin=EARLIER_KEPT) for name in "bkc"]
    sketches += [sketch._replace(doc_id=name, origin=EARLIER_DROPPED) for name in "abcd"]
    with beam_options.pipeline((), 1) as p:
        rows = p | "R" >> beam.Create([*kept, *stand, *astray]).with_output_types(Drop)
        stands, lost = rows | Standing()
        assert_that(stands, equal_to(stand), label="stand")
        assert_that(lost, equal_to([Drop("c", "gone", "near"), Drop("d", "c", "near")]), label="astray")
        left = (p | "S" >> beam.Create(sketches).with_output_types(Sketch), lost) | WithoutAstray()
        ids = left | beam.Map(lambda s: (s.doc_id, s.origin))
        assert_that(ids, equal_to([("b", 2), ("k", 2), ("c", 2), ("a", 1), ("b", 1)]), label="left")


def test_final_drops_point_at_what_no_rule_dropped() -> None:
    by_key = [Drop("a", "b", "url"), Drop("x", "y", "url"), Drop("b", "c", "exact"), Drop("e", "f", "images")]
    near = [Drop("c", "d", "near"), Drop("f", "d", "near")]
    with beam_options.pipeline((), 1) as p:
        drops = p | "K" >> beam.Create(by_key), p | "N" >> beam.Create(near)
        final = drops | FinalDrops(["url", "exact", "images"])
        ends = [Drop("a", "d", "url"), Drop("x", "y", "url"), Drop("b", "d", "exact"), Drop("e", "d", "images")]
        assert_that(final, equal_to(ends + near))
