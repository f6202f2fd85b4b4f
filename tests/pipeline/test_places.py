"""Every path that a configuration or a command takes: of an object store too, or refused in one line before a start."""

import argparse
import dataclasses
import gzip
import json
import shutil
import typing
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
import object_stores
import pytest
import tiny_fasttext
from safetensors.numpy import save_file

import weft.schemas.config as configuration
from weft.pipeline import arguments, cli
from weft.pipeline.run import inputs
from weft.schemas.config import Config, Dedup
from weft.schemas.parameters import ClipChoice, FetchRules, Place
from weft.transforms.dedup import contamination, index
from weft.transforms.extract import bad_words, exclusions, fasttext_models, language_rules
from weft.transforms.fetch import previous_runs
from weft.transforms.io import files, local_copies
from weft.transforms.pack import evaluation_images, instructions
from weft.transforms.pack.tokenizer import Encoder, train
from weft.transforms.score import clip_models, heads, neighbours
from weft.transforms.score.clip_weights import TINY_CLIP

# Keys that hold text and name no place: any text, or one that has to mean something, with a value that means nothing. A
# new key is in one of these, of a type of schemas/parameters.py that says Place, or a Literal.
WORDS = set(
    """salt extract.list_url extract.list_caption extract.list_similarity extract.pair_forbidden extract.image_url_forbidden
    extract.licences extract.ai_agents fetch.ai_agents score.accelerator score.min_ram pack.similarity_model""".split()
)
MEANT = {
    "recipe": "kosmos",
    "extract.languages": ["eng"],
    "extract.quality_labels": {"edu": "high"},
    "extract.cdx_api": "index.test",
    "extract.filters": ["nosuch:keep"],
    "extract.pair_filters": ["nosuch"],
    "pack.filters": ["nosuch:keep"],
    "pack.pair_filters": ["nosuch"],
    "fetch.connect_to": ["a.test"],
    "fetch.user_agent": " ",
    "fetch.allow_networks": ["10.1.0.0/33"],
    "fetch.split_hosts": ["cdn.test=many"],
}
# The same of arguments, by what stands for them in the help.
SAYINGS = set("CONDITION CORPUS DAY FORMAT ID NAME NAME=DOLLARS RECIPE S,M,L S.KEY=VALUE THING URL WHO".split())


def declared() -> dict[str, Place | None]:
    """section.key → Place or None of every key that is a string or a list of them."""
    return {key: next(iter(getattr(kind, "__metadata__", ())), None) for key, kind in configuration.strings()}


PLACES = {key: place for key, place in declared().items() if place}


def commands() -> dict[str, argparse.ArgumentParser]:
    return dict(arguments.commands())


def test_each_key_that_holds_text_is_known_for_a_place_or_not() -> None:
    assert {key for key, place in declared().items() if not place} == WORDS | set(MEANT)


def literals(section: Any = Config, before: str = "") -> Iterator[tuple[str, bool]]:
    """(section.key, whether it is a list) of every key whose values are among those of a Literal."""
    for key, kind in typing.get_type_hints(section).items():
        many = typing.get_origin(kind) is tuple
        if dataclasses.is_dataclass(kind):
            yield from literals(kind, f"{before}{key}.")
        elif typing.get_origin(typing.get_args(kind)[0] if many else kind) is Literal:
            yield before + key, many


NONE = MEANT | {key: ["nosuch"] if many else "nosuch" for key, many in literals()}
NONE |= {  # names of a table
    "pack.pair_min_similarity_by_language.eng": 0.3,
    "pack.max_prompt.cat": 0.5,
}


@pytest.mark.parametrize("key", NONE)
def test_a_value_that_is_none_of_those_that_mean_something_is_one_line_before_anything_starts(
    key: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.warc").touch()
    asked = ["run", "--train", "--input", str(tmp_path / "a.warc"), "--output", str(tmp_path / "out"), "--quiet"]
    assert (
        cli.main([*asked, "--set", "score.compare=always", "--set", f"{key}={json.dumps(NONE[key])}"]) == cli.USER_ERROR
    )
    told = capsys.readouterr().err
    assert len(told.splitlines()) == 1 and (key.removesuffix(".eng") in told), told
    assert [path.name for path in tmp_path.rglob("*")] == ["a.warc"]


def test_each_argument_that_holds_text_is_known_for_a_place_or_not() -> None:
    for name, command in commands().items():
        for action in command._actions:
            if action.nargs != 0 and action.type is None and action.choices is None:
                assert action.metavar in arguments.PLACES or action.metavar in SAYINGS, (name, action.metavar)


@pytest.mark.parametrize("key", PLACES)
def test_a_store_that_nobody_knows_is_one_line_before_anything_starts(
    key: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    value = "local-dir:nosuch://x/y" if "model" in key or key == "train.vision" else "nosuch://x/y"
    value = f'["{value}"]' if isinstance(_default(key), tuple) else value
    one = f"{key}.one" if isinstance(_default(key), dict) else key
    asked = ["run", "--input", "none.warc", "--output", str(tmp_path / "out"), "--set", f"{one}={value}", "--quiet"]
    assert cli.main(asked) == cli.USER_ERROR
    assert capsys.readouterr().err == f"weft: {key}: nosuch://x/y: there is no file system for nosuch://\n"
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("key", [key for key, place in PLACES.items() if not place.web])
def test_a_web_server_is_refused_where_it_will_not_do(key: str, capsys: pytest.CaptureFixture[str]) -> None:
    value = '["https://x/y"]' if isinstance(_default(key), tuple) else "https://x/y"
    key = f"{key}.one" if isinstance(_default(key), dict) else key
    assert cli.main(["html", "-", "--set", f"{key}={value}"]) == cli.USER_ERROR
    assert "a web server will not do" in capsys.readouterr().err


def test_what_must_be_of_this_machine_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["demo", "--output", "s3://bucket/demo"])
    assert "--output is a directory of this machine, not s3://bucket/demo" in capsys.readouterr().err


def test_a_configuration_and_a_page_in_a_store(
    bucket: object_stores.Bucket, capsys: pytest.CaptureFixture[str]
) -> None:
    files.write_atomic(f"{bucket.path}/c.toml", 'recipe = "raw"\n[extract]\nmin_pair_chars = 99\n')
    files.write_atomic(f"{bucket.path}/page.html", "<p>Read from where it lies.</p>")
    asked = ["html", f"{bucket.path}/page.html", "--config", f"{bucket.path}/c.toml"]
    assert cli.main([*asked, *(["--", *bucket.flags] if bucket.flags else [])]) == 0
    assert "Read from where it lies." in capsys.readouterr().out
    options = arguments.parser().parse_args(asked)
    assert cli._config(options).extract.min_pair_chars == 99
    assert cli.main(["html", "-", "--config", f"{bucket.path}/none.toml"]) == cli.USER_ERROR
    assert f"no file {bucket.path}/none.toml" in capsys.readouterr().err


def _default(key: str) -> Any:
    value: Any = Config()
    for part in key.split("."):
        value = getattr(value, part)
    return value


def _bytes(path: str) -> dict[str, bytes]:
    of = Path(path)
    below = [of] if of.is_file() else sorted(of.rglob("*"))
    return {one.name: one.read_bytes() for one in below if one.is_file()}


def _copied(value: str) -> dict[str, bytes]:
    """The files that open_clip is given for a value of the configuration."""
    return _bytes(local_copies.named(value).partition("=" if "=" in value else ":")[2])


def _index(path: str) -> Any:
    index.check(path, Dedup())
    runs = index.against(path, "mine")
    return runs, [name.rpartition("/")[2] for name in index.parts(path, runs)]


def _earlier(path: str) -> Any:
    previous_runs.check([path], FetchRules())
    return [found.path.removeprefix(path) for found in previous_runs.index_files([path])]


def _stems(path: str) -> Any:
    import torch

    from weft.model_smoketest.vision import StemStore

    key, store = bytes(range(16)), StemStore(path, "tower")
    store.write(key, torch.arange(6, dtype=torch.bfloat16).view(2, 3))
    held = StemStore(path, "tower").read(key, 3)
    return held is not None and held.tolist()


# key → what reads it: the same from a directory of this machine and from a store.
READ: dict[str, Callable[[str], Any]] = {
    "exclude": lambda path: exclusions.contents((f"{path}/hashes/known.txt",)),
    "fetch.exclude": lambda path: exclusions.contents((f"{path}/hashes/known.txt",)),
    "extract.common_crawl": lambda path: [
        (name.removeprefix(path), size) for name, size in inputs.expand(["cc:CC-MAIN-2024-10"], f"{path}/crawl/")
    ],
    "extract.language_rules": lambda path: language_rules.load(f"{path}/rules.toml")["fr"],
    "extract.language_model": lambda path: fasttext_models.labels(f"{path}/model.bin"),
    "extract.quality_models": lambda path: fasttext_models.labels(f"{path}/model.bin"),
    "extract.bad_words": lambda path: bad_words.contents((f"{path}/words",)),
    "fetch.svg_fonts": lambda path: list(_copied(f"local-dir:{path}/font.ttf").values()),
    "pack.instructions": lambda path: list(instructions.read(f"{path}/told.jsonl")),
    "dedup.evaluation": lambda path: contamination.load((f"{path}/texts",), 13).hashes.tolist(),
    "dedup.index": lambda path: _index(f"{path}/index"),
    "fetch.earlier": lambda path: _earlier(f"{path}/earlier"),
    "score.model": lambda path: _copied(f"local-dir:{path}/clip"),
    "score.pretrained": lambda path: _copied(f"openai={path}/clip/open_clip_config.json"),
    "score.also": lambda path: _copied(f"local-dir:{path}/clip"),
    **{
        f"score.{kind}_head": lambda path, kind=kind: (
            heads.load(kind, f"{path}/head.safetensors", 8).layers[0][0].tolist()
        )  # type: ignore[misc]
        for kind in heads.KINDS
    },
    "score.evaluation_embeddings": lambda path: neighbours.load((f"{path}/vectors.npy",), 8).vectors.tolist(),
    "pack.tokenizer": lambda path: Encoder(f"{path}/tokenizer.json", 64, 512).encode("every word of it"),
    "pack.evaluation_images": lambda path: list(evaluation_images.load((f"{path}/hashes",), 512).exact),
    "train.vision": lambda path: _copied(f"local-dir:{path}/clip"),
    "train.stems": lambda path: _stems(f"{path}/stems"),
    "train.vision_pretrained": lambda path: _copied(f"openai={path}/clip/open_clip_config.json"),
}


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the keys may name, on this machine."""
    home = tmp_path_factory.mktemp("places")
    words = " ".join(f"word{n}" for n in range(40))
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(3, 8)).astype(np.float32)
    for name, content in {
        "crawl/crawl-data/CC-MAIN-2024-10/warc.paths.gz": gzip.compress(
            b"crawl-data/a.warc.gz\ncrawl-data/b.warc.gz\n"
        ),
        "texts/below/one.txt": words,
        "rules.toml": "[fr]\nline_punct_thr = 0.1\n",
        "words/en": "bad\n",
        "told.jsonl": json.dumps({"instruction": "Say it.", "output": "It."}),
        "index/header.json": json.dumps(index.header(Dedup())),
        "index/other/run.json": json.dumps({"parts": ["part-0.parquet"], "against": []}),
        "earlier/fetch/manifest.json": json.dumps({"config": {"fetch": {}}}),
        "earlier/images/index/a.parquet": "",
        "hashes/known.txt": f"{'ab' * 32}\n",
        "tokenizer.json": train([words], 300),
    }.items():
        files.write_atomic(str(home / name), content)
    tiny_fasttext.train(home / "model.bin", {"hq": ["the proof holds"], "cc": ["buy now"]})
    files.write_atomic(str(home / "font.ttf"), b"letters")
    np.save(home / "vectors.npy", vectors / np.linalg.norm(vectors, axis=1, keepdims=True))
    save_file({"0.weight": vectors[:1].copy(), "0.bias": np.zeros(1, np.float32)}, home / "head.safetensors")
    shutil.copytree(TINY_CLIP, home / "clip")
    return home


def test_each_place_is_read_from_a_store_as_from_here(bucket: object_stores.Bucket, here: Path) -> None:
    for path in here.rglob("*"):
        if path.is_file():
            files.write_atomic(f"{bucket.path}/places/{path.relative_to(here)}", path.read_bytes())
    assert READ.keys() == PLACES.keys()
    for key, read in READ.items():
        found = read(f"{bucket.path}/places")
        assert found and found == read(str(here)), key


def test_score_asks_for_a_copy_and_names_the_key_of_one_that_is_not_there(
    bucket: object_stores.Bucket, here: Path
) -> None:
    files.write_atomic(f"{bucket.path}/clip/open_clip_config.json", (here / "clip/open_clip_config.json").read_bytes())
    place = f"local-dir:{bucket.path}/clip"
    found = list(clip_models.wanted(ClipChoice(model=place, also=(place,))))
    copy = local_copies.fetched(f"{bucket.path}/clip")
    assert found == [("score.model", f"local-dir:{copy}", ""), ("score.also", f"local-dir:{copy}", "")]
    assert Path(copy).is_dir()
    with pytest.raises(configuration.ConfigError, match=r"^score\.model: no file .*/nothing$"):
        list(clip_models.wanted(ClipChoice(model=f"local-dir:{bucket.path}/nothing")))
