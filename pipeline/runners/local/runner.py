"""Runs a pipeline on this machine, in this process or in several."""

from __future__ import annotations

import contextlib
import functools
import sys
import traceback
from collections.abc import Callable, Iterator

import apache_beam as beam
from apache_beam.internal import cloudpickle_pickler
from apache_beam.metrics.cells import DistributionData, DistributionResult
from apache_beam.metrics.execution import MetricKey, MetricResult
from apache_beam.metrics.metric import MetricResults, MetricsFilter
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.runner import PipelineResult, PipelineRunner, PipelineState

from weft.pipeline.runners.local import partitions, pool, scratch
from weft.pipeline.runners.local import plan as plans
from weft.pipeline.runners.local.partitions import Kept, Partition, Writer, together
from weft.pipeline.runners.local.plan import Plan, Source, Step
from weft.pipeline.runners.local.work import Counts, Found, Level, Shuffled

_PARTS = 32  # of a collection, at least: so many tasks at most stand between workers and the end of a level
_PARTS_EACH = 8  # for every worker: some are larger than others


class Result(PipelineResult):
    """What is left of a run.

    Attributes:
        shuffled: label of a step that groups or combines → what it took.
    """

    def __init__(self) -> None:
        super().__init__(PipelineState.DONE)
        self.shuffled: dict[str, Shuffled] = {}
        self._counted: Counts = {}

    def add(self, found: Found) -> None:
        """Count what a process has found in a level."""
        for label, shuffled in found.shuffled.items():
            self.shuffled.setdefault(label, Shuffled()).add(shuffled)
        for name, value in found.counted.items():
            before = self._counted.get(name)
            if isinstance(before, DistributionData):
                value = before.combine(value)
            elif before is not None:
                value += before
            self._counted[name] = value

    def wait_until_finish(self, duration: int | None = None) -> str:
        return str(self.state)

    def metrics(self) -> MetricResults:
        return _Metrics(self._counted)


class _Metrics(MetricResults):
    """Of the whole run: which step counted is not kept."""

    def __init__(self, counted: Counts) -> None:
        self._counted = counted

    def query(self, filter: MetricsFilter | None = None) -> dict[str, list[MetricResult]]:
        found: dict[str, list[MetricResult]] = {self.COUNTERS: [], self.DISTRIBUTIONS: []}
        for (name, _), value in self._counted.items():
            key = MetricKey("", name)
            if not self.matches(filter, key):
                continue
            if isinstance(value, DistributionData):
                spread = DistributionResult(value)
                found[self.DISTRIBUTIONS].append(MetricResult(key, spread, spread))
            else:
                found[self.COUNTERS].append(MetricResult(key, value, value))
        return found


class LocalRunner(PipelineRunner):
    """Beam on this machine.

    Args:
        workers: processes; 0 is this one, which starts none.
        stage: whose work it is, for what is said of workers.

    Raises:
        ValueError: fewer workers than none.
    """

    def __init__(self, workers: int = 0, stage: str = "weft") -> None:
        super().__init__()
        if workers < 0:
            raise ValueError(f"{workers} worker processes: 0 is none, and no number is below it")
        self._workers, self._stage = workers, stage

    def is_fnapi_compatible(self) -> bool:
        """Else Beam would write the graph out and read it back before it is run."""
        return True

    def run_pipeline(self, pipeline: beam.Pipeline, options: PipelineOptions) -> Result:
        """Run to the end.

        Raises:
            RuntimeError: with the traceback of what a step raised, or that a worker was lost.
        """
        data = cloudpickle_pickler.dumps(plans.of(pipeline))
        with _folder() as folder:
            if not self._workers:
                return _alone(cloudpickle_pickler.loads(data), folder)
            with pool.lent(self._workers, options.get_all_options(drop_default=True)) as workers:
                return _shared(cloudpickle_pickler.loads(data), data, workers, folder(), self._stage)


def _alone(plan: Plan, folder: Callable[[], str]) -> Result:
    """In this process, each source as one bundle."""
    kept: Kept = {}
    result = Result()
    for number in range(plan.levels):
        try:
            level = Level(plan, number, Writer(folder, str(number), _PARTS), kept, folder)
            try:
                for source in plan.sources(number):
                    what = (0, _length(source)) if _creates(source) else _taken(source, kept)
                    if what[-1] if isinstance(what, tuple) else any(part.size for part in what):
                        level.run(source, what)
                _forget(plan, number, kept)
                found = level.close(partitions.MEMORY - _held(kept))
            finally:
                level.abandon()
        except Exception:
            raise RuntimeError(traceback.format_exc()) from None
        kept |= found.kept
        result.add(found)
    return result


def _shared(plan: Plan, data: bytes, workers: pool.Pool, folder: str, stage: str) -> Result:
    """By worker processes, each partition as a bundle of its own, for whoever is free."""
    kept: Kept = {}
    result = Result()
    parts = max(_PARTS, _PARTS_EACH * workers.count)
    workers.all([("plan", data, folder, sys.path)] * workers.count, stage)
    for number in range(plan.levels):
        sides = {name: kept[name] for name in plan.sides(number) if name in kept}
        tasks: list[tuple[int, tuple[int, int] | list[Partition]]] = []
        for place, source in enumerate(plan.sources(number)):
            if _creates(source):
                length = _length(source)
                step = -(-length // parts) or 1
                tasks += [(place, (start, min(start + step, length))) for start in range(0, length, step)]
            else:
                taken = sorted(_taken(source, kept), key=lambda part: -part.size)
                tasks += [(place, [part]) for part in taken if part.size]
        asks = [("level", number, parts, sides, who * parts // workers.count) for who in range(workers.count)]
        workers.all(asks, stage)
        workers.each((("run", *task) for task in tasks), stage)
        _forget(plan, number, kept)
        ended = workers.all([("close", (partitions.SENT - _held(kept)) // workers.count)] * workers.count, stage)
        for found in ended:
            kept = together([kept, found.kept])
            result.add(found)
    return result


def _forget(plan: Plan, level: int, kept: Kept) -> None:
    """Let go of the collections that no level after this one reads."""
    for collection, last in plan.last.items():
        if last == level:
            for part in kept.pop(str(collection), ()):
                part.clear()


def _held(kept: Kept) -> int:
    """Bytes of rows in memory."""
    return sum(part.size for parts in kept.values() for part in parts if part.rows)


def _creates(source: Source) -> bool:
    return isinstance(source, Step) and source.kind == "create"


def _length(source: Source) -> int:
    assert isinstance(source, Step)
    return len(source.what)


def _taken(source: Source, kept: Kept) -> list[Partition]:
    """The rows of a source that earlier levels have kept; those of a shuffle are for nobody else."""
    if isinstance(source, int):
        return kept.get(str(source), [])
    (made,) = source.outputs.values()
    return kept.pop(str(made), [])


@contextlib.contextmanager
def _folder() -> Iterator[Callable[[], str]]:
    """Gives a directory that is made when it is first asked for, and removed afterwards."""
    with contextlib.ExitStack() as stack:

        @functools.cache
        def make() -> str:
            return stack.enter_context(scratch.folder(scratch.SHUFFLE))

        yield make
