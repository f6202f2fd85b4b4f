"""What a job sent from worker to worker: each collection that was shuffled, its coder, rows, and bytes a row.

A pipeline that has run on this machine → Shuffle rows. Runners that shuffle elsewhere do not count them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import apache_beam as beam
from apache_beam.pipeline import AppliedPTransform, PipelineVisitor

from weft.pipeline.runners.local.work import Shuffled
from weft.transforms.beam import coders

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
    largest: int  # bytes of the values of one key, at most


class Measured(beam.Pipeline):
    """A pipeline that knows, once it has run on this machine, what it shuffled.

    Args:
        into: gets the rows of each run.
    """

    def __init__(self, into: list[Shuffle], **options: Any) -> None:
        super().__init__(**options)
        self._into = into

    def run(self, *arguments: Any, **options: Any) -> Any:
        """Run, and keep what was shuffled; a runner that counts nothing leaves nothing."""
        result = super().run(*arguments, **options)
        counted = getattr(result, "shuffled", None)
        if counted is not None:
            self._into += _found(self, counted)
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


def _found(pipeline: beam.Pipeline, counted: Mapping[str, Shuffled]) -> list[Shuffle]:
    rows = []
    for label, coder, combined in shuffled(pipeline):
        name = label.removesuffix("/GroupByKey")
        took = counted.get(name) or counted.get(label) or Shuffled()
        each = round(took.size / max(took.sent, 1), 1)
        rows.append(Shuffle(name, repr(coder), coders.is_typed(coder), combined, took.rows, each, took.largest))
    return rows
