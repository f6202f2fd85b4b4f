"""Runs that share stages, and the page of a comparison."""

import argparse
import contextlib
import dataclasses
import io
import os
import tempfile
from pathlib import Path

import object_stores
import pytest
from small_crawls import ALONE, crawl
from small_crawls import text as words

import weft.schemas.config as configuration
from weft.pipeline import cli, comparison
from weft.pipeline.run import lock, manifest, place, registry, removal
from weft.schemas.config import Train
from weft.schemas.parameters import ConfigError
from weft.transforms.score.clip_weights import TINY_CLIP

FOUND = {
    "corpora": {"a": "x", "b<": "y"},
    "held_out": {"pairs": 20},
    "seeds": 5,
    "tokens": 1000,
    "epochs": {"a": {"pairs": 1.5}, "b<": {"pairs": 2.0}},
    "rank_holds": False,
    "sizes": {
        size: {
            "seeds": 5,
            "bits_per_byte": {
                name: {"overall": bits, "pairs": bits, "by_source": {"a": bits, "b<": bits}}
                for name, bits in (("a", 1.0), ("b<", 1.2))
            },
            "rank": ["a", "b<"],
            "pairs": [
                {"a": "a", "b": "b<", "delta": -0.2, "low": -0.3, "high": high, "better": better}
                | {"by_kind": {"pairs": {"delta": -0.2, "low": -0.4, "high": 0.1, "better": "undecided"}}}
            ],
        }
        for size, high, better in (("S", -0.1, "a"), ("M", 0.1, "undecided"))
    },
}


def test_the_page_and_the_lines_say_what_is_decided_and_what_is_not():
    lines = comparison.told(FOUND)
    assert "  a - b<: -0.2000 [-0.3000, -0.1000]  a is better" in lines
    assert "  a - b<: -0.2000 [-0.3000, +0.1000]  undecided" in lines
    assert "    by kind, 95 % for all together: pairs -0.2000 [-0.4000, +0.1000]  undecided" in lines
    assert (
        "  a                    1.0000  (pairs 1.0000; samples of a 1.0000, of b< 1.0000; epochs: pairs 1.5)" in lines
    )
    assert lines[-1] == "the order does not hold across sizes"
    page = comparison.page(FOUND)
    assert page.count("<circle") == 2 and "b&lt;" in page and "b<" not in page


def known_print(output: Path, stage: str) -> str:
    return str((manifest.read(str(output), stage) or {})["fingerprint"])


def test_a_stage_that_two_configurations_share_is_run_once(finished: Path, tmp_path: Path):
    known = manifest.read_run(str(finished))
    assert known is not None
    found = [tuple(one) for one in known["inputs"]]
    same = configuration.from_dict(known["config"])
    other = configuration.from_dict(known["config"], ["pack.context_length=256"])
    assert comparison.take_over(str(finished), str(tmp_path / "a"), same, found) == list(registry.CORPUS)
    taken = comparison.take_over(str(finished), str(tmp_path / "b"), other, found)
    assert taken == ["extract", "dedup", "fetch", "score"]
    for name in taken:
        stage = registry.BY_NAME[name]
        assert manifest.read(str(tmp_path / "b"), name) == manifest.read(str(finished), name)
        assert all((tmp_path / "b" / out).exists() == (finished / out).exists() for out in stage.outputs)
    assert not (tmp_path / "b/shards").exists()
    # Killed among the links of extract, and what another configuration left of dedup: both are made whole.
    (tmp_path / "b/extract/manifest.json").unlink()
    (tmp_path / "b/documents/of-another.parquet").write_bytes(b"")
    told = (tmp_path / "b/dedup/manifest.json").read_text()
    (tmp_path / "b/dedup/manifest.json").unlink()
    (tmp_path / "b/dedup/manifest.json").write_text(told.replace(known_print(finished, "dedup"), "another"))
    assert comparison.take_over(str(finished), str(tmp_path / "b"), other, found) == taken
    for name in ("extract", "documents", "dedup", "kept"):
        assert {p.name for p in (tmp_path / "b" / name).rglob("*")} == {p.name for p in (finished / name).rglob("*")}
    assert manifest.read(str(tmp_path / "b"), "dedup") == manifest.read(str(finished), "dedup")


@pytest.mark.parametrize("after", [1, 3, 8])
def test_what_is_taken_over_half_is_a_stage_that_goes_on(
    after: int, finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = manifest.read_run(str(finished))
    assert known is not None
    config, found = configuration.from_dict(known["config"]), [tuple(one) for one in known["inputs"]]
    steps, real = iter(range(10_000)), os.link

    def cut(source: str, target: str) -> None:
        if next(steps) >= after:
            raise KeyboardInterrupt
        real(source, target)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(os, "link", cut)
        comparison.take_over(str(finished), str(tmp_path), config, found)
    assert manifest.started(str(tmp_path), "extract") == known_print(finished, "extract")
    assert manifest.read(str(tmp_path), "extract") is None
    place.check_foreign(str(tmp_path), registry.BY_NAME["extract"])
    assert comparison.take_over(str(finished), str(tmp_path), config, found) == list(registry.CORPUS)


def test_a_vision_tower_in_a_store_is_compared_by_this_machines_copy(
    bucket: object_stores.Bucket, finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    corpora = dict.fromkeys("ab", str(finished / "shards"))
    options = argparse.Namespace(output=str(tmp_path / "out"), seeds=1, sizes="S", neutral=None)
    config = Train(steps=1, width=32, heads=2, ffn=64, vision=f"local-dir:{bucket.path}/compared")
    with pytest.raises(ConfigError, match="no file"):
        comparison.judge(corpora, options, config, lambda line: None)
    object_stores.upload(TINY_CLIP, f"{bucket.path}/compared")
    found = comparison.judge(corpora, options, config, lambda line: None)
    assert found["sizes"]["S"]["pairs"][0]["better"] == "undecided"  # one seed decides nothing
    assert (tmp_path / "out" / comparison.PAGE).exists()
    longer = dataclasses.replace(config, steps=2)
    with pytest.raises(ConfigError, match=r"holds models of other corpora or settings, .*: name another --output$"):
        comparison.judge(corpora, options, longer, lambda line: None)
    assert comparison.judge(corpora, options, config, lambda line: None)["sizes"] == found["sizes"]


def ablate(tmp_path: Path, *more: str) -> tuple[int, str]:
    """`weft ablate` of two recipes below tmp_path/out; its status and what it said."""
    (tmp_path / "a.warc.gz").write_bytes(b"not an archive")
    for name, recipe in (("one", "raw"), ("two", "c4")):
        if not (tmp_path / f"{name}.toml").exists():
            (tmp_path / f"{name}.toml").write_text(f'recipe = "{recipe}"\n')
    configs = [str(tmp_path / f"{name}.toml") for name in ("one", "two")]
    given = ["--input", str(tmp_path / "a.warc.gz"), "--output", str(tmp_path / "out"), *more]
    told = io.StringIO()
    with contextlib.redirect_stderr(told):
        status = cli.main(["ablate", *configs, *given, "--quiet"])
    return status, told.getvalue()


@pytest.mark.parametrize("name", ["one", "two"])
def test_a_directory_of_a_configurations_name_that_holds_no_run_is_left_as_it_is(tmp_path: Path, name: str) -> None:
    own = [tmp_path / "out" / name / folder / "photo.jpg" for folder in ("images", "documents", "shards")]
    for path in own:
        path.parent.mkdir(parents=True)
        path.write_text("mine")
    status, told = ablate(tmp_path)
    assert status == 2 and f"out/{name} is not empty and holds no weft run" in told
    assert all(path.read_text() == "mine" for path in own)
    assert not list((tmp_path / "out").rglob("*.json"))  # the run of the other has not begun either


def test_a_run_that_another_weft_writes_is_left_to_it(tmp_path: Path) -> None:
    with lock.held(str(tmp_path / "out/two")):
        status, told = ablate(tmp_path)
    assert status == 2 and f"another weft is writing to {tmp_path}/out/two" in told
    assert not list(tmp_path.rglob("*.json"))


def test_what_was_removed_from_a_run_stays_out_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = crawl(tmp_path / "out", "web", {"a.test": words("a"), "b.test": words("b")}, "one", stages=("extract",))
    (tmp_path / "list").write_text("a.test\n")
    with monkeypatch.context() as patched:
        for place in (registry, removal):
            patched.setattr(place, "CORPUS", ("extract",))
        removal.remove(str(run), [str(tmp_path / "list")], ALONE, quiet=True, say=lambda line: None)
    asked: dict[str, tuple[str, ...]] = {}
    monkeypatch.setattr(comparison.Run, "check", lambda self, _: asked.update({self.output: self.config.exclude}))
    monkeypatch.setattr(comparison.Run, "go", lambda *_: None)
    monkeypatch.setattr(comparison, "judge", lambda *_: {"sizes": {}})
    ablate(tmp_path)
    (listed,) = (run / "exclude").iterdir()
    assert asked == {str(run): (str(listed),), str(tmp_path / "out/two"): ()}


@pytest.mark.parametrize(
    ("more", "second", "told"),
    [
        (["--sizes", "S,XL"], "", "no size 'XL': S, M, L"),
        (["--sizes", ","], "", "--sizes takes some of S,M,L"),
        (["--neutral", "nowhere"], "", "nowhere/tokenizer_info.json is missing"),
        (["--set", "train.heads=3"], "", "must be a multiple of twice train.heads"),
        (["--set", "train.max_length=70"], "[pack]\nimage_tokens = 128\n", "leaves no room for an image"),
        ([], '[pack]\ntokenizer = "none.json"\n', "none.json"),
        ([], '[dedup]\nindex = "http://a.test/index"\n', "a web server will not do"),
    ],
)
def test_what_would_stop_a_comparison_is_said_before_its_runs(
    tmp_path: Path, more: list[str], second: str, told: str
) -> None:
    (tmp_path / "two.toml").write_text(second)
    status, said = ablate(tmp_path, *more)
    assert status == 2 and told in said and len(said.splitlines()) == 1
    assert not list(tmp_path.rglob("*.json"))
