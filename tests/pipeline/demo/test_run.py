"""`weft demo`: what it refuses, where it leads requests, and what it prints at the end."""

import argparse

import pytest

import weft.schemas.config as configuration
from weft.pipeline.demo import run
from weft.pipeline.run import manifest
from weft.schemas.parameters import ConfigError


def test_a_directory_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "extract").mkdir()
    options = argparse.Namespace(output=str(tmp_path), config=None, set=[], recipe=None, pages=30, quiet=True)
    with pytest.raises(ConfigError, match="holds something that is not a demo"):
        run.demo(options, ())
    assert [path.name for path in tmp_path.iterdir()] == ["extract"]


def test_only_the_demos_hosts_are_led_elsewhere():
    config = configuration.load(overrides=[*run.SMALL, "fetch.buckets=7"])
    served = run._connect(config, 4711)
    assert served.fetch.connect_to == ("weft.test=127.0.0.1:4711",)
    values = configuration.to_dict(served)
    values["fetch"]["connect_to"] = []
    assert configuration.from_dict(values) == config


def test_the_table_says_what_was_kept_and_the_commonest_reasons(tmp_path):
    dropped = {"too_short": 3, "language": 9, "opt_out": 3, "gibberish": 5, "empty": 1}
    manifest.write(str(tmp_path), "extract", {"books": {"page": {"entered": 50, "kept": 29, "dropped": dropped}}})
    (tmp_path / "shards").mkdir()
    lines = ['{"name": "text/train/0", "samples": 2, "tokens": 10, "images": 0}'] * 2
    (tmp_path / "shards/manifest.jsonl").write_text("\n".join(lines))
    told = run.summary(str(tmp_path), {"filters": {"precision": 1.0, "recall": 0.5, "lost_share": 0.25}}).splitlines()
    assert "extract   page            50       29  language 9, gibberish 5, opt_out 3, too_short 3, …" in told
    assert [line.split() for line in told if line.startswith("text ")] == [["text", "4", "20", "0"]]
    assert [line.split() for line in told if line.startswith("  filters")] == [
        ["filters", "1.000", "0.500"], ["filters", "lost", "share", "0.250"],
    ]  # fmt: skip
