"""What runs on this machine gives what Beam's own runner gives, in one process and in several, in memory and on disk."""

import fcntl
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import apache_beam as beam
import pytest
from apache_beam.metrics import Metrics, MetricsFilter
from apache_beam.testing.util import assert_that, equal_to

from weft.pipeline.runners import beam_options, graph
from weft.pipeline.runners.local import partitions, pool
from weft.pipeline.runners.local.runner import LocalRunner

RUNNERS: dict[str, Any] = {
    "here": lambda: LocalRunner(),
    "two": lambda: LocalRunner(2),
    "Beam's": lambda: "FnApiRunner",
}


def batches() -> beam.DoFn:
    """A class of this function's own, as a worker cannot import tests."""

    class Batches(beam.DoFn):
        """Says how often it was set up, and gives what a bundle had when it ends."""

        def setup(self) -> None:
            self.ready = getattr(self, "ready", 0) + 1

        def start_bundle(self) -> None:
            self.seen: list[int] = []

        def process(self, n: int) -> list[Any]:
            self.seen.append(n)
            Metrics.counter("test", "seen").inc()
            Metrics.distribution("test", "size").update(n)
            return [beam.pvalue.TaggedOutput("odd", n)] if n % 2 else []

        def finish_bundle(self) -> Any:
            assert self.ready == 1
            for n in self.seen:
                yield beam.transforms.window.GlobalWindows.windowed_value(n)

    return Batches()


def everything(p: beam.Pipeline) -> list[tuple[Any, list[Any]]]:
    """Collections and what is in them: every kind of step that weft has, side inputs across levels among them."""
    numbers = p | beam.Create(range(20))
    few = numbers | "Few" >> beam.Filter(lambda n: n < 3)
    spread = numbers | beam.Reshuffle() | "Again" >> beam.Map(lambda n: n)
    odd, even = spread | beam.Partition(lambda n, _: n % 2, 2)
    said = (odd, even) | beam.Flatten() | beam.Map(lambda n, few: (n in few, n), beam.pvalue.AsList(few))
    grouped = said | beam.GroupByKey() | "Sorted" >> beam.MapTuple(lambda k, v: (k, sorted(v), sorted(v)))
    whole = numbers | "Whole" >> beam.CombineGlobally(sum)
    none = numbers | "None" >> beam.Filter(lambda n: n > 99)
    first = none | "Smallest" >> beam.combiners.Top.Smallest(2)
    counts = said | beam.combiners.Count.PerKey()
    shares = counts | beam.Map(lambda kv, all_: (kv[0], kv[1] / all_), beam.pvalue.AsSingleton(whole))
    by_key = counts | "ByKey" >> beam.Map(lambda kv, d: (kv[0], d[kv[0]]), beam.pvalue.AsDict(shares))
    defaulted = (
        p
        | "One" >> beam.Create([1])
        | "Default" >> beam.Map(lambda _, x: x, beam.pvalue.AsSingleton(none, default_value="none"))
    )
    joined = (
        {"a": counts, "b": shares} | beam.CoGroupByKey() | "Join" >> beam.MapTuple(lambda k, v: (k, len([*v["a"]])))
    )
    batched = numbers | beam.ParDo(batches()).with_outputs("odd", main="all")
    uneven = (whole, numbers) | "Uneven" >> beam.Flatten() | "Largest" >> beam.CombineGlobally(max)
    return [
        (grouped, [(False, [*range(3, 20)], [*range(3, 20)]), (True, [0, 1, 2], [0, 1, 2])]),
        (whole, [190]), (first, [[]]), (none, []), (by_key, [(False, 17 / 190), (True, 3 / 190)]),
        (defaulted, ["none"]), (joined, [(False, 1), (True, 1)]), (batched.all, [*range(20)]),
        (batched.odd, [*range(1, 20, 2)]), (uneven, [190]),
    ]  # fmt: skip


@pytest.mark.parametrize("runner", RUNNERS)
def test_every_kind_of_step(runner: str) -> None:
    p = beam.Pipeline(runner=RUNNERS[runner](), options=graph.Options([]))
    for number, (collection, expected) in enumerate(everything(p)):
        assert_that(collection, equal_to(expected), label=f"check {number}")
    found = p.run().metrics().query(MetricsFilter().with_namespace("test"))
    assert [one.committed for one in found["counters"]] == [20]
    assert [(one.committed.sum, one.committed.count) for one in found["distributions"]] == [(190, 20)]


@pytest.mark.parametrize("workers", [0, 2])
def test_what_does_not_fit_goes_to_disk_and_none_of_it_stays(
    workers: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    written: list[str] = []
    flush = partitions.Writer.flush
    monkeypatch.setattr(partitions, "MEMORY", 10_000)
    monkeypatch.setattr(partitions.Writer, "flush", lambda writer: (written.append("x"), flush(writer))[1])
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with beam.Pipeline(runner=LocalRunner(workers), options=graph.Options([])) as p:
        rows = p | beam.Create(range(5_000)) | beam.Map(lambda n: (n % 700, f"value {n}"))
        seen = rows | beam.GroupByKey() | beam.MapTuple(lambda k, v: (k, sorted(v)))
        listed = (
            p | "One" >> beam.Create([0]) | "All" >> beam.Map(lambda _, all_: len([*all_]), beam.pvalue.AsIter(rows))
        )
        wanted = [(k, sorted(f"value {n}" for n in range(k, 5_000, 700))) for k in range(700)]
        assert_that(seen, equal_to(wanted))
        assert_that(listed, equal_to([5_000]), label="listed")
    assert (len(written) > 20) == (not workers)  # workers write in processes of their own
    pool.close()
    assert not [*tmp_path.iterdir()]


def test_what_a_step_raises_is_told_with_its_name() -> None:
    for workers in (0, 1):
        with (
            pytest.raises(RuntimeError, match=r"(?s)Traceback.*ZeroDivisionError: .*\[while running 'Halve'\]"),
            beam.Pipeline(runner=LocalRunner(workers), options=graph.Options([])) as p,
        ):
            _ = p | beam.Create([1]) | "Halve" >> beam.Map(lambda n: n / 0)


@pytest.mark.parametrize(
    "step",
    [
        lambda rows: rows | "Elsewhere" >> beam.WindowInto(beam.window.FixedWindows(10)),
        lambda rows: rows | "Elsewhere" >> beam.GroupIntoBatches(2),
        lambda rows: rows.pipeline | "Elsewhere" >> beam.Create([1]).as_read(),
    ],
    ids=["windows", "state", "splitting"],
)
def test_a_step_that_only_other_runners_know_is_refused(step: Any) -> None:
    p = beam.Pipeline(runner=LocalRunner(), options=graph.Options([]))
    _ = step(p | beam.Create([("a", 1)]))
    with pytest.raises(NotImplementedError, match=r"Elsewhere.*: weft's runner knows no windows"):
        p.run()


def test_a_step_that_is_applied_twice_holds_two_states() -> None:
    p = beam.Pipeline(runner=LocalRunner(), options=graph.Options([]))
    step = beam.ParDo(batches())
    for name, rows in (("one", [1, 2]), ("two", [5])):
        given = p | name >> beam.Create(rows) | f"step {name}" >> step
        assert_that(given, equal_to(rows), label=name)
    p.run()


def test_workers_are_kept_from_job_to_job() -> None:
    flags = ("--direct_num_workers=2", "--direct_running_mode=multi_processing")
    kept: list[pool.Pool] = []
    for _ in range(2):
        with beam_options.pipeline(flags, 9) as p:
            assert_that(p | beam.Create([1]) | beam.Map(lambda _: os.getpid() != 0), equal_to([True]))
        kept.append(*pool._pools)
    assert kept[0] is kept[1] and kept[0].alive()
    pool.close()
    assert pool._pools == [] and not kept[0].alive()


def test_workers_and_files_of_a_killed_driver_go(tmp_path: Path) -> None:
    code = """if True:
        import os, signal, time
        import apache_beam as beam
        from weft.pipeline.runners import graph
        from weft.pipeline.runners.local.runner import LocalRunner
        with beam.Pipeline(runner=LocalRunner(1), options=graph.Options([])) as p:
            def kill(n):
                open(os.environ["TOLD"], "w").write(str(os.getpid()))
                os.kill(os.getppid(), signal.SIGKILL)
                time.sleep(600)
            _ = p | beam.Create([1]) | beam.Reshuffle() | beam.Map(kill)
    """
    told = tmp_path / "told"
    environment = {**os.environ, "TOLD": str(told), "TMPDIR": str(tmp_path)}
    assert (
        subprocess.run([sys.executable, "-P", "-c", code], env=environment, check=False).returncode == -signal.SIGKILL
    )
    worker = int(told.read_text())
    deadline = time.monotonic() + 60
    while os.path.exists(f"/proc/{worker}") and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not os.path.exists(f"/proc/{worker}")
    (left,) = tmp_path.glob("weft-shuffle-*")
    (tmp_path / "weft-shuffle-being-made").mkdir()
    (tmp_path / "weft-shuffle-in-use").mkdir()
    held = (tmp_path / "weft-shuffle-in-use/lock").open("wb")
    fcntl.flock(held, fcntl.LOCK_EX)
    again = "import weft.pipeline.runners.local.runner as r\nr._sweep()"
    subprocess.run([sys.executable, "-P", "-c", again], env=environment, check=True)
    assert {one.name for one in tmp_path.glob("weft-shuffle-*")} == {"weft-shuffle-being-made", "weft-shuffle-in-use"}
    assert not left.exists() and not held.closed
