"""What a job sent from worker to worker: each collection that was shuffled, its coder, rows, and bytes a row.

A pipeline that has run on this machine → Shuffle rows. Beam's SDK counts the elements of every collection and measures
a sample of them as they are encoded; here these numbers are found again for the collections that a GroupByKey takes.
Runners that shuffle elsewhere do not give them back.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import apache_beam as beam
from apache_beam.metrics import monitoring_infos
from apache_beam.pipeline import AppliedPTransform, PipelineVisitor

from weft.transforms.beam import coders

_FRAME = 10  # bytes that the SDK counts with an element and that shuffles keep elsewhere: time, window, pane
_COUNT, _SIZE = "beam:metric:element_count:v1", "beam:metric:sampled_byte_size:v1"
_RESHUFFLE = "ReshufflePerKey"
_OVER_ALL = {beam.CombineGlobally, beam.combiners.Top.Of}


class Shuffle(NamedTuple):
    """One collection that crosses from worker to worker."""

    name: str  # of the step that takes it
    coder: str
    typed: bool  # no part of it is pickled
    combined: bool  # rows are combined before they cross, so that fewer do
    rows: int
    row_bytes: float
    largest: int  # bytes of the values of one key, the most that the sample saw


class Measured(beam.Pipeline):
    """A pipeline that knows, once it has run on this machine, what it shuffled.

    Args:
        into: gets the rows of each run.
    """

    def __init__(self, into: list[Shuffle], **options: Any) -> None:
        super().__init__(**options)
        self._into, self._proto = into, None

    def to_runner_api(self, *arguments: Any, **options: Any) -> Any:
        """The runner's own view of the graph is kept: it names the collections that the numbers are of."""
        made = super().to_runner_api(*arguments, **options)
        self._proto = made[0] if isinstance(made, tuple) else made
        return made

    def run(self, *arguments: Any, **options: Any) -> Any:
        """Run, and keep what was shuffled; a runner that does not wait, or counts nothing, leaves nothing."""
        result = super().run(*arguments, **options)
        counted = getattr(result, "monitoring_infos", None)
        if counted is not None and self._proto is not None:
            self._into += _found(self, self._proto, counted())
        return result


def shuffled(pipeline: beam.Pipeline) -> list[tuple[str, beam.coders.Coder, bool]]:
    """(name, coder, whether a combiner goes before it) of every collection of a graph that a GroupByKey takes.

    Leaves out Reshuffle, which sends the names of files, one element a file, and what is combined over everything, a
    row a bundle.
    """
    visitor = _Visitor()
    pipeline.visit(visitor)
    return visitor.found


class _Visitor(PipelineVisitor):
    def __init__(self) -> None:
        self.found: list[tuple[str, beam.coders.Coder, bool]] = []

    def visit_transform(self, node: AppliedPTransform) -> None:
        around = [type(above.transform) for above in _above(node)]
        if (
            isinstance(node.transform, beam.GroupByKey)
            and _RESHUFFLE not in node.full_label
            and not _OVER_ALL & {*around}
        ):
            coder = beam.coders.registry.get_coder(node.inputs[0].element_type)
            combined = isinstance(node.parent.transform, beam.CombinePerKey)
            if combined:
                fn = node.parent.transform.fn
                coder = beam.coders.TupleCoder([coder.key_coder(), fn.get_accumulator_coder()])
            self.found.append((node.full_label, coder, combined))


def _above(node: AppliedPTransform | None) -> Iterator[AppliedPTransform]:
    while node is not None:
        yield node
        node = node.parent


def _found(pipeline: beam.Pipeline, proto: Any, infos: Any) -> list[Shuffle]:
    counts: dict[str, int] = {}
    sizes: dict[str, tuple[float, int]] = {}
    for info in infos:
        where = info.labels.get("PCOLLECTION", "")
        if info.urn == _COUNT:
            counts[where] = counts.get(where, 0) + monitoring_infos.extract_counter_value(info)
        elif info.urn == _SIZE:
            seen, total, _, most = monitoring_infos.extract_distribution(info)
            sizes[where] = (total / max(seen, 1), most)
    of = {one.unique_name: one for one in proto.components.transforms.values()}
    rows = []
    for name, coder, combined in shuffled(pipeline):
        (taken,), (given,) = of[name].inputs.values(), of[name].outputs.values()
        each, _ = sizes.get(taken, (0.0, 0))
        _, most = sizes.get(given, (0.0, 0))
        rows.append(
            Shuffle(
                name.removesuffix("/GroupByKey"),
                repr(coder),
                coders.is_typed(coder),
                combined,
                counts.get(taken, 0),
                round(max(each - _FRAME, 0.0), 1),
                max(most - _FRAME, 0),
            )
        )
    return rows
