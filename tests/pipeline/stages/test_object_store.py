"""A whole run on each object store, by two workers and in another order: the bytes of a local one by one worker."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dedup_stage
import object_stores
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from weft.model_smoketest.dataset import ShardDataset
from weft.model_smoketest.train import train
from weft.pipeline import cli
from weft.pipeline.report import report
from weft.pipeline.run import integrity, lock, manifest, removal, subset
from weft.schemas import config as configuration
from weft.schemas.config import Train
from weft.schemas.records import Document, Pair
from weft.transforms.io import files, object_files, parquet

TOLD = ("manifest.json", "run.json", "started.json", "files.jsonl")  # when, or in what order of input
TIME = "fetched_at"
SMALL = {"steps": 2, "checkpoint_every": 1, "layers": 1, "width": 32, "heads": 2, "ffn": 64}
ONE = "--direct_num_workers=1"
TWO = ("--direct_num_workers=2", "--direct_running_mode=multi_processing")
STAGES = ("extract", "dedup", "fetch", "score", "pack")


@pytest.fixture(scope="module")
def copied(bucket: object_stores.Bucket, finished: Path) -> str:
    """`finished` on the store: what is read of a run there need not have been made there."""
    object_stores.upload(finished, f"{bucket.path}/copied")
    return f"{bucket.path}/copied"


def compared(here: Path, remote: str) -> list[str]:
    """Names of files whose bytes differ, or that one of the two lacks; of files that say no time and no order."""
    there = {path.removeprefix(f"{remote}/"): path for path, _ in files.listing(f"{remote}/**")}
    local = {str(path.relative_to(here)): path for path in here.rglob("*") if path.is_file()}
    same = [name for name in there.keys() & local.keys() if "units/" not in name and Path(name).name not in TOLD]
    timed = [name for name in same if name.startswith("images/index/")]
    assert not timed or any(pq.read_table(local[name]).num_rows for name in timed)
    rest = sorted(set(same) - set(timed))
    return [
        *(there.keys() ^ local.keys()),
        *(name for name in rest if files.read_bytes(there[name]) != local[name].read_bytes()),
        *(name for name in timed if _untimed(files.read_bytes(there[name])) != _untimed(local[name].read_bytes())),
    ]


def _untimed(data: bytes) -> pa.Table:
    return pq.read_table(pa.BufferReader(data)).drop_columns([TIME])


def test_neither_place_nor_workers_nor_order_change_a_byte(
    bucket: object_stores.Bucket, finished: Path, run_on_web: Callable[..., str]
) -> None:
    """A run like `finished`, with its input in another order.

    The first stage has two worker processes, which know the store by what they are told. That workers change no byte of
    the others is shown where those are.
    """
    output = f"{bucket.path}/out"
    run_on_web(output, names=STAGES[:1], flags=(*bucket.flags, *TWO), reverse=True)
    run_on_web(output, names=STAGES[1:], flags=(*bucket.flags, ONE), reverse=True)
    assert compared(finished, output) == []
    assert len([path for path in finished.rglob("*.tar")]) == 9  # three corpora, two train shards and a val


def test_a_model_that_is_trained_there_is_the_same(
    copied: str, finished: Path, run_on_web: Callable[..., str], bucket: object_stores.Bucket, tmp_path: Path
) -> None:
    overrides = [f"train.{key}={value}" for key, value in SMALL.items()]
    run_on_web(copied, *overrides, names=("train",), flags=(*bucket.flags, ONE))
    train(str(finished / "shards"), str(tmp_path / "model"), Train(**SMALL), lambda line: None)
    for name in ("model.safetensors", "config.json"):
        assert files.read_bytes(f"{copied}/model/{name}") == (tmp_path / "model" / name).read_bytes()
    lines = files.read_bytes(f"{copied}/model/train_log.jsonl").decode().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [2]
    for name in ("model", "train"):
        files.remove_tree(f"{copied}/{name}")


def test_the_report_there_is_that_of_a_copy(copied: str, finished: Path, shared: Callable[..., Path]) -> None:
    known = manifest.read_run(str(finished))  # that of the copy is another's by now, where a model was trained there
    assert known is not None
    config = configuration.from_dict(known["config"])

    def here(folder: Path) -> None:
        shutil.copytree(finished, folder, dirs_exist_ok=True)
        report.write(str(folder), config)

    local = shared("reported", here) / "report"
    assert report.write(copied, config) == f"{copied}/report/index.html"
    for name in ("index.html", "images.html", "metrics.json"):
        assert files.read_bytes(f"{copied}/report/{name}") == (local / name).read_bytes()
    files.remove_tree(f"{copied}/report")


def test_a_trainer_reads_the_shards_there(copied: str, finished: Path) -> None:
    for corpus in ("interleaved", "pairs", "text"):
        there, here = (ShardDataset(f"{base}/shards", corpus) for base in (copied, finished))
        assert len(there) == len(here) > 0
        one, other = next(iter(there)), next(iter(here))
        assert one["key"] == other["key"] and one["images"] == other["images"]
        assert one["input_ids"].tolist() == other["input_ids"].tolist()


def test_an_index_of_earlier_runs_there_is_the_same(bucket: object_stores.Bucket, tmp_path: Path) -> None:
    """A run that adds itself to the index of another, here and on the store."""
    here, there = str(tmp_path / "index"), f"{bucket.path}/index"
    documents = [dedup_stage.document(f"d{n}", dedup_stage.text(f"t{n // 2}")) for n in range(6)]
    dedup_stage.run(tmp_path / "0", documents[::2], inputs=("0.warc",), index=here, near=False)
    object_stores.upload(tmp_path / "index", there)
    for number, index in enumerate((here, there), 1):
        rows = dedup_stage.run(tmp_path / f"{number}", documents[1::2], inputs=("1.warc",), index=index, near=False)
        assert rows["kept"] == [], "all are in the earlier run"
    assert len(files.listing(f"{bucket.path}/index/**")) > 4
    assert compared(tmp_path / "index", f"{bucket.path}/index") == []


def test_input_there_is_read_as_here(
    bucket: object_stores.Bucket, small_web: Path, finished: Path, run_on_web: Callable[..., str]
) -> None:
    """All but the path, which is in the rows and in the names of their files."""
    archive = sorted((small_web / "warcs").iterdir())[0]
    files.write_atomic(f"{bucket.path}/in/{archive.name}", archive.read_bytes())
    output = f"{bucket.path}/from-there"
    run_on_web(output, names=("extract",), inputs=[f"{bucket.path}/in/*"], flags=(*bucket.flags, ONE))
    tables: list[tuple[str, Any, dict[str, str]]] = [("documents", Document, {"warc_file": ""}), ("pairs", Pair, {})]
    for table, record, place in tables:
        (there, _), *more = files.listing(f"{output}/{table}/*.parquet")
        here = next((finished / table).glob(f"{files.stem(archive.name)}-*.parquet"))
        found, wanted = ([row._replace(**place) for row in parquet.read(str(path), record)] for path in (there, here))
        assert not more and len(found) > 0
        assert found == wanted


@pytest.mark.timeout(1800)
def test_a_removal_and_a_subset_there_leave_what_a_run_here_makes_that_never_had_it(
    bucket: object_stores.Bucket, small_web: Path, shared: Callable[..., Path], run_on_web: Callable[..., Any]
) -> None:
    """Of one archive: a page, the images that are its alone, and its pairs go; the list lies on the store as well."""
    inputs = [str(sorted((small_web / "warcs").iterdir())[0])]
    whole = shared("one-archive", lambda folder: run_on_web(folder, inputs=inputs))
    url = next(row.url for path, _ in files.listing(f"{whole}/documents/*") for row in parquet.read(path, Document))
    listed = f"{bucket.path}/asked/list.txt"
    files.write_atomic(listed, f"{url}  # asked to be taken out\n")
    never = shared("one-archive-less", lambda folder: run_on_web(folder, f'exclude=["{listed}"]', inputs=inputs))
    there, some = f"{bucket.path}/whole", f"{bucket.path}/some"
    object_stores.upload(whole, there)
    flags, quiet = (*bucket.flags, ONE), {"quiet": True, "say": lambda line: None}
    subset.subset(there, some, f"url != '{url}'", flags, **quiet)
    done = removal.remove(there, [listed], flags, **quiet)
    for output in (some, there):
        for name in ("shards", "documents", "pairs", "kept", "clusters", "scores", "baseline"):
            assert files.has_files(f"{output}/{name}") and compared(never / name, f"{output}/{name}") == [], name
        assert list(integrity.everything(output)) == []
    assert len(done.rewritten) > 0 and not files.listing(f"{there}/removing/**")
    assert removal.remove(there, [listed], flags, **quiet).rewritten == ()


def test_two_drivers_at_once_are_one_too_many_and_a_killed_one_is_no_obstacle(
    bucket: object_stores.Bucket,
    small_web: Path,
    finished: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    archive = sorted((small_web / "warcs").iterdir())[0]
    output, go = f"{bucket.path}/killed", tmp_path / "go"
    waits = f"import os, time\ndef judge(page):\n    while not os.path.exists({str(go)!r}): time.sleep(0.05)\n"
    (tmp_path / "held.py").write_text(waits)  # else the first would be done before the second has started
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), os.pathsep)
    extract = ["extract", "--input", str(archive), "--output", output, "--set", 'extract.filters=["held:judge"]']
    extract += ["--quiet", "--", *bucket.flags, ONE]
    with subprocess.Popen([sys.executable, "-m", "weft", *extract]) as first:
        while not files.exists(f"{output}/extract/started.json"):
            assert first.poll() is None
            time.sleep(0.05)
        second = cli.main(extract)
        first.send_signal(signal.SIGKILL)
    assert second == cli.USER_ERROR and f"another weft is writing to {output}" in capsys.readouterr().err
    assert files.exists(f"{output}/{lock.NAME}") and not files.exists(f"{output}/extract/manifest.json")
    go.touch()
    assert cli.main(extract) == 0 and not capsys.readouterr().err and not files.exists(f"{output}/{lock.NAME}")
    made = files.listing(f"{output}/documents/*.parquet")
    assert made
    for path, _ in made:
        assert files.read_bytes(path) == (finished / "documents" / path.rpartition("/")[2]).read_bytes()


def test_what_a_killed_upload_left_is_swept_away(bucket: object_stores.Bucket) -> None:
    if not bucket.path.startswith("s3:"):
        pytest.skip("only S3 keeps it and asks money for it")
    client = object_files.store(bucket.path)._client  # type: ignore[attr-defined]
    for key in ("swept/extract/a", "kept/b"):
        upload = client.create_multipart_upload(Bucket="weft", Key=key)["UploadId"]
        client.upload_part(Bucket="weft", Key=key, UploadId=upload, PartNumber=1, Body=b"x" * 10)
    object_files.sweep(f"{bucket.path}/swept/")
    assert [left["Key"] for left in client.list_multipart_uploads(Bucket="weft")["Uploads"]] == ["kept/b"]
