"""Every recipe loads, says where its numbers come from, and holds the thresholds that its source has."""

import re
import runpy
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import weft.schemas.config as configuration
from weft.schemas.config import RECIPES, Config
from weft.transforms.dedup.minhash import bands_for
from weft.transforms.score import image_scores
from weft.transforms.score.clip_models import validate

ROOT = Path(__file__).parents[2]
NAMES = sorted(path.stem for path in RECIPES.glob("*.toml"))


def test_those_that_are_promised_are_there():
    assert set(NAMES) == {
        "raw", "kosmos1", "laion400m", "laion2b-en", "datacomp-basic", "datacomp-clip", "mmc4-core", "coyo", "obelics", "mmc4", "c4", "gopher",
        "fineweb", "refinedweb", "fineweb-edu", "fineweb2", "dclm-baseline", "mint1t", "omnicorpus",
    }  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_each_loads_into_something_that_can_be_run(name):
    config = configuration.load(recipe=name)
    image_scores.check(config.score, config.pack)
    validate(config.score)  # a model and a tag that open_clip knows; loads nothing
    assert bands_for(config.dedup)
    assert configuration.load(recipe=name, overrides=["score.model=weft-tiny", "score.pretrained="]).recipe == name
    described = configuration.recipes()[name]
    assert 20 < len(described) < 125


@pytest.mark.parametrize("name", NAMES)
def test_what_a_recipe_sets_has_a_key_and_every_number_a_source(name):
    source = (RECIPES / f"{name}.toml").read_text("utf-8")
    beside = runpy.run_path(str(ROOT / "docs/make_recipes.py"))["comments"](source)
    for section, values in tomllib.loads(source).items():
        assert set(values) <= set(getattr(Config(), section).__dataclass_fields__)
        for key, value in values.items():
            if name not in ("raw", "kosmos1") and any(numbers(value)):  # 0 is off
                assert beside[section, key], f"{section}.{key} = {value}"


def numbers(value: Any) -> Iterator[float]:
    """Those that a value is or holds."""
    if isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            yield from numbers(one)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield value


@pytest.mark.parametrize(
    ("name", "key", "value"),
    [
        ("laion400m", "pack.pair_min_similarity", 0.30),
        ("laion400m", "score.model", "ViT-B-32-quickgelu"),
        ("laion400m", "score.pretrained", "openai"),
        ("laion400m", "fetch.min_bytes", 5000),
        ("laion400m", "extract.min_pair_chars", 5),
        ("laion2b-en", "pack.pair_min_similarity", 0.28),
        ("dclm-baseline", "extract.min_quality", {"hq": 0.018112}),
        ("dclm-baseline", "extract.gopher_counts", "dclm"),
        ("fineweb-edu", "extract.min_quality", {"edu": 2.5}),
        ("fineweb-edu", "extract.fineweb_quality", True),
        ("fineweb2", "extract.language_rules", "fineweb2"),
        ("fineweb2", "extract.c4", "off"),
        ("mint1t", "pack.max_document_images", 30),
        ("omnicorpus", "pack.min_side", 150),
        ("omnicorpus", "pack.max_repeats", 10),
        ("datacomp-basic", "extract.min_pair_chars", 6),
        ("datacomp-basic", "extract.min_pair_words", 3),
        ("datacomp-basic", "pack.pair_min_side", 200),
        ("datacomp-basic", "pack.pair_max_aspect", 3.0),
        ("datacomp-basic", "pack.pair_min_similarity", -1.0),
        ("coyo", "extract.max_pair_words", 256),
        ("coyo", "extract.max_pair_chars", 1000),
        ("coyo", "pack.pair_min_similarity", -1.0),
        ("obelics", "pack.min_side", 150),
        ("obelics", "pack.max_side", 20_000),
        ("obelics", "pack.max_aspect", 2.0),
        ("obelics", "pack.max_document_images", 30),
        ("obelics", "extract.min_language_score", 0.8),
        ("mmc4", "pack.min_document_similarity", 0.15),
        ("mmc4", "pack.matched_similarity", 0.25),
        ("mmc4", "pack.min_side", 150),
        ("mmc4-core", "pack.min_matched_share", 0.75),
        ("mmc4-core", "pack.min_document_images", 2),
        ("mmc4-core", "pack.max_document_images", 15),
        ("datacomp-clip", "pack.pair_top_share", 0.3),
        ("mmc4", "score.model", "ViT-L-14-quickgelu"),
        ("c4", "extract.c4", "code"),
        ("c4", "dedup.lines_once", True),
        ("gopher", "extract.gopher_repetition", True),
        ("gopher", "dedup.threshold", 0.8),
        ("gopher", "dedup.ngram", 13),
        ("fineweb", "extract.c4", "fineweb"),
        ("fineweb", "extract.fineweb_quality", True),
        ("refinedweb", "extract.refinedweb_lines", True),
        ("refinedweb", "extract.min_language_score", 0.65),
    ],
)
def test_thresholds_are_those_of_the_source(name, key, value):
    section, field = key.split(".")
    assert getattr(getattr(configuration.load(recipe=name), section), field) == value


def test_finewebs_bands_are_finewebs():
    found = bands_for(configuration.load(recipe="fineweb").dedup)
    assert (found.bands, found.rows, found.least) == (14, 8, 0.0)


def test_the_page_says_what_the_files_say():
    done = subprocess.run(
        [sys.executable, str(ROOT / "docs/make_recipes.py"), "--check"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    page = (ROOT / "docs/recipes.md").read_text("utf-8")
    for name in NAMES:
        (section,) = re.findall(rf"^## {name}\n(.*?)(?=^## |\Z)", page, re.M | re.S)
        shown = dict(re.findall(r"^\| `(\w+\.\w+)` \| `(.*?)` \|", section, re.M))
        values = {f"{s}.{k}": v for s, keys in configuration.changes(name).items() for k, v in keys.items()}
        assert set(shown) == set(values)
        assert all(tomllib.loads(f"v = {shown[key]}")["v"] == value for key, value in values.items())
