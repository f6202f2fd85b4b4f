"""Every Beam stage on a real Spark cluster: the same bytes as in-process, also when executors and workers are killed.

Not among the tests that `make test` runs, since it needs Java and Spark's jars: `make spark-test`. One stage: -k score.
"""

import os
import subprocess
from pathlib import Path

import object_stores
import pyarrow.parquet as pq
import pytest
from faults import harness as faults
from runners import cluster as spark

ROOT = Path(__file__).parents[2]
JAR = ROOT / ".spark/server.jar"
LOCAL_SPARK = ("--runner=SparkRunner", f"--spark_job_server_jar={JAR}", "--spark_master_url=local[2]")
STAGED = f"--files_to_stage={JAR}"  # executors have the rest


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A small web and an undisturbed in-process run on it."""
    with faults.world(tmp_path_factory.mktemp("world")) as made:
        yield made


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with spark.cluster(tmp_path_factory.mktemp("cluster")) as made:
        yield made


@pytest.fixture(scope="module")
def store():
    with object_stores.serve("s3") as made:
        yield made


def applications(cluster) -> set[str]:
    return {path.name for path in cluster.work.glob("worker*/app-*")}


def run(world, stage: str, output: Path | str, flags: tuple[str, ...], *more: str) -> None:
    command = world.command(stage, output, (*flags, *more))
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "Traceback" not in done.stderr


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("stage", faults.BEAM_STAGES)
def test_each_stage_on_a_cluster_with_a_pool_of_workers(world, cluster, tmp_path, stage):
    before = applications(cluster)
    faults.before(world.reference, tmp_path / "output", stage)
    run(world, stage, tmp_path / "output", cluster.flags("EXTERNAL"), STAGED)
    assert faults.differences(world.reference, tmp_path / "output", stage) == []
    assert applications(cluster) > before, "it was an application of the cluster"


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("stage", ["extract", "score"])
def test_workers_that_executors_start_with_boot(world, cluster, tmp_path, stage):
    faults.before(world.reference, tmp_path / "output", stage)
    run(world, stage, tmp_path / "output", cluster.flags("PROCESS"), STAGED)
    assert faults.differences(world.reference, tmp_path / "output", stage) == []


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("stage", faults.BEAM_STAGES)
def test_each_stage_that_writes_to_an_object_store(world, cluster, store, tmp_path, stage):
    """Workers on executors know the store by the flags that came with the job."""
    output, there = tmp_path / stage, f"{store.path}/{stage}"
    faults.before(world.reference, output, stage)
    object_stores.upload(output, there)
    run(world, stage, there, (*cluster.flags("PROCESS"), *store.flags), STAGED)
    object_stores.download(there, output)
    assert faults.differences(world.reference, output, stage) == []


@pytest.mark.timeout(1800)
def test_the_job_server_that_weft_starts_itself(world, tmp_path):
    run(world, "extract", tmp_path / "output", LOCAL_SPARK)
    assert faults.differences(world.reference, tmp_path / "output", "extract") == []


@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("stage", "whole"), [("extract", "page"), ("pack", "document")])
def test_a_filter_of_ones_own_drops_there_what_it_drops_here(world, tmp_path, monkeypatch, stage, whole):
    (tmp_path / "odd_rules.py").write_text(
        "import zlib\n\n\ndef judge(row):\n"
        "    said = getattr(row, 'text', None) or ''.join(text for text in row.texts if text)\n"
        "    return 'odd' if zlib.crc32(said.encode()) % 2 else None\n"
    )
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}")
    own = [f'{stage}.{key}=["odd_rules:judge"]' for key in ("filters", "pair_filters")]
    sets = [part for one in own for part in ("--set", one)]
    for name, flags in (("here", ("--direct_num_workers=1",)), ("there", LOCAL_SPARK)):
        faults.before(world.reference, tmp_path / name, stage)
        done = subprocess.run(
            world.command(stage, tmp_path / name, flags, *sets), cwd=ROOT, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr[-3000:]
    assert faults.differences(tmp_path / "here", tmp_path / "there", stage) == []
    fates = pq.read_table(tmp_path / f"there/fates/{stage}", columns=["kind", "reason"]).to_pylist()
    dropped = {(one["kind"], one["reason"]) for one in fates}
    assert {(whole, "filter_odd"), ("pair", "filter_odd")} <= dropped


@pytest.mark.timeout(1800)
def test_a_jar_for_spark_submit(world, cluster, tmp_path):
    output, jar = tmp_path / "output", tmp_path / "extract.jar"
    starter = cluster.flags("PROCESS")[-1]
    flags = ("--runner=SparkRunner", f"--spark_job_server_jar={JAR}", "--spark_master_url=local[1]")
    run(world, "extract", output, flags, "--environment_type=PROCESS", starter, f"--output_executable_path={jar}")
    assert not (output / "documents").exists()
    cluster.submit(jar)
    assert len(list((output / "documents").iterdir())) == 5
    # The same command without a runner sees that all is done, and closes the books.
    run(world, "extract", output, ("--direct_num_workers=1",))
    assert faults.differences(world.reference, output, "extract") == []


KILLS = (  # what is killed, in which stage
    ("executor", "extract"),
    ("driver", "extract"),
    ("worker", "score"),
    ("driver", "fetch"),
    ("executor", "pack"),
)


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seed", range(len(KILLS)))
def test_kills_are_survived(world, cluster, tmp_path, seed):
    """At a random moment; Python workers as executors start them: of one in a pool that dies early nobody is told."""
    victim, stage = KILLS[seed]
    found = {"executor": cluster.executors, "worker": cluster.python_workers}.get(victim)
    flags = (*cluster.flags("PROCESS"), STAGED)
    fault = "driver" if victim == "driver" else "worker"
    one = faults.play(seed, world, tmp_path / "work", [fault], [stage], flags, found and (lambda driver: found()))
    print(victim, one.line())
    assert one.survived, one.line()


def test_what_was_started_is_stopped(tmp_path_factory):
    with spark.cluster(tmp_path_factory.mktemp("short"), workers=1) as made:
        started = [
            pid for process in made.processes.values() for pid in (process.pid, *spark._descendants(process.pid))
        ]
        assert all(spark._command(pid) for pid in started)
    assert [pid for pid in started if spark._command(pid)] == []
