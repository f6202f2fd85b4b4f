"""What runs on this machine gives what Beam's own runner gives, in one process and in several, in memory and on disk."""

import glob
import os
import signal
import subprocess
import sys
import tempfile
import threading
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


def in_memory(found: list[partitions.Kept]) -> int:
    return sum(sum(map(len, part.rows)) for kept in found for parts in kept.values() for part in parts)


@pytest.mark.parametrize("workers", [0, 2])
def test_what_does_not_fit_goes_to_disk_and_none_of_it_stays(
    workers: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    written: list[str] = []
    flush = partitions.Writer.flush
    held: list[int] = []
    monkeypatch.setattr(partitions, "MEMORY", 10_000)
    monkeypatch.setattr(partitions, "SENT", 10_000)
    monkeypatch.setattr(partitions.Writer, "flush", lambda writer: (written.append("x"), flush(writer))[1])
    monkeypatch.setattr(
        "weft.pipeline.runners.local.runner.together",
        lambda found: (held.append(in_memory(found)), partitions.together(found))[1],
    )
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
    assert bool(held) == bool(workers) and max(held, default=0) <= 10_000, "what the driver of workers holds"
    pool.close()
    assert not [*tmp_path.iterdir()]


def test_what_a_step_raises_is_told_with_its_name() -> None:
    for workers in (0, 1):
        with (
            pytest.raises(RuntimeError, match=r"(?s)Traceback.*ZeroDivisionError: .*\[while running 'Halve'\]"),
            beam.Pipeline(runner=LocalRunner(workers), options=graph.Options([])) as p,
        ):
            _ = p | beam.Create([1]) | "Halve" >> beam.Map(lambda n: n / 0)


def failing(fails: str) -> beam.CombineFn:
    class Fails(beam.CombineFn):
        def setup(self) -> None:
            self._reach("setup")

        def create_accumulator(self) -> int:
            return self._reach("create")

        def add_input(self, total: int, n: int) -> int:
            return self._reach("add")

        def merge_accumulators(self, totals: Any) -> int:
            return self._reach("merge")

        def compact(self, total: int) -> int:
            return self._reach("compact")

        def extract_output(self, total: int) -> int:
            return self._reach("extract")

        def teardown(self) -> None:
            self._reach("teardown")

        def _reach(self, where: str) -> int:
            if where == fails:
                raise KeyError("inside")
            return 0

    return Fails()


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize("where", ["setup", "create", "add", "merge", "compact", "extract"])
def test_what_a_combiner_raises_is_told_with_its_step(where: str, workers: int) -> None:
    p = beam.Pipeline(runner=LocalRunner(workers), options=graph.Options([]))
    _ = p | beam.Create([("a", 1)]) | "Earlier" >> beam.Map(lambda n: n) | "Sum" >> beam.CombinePerKey(failing(where))
    with pytest.raises(RuntimeError, match=r"(?s)Traceback.*KeyError: 'inside'\s+\[while running 'Sum'\]\s*$"):
        p.run()


def test_what_fails_when_the_work_is_done_does_not_undo_it() -> None:
    p = beam.Pipeline(runner=LocalRunner(), options=graph.Options([]))
    assert_that(p | beam.Create([("a", 1)]) | "Sum" >> beam.CombinePerKey(failing("teardown")), equal_to([("a", 0)]))
    p.run()


@pytest.mark.parametrize(
    "step",
    [
        lambda rows: rows | "Elsewhere" >> beam.WindowInto(beam.window.FixedWindows(10)),
        lambda rows: rows | "Elsewhere" >> beam.GroupIntoBatches(2),
        lambda rows: rows.pipeline | "Elsewhere" >> beam.Create([1]).as_read(),
        lambda rows: rows | "Elsewhere" >> beam.Map(lambda n, at=beam.DoFn.TimestampParam: at),
        lambda rows: rows | "Elsewhere" >> beam.Map(lambda n, end=beam.DoFn.BundleFinalizerParam: end),
    ],
    ids=["windows", "state", "splitting", "times", "finalizers"],
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


def holds(held: list[int]) -> beam.DoFn:
    class Holds(beam.DoFn):
        """Gives at a bundle's end what it had, from a list that its maker made."""

        def __init__(self) -> None:
            self.held = held

        def process(self, n: int) -> None:
            self.held.append(n)

        def finish_bundle(self) -> Any:
            yield beam.transforms.window.GlobalWindows.windowed_value(sorted(self.held))

    return Holds()


@pytest.mark.parametrize("runner", RUNNERS)
def test_no_two_steps_hold_one_object(runner: str) -> None:
    p = beam.Pipeline(runner=RUNNERS[runner](), options=graph.Options([]))
    held: list[int] = []
    both = beam.ParDo(holds(held))
    for name, rows, step in (("a", [1], both), ("b", [20], both), ("c", [300], beam.ParDo(holds(held)))):
        assert_that(p | name >> beam.Create(rows) | f"step {name}" >> step, equal_to([rows]), label=f"check {name}")
    p.run()


@pytest.mark.parametrize("runner", RUNNERS)
def test_values_of_a_key_are_a_sequence(runner: str) -> None:
    p = beam.Pipeline(runner=RUNNERS[runner](), options=graph.Options([]))
    grouped = p | beam.Create([("k", 3), ("k", 3)]) | beam.GroupByKey()
    assert_that(grouped | beam.MapTuple(lambda k, v: (k, len(v), v[0], v[-1])), equal_to([("k", 2, 3, 3)]))
    p.run()


@pytest.mark.parametrize("runner", RUNNERS)
def test_a_counter_and_a_distribution_may_have_one_name(runner: str) -> None:
    def count(n: int) -> int:
        Metrics.counter("test", "same").inc()
        return n

    def spread(n: int) -> None:
        Metrics.distribution("test", "same").update(n)

    p = beam.Pipeline(runner=RUNNERS[runner](), options=graph.Options([]))
    _ = p | beam.Create([1, 2]) | beam.Map(count) | beam.Reshuffle() | "Spread" >> beam.Map(spread)
    found = p.run().metrics().query(MetricsFilter().with_namespace("test"))
    assert [one.committed for one in found["counters"]] == [2]
    assert [one.committed.sum for one in found["distributions"]] == [3]


class Twice(beam.Reshuffle):
    def expand(self, rows: Any) -> Any:
        return rows | beam.Map(lambda n: 2 * n)


@pytest.mark.parametrize("runner", RUNNERS)
def test_what_is_made_of_a_known_step_is_what_it_makes_of_itself(runner: str) -> None:
    p = beam.Pipeline(runner=RUNNERS[runner](), options=graph.Options([]))
    assert_that(p | beam.Create([1]) | Twice(), equal_to([2]))
    p.run()


def test_jobs_of_several_threads_do_not_share_workers() -> None:
    found: list[Any] = []

    def job(n: int) -> None:
        p = beam.Pipeline(runner=LocalRunner(1), options=graph.Options([]))
        seen = p | beam.Create(range(n)) | beam.Reshuffle() | beam.CombineGlobally(sum)
        assert_that(seen, equal_to([sum(range(n))]))
        found.append(p.run().state)

    threads = [threading.Thread(target=job, args=(n,)) for n in (10, 20, 30)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert found == ["DONE"] * 3


def test_a_fork_of_the_driver_leaves_it_its_workers(tmp_path: Path) -> None:
    code = """if True:
        import os, sys
        from weft.pipeline.runners.local import pool
        with pool.lent(1, {}) as workers: pass
        if os.fork() == 0:
            sys.exit(0)
        assert os.wait()[1] == 0 and workers.alive() and os.path.isdir(workers._home)
    """
    subprocess.run([sys.executable, "-P", "-c", code], env={**os.environ, "TMPDIR": str(tmp_path)}, check=True)
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize("level", ["", "debug"])
def test_a_worker_finds_what_the_driver_finds_and_prints_for_those_who_ask(level: str, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "def double(n):\n    print('from a worker')\n    import os; os.write(2, b'from a worker')\n    return 2 * n\n"
    )
    (tmp_path / "job.py").write_text("""if True:
        import apache_beam as beam
        import mine
        from weft.pipeline.runners import graph
        from weft.pipeline.runners.local.runner import LocalRunner
        with beam.Pipeline(runner=LocalRunner(1), options=graph.Options([])) as p:
            _ = p | beam.Create([1]) | beam.Reshuffle() | beam.Map(mine.double)
    """)
    done = subprocess.run(
        [sys.executable, "job.py"], cwd=tmp_path, env={**os.environ, "WEFT_LOG": level}, check=True, capture_output=True
    )
    assert [b"from a worker" in said for said in (done.stdout, done.stderr)] == [bool(level)] * 2


def test_what_no_later_step_reads_is_let_go_of(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Of twelve collections, each seen from the side by the one after it, no more than two are there at a time."""
    monkeypatch.setattr(partitions, "MEMORY", 20_000)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    held, said = str(tmp_path / "weft-shuffle-*/*"), str(tmp_path / "said")

    def grow(n: int, seen: Any) -> list[str]:
        with open(said, "a") as to:
            to.write(f"{sum(map(os.path.getsize, glob.glob(held)))} {len([*seen])}\n")
        return ["x" * 1000] * 50

    with beam.Pipeline(runner=LocalRunner(), options=graph.Options([])) as p:
        one = p | beam.Create([0])
        rows = one | "None" >> beam.FlatMap(lambda n: [])
        for number in range(12):
            rows = one | f"Rows {number}" >> beam.FlatMap(grow, beam.pvalue.AsIter(rows))
    sizes, seen = zip(*(map(int, line.split()) for line in Path(said).read_text().splitlines()), strict=True)
    assert seen == (0, *[50] * 11) and 30_000 < max(sizes) < 100_000


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
    deadline = time.monotonic() + 300
    while os.path.exists(f"/proc/{worker}") and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not os.path.exists(f"/proc/{worker}")
    assert {one.name[:13] for one in tmp_path.glob("weft-*")} == {"weft-shuffle-", "weft-workers-"}
    again = "import weft.pipeline.runners.local.scratch as s\ns.sweep(s.SHUFFLE), s.sweep(s.WORKERS)"
    subprocess.run([sys.executable, "-P", "-c", again], env=environment, check=True)
    assert not list(tmp_path.glob("weft-*"))
