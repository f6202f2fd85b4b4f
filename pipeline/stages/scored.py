"""What pack takes from score: the similarity that the top share of pairs reaches, and what vectors say of images."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any

import apache_beam as beam

from weft.pipeline.run.context import Context
from weft.schemas.parameters import ConfigError
from weft.transforms.io import files
from weft.transforms.io.parquet import ReadTable
from weft.transforms.pack.top_share import TopShare
from weft.transforms.score.image_scores import Looks


def top(ctx: Context) -> float:
    """The similarity that `pack.pair_top_share` of all scored pairs reach."""
    share = ctx.config.pack.pair_top_share
    if not 0 <= share <= 1:
        raise ConfigError(f"pack.pair_top_share = {share} is no share: between 0 (off) and 1")
    if not share:
        return -math.inf
    found = ctx.path("pack", "top.json")
    files.write_atomic(found, "null")  # where there are no pairs
    with ctx.pipeline(1) as p:
        _ = (
            p
            | "Scores" >> ReadTable(ctx.table("scores"), ("kind", "similarity"))
            | "OfPairs" >> beam.Filter(lambda row: row["kind"] == "pair")
            | "Similarity" >> beam.Map(lambda row: row["similarity"]).with_output_types(float)
            | "Top" >> TopShare(share)
            | "WriteTop" >> beam.Map(lambda least: files.write_atomic(found, json.dumps(least)))
        )
    least = json.loads(files.read_bytes(found))
    return -math.inf if least is None else float(least)


@dataclasses.dataclass
class Looked(beam.PTransform):
    """{"stored": (image key, what the index says), "rows": of image_scores/} → the former with a text of the latter."""

    def expand(self, inputs: dict[str, Any]) -> Any:
        looks = inputs["rows"] | "Looks" >> beam.Map(
            lambda row: (row["image_url"], Looks.of_row(row).dumps())
        ).with_output_types(tuple[str, str])
        return (
            {"stored": inputs["stored"], "looks": looks}
            | "Join" >> beam.CoGroupByKey()
            | "Put"
            >> beam.FlatMapTuple(
                lambda key, found: [(key, (*stored, *list(found["looks"])[:1])) for stored in found["stored"]]
            ).with_output_types(tuple[str, tuple[Any, ...]])
        )
