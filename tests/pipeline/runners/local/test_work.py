"""One level in one process: bundles begin and end in order, combiners are bounded, and everything set up is let go of."""

from collections.abc import Iterator
from typing import Any

import apache_beam as beam
import pytest

from weft.pipeline.runners.local import plan, work
from weft.pipeline.runners.local.partitions import Writer
from weft.pipeline.runners.local.work import Level

SAID: list[str] = []


class Says(beam.DoFn):
    def __init__(self, name: str) -> None:
        self._name = name

    def setup(self) -> None:
        SAID.append(f"set up {self._name}")

    def start_bundle(self) -> None:
        SAID.append(f"start {self._name}")

    def process(self, row: Any) -> Iterator[Any]:
        yield row

    def finish_bundle(self) -> None:
        SAID.append(f"finish {self._name}")

    def teardown(self) -> None:
        SAID.append(f"tear down {self._name}")


def level(p: beam.Pipeline) -> tuple[plan.Plan, Level]:
    made = plan.of(p)
    return made, Level(made, 0, Writer(lambda: "", "", 4), {}, lambda: "")


def test_who_gives_rows_ends_before_those_who_take_them() -> None:
    SAID.clear()
    p = beam.Pipeline()
    rows = p | beam.Create([1, 2])
    left, right = rows | "A" >> beam.ParDo(Says("a")), rows | "B" >> beam.ParDo(Says("b"))
    _ = (right | "C" >> beam.ParDo(Says("c")), left) | beam.Flatten() | "D" >> beam.ParDo(Says("d"))
    made, ready = level(p)
    (source,) = made.sources(0)
    for part in ((0, 1), (1, 2)):
        ready.run(source, part)
    ready.close(1 << 20)
    for name in "abcd":
        assert [one for one in SAID if one.endswith(f" {name}")] == [
            f"set up {name}", *[f"start {name}", f"finish {name}"] * 2, f"tear down {name}",
        ]  # fmt: skip
    at = {one: SAID.index(one) for one in SAID}
    assert at["start d"] < at["start c"] < at["start b"] and at["start d"] < at["start a"]
    assert at["finish b"] < at["finish c"] < at["finish d"] and at["finish a"] < at["finish d"]


def test_a_combiner_holds_so_many_keys_and_sends_each_combined(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "_KEYS", 10)
    p = beam.Pipeline()
    _ = (
        p
        | beam.Create([(n % 5, 1) for n in range(100)] + [(n, 1) for n in range(30)])
        | "Sum" >> beam.CombinePerKey(sum)
    )
    made, ready = level(p)
    ready.run(made.sources(0)[0], (0, 130))
    found = ready.close(1 << 20)
    took = found.shuffled["Sum"]
    assert took.rows == 130 and took.sent == 30, "five keys of a hundred rows cross once"
    after = Level(made, 1, Writer(lambda: "", "", 4), found.kept, lambda: "")
    (parts,) = found.kept.values()
    (source,) = made.sources(1)
    assert isinstance(source, plan.Step)
    assert dict(after._read(source, parts)) == {n: 21 if n < 5 else 1 for n in range(30)}


def test_a_step_that_fails_lets_go_of_what_was_set_up() -> None:
    SAID.clear()
    p = beam.Pipeline()
    _ = p | beam.Create([0]) | "A" >> beam.ParDo(Says("a")) | "Fail" >> beam.Map(lambda n: 1 / n)
    made, ready = level(p)
    with pytest.raises(ZeroDivisionError):
        ready.run(made.sources(0)[0], (0, 1))
    ready.abandon()
    assert SAID[-1] == "tear down a"
