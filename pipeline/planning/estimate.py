"""What a large input will cost, from a run on a sample of it: core-hours, GPU-hours, bytes kept, shuffled and fetched.

A run of ten archives of a snapshot says what a byte of archives costs in each stage: CPU seconds of all its processes,
bytes that it wrote, images that it asked for. All but dedup grows with the bytes of the input (with its files, where
nobody can say how large they are). Dedup's core-hours grow with the documents, by what a sample of them takes
(dedup_plan.py); of what it shuffles, what is compared grows faster, and the CPU of that is not in them. What a job
costs to start is in a sample's CPU seconds, and overstates small ones; a second, smaller sample tells it apart.
Retries, idle machines and a cluster's network are not in it. What is shuffled was counted in the sample, row by row and
for each time that a table crosses; what a combiner makes less of before it crosses is counted whole.
"""

from __future__ import annotations

import dataclasses
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow.parquet as pq

import weft.schemas.config as configuration
from weft.pipeline.planning import dedup_plan, money, web
from weft.pipeline.planning.web import COMES, IMAGE_BYTES, IMAGE_CPU_S, Web
from weft.pipeline.run import inputs, manifest
from weft.schemas.config import Config
from weft.schemas.parameters import ConfigError
from weft.transforms.io import files, state
from weft.transforms.score import needs
from weft.transforms.score.needs import Needs

STAGES = ("extract", "dedup", "fetch", "score", "pack")
KEPT = ("documents", "pairs", "captures", "site_files", "clusters", "kept", "images", "scores", "shards", "fates")
JOINED = {  # what crosses the network in a stage whose manifest does not say: the rows that it joins by key, once
    "fetch": ("documents", "pairs", "captures", "site_files", "kept"),
    "score": ("documents", "pairs", "kept", "images/index"),
    "pack": ("documents", "pairs", "kept", "images/index", "scores"),
}
DRIVER_BYTES, DRIVER_S = 5_000, 0.002  # of the driver, for an archive, in each stage (docs/scale.md)
STARTED_S = 20.0  # of CPU in the sample; of less, the 1 to 4 that a stage takes to start are too large a part
GPU_RATE = 1_000  # images a second; no figure of a machine, but easy to scale by one


@dataclasses.dataclass(frozen=True)
class Estimate:
    """Numbers for an input."""

    input: inputs.Sized
    sampled: inputs.Sized
    config: Config
    place: str  # the sample's directory; what is planned may be meant for the same disk
    core_hours: dict[str, float]  # by stage; a stage that was not run in the sample is not there
    shuffled: dict[str, float]  # bytes by stage
    largest: dict[
        str, tuple[str, int]
    ]  # by stage, the shuffle with the largest key of the sample, and that key's bytes
    kept: dict[str, float]  # bytes by table
    web: Web
    texts: float  # that are embedded
    documents: float
    tried: int  # documents of the sample that dedup was measured on
    needs: Needs  # what of it has to be embedded
    measured: Needs  # and was in the sample
    starting: list[str]  # stages of which starting may be much of what they took

    def lines(self, rates: Mapping[str, float] = money.RATES) -> Iterator[str]:
        """The estimate as text for a person."""
        yield f"{_told(self.input)}, from a run of {_told(self.sampled)}"
        yield ""
        yield f"{'stage':10}{'core-hours':>14}{'shuffle':>14}{'a document':>14}   largest key of the sample"
        for stage in STAGES:
            if stage in self.core_hours:
                crossed, (name, most) = self.shuffled.get(stage, 0.0), self.largest.get(stage, ("", 0))
                each = dedup_plan.size(crossed / self.documents if self.documents else 0.0)
                key = f"   {dedup_plan.size(most)} ({name})" if name else ""
                yield f"{stage:10}{_hours(self.core_hours[stage]):>14}{dedup_plan.size(crossed):>14}{each:>14}{key}"
        total = sum(self.core_hours.values())
        yield f"{'all':10}{_hours(total):>14}{dedup_plan.size(sum(self.shuffled.values())):>14}"
        missing = [stage for stage in STAGES if stage not in self.core_hours]
        if missing:
            yield f"not in the sample, so not in the sum: {', '.join(missing)}"
        yield ""
        yield f"kept on disk: {dedup_plan.size(sum(self.kept.values()))}, of it " + ", ".join(
            f"{name} {dedup_plan.size(count)}" for name, count in self.kept.items() if count
        )
        asked, different = self.web.images, self.web.different
        yield f"documents: {self.documents:,.0f}; images over HTTP: {asked:,.0f}, different: {different:,.0f}"
        yield from self.web.lines(self.config.fetch)
        if self.needs.line():
            yield f"score: {self.needs.line()}"
        if self._unmeasured():
            yield "score: the sample embedded less than is asked for, so how many texts that would be is not known"
        if hours := self.gpu_hours():
            rate = rates["gpu_hour"]
            yield (
                f"score on GPUs instead: {_hours(hours)} GPU-hours, ${hours * rate:,.0f} (at {rate:g}), where one "
                f"embeds {GPU_RATE:,} images or {2 * GPU_RATE:,} texts a second for each model; its core-hours above "
                "are then for decoding, and the money below is without GPUs"
            )
        yield f"core-hours are of the sample's machine; dedup's are planned from {self.tried:,} of its documents"
        if self.starting:
            yield (
                f"too much, since starting is scaled too: {', '.join(self.starting)}, of under {STARTED_S:g} s of CPU "
                "in the sample; name a run on less with --smaller, or take a larger sample"
            )
        yield money.line(self.amounts(), rates)
        yield from (f"would break: {line}" for line in self.breaks())

    def gpu_hours(self) -> float:
        """Of all models, at GPU_RATE; 0 where it is not known."""
        known = any(self.needs) and not self._unmeasured()
        embedded = self.web.different + self.texts / 2 if known else 0.0
        return embedded * (1 + len(self.config.score.also)) / GPU_RATE / 3600

    def _unmeasured(self) -> bool:
        return any(asked and not was for asked, was in zip(self.needs, self.measured, strict=True))

    def amounts(self) -> dict[str, float]:
        """What money.RATES are for, but GPUs: score's core-hours are those of a sample that embedded without them."""
        return {
            "core_hour": sum(self.core_hours.values()),
            "stored_tb": sum(self.kept.values()) / 1e12,
            "shuffled_tb": sum(self.shuffled.values()) / 1e12,
            "fetched_tb": (self.input.total + self.web.traffic) / 1e12,
        }

    def breaks(self) -> Iterator[str]:
        """What would not end well, were this input run as the sample was."""
        yield from self.web.breaks(self.config.fetch)
        stage, most = max(self.shuffled.items(), key=lambda one: one[1])
        here = tempfile.gettempdir()
        if most > (free := shutil.disk_usage(here).free):
            yield (
                f"{stage} shuffles {dedup_plan.size(most)}, on disk where it runs on one machine; {here} has "
                f"{dedup_plan.size(free)} free: another TMPDIR or a cluster is needed"
            )
        if files.is_local(self.place) and (free := shutil.disk_usage(self.place).free) < sum(self.kept.values()):
            yield f"the disk of {self.place} has {dedup_plan.size(free)} free, and less than is kept"
        hours, held = self.input.files * DRIVER_S / 3600, self.input.files * DRIVER_BYTES
        if hours > 0.25:
            yield (
                f"the driver looks at {self.input.files:,} archives in each stage, for {hours:,.1f} hours and in "
                f"{dedup_plan.size(held)}: put archives together, or run parts with dedup.index"
            )


def make(
    output: str,
    config: Config,
    wanted: inputs.Sized,
    measured: dedup_plan.Measured | None = None,
    smaller: str = "",
) -> Estimate:
    """Scale the run in `output` to so large an input.

    Args:
        output: a run on a sample.
        config: what dedup is planned with.
        wanted: what the run is scaled to; with no bytes by its files, with no files by its bytes.
        measured: what dedup was measured to take, where that is known already.
        smaller: a run on less; what both cost to start is told apart by it.

    Raises:
        ConfigError: nothing was run there on this machine, or the second sample is not smaller.
    """
    done, sampled = _done(output), _sample(output)
    by_bytes = wanted.total and sampled.total
    if not by_bytes and not wanted.files:
        raise ConfigError(f"how large the archives of {output} are is not known: name a number with --archives")
    if not by_bytes and bool(wanted.chosen) != bool(sampled.chosen) and (wanted.chosen or wanted.total):
        raise ConfigError(
            f"parts of an index do not tell how large their records are: {output} and the input are to be both of "
            "archives, or both of such parts"
        )
    scale = wanted.total / sampled.total if by_bytes else wanted.files / sampled.files
    wanted = wanted._replace(
        files=wanted.files or round(sampled.files * scale), total=wanted.total or sampled.total * scale
    )
    took = _spent(output, done, sampled, smaller)
    core = {stage: spent * scale / 3600 for stage, spent in took.items()}
    starts = not smaller and scale > 1  # dedup's are told apart in any case
    starting = [stage for stage, spent in took.items() if starts and spent < STARTED_S and stage != "dedup"]
    shuffled = {stage: scale * _crossed(output, stage, found) for stage, found in done.items()}
    largest = {
        stage: max(((one["name"], one["largest"]) for one in found["shuffles"]), key=lambda one: one[1])
        for stage, found in done.items()
        if found.get("shuffles")
    }
    documents, tried = done["extract"]["books"]["page"]["kept"] * scale, 0
    if "dedup" in done:
        planned = (measured or dedup_plan.measure(output, config)).plan(round(documents))
        if planned.core_seconds:  # nothing where the sample is so small that only start-up was measured
            core["dedup"] = planned.core_seconds / 3600
        tried = planned.sampled
        steps = {step.name: step.rows * step.row_bytes for step in planned.steps}
        if "shuffles" in done["dedup"]:  # pairs are in these; what is compared grows faster than they were scaled
            compared = _sent(done["dedup"], dedup_plan.COMPARED_AT)
            shuffled["dedup"] += steps.get(dedup_plan.COMPARED, 0.0) - scale * compared
        else:
            shuffled["dedup"] = sum(steps.values())
    kept = {table: scale * _on_disk(output, table) for table in KEPT}
    asked = web.of(output, config.fetch.http).times(scale)
    if "fetch" in core:
        core["fetch"] += asked.looked_up * IMAGE_CPU_S / 3600
        kept["images"] += asked.looked_up * COMES * IMAGE_BYTES
    known = configuration.from_dict(done["score"]["config"]) if "score" in done else None
    was = needs.of(known.score, known.pack) if known else Needs(False, False, False)
    needed = needs.of(config.score, config.pack)
    return Estimate(
        wanted,
        sampled,
        config,
        output,
        core,
        shuffled,
        largest,
        kept,
        asked,
        _texts(output) * scale,
        documents,
        tried,
        needed,
        was,
        starting,
    )


def _done(output: str) -> dict[str, dict[str, Any]]:
    """Manifests of the stages that were run.

    Raises:
        ConfigError: none, or what one cost is not known.
    """
    done = {stage: found for stage in STAGES if (found := manifest.read(output, stage))}
    if "extract" not in done:
        raise ConfigError(f"{output} holds no documents; run `weft extract` first")
    silent = [stage for stage, found in done.items() if found.get("cpu_seconds") is None]
    if silent:
        raise ConfigError(
            f"what {silent[0]} cost is not known: it was stopped and went on, was not run on one machine, or by an "
            f"older weft; `weft {silent[0]} --redo --output {output}` measures it"
        )
    return done


def _sample(output: str) -> inputs.Sized:
    return inputs.sized([(name, size) for name, size, *_ in manifest.known_run(output)["inputs"]])


def _spent(output: str, done: Mapping[str, Any], sampled: inputs.Sized, smaller: str) -> dict[str, float]:
    """CPU seconds of each stage, without those of a start where a smaller sample tells them."""
    spent = {stage: float(found["cpu_seconds"]) for stage, found in done.items()}
    if not smaller:
        return spent
    less, small = _done(smaller), _sample(smaller)
    by_bytes = sampled.total and small.total
    share = small.total / sampled.total if by_bytes else small.files / sampled.files
    if share >= 1 or set(less) != set(done):
        raise ConfigError(f"{smaller} is to hold a run of the same stages as {output}, on a smaller part of the input")
    return {stage: max(0.0, found - less[stage]["cpu_seconds"]) / (1 - share) for stage, found in spent.items()}


def _hours(hours: float) -> str:
    return f"{hours:,.1f}" if hours >= 10 else f"{hours:.3g}"


def _told(size: inputs.Sized) -> str:
    told = f"{size.files - size.chosen:,} archives" + (f" of {inputs.human(size.total)}" if size.total else "")
    chosen = f"{size.chosen:,} parts of an index" + (", which are not in these bytes" if size.total else "")
    return " and ".join([told] * (size.files > size.chosen) + [chosen] * bool(size.chosen))


def _crossed(output: str, stage: str, done: dict[str, Any]) -> float:
    """Bytes that a stage of the sample sent from worker to worker."""
    if "shuffles" in done:
        return _sent(done)
    return float(sum(_uncompressed(output, table) for table in JOINED.get(stage, ())))


def _sent(done: dict[str, Any], at: str = "") -> float:
    """Bytes of the shuffles of a stage, or of those whose names end so."""
    return float(sum(one["rows"] * one["row_bytes"] for one in done["shuffles"] if one["name"].endswith(at)))


def _texts(output: str) -> int:
    """Texts of documents and pairs that score embedded, of which none is twice."""
    marks = [state.read(path) for path, _ in files.listing(files.join(output, "score", "units", "texts-*.json"))]
    return sum(mark["counts"]["embedded"] for mark in marks if mark)


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
