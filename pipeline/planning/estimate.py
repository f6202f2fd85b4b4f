"""What a large input will cost, from a run on a sample of it: core-hours, GPU-hours, bytes kept, shuffled and fetched.

A run of ten archives of a snapshot says what an archive costs in each stage: CPU seconds of all its processes, bytes
that it wrote, images that it asked for. All but dedup grows with the number of archives; dedup is planned from the
sample's documents (plan.py), because what it compares grows faster. Start-up counts as work, which overstates small
samples; retries, idle machines and a cluster's network are not in it. What is shuffled was counted in the sample, row
by row; what a combiner makes less of before it crosses is counted whole.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import pyarrow.parquet as pq

from weft.pipeline.planning import dedup_plan
from weft.pipeline.run import manifest
from weft.schemas.config import Config
from weft.schemas.parameters import ConfigError
from weft.transforms.io import files
from weft.transforms.score import needs
from weft.transforms.score.needs import Needs

STAGES = ("extract", "dedup", "fetch", "score", "pack")
KEPT = ("documents", "pairs", "captures", "site_files", "clusters", "kept", "images", "scores", "shards", "fates")
JOINED = {  # what crosses the network in a stage whose manifest does not say: the rows that it joins by key, once
    "fetch": ("documents", "pairs", "captures", "site_files", "kept"),
    "score": ("documents", "pairs", "kept", "images/index"),
    "pack": ("documents", "pairs", "kept", "images/index", "scores"),
}
GPU_RATE = 1_000  # images a second; no figure of a machine, but easy to scale by one


@dataclasses.dataclass(frozen=True)
class Estimate:
    """Numbers for `archives` files like those of the sample."""

    archives: int
    sampled: int
    core_hours: dict[str, float]  # by stage; a stage that was not run in the sample is not there
    shuffled: dict[str, float]  # bytes by stage
    largest: dict[
        str, tuple[str, int]
    ]  # by stage, the shuffle with the largest key of the sample, and that key's bytes
    kept: dict[str, float]  # bytes by table
    images: float  # different ones stored, and so embedded
    captions: float
    asked: float  # images over HTTP
    documents: float
    needs: Needs  # what of it has to be embedded

    def lines(self) -> Iterator[str]:
        """The estimate as text for a person."""
        yield f"{self.archives:,} archives, from a run of {self.sampled:,}"
        yield ""
        yield f"{'stage':10}{'core-hours':>14}{'shuffle':>14}{'a document':>14}   largest key of the sample"
        for stage in STAGES:
            if stage in self.core_hours:
                crossed, (name, most) = self.shuffled.get(stage, 0.0), self.largest.get(stage, ("", 0))
                each = dedup_plan.size(crossed / self.documents if self.documents else 0.0)
                key = f"   {dedup_plan.size(most)} ({name})" if name else ""
                yield f"{stage:10}{self.core_hours[stage]:>14,.1f}{dedup_plan.size(crossed):>14}{each:>14}{key}"
        total = sum(self.core_hours.values())
        yield f"{'all':10}{total:>14,.1f}{dedup_plan.size(sum(self.shuffled.values())):>14}"
        missing = [stage for stage in STAGES if stage not in self.core_hours]
        if missing:
            yield f"not in the sample, so not in the sum: {', '.join(missing)}"
        yield ""
        yield f"kept on disk: {dedup_plan.size(sum(self.kept.values()))}, of it " + ", ".join(
            f"{name} {dedup_plan.size(count)}" for name, count in self.kept.items() if count
        )
        yield f"documents: {self.documents:,.0f}; images over HTTP: {self.asked:,.0f}, different: {self.images:,.0f}"
        if self.needs.line():
            yield f"score: {self.needs.line()}"
        if self.images and any(self.needs):
            hours = (self.images + self.captions / 2) / GPU_RATE / 3600
            yield (
                f"score on GPUs instead: {hours:,.1f} GPU-hours for each model where one embeds {GPU_RATE:,} images or "
                f"{2 * GPU_RATE:,} texts a second; its core-hours above are then those of decoding"
            )
        yield "core-hours are of the machine that ran the sample; dedup's are planned from its documents"


def make(output: str, config: Config, archives: int, measured: dedup_plan.Measured | None = None) -> Estimate:
    """Scale the run in `output` to so many archives.

    Args:
        output: a run on a sample.
        config: what dedup is planned with.
        archives: how many the run is scaled to.
        measured: what dedup was measured to take, where that is known already.

    Raises:
        ConfigError: nothing was run there on this machine.
    """
    known = manifest.known_run(output)
    sampled = len(known["inputs"])
    done = {stage: found for stage in STAGES if (found := manifest.read(output, stage))}
    if "extract" not in done:
        raise ConfigError(f"{output} holds no documents; run `weft extract` first")
    silent = [stage for stage, found in done.items() if found.get("cpu_seconds") is None]
    if silent:
        raise ConfigError(f"what {silent[0]} cost is not known: it was not run on one machine, or by an older weft")
    scale = archives / sampled
    core = {stage: found["cpu_seconds"] * scale / 3600 for stage, found in done.items()}
    shuffled = {stage: scale * _crossed(output, stage, found) for stage, found in done.items()}
    largest = {
        stage: max(((one["name"], one["largest"]) for one in found["shuffles"]), key=lambda one: one[1])
        for stage, found in done.items()
        if found.get("shuffles")
    }
    documents = done["extract"]["books"]["page"]["kept"] * scale
    if "dedup" in done:
        planned = (measured or dedup_plan.measure(output, config)).plan(round(documents))
        if planned.core_seconds:  # nothing where the sample is so small that only start-up was measured
            core["dedup"] = planned.core_seconds / 3600
        shuffled["dedup"] = sum(step.rows * step.row_bytes for step in planned.steps)
    kept = {table: scale * _on_disk(output, table) for table in KEPT}
    different, asked = _images(output)
    captions = done["score"]["books"].get("pair", {}).get("kept", 0) if "score" in done else 0
    return Estimate(
        archives,
        sampled,
        core,
        shuffled,
        largest,
        kept,
        different * scale,
        captions * scale,
        asked * scale,
        documents,
        needs.of(config.score, config.pack),
    )


def _crossed(output: str, stage: str, done: dict[str, Any]) -> float:
    """Bytes that a stage of the sample sent from worker to worker."""
    if "shuffles" in done:
        return float(sum(one["rows"] * one["row_bytes"] for one in done["shuffles"]))
    return float(sum(_uncompressed(output, table) for table in JOINED.get(stage, ())))


def _on_disk(output: str, table: str) -> int:
    return sum(size for _, size in files.listing(files.join(output, table, "**")))


def _uncompressed(output: str, table: str) -> int:
    """Bytes of a table's rows, from the footers of its files."""
    total = 0
    for path, _ in files.listing(files.join(output, table, "*.parquet")):
        with files.open_read(path) as stream:
            found = pq.ParquetFile(stream).metadata
            total += sum(found.row_group(group).total_byte_size for group in range(found.num_row_groups))
    return total


def _images(output: str) -> tuple[int, int]:
    """How many different ones are stored, and how many were asked for over HTTP."""
    different: set[str] = set()
    asked = 0
    for path, _ in files.listing(files.join(output, "images/index", "*.parquet")):
        with files.open_read(path) as stream:
            table = pq.read_table(stream, columns=["status", "origin", "image_id"]).to_pydict()
        different.update(one for one, status in zip(table["image_id"], table["status"], strict=True) if status == "ok")
        asked += sum(origin == "http" for origin in table["origin"])
    return len(different), asked
