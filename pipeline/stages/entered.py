"""How many of each kind entered a stage, counted by its job: the driver reads a few numbers."""

from __future__ import annotations

import dataclasses
import json
import operator
from typing import Any

import apache_beam as beam

from weft.pipeline.run.context import Context
from weft.transforms.beam.folds import Fold
from weft.transforms.io import files


@dataclasses.dataclass
class Write(beam.PTransform):
    """{kind: what entered, an element each} → a file that `read` reads once the job is done."""

    ctx: Context
    stage: str

    def expand(self, inputs: dict[str, beam.PCollection[Any]]) -> beam.PCollection[Any]:
        path, kinds = _path(self.ctx, self.stage), tuple(inputs)
        ones = [
            rows | f"One {kind}" >> beam.Map(lambda _, kind=kind: (kind, 1)).with_output_types(tuple[str, int])
            for kind, rows in inputs.items()
        ]
        return (
            ones
            | "Kinds" >> beam.Flatten()
            | "Count" >> Fold(operator.add)
            | "Counts" >> beam.combiners.ToList()
            | "Write"
            >> beam.Map(lambda counts: files.write_atomic(path, _dumps(dict.fromkeys(kinds, 0) | dict(counts))))
        )


def read(ctx: Context, stage: str) -> dict[str, int]:
    """What the stage's job has counted."""
    return dict(json.loads(files.read_bytes(_path(ctx, stage))))


def _path(ctx: Context, stage: str) -> str:
    return ctx.path(stage, "entered.json")


def _dumps(counts: dict[str, int]) -> str:
    return json.dumps(counts, sort_keys=True)
