"""What entered is counted by the job, kinds without anything included."""

from pathlib import Path

import apache_beam as beam

import weft.schemas.config as configuration
from weft.pipeline.run.context import Context
from weft.pipeline.stages import entered


def test_each_kind_is_counted(tmp_path: Path) -> None:
    ctx = Context(str(tmp_path), (), configuration.load(), "x", ("--direct_num_workers=1",))
    with ctx.pipeline() as p:
        _ = {
            "image": p | "Images" >> beam.Create(["a", "b", "a"]),
            "pair": p | "Pairs" >> beam.Create([]),
        } | entered.Write(ctx, "pack")
    assert entered.read(ctx, "pack") == {"image": 3, "pair": 0}
