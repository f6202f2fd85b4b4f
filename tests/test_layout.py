"""What must hold of the repository itself."""

import ast
import importlib
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import conftest
import pytest
from _pytest.pathlib import fnmatch_ex

ROOT = Path(__file__).parent.parent


PACKAGES = ("configs", "schemas", "transforms", "pipeline", "model_smoketest")


def python(code: str, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, **{"cwd": ROOT, **options})


NEED_TORCH = {  # besides the trainer; both make the weights that extraction runs without torch
    "weft.transforms.extract.html.training.fit",
    "weft.transforms.extract.html.training.__main__",
}


def test_a_cpu_worker_needs_no_torch():
    modules = [
        ".".join(("weft", *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__")
        for package in PACKAGES
        if package != "model_smoketest"
        for path in sorted((ROOT / package).rglob("*.py"))
    ]
    modules = [name for name in modules if name not in NEED_TORCH]
    assert len(modules) > 200
    code = "import sys; sys.modules['torch'] = sys.modules['open_clip'] = sys.modules['torchvision'] = None\n"
    done = python(code + "".join(f"import {name}\n" for name in modules))
    assert done.returncode == 0, done.stderr


def test_the_list_of_packages_names_those_of_the_tree():
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    there = {"weft"} | {
        ".".join(("weft", *path.parent.relative_to(ROOT).parts))
        for package in PACKAGES
        for path in (ROOT / package).rglob("__init__.py")
    }
    there |= {".".join(path.parent.relative_to(ROOT).parts) for path in (ROOT / "weft").rglob("__init__.py")}
    assert sorted(listed) == sorted(there) and len(set(listed)) == len(listed)
    alone = [
        str(path)
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
        if not (path.parent / "__init__.py").exists()
    ]
    assert not alone, "a module in a folder that is no package is in no wheel"


@pytest.mark.parametrize("name", [*PACKAGES, "schemas.records", "pipeline.cli"])
def test_nothing_is_importable_under_two_names(name: str):
    try:
        # As a test sees it: a folder of tests/ may have the name, and no module in it.
        seen = importlib.import_module(name)
    except ImportError:
        pass
    else:
        assert seen.__file__ is None and list(seen.__path__) == [str(ROOT / "tests" / name)]
    done = python(f"import weft.{name}\ntry:\n    import {name}\nexcept ImportError:\n    print('refused')")
    assert (done.returncode, done.stdout.strip()) == (0, "refused"), (
        done.stderr
    )  # as the root of the repository sees it


def test_a_worker_imports_nothing_of_the_directory_that_weft_is_called_in(tmp_path: Path):
    for name in ("weft", "apache_beam", *PACKAGES):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise RuntimeError('somebody else has a package of this name')")
    (tmp_path / "pages.warc").write_bytes(b"")
    # -P: the command `weft` itself does not look there either
    command = [sys.executable, "-P", "-m", "weft.pipeline.cli", "extract", "--input", "pages.warc", "--output", "out"]
    flags = ["--", "--direct_num_workers=2", "--direct_running_mode=multi_processing"]
    done = subprocess.run([*command, *flags], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out/extract/manifest.json").exists()


@pytest.mark.parametrize("name", ["lock.txt", "dev.txt", "worker.txt", "docs.txt"])
def test_a_lock_holds_hashes_and_no_addresses(name):
    lock = (ROOT / "requirements" / name).read_text()
    assert not re.search(r"https?://|--index|--find-links|--extra-index", lock)
    pins = re.findall(r"^[a-z0-9][\w.-]*==\S+", lock, re.MULTILINE)
    assert len(pins) > (20 if name == "docs.txt" else 100 if name == "lock.txt" else 50)
    for block in re.split(r"\n(?=[a-z0-9])", lock):
        assert "--hash=sha256:" in block, block[:80]


def test_the_core_installs_without_torch():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    core = " ".join(project["dependencies"])
    assert "torch" not in core and "open_clip" not in core
    assert {"clip", "train", "gcp", "dev"} <= set(project["optional-dependencies"])


# A source → why it needs no namesake.
TESTED_ELSEWHERE = {
    "weft/__main__.py": "`python -m weft` is run by tests/pipeline/test_arguments.py",
    "transforms/extract/html/training/__main__.py": "reads two commands' options and calls fit and table",
    "weft/__init__.py": "tests/test_library.py is about the names of `import weft`",
}


def test_every_source_has_its_namesake_among_the_tests_with_a_test_in_it():
    missing = []
    for package in ("weft", *PACKAGES):
        for path in (ROOT / package).rglob("*.py"):
            place = path.relative_to(ROOT / package if package == "weft" else ROOT)
            text = path.read_text("utf-8")
            if path.name == "__init__.py" and not re.search(r"^(?:async )?(?:def|class) ", text, re.MULTILINE):
                continue
            tests = ROOT / "tests" / place.parent / f"test_{path.name}"
            name = path.relative_to(ROOT).as_posix()
            found = tests.exists() and re.search(r"^\s*(?:async )?def test_", tests.read_text("utf-8"), re.MULTILINE)
            if not found and name not in TESTED_ELSEWHERE:
                missing.append(str(place))
    assert missing == []


def test_no_folder_of_tests_is_passed_over_but_those_with_a_target_of_their_own(request: pytest.FixtureRequest):
    """A pattern of pytest's that says a bare name holds for every folder so called, however deep."""
    patterns = request.config.getini("norecursedirs")
    folders = {path.parent for path in (ROOT / "tests").rglob("test_*.py")}
    passed = {
        folder.relative_to(ROOT).as_posix()
        for folder in folders
        if any(
            fnmatch_ex(pattern, step)
            for pattern in patterns
            for step in (folder, *folder.parents)
            if ROOT in step.parents
        )
    }
    assert passed == {"tests/runners"}


def test_every_file_is_of_a_readable_length():
    long = {
        str(path.relative_to(ROOT)): count
        for folder in ("schemas", "transforms", "pipeline", "model_smoketest")
        for path in (ROOT / folder).rglob("*.py")
        if path.name != "vocabulary.py"  # word lists
        and (count := len(path.read_text().splitlines())) > 500
    }
    assert long == {}


def test_what_a_test_is_called_does_not_hang_on_the_second_in_which_it_is_read():
    """Processes that read the same file a second apart would have other tests; gzip writes the time, if it may."""
    found = []
    for path in sorted((ROOT / "tests").rglob("*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        whole = [node for node in tree.body if isinstance(node, ast.Assign | ast.AnnAssign)]
        named = [each for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) for each in node.decorator_list]
        found += [
            f"{path}:{call.lineno}"
            for node in (*whole, *named)
            for call in ast.walk(node)
            if isinstance(call, ast.Call) and ast.unparse(call.func) == "gzip.compress"
            if "mtime" not in {word.arg for word in call.keywords}
        ]
    assert not found


def test_the_files_that_begin_first_are_there():
    assert {path.stem for path in (ROOT / "tests").rglob("test_*.py")}.issuperset(conftest.LONGEST)
