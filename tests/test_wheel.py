"""What `pip install weft-corpus` gives: the packages below `weft`, what they read, the command, and nothing else."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FOLDERS = ("weft", "configs", "schemas", "transforms", "pipeline", "model_smoketest")
COMPILED = f"transforms/extract/html/_compiled{sysconfig.get_config_var('EXT_SUFFIX')}"
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built from a copy, so that no earlier build's leavings get into it and none are left here."""
    source, made = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    for name in FOLDERS:
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__", "*.so"))
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", str(made)]
    subprocess.run([*command, str(source)], check=True)
    return next(made.glob("*.whl"))


@pytest.fixture(scope="module")
def bare(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of a virtual environment with the wheel in it; its dependencies are those of these tests."""
    home = tmp_path_factory.mktemp("bare")
    venv.create(home, symlinks=True)
    library = next(home.glob("lib/python*/site-packages"))
    command = [sys.executable, "-m", "pip", "--python", str(home / "bin/python"), "install", "--quiet"]
    subprocess.run([*command, "--no-deps", "--no-index", str(wheel)], check=True)
    # Searched after the wheel's own: what these tests have installed, but no .pth in it and so no editable weft.
    (library / "dependencies.pth").write_text("\n".join(dict.fromkeys(_libraries())))
    return home / "bin"


def _libraries() -> list[str]:
    found = [Path(path) for path in sys.path if path.endswith("site-packages") and Path(path).is_dir()]
    return [str(path) for path in [Path(sysconfig.get_path("purelib")), *found]]


def run(*command: str | Path, cwd: Path, code: int = 0) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(list(map(str, command)), cwd=cwd, env=environment, capture_output=True, text=True)
    assert done.returncode == code, done.stderr
    return done.stdout + done.stderr


def test_it_holds_weft_alone_and_all_of_it(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {name.split("/")[0] for name in names} == {"weft", f"weft_corpus-{_version()}.dist-info"}
    there = {
        f"weft/{path.relative_to(ROOT)}".replace("weft/weft/", "weft/")
        for folder in FOLDERS
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and path.suffix not in {".pyc", ".md", ".xz", ".c", ".so"}  # .xz: what weights are fitted to
    }
    assert there <= names
    assert shutil.which("gcc") is None or f"weft/{COMPILED}" in names
    assert {
        "weft/py.typed",
        "weft/configs/recipes/kosmos1.toml",
        "weft/configs/tiny_clip/open_clip_model.safetensors",
        "weft/transforms/extract/html/weights.npz",
        "weft/pipeline/report/report.html",
        "weft/pipeline/report/report.css",
    } <= there


def _version() -> str:
    return importlib.metadata.version("weft-corpus")


def test_installed_it_works_and_takes_no_other_name(bare: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text("<html><body><article><p>" + "Some words that make a page. " * 20 + "</p></article></body></html>")
    assert "kosmos1" in run(bare / "weft", "recipes", cwd=tmp_path)
    assert run(bare / "python", "-m", "weft", "--version", cwd=tmp_path).startswith(f"weft {_version()}")
    assert "Some words that make a page." in run(bare / "weft", "html", page, cwd=tmp_path)
    where = run(bare / "python", "-c", "import weft.pipeline.cli as m; print(m.__file__)", cwd=tmp_path)
    assert Path(where.strip()).is_relative_to(bare.parent)
    for name in ("schemas", "transforms", "pipeline", "model_smoketest", "configs"):
        told = run(bare / "python", "-c", f"import {name}", cwd=tmp_path, code=1)
        assert f"No module named '{name}'" in told
