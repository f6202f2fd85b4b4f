"""Nothing finished is lost: what cannot be is said before anything starts, and what would be discarded needs --redo."""

import contextlib
import io
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from faults import power

import weft.schemas.config as configuration
from weft.pipeline import cli
from weft.pipeline.demo import run as demo_run
from weft.pipeline.run import inputs, integrity, manifest, registry, run
from weft.pipeline.run.context import Context
from weft.pipeline.runners.local import pool
from weft.pipeline.stages.dedup import stage as dedup
from weft.schemas.config import Config
from weft.schemas.parameters import ConfigError

ALONE = ("--", "--direct_num_workers=1")


@pytest.fixture
def copy(finished: Path, tmp_path: Path) -> Path:
    """A finished run of one's own, in hard links: nothing is written in place."""
    made = Path(shutil.copytree(finished, tmp_path / "run", copy_function=os.link))
    (made / ".lock").unlink(missing_ok=True)  # one of its own: it is held
    (made / ".lock").touch()
    return made


@pytest.fixture
def weft(served_web: int) -> Callable[..., tuple[int, str]]:
    def call(*arguments: object, sets: tuple[str, ...] = ()) -> tuple[int, str]:
        told = io.StringIO()
        connect = f'fetch.connect_to=["weft.test=127.0.0.1:{served_web}"]'
        given = [part for value in (connect, *sets) for part in ("--set", value)]
        with contextlib.redirect_stderr(told):
            status = cli.main([*map(str, arguments), *given, *(ALONE if arguments[0] != "train" else ())])
        return status, told.getvalue()

    return call


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("fetch.max_side=-4", "fetch.max_side = -4 is out of its range: 1 or more"),
        ("dedup.threshold=3", "dedup.threshold = 3 is out of its range: from 0 to 1"),
        ("pack.tokenizer=nothere.json", "pack.tokenizer: cannot read nothere.json"),
        ("score.model=ViT-B32", "score.model = 'ViT-B32' is no open_clip model (did you mean 'ViT-B-32'?)"),
        ("score.unsafe_head=nothere.safetensors", "score.unsafe_head = 'nothere.safetensors': No such file"),
        ("dedup.evaluation=['nothere']", "no evaluation texts at nothere"),
        ("dedup.evaluation_window=3", "would discard dedup"),
        ("pack.evaluation_images=['nothere']", "no evaluation images at nothere"),
        ("fetch.earlier=['nothere']", "fetch.earlier names nothere, which holds no finished fetch"),
        ("fetch.opt_out=['noia']", "noia"),
        ("train.width=7", "train.width = 7 must be a multiple"),
        ("train.vision=ViT-B32", "ViT-B32' is no open_clip model"),
        ("extract.min_words=6", "would discard extract ("),
        ("fetch.max_side=300", "fetch.max_side = 512, not 300"),
    ],
)
def test_what_cannot_be_is_one_line_and_nothing_finished_is_touched(
    copy: Path, weft: Callable[..., tuple[int, str]], sums: Callable[[Path], dict[str, str]], override: str, said: str
) -> None:
    before = sums(copy)
    train = ["--train"] if override.startswith("train.") else []
    status, told = weft("run", *train, "--output", copy, "--quiet", sets=(override,))
    assert status == 2 and said in told and len(told.splitlines()) == 1, told
    assert sums(copy) == before


def test_a_stage_made_anew_replaces_the_old_when_it_is_whole(
    copy: Path, weft: Callable[..., tuple[int, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    old = {path.name: path.read_bytes() for path in (copy / "clusters").iterdir()}
    real, seen = dedup.settle, []

    def interrupted(*arguments: object) -> None:
        real(*arguments)
        seen.append({path.name: path.read_bytes() for path in (copy / "clusters").iterdir()})
        if len(seen) == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(dedup, "settle", interrupted)
    command = ("dedup", "--output", copy, "--redo")
    assert weft(*command, sets=("dedup.near=false",))[0] == 130
    assert seen == [old] and (copy / "dedup/edges").exists() and (copy / "dedup/manifest.json").exists()
    status, told = weft(*command, sets=("dedup.near=false",))
    assert status == 0 and "going on with what is left" in told
    assert seen == [old, old]
    assert not (copy / "dedup/edges").exists() and not (copy / ".redo").exists()
    assert weft("fetch", "--output", copy)[1].count("would discard fetch (images") == 1


def test_a_single_stage_is_done_again_when_asked(
    copy: Path, weft: Callable[..., tuple[int, str]], sums: Callable[[Path], dict[str, str]]
) -> None:
    before = sums(copy / "documents")
    (copy / "documents" / next(iter(before))).unlink()
    assert "is missing: `weft extract --redo" in weft("extract", "--output", copy)[1]
    assert weft("extract", "--output", copy, "--redo")[0] == 0
    assert sums(copy / "documents") == before
    assert "skipped" in weft("dedup", "--output", copy)[1]


def test_the_demo_takes_no_directory_but_its_own(
    copy: Path, weft: Callable[..., tuple[int, str]], sums: Callable[[Path], dict[str, str]]
) -> None:
    before = sums(copy)
    status, told = weft("demo", "--output", copy, sets=tuple(demo_run.SMALL))
    assert status == 2 and "holds something that is not a demo" in told
    assert sums(copy) == before


def test_a_command_that_fails_leaves_no_directory(tmp_path: Path, weft: Callable[..., tuple[int, str]]) -> None:
    status, told = weft("run", "--input", "nothere.warc", "--output", tmp_path / "a/b")
    assert status == 2 and "no file matches" in told
    assert list(tmp_path.iterdir()) == []


def test_many_small_files_are_no_small_input() -> None:
    assert run.is_small([3_000] * 500) and run.is_small([15_000_000])
    assert not any(map(run.is_small, ([1] * 1_024, [17_000_000], [3_000, None])))


def test_an_empty_file_is_small_and_one_whose_size_is_not_known_is_not(tmp_path: Path) -> None:
    (tmp_path / "empty.warc").touch()
    found = [("s3://b/a.warc", 0), (str(tmp_path / "empty.warc"), 0), (str(tmp_path / "gone.warc"), 0), ("a.warc", 7)]
    assert [run._size(*one) for one in found] == [None, 0, None, 7]
    assert run.is_small([0, 7])


def test_a_run_may_be_called_anything(tmp_path: Path) -> None:
    odd = tmp_path / "a [b]*.tmp-1"
    power.go(odd, power.archive(tmp_path / "a[1].warc.gz"), ("extract", "dedup"))
    assert len(list(odd.glob("fates/dedup/*.parquet"))) == 1 and list(integrity.everything(str(odd))) == []
    power.go(odd, tmp_path / "a[1].warc.gz", ("extract", "dedup"))  # all is found again


def test_what_a_power_cut_left_half_written_beside_the_stages_goes(tmp_path: Path) -> None:
    source, output = power.archive(tmp_path / "a.warc.gz"), tmp_path / "run"
    half = [
        output / name
        for name in ("run.json.tmp-7-0123abcd", ".redo/fetch.json.tmp-7-0123abcd", "exclude/a.txt.tmp-7-0123abcd")
    ]
    others = [output / name for name in ("notes.tmp-1", "exclude/mine.tmp-old")]
    for path in (*half, *others):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    power.go(output, source, ("extract",))
    assert not any(path.exists() for path in half) and all(path.exists() for path in others)


def test_a_stage_goes_on_when_its_worker_was_killed():
    told: list[str] = []
    ends = iter([pool.Lost(), pool.Lost(), {"page": 3}])

    def stage(context: Context) -> dict[str, int]:
        end = next(ends)
        if isinstance(end, RuntimeError):
            raise end
        return end

    assert run._persist(stage, Context("o", (), Config(), "f", say=told.append)) == ({"page": 3}, False)
    assert told == ["a worker process was killed: going on with what is left"] * 2


KILLS = """
import os, pathlib, signal

def once(row):
    done = pathlib.Path(__file__).with_suffix(".done")
    if "WORKER_ID" in os.environ and not done.exists():
        done.touch()
        os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_stage_took_whose_worker_was_killed_is_not_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Its processor time is counted nowhere, and `weft plan` would make too little of it."""
    (tmp_path / "kills.py").write_text(KILLS)
    monkeypatch.syspath_prepend(str(tmp_path))
    found = tuple(inputs.marked(inputs.expand([str(power.archive(tmp_path / "a.warc.gz"))])))
    flags = ("--direct_num_workers=2", "--direct_running_mode=multi_processing")
    for name, filters, known in (("killed", ["kills:once"], False), ("not", [], True)):
        config = configuration.load(overrides=(*power.SMALL, f"extract.filters={json.dumps(filters)}"))
        run.Run(str(tmp_path / name), found, config, flags, quiet=True).go(["extract"])
        made = manifest.read(str(tmp_path / name), "extract")
        assert made and made["books"]["page"]["kept"] == 3 and (made["cpu_seconds"] is not None) == known
    assert (tmp_path / "kills.done").exists()


def test_a_stage_whose_workers_die_again_and_again_says_what_to_do():
    def stage(context: Context) -> dict[str, int]:
        raise pool.Lost

    with pytest.raises(ConfigError, match="direct_num_workers"):
        run._persist(stage, Context("o", (), Config(), "f"))


def test_a_stage_is_refused_before_those_that_it_needs(tmp_path: Path):
    some = run.Run(str(tmp_path), (), Config(), quiet=True)
    with pytest.raises(ConfigError, match="dedup needs extract with this configuration"):
        some.go(["dedup"])
    manifest.write(str(tmp_path), "extract", {"fingerprint": "of another configuration"})
    with pytest.raises(ConfigError, match="dedup needs extract with this configuration"):
        some.go(["dedup"])
    with pytest.raises(ConfigError, match=r"eval needs train .*: run `weft train` or `weft run --train` first"):
        some.go(["eval"])
    assert not (tmp_path / "dedup").exists()


def test_what_is_done_is_skipped_and_what_was_made_otherwise_stands_until_it_is_replaced(tmp_path: Path):
    told: list[str] = []
    some = run.Run(str(tmp_path), (), Config(), quiet=True, say=told.append)
    stage, wanted = registry.BY_NAME["extract"], registry.fingerprints(Config(), ())["extract"]
    manifest.write(str(tmp_path), "extract", {"fingerprint": wanted})
    some.go(["extract"])
    assert told == ["extract  done before, skipped"]
    (tmp_path / "documents").mkdir()
    (tmp_path / "documents/old.parquet").touch()
    home, resumed = some._begin(stage, "another", False)
    assert (home, resumed) == (str(tmp_path / ".redo/extract"), False) and "doing it again" in told[-1]
    assert (tmp_path / "documents/old.parquet").exists() and manifest.started(home, "extract") == "another"


@pytest.mark.parametrize("name", ["documents", "fates/extract", "extract"])
def test_a_stage_that_never_began_clears_nothing_of_others(name: str, tmp_path: Path):
    """As a link to a disk on which there is more."""
    output, disk = tmp_path / "out", tmp_path / "disk"
    (output / name).parent.mkdir(parents=True)
    disk.mkdir()
    (disk / "photo.jpg").touch()
    (output / name).symlink_to(disk)
    begun: list[bool] = []
    with pytest.raises(ConfigError, match=f"{name} holds files that extract has not made, and would clear"):
        run.Run(str(output), (), Config(), quiet=True).go(["extract"], lambda: begun.append(True))
    assert (disk / "photo.jpg").exists() and not begun


def test_an_interrupted_stage_keeps_what_is_whole(tmp_path: Path):
    told: list[str] = []
    stage = registry.BY_NAME["extract"]
    (tmp_path / "documents").mkdir()
    for name in ("whole.parquet", "a.tmp-b.parquet", "half.parquet.tmp-7-0123abcd"):
        (tmp_path / "documents" / name).touch()
    manifest.start(str(tmp_path), "extract", "f")
    begun = run.Run(str(tmp_path), (), Config(), say=told.append)._begin(stage, "f", False)
    assert begun == (str(tmp_path), True)
    assert [path.name for path in sorted((tmp_path / "documents").iterdir())] == ["a.tmp-b.parquet", "whole.parquet"]
    assert "was interrupted" in told[0]
