"""Jobs as Dataflow gets them: submitted by Beam's own code over HTTP, to a server on loopback that keeps what is sent."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
import time
import traceback
import types
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import fake_cloud
import pytest
from apache_beam.portability.api import beam_runner_api_pb2 as proto
from apache_beam.runners.dataflow import dataflow_runner

from weft.pipeline import cli
from weft.pipeline.demo import run as demo_run
from weft.pipeline.run import integrity, manifest, registry

ROOT = Path(__file__).parents[3]
BEAM_STAGES = ("extract", "dedup", "fetch", "score", "pack")
JOBS = {"dedup": 3, "score": 2}  # the others are one; dedup's later ones want what its third would have written
OWN_PROCESS = "dedup"  # submitted as from a shell, where the command's own module is __main__
IMAGE = "region-docker.example/project/weft:1"
LIMIT = 10_000_000  # bytes of a job that Dataflow takes
ARCHIVES = 5_000
OFTEN = 0.05  # seconds between two questions whether a job is done, where Beam takes five
COMMAND = (
    f"import runpy, time; wait = time.sleep; time.sleep = lambda seconds: wait(min(seconds, {OFTEN})); "
    "runpy.run_module('weft.pipeline.cli', run_name='__main__', alter_sys=True)"
)


@pytest.fixture
def cloud() -> Iterator[fake_cloud.Cloud]:
    with fake_cloud.serve() as made:
        yield made


def command(stage: str, output: Path, inputs: str = "", sets: tuple[str, ...] = ()) -> list[str]:
    """What follows `weft`."""
    told = [stage, "--output", str(output), "--quiet", *(["--input", inputs] if inputs else [])]
    return told + [part for value in (*demo_run.SMALL, *sets) for part in ("--set", value)]


def here(arguments: list[str]) -> subprocess.CompletedProcess[str]:
    """The command in this process."""
    told = io.StringIO()
    with contextlib.redirect_stderr(told):
        try:
            status = cli.main(arguments)
        except Exception:  # what reads the tables that this cloud never wrote
            traceback.print_exc()
            status = 1
    return subprocess.CompletedProcess(arguments, status, stderr=told.getvalue())


def submit(
    cloud: fake_cloud.Cloud, output: Path, stage: str, *more: str, inputs: str = "", sets: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[str]:
    """`weft STAGE -- --runner=DataflowRunner …`, as a user calls it; only the addresses of Google's services differ."""
    flags = (
        "--runner=DataflowRunner",
        "--project=project",
        "--region=us-central1",
        "--temp_location=gs://bucket/temp",
        "--staging_location=gs://bucket/staging",
        f"--sdk_container_image={IMAGE}",
        "--sdk_location=container",
        f"--dataflow_endpoint={cloud.address}",
        "--no_auth",
    )
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("STORAGE_EMULATOR_HOST", cloud.address)
        brisk = types.SimpleNamespace(sleep=lambda seconds: time.sleep(min(seconds, OFTEN)), time=time.time)
        environment.setattr(dataflow_runner, "time", brisk)
        arguments = [*command(stage, output, inputs, sets), "--", *flags, *more]
        if stage != OWN_PROCESS:
            return here(arguments)
        own = [sys.executable, "-c", COMMAND, *arguments]
        return subprocess.run(own, cwd=ROOT, capture_output=True, text=True)


def staged(cloud: fake_cloud.Cloud) -> list[tuple[dict[str, Any], proto.Pipeline]]:
    """The jobs that were submitted, and their graphs."""
    graphs = [proto.Pipeline.FromString(body) for name, body in cloud.objects.items() if name.endswith("pipeline.pb")]
    return list(zip(cloud.jobs, graphs, strict=True))


@pytest.fixture
def before(finished: Path, tmp_path: Path) -> Callable[[str], Path]:
    """A function that copies what a stage needs from a finished run."""

    def copy(stage: str) -> Path:
        shutil.copytree(finished, tmp_path / "out", dirs_exist_ok=True)
        for name in (stage, *registry.BY_NAME[stage].outputs, f"fates/{stage}"):
            shutil.rmtree(tmp_path / "out" / name, ignore_errors=True)
        return tmp_path / "out"

    return copy


def environments(graph: proto.Pipeline) -> Mapping[str, proto.Environment]:
    return graph.components.environments


def used(graph: proto.Pipeline) -> set[str]:
    """Names of the environments that steps run in."""
    return {step.environment_id for step in graph.components.transforms.values() if step.environment_id}


def accelerated(graph: proto.Pipeline) -> dict[str, dict[str, bytes]]:
    """Step → resource hints, of the steps that ask for an accelerator."""
    found = {}
    for step in graph.components.transforms.values():
        given = environments(graph)[step.environment_id].resource_hints if step.environment_id else {}
        hints = {urn.split(":")[-2]: value for urn, value in given.items()}
        if "accelerator" in hints:
            found[step.unique_name] = hints
    return found


@pytest.mark.parametrize("stage", BEAM_STAGES)
def test_every_stage_is_submitted(
    stage: str, cloud: fake_cloud.Cloud, before: Callable[[str], Path], small_web: Path, served_web: int, finished: Path
) -> None:
    sets = (
        f'fetch.connect_to=["weft.test=127.0.0.1:{served_web}"]',
        f"pack.tokenizer={finished}/shards/tokenizer.json",  # else pack's first job draws texts to train one
    )
    done = submit(cloud, before(stage), stage, inputs=str(small_web / "warcs"), sets=sets)
    assert done.returncode > 0, "the job is said to be done, and has written nothing"
    sent = staged(cloud)
    assert len(sent) == JOBS.get(stage, 1)
    assert not any("pickled_main_session" in name for name in cloud.objects)
    for job, graph in sent:
        assert job["name"].startswith(f"weft-{stage}-")
        assert not job["environment"]["sdkPipelineOptions"]["options"].get("save_main_session")
        pickled = graph.SerializeToString()
        assert b"__main__" not in pickled and b"weft.pipeline.cli" not in pickled, "nothing of the command's own module"
        pool = job["environment"]["workerPools"][0]
        images = [one["containerImage"] for one in pool["sdkHarnessContainerImages"]]
        images += [
            proto.DockerPayload.FromString(environments(graph)[name].payload).container_image for name in used(graph)
        ]
        assert set(images) == {IMAGE}
        if stage != "score":
            assert len(used(graph)) == 1 and not accelerated(graph)


def test_clip_alone_gets_accelerators(
    cloud: fake_cloud.Cloud, before: Callable[[str], Path], small_web: Path, served_web: int
) -> None:
    connect = f'fetch.connect_to=["weft.test=127.0.0.1:{served_web}"]'
    submit(cloud, before("score"), "score", inputs=str(small_web / "warcs"), sets=(connect, 'score.compare="always"'))
    (_, graph), (_, comparing) = staged(cloud)
    assert not accelerated(comparing), "similarities take no GPU"
    found = accelerated(graph)
    assert all(name.startswith(("Embed/EmbedImages", "Embed/EmbedTexts")) for name in found)
    inference = {one.unique_name for one in graph.components.transforms.values() if "RunInference" in one.unique_name}
    assert {name for name in inference if name.endswith("BeamML_RunInference")} <= found.keys()
    assert {tuple(sorted(given.items())) for given in found.values()} == {
        (("accelerator", b"type:nvidia-l4;count:1;install-nvidia-driver"), ("min_ram_bytes", b"16000000000"))
    }
    assert len(used(graph)) == 2


def test_no_number_of_archives_is_too_many_for_a_job(cloud: fake_cloud.Cloud, tmp_path: Path) -> None:
    listed = tmp_path / "warc.paths"
    segment = (
        "gs://mirror/crawl-data/CC-MAIN-2024-10/segments/1707947473347.0/warc/CC-MAIN-20240220211055-{:05}.warc.gz"
    )
    listed.write_text("".join(segment.format(number) + "\n" for number in range(ARCHIVES)))
    done = submit(cloud, tmp_path / "out", "extract", inputs=str(listed))
    assert done.returncode == 2, done.stderr[-2000:]
    ((job, graph),) = staged(cloud)
    assert len(json.dumps(job)) < LIMIT / 100 < len(listed.read_bytes())
    assert len(graph.SerializeToString()) < LIMIT / 100
    assert len(json.loads((tmp_path / "out/extract/inputs.json").read_text())) == ARCHIVES


def test_no_number_of_parts_of_a_table_is_too_many_for_a_job(
    cloud: fake_cloud.Cloud, before: Callable[[str], Path], small_web: Path, served_web: int, tmp_path: Path
) -> None:
    output = before("score")
    for number in range(100):  # not one of their names is there
        os.link(next((output / "documents").iterdir()), output / "documents" / f"{'x' * 150}-{number}.parquet")
    sealed = integrity.seal(str(output), registry.BY_NAME["extract"], str(tmp_path / "slips"))
    manifest.write(str(output), "extract", {**manifest.read(str(output), "extract"), "files": sealed})
    connect = f'fetch.connect_to=["weft.test=127.0.0.1:{served_web}"]'
    submit(cloud, output, "score", inputs=str(small_web / "warcs"), sets=(connect,))
    graphs = [graph.SerializeToString() for _, graph in staged(cloud)]
    assert len(graphs) == 2 and not any(b"xxxxxxxx" in graph for graph in graphs)


def test_a_job_that_nobody_waits_for_closes_its_books_later(
    cloud: fake_cloud.Cloud, small_web: Path, tmp_path: Path, finished: Path, sums: Callable[[Path], dict[str, str]]
) -> None:
    out, archives = tmp_path / "out", str(small_web / "warcs")
    done = submit(cloud, out, "extract", "--no_wait_until_finish", inputs=archives)
    assert done.returncode == 0, done.stderr[-2000:]
    assert len(cloud.jobs) == 1 and not (out / "extract/manifest.json").exists()
    assert here([*command("extract", out, archives), "--", "--direct_num_workers=1"]).returncode == 0
    assert sums(out / "documents") == sums(finished / "documents")


def test_a_stage_of_several_jobs_cannot_be_handed_over(
    cloud: fake_cloud.Cloud, before: Callable[[str], Path], small_web: Path
) -> None:
    done = submit(cloud, before("dedup"), "dedup", "--no_wait_until_finish", inputs=str(small_web / "warcs"))
    assert done.returncode == 2
    assert done.stderr.strip() == (
        "weft: dedup looks at what one job found before the next: --no_wait_until_finish does not suit it"
    )


def test_a_template_is_the_job_on_its_way(cloud: fake_cloud.Cloud, small_web: Path, tmp_path: Path) -> None:
    template = "--template_location=gs://bucket/templates/extract"
    done = submit(cloud, tmp_path / "out", "extract", template, inputs=str(small_web / "warcs"))
    assert done.returncode == 0, done.stderr[-2000:]
    assert cloud.jobs == []
    job = json.loads(cloud.objects["templates/extract"])
    assert job["environment"]["workerPools"][0]["workerHarnessContainerImage"] == IMAGE
