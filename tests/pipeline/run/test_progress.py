"""Progress: what finished units add up to, and what is shown of it where nobody has a terminal."""

import io
import json
import sys
import time
from pathlib import Path

import pytest

from weft.pipeline.run import progress as module
from weft.pipeline.run.progress import Progress


def test_what_is_told_counts_what_the_units_did(tmp_path):
    progress = Progress(str(tmp_path), "extract")
    progress.expect(8)
    (tmp_path / "extract/units").mkdir(parents=True)
    for number in range(4):
        counts = {"page": 100, "image": 50, "record": 900}
        marker = tmp_path / f"extract/units/{number}.json"
        marker.write_text(json.dumps({"fingerprint": "f", "counts": counts}))
    assert progress.look() == progress.look() == 4
    assert progress.told(4, 20.0) == "4 of 8 units, 400 pages (20/s), 200 images (10/s), 20 s left"
    assert progress.told(4, 20.0, before=2) == "4 of 8 units, 400 pages (10/s), 200 images (5/s), 40 s left"
    assert progress.told(4, 20.0, before=4) == "4 of 8 units, 400 pages (0/s), 200 images (0/s)"


def test_shards_are_counted_in_tokens_and_hours_are_not_seconds(tmp_path):
    progress = Progress(str(tmp_path), "pack")
    progress.expect(100)
    (tmp_path / "pack/units").mkdir(parents=True)
    (tmp_path / "pack/units/a.json").write_text(json.dumps({"name": "a", "tokens": 5_000, "images": 0, "samples": 1}))
    assert progress.look() == 1
    assert progress.told(1, 100.0) == "1 of 100 units, 5,000 tokens (50/s), 2.8 h left"


def shown(output: Path, monkeypatch: pytest.MonkeyPatch, quiet: bool) -> str:
    """What is printed while two units of five are done."""
    said = io.StringIO()
    monkeypatch.setattr(sys, "__stderr__", said)
    monkeypatch.setattr(module, "POLL_LOCAL_S", 0.01)
    monkeypatch.setattr(module, "LINE_EVERY_S", 0.0)
    (output / "extract/units").mkdir(parents=True)
    for name in ("a", "b"):
        (output / f"extract/units/{name}.json").write_text("{}")
    this = Progress(str(output), "extract", quiet)
    with this.shown():
        this.expect(5)
        until = time.monotonic() + (0.2 if quiet else 300)
        while not said.getvalue() and time.monotonic() < until:
            time.sleep(0.01)
    return said.getvalue()


def test_a_line_says_how_many_of_how_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    assert shown(tmp_path, monkeypatch, quiet=False) == "extract: 2 of 5 units\n"  # once: nothing new came


def test_quiet_is_quiet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    assert shown(tmp_path, monkeypatch, quiet=True) == ""
