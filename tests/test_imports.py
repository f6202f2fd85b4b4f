"""Importing weft leaves the process as it was: what it sets, it sets where a process starts."""

import json
import subprocess
import sys

import pytest

PROBE = """
import importlib, json, logging, os, pkgutil, sys, warnings
import cv2

def state():
    root = logging.getLogger()
    return {"environment": dict(os.environ), "stderr": sys.stderr, "hook": sys.excepthook, "threads": cv2.getNumThreads(),
            "loggers": (root.level, list(root.handlers)), "warnings": list(warnings.filters)}

def restore(before):
    os.environ.clear(); os.environ.update(before["environment"])
    sys.stderr, sys.excepthook = before["stderr"], before["hook"]
    logging.getLogger().setLevel(before["loggers"][0]); logging.getLogger().handlers[:] = before["loggers"][1]
    cv2.setNumThreads(before["threads"]); warnings.filters[:] = before["warnings"]; warnings._filters_mutated()

def names():
    found = ["weft"]
    for name in ("weft.configs", "weft.schemas", "weft.transforms", "weft.pipeline", "weft.model_smoketest"):
        walked = pkgutil.walk_packages(importlib.import_module(name).__path__, f"{name}.")
        found += [name, *(one.name for one in walked if "__main__" not in one.name)]
    return found

cv2.setNumThreads(3)
before = state()
modules = names()
for name in modules:  # others' packages set what they like, now and not again
    importlib.import_module(name)
for name in [name for name in sys.modules if name.split(".")[0] == "weft"]:
    del sys.modules[name]
changed = {}
for name in modules:
    restore(before)
    importlib.import_module(name)
    now = state()
    if told := [key for key in before if now[key] != before[key]]:
        changed[name] = told
print(json.dumps([len(modules), changed]))
"""


@pytest.fixture(scope="module")
def changed() -> dict[str, list[str]]:
    """Module → what its import changed."""
    done = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, check=True)
    count, found = json.loads(done.stdout.splitlines()[-1])
    assert count > 250
    return found


def test_importing_weft_changes_nothing_of_the_process(changed):
    assert changed == {}


def test_the_command_is_imported_without_numpy():
    """Its number of threads is set before it is loaded."""
    code = "import sys, weft, weft.pipeline.cli, weft.pipeline.runners.worker; sys.exit('numpy' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_only_the_stage_that_runs_models_loads_pytorch():
    """It takes three seconds, which every command would pay, and every worker process."""
    modules = ["run.run", *(f"stages.{name}" for name in ("extract", "dedup.stage", "fetch", "pack"))]
    code = f"import sys, {', '.join(f'weft.pipeline.{name}' for name in modules)}; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
