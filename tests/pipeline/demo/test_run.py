"""`weft demo`: what it refuses, where it leads requests, and what it prints at the end."""

import argparse
import json
import re
from pathlib import Path

import pytest

import weft.schemas.config as configuration
from weft.pipeline.demo import run
from weft.schemas.parameters import ConfigError


def test_a_directory_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "extract").mkdir()
    options = argparse.Namespace(output=str(tmp_path), pages=30, quiet=True)
    with pytest.raises(ConfigError, match="holds something that is not a demo"):
        run.demo(options, configuration.load(overrides=run.SMALL), ())
    assert [path.name for path in tmp_path.iterdir()] == ["extract"]


def test_only_the_demos_hosts_are_led_elsewhere():
    config = configuration.load(overrides=[*run.SMALL, "fetch.buckets=7"])
    served = run._connect(config, 4711)
    assert served.fetch.connect_to == ("weft.test=127.0.0.1:4711",)
    values = configuration.to_dict(served)
    values["fetch"]["connect_to"] = []
    assert configuration.from_dict(values) == config


def test_instructions_are_of_what_the_web_tells(tmp_path):
    told = [
        {"main_text": [f"The image shows a {colour} star on a grey background."], "images": []}
        for colour in ("red", "blue")
    ]
    (tmp_path / "truth.jsonl").write_text("".join(json.dumps(line) + "\n" for line in told))
    config = run._instructed(configuration.load(overrides=run.SMALL), str(tmp_path), 12)
    (path,) = config.pack.instructions
    rows = [json.loads(line) for line in Path(path).read_text().splitlines()]
    assert len(rows) == 12 and {row["output"] for row in rows} <= {"red", "blue", "star", "one", "grey"}
    assert all(re.search("(red|blue) star.*grey background", row["instruction"]) for row in rows)


def test_the_verdict_stands_in_columns_and_the_model_in_words(tmp_path):
    verdict = {"filters": {"precision": 1.0, "recall": 0.5, "lost_share": 0.25}}
    gap = {"gap": 0.3, "standard_error": 0.1, "win_rate": 0.8, "samples": 20}
    evaluated = {
        "loss": {"pairs": 2.0, "text": None},
        "grounding": {"pairs": gap, "interleaved": None},
        "notes": ["little"],
    }
    (tmp_path / "model").mkdir()
    (tmp_path / "model/eval.json").write_text(json.dumps(evaluated))
    told = [line.split() for line in run.summary(str(tmp_path), verdict).splitlines()]
    assert ["filters", "1.000", "0.500"] in told and ["filters", "lost", "share", "0.250"] in told
    assert ["loss", "of", "pairs", "2.000"] in told and ["little"] in told
    assert sum(line[:2] == ["grounding", "gap,"] for line in told) == 1 and not [
        line for line in told if "text" in line
    ]
