"""Examples in docstrings say what happens."""

import doctest
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULES = sorted(
    ".".join(("weft", *path.relative_to(ROOT).with_suffix("").parts))
    for folder in ("schemas", "transforms", "pipeline", "model_smoketest")
    for path in (ROOT / folder).rglob("*.py")
    if ">>> " in path.read_text("utf-8")
)


def test_examples_are_found():
    assert len(MODULES) >= 40


@pytest.mark.parametrize("name", MODULES)
def test_examples_are_true(name):
    found = doctest.testmod(importlib.import_module(name))
    assert found.attempted and not found.failed
