"""What deploy/ holds: images, the Flex Template, and versions that agree with the locks."""

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import fake_cloud

from weft.pipeline import arguments
from weft.pipeline.runners import beam_options

ROOT = Path(__file__).parents[3]
DEPLOY = ROOT / "deploy"
DOCKERFILE = (DEPLOY / "Dockerfile").read_text("utf-8")


def _pins(name: str) -> dict[str, str]:
    lock = (ROOT / "requirements" / name).read_text("utf-8")
    return dict(re.findall(r"^([a-z0-9][\w.-]*)==([^ ;\\]+)", lock, re.MULTILINE))


def test_images_have_the_locked_beam():
    pinned = _pins("lock.txt")["apache-beam"]
    assert re.search(r"^ARG BEAM=(\S+)$", DOCKERFILE, re.MULTILINE)[1] == pinned


def test_a_cpu_worker_has_the_same_versions_and_no_torch():
    everything, worker = _pins("lock.txt"), _pins("worker.txt")
    assert "torch" in everything and not [name for name in worker if "torch" in name or "nvidia" in name]
    both = everything.keys() & worker.keys()
    assert len(both) > 60
    assert {name: everything[name] for name in both} == {name: worker[name] for name in both}
    assert {"google-cloud-storage", "boto3", "fastwarc", "opencv-python-headless"} <= worker.keys()


def test_images_run_as_nobody_in_particular():
    stages = re.split(r"^FROM ", DOCKERFILE, flags=re.MULTILINE)[1:]
    final = {re.search(r" AS (\S+)", stage)[1]: stage for stage in stages}
    for name in ("worker", "worker-gpu", "trainer"):
        assert re.search(r"^USER [1-9]\d*$", final[name], re.MULTILINE), name
        assert "ENTRYPOINT" in final[name]
    assert "FROM worker AS template" in DOCKERFILE
    for copied in re.findall(r"^COPY (?!--from|\. )(\S+)", DOCKERFILE, re.MULTILINE):
        assert (ROOT / copied).exists(), copied


def test_the_image_holds_all_that_is_imported():
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    packages = {"configs", "model_smoketest", "pipeline", "schemas", "transforms", "weft"}
    assert packages | {"requirements", "pyproject.toml", "deploy/dataflow"} <= kept
    assert all((ROOT / name).exists() for name in kept)


def _template():
    spec = importlib.util.spec_from_file_location("template", DEPLOY / "dataflow/template.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_template_takes_what_its_metadata_says():
    metadata = json.loads((DEPLOY / "dataflow/metadata.json").read_text())
    assert {one["name"] for one in metadata["parameters"]} == set(_template().OWN)
    given = [
        "--stage=fetch",
        "--output=gs://b/o",
        "--set=fetch.http=false|fetch.buckets=4",
        "--project=p",
        "--region=r",
    ]
    own, flags = arguments.split(_template().command(given))
    parsed = arguments.parser().parse_args(own)
    assert (parsed.command, parsed.output, parsed.set) == ("fetch", "gs://b/o", ["fetch.http=false", "fetch.buckets=4"])
    beam_options.check(flags)
    assert flags == ["--runner=DataflowRunner", "--no_wait_until_finish", "--project=p", "--region=r"]


def test_the_template_submits(small_web, tmp_path):
    with fake_cloud.serve() as cloud:
        archives = "|".join(str(path) for path in sorted((small_web / "warcs").iterdir()))
        given = {
            "input": archives,
            "output": str(tmp_path / "out"),
            "project": "project",
            "region": "us-central1",
            "temp_location": "gs://bucket/temp",
            "sdk_container_image": "region-docker.example/project/weft:1",
            "sdk_location": "container",
            "dataflow_endpoint": cloud.address,
        }
        done = subprocess.run(
            [
                sys.executable,
                DEPLOY / "dataflow/template.py",
                *(f"--{k}={v}" for k, v in given.items()),
                "--no_auth",
            ],
            cwd=tmp_path,
            env={**os.environ, "STORAGE_EMULATOR_HOST": cloud.address},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr[-2000:]
        assert [job["name"][:13] for job in cloud.jobs] == ["weft-extract-"]
