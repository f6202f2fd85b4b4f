"""In which level a step runs, and what is kept for a later one."""

import apache_beam as beam
import pytest

from weft.pipeline.runners.local import plan


def of(p: beam.Pipeline) -> tuple[plan.Plan, dict[str, plan.Step]]:
    made = plan.of(p)
    return made, {step.label: step for step in made.steps}


def test_a_level_ends_where_rows_are_grouped_or_seen_from_the_side() -> None:
    p = beam.Pipeline()
    rows = p | "Rows" >> beam.Create([("a", 1), ("b", 2)])
    summed = rows | "Sum" >> beam.CombinePerKey(sum)
    count = summed | "Keys" >> beam.Map(lambda kv: kv[0]) | "Count" >> beam.combiners.Count.Globally()
    late = rows | "Late" >> beam.Map(lambda kv, n: (kv, n), beam.pvalue.AsSingleton(count))
    _ = (summed, rows) | "Both" >> beam.Flatten() | "Last" >> beam.Reshuffle() | "End" >> beam.Map(str)
    made, steps = of(p)
    assert steps["Rows"].level == steps["Sum"].level == 0 and steps["Keys"].level == 1
    assert steps["Both"].level == 1 == steps["Last"].level and steps["End"].level == 2
    (asked,) = steps["Late"].sides
    assert steps["Late"].level == made.made[asked.collection] + 1 == made.levels - 1
    kept = {made.made[one] for one in made.kept}
    (created,) = steps["Rows"].outputs.values()
    assert created in made.kept and asked.collection in made.kept and kept >= {0}
    assert created in made.sources(1) and created in made.sources(steps["Late"].level)
    assert made.sides(steps["Late"].level) == {str(asked.collection)} and not made.sides(0)
    assert late.pipeline is p


def test_a_key_whose_bytes_may_differ_is_refused() -> None:
    p = beam.Pipeline()
    _ = (
        p
        | beam.Create([({"x", "y"}, 1)]).with_output_types(tuple[beam.typehints.Any, int])
        | "Group" >> beam.GroupByKey()
    )
    _, steps = of(p)
    coders = steps["Group"].coders
    assert coders is not None and coders.key is not None
    assert coders.key.is_deterministic()
    with pytest.raises(TypeError, match="Group"):  # a set has no order of its own
        coders.key.encode(frozenset({"a", "bc"}))
