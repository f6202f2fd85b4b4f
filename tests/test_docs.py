"""What the pages name is there."""

import re
import unicodedata
from pathlib import Path

import pytest

from weft.pipeline import completion

ROOT = Path(__file__).parent.parent
PAGES = [
    path
    for pattern in ("*.md", "docs/*.md", "deploy/README.md", "model_smoketest/README.md", "configs/tiny_clip/README.md")
    for path in sorted(ROOT.glob(pattern))
]
# What begins with a folder of the repository, in backticks or not, but is none of it.
NO_PATHS = {"docs/s", "weft/0.1"}  # a unit, a user agent
FOLDERS = "weft|schemas|transforms|pipeline|model_smoketest|configs|tests|benchmarks|docs|deploy|examples|requirements"
NAMED = re.compile(rf"(?<!datatrove's )(?<![\w./:-])((?:{FOLDERS})/[\w./*{{}},-]*)(?=[`\s),;])")
LINK = re.compile(r"\]\(([^)\s#]*)#?([^)\s]*)[^)]*\)")


def written_out(path: str) -> list[str]:
    """`a/{b,c}.py` is two."""
    found = re.search(r"\{([^{}]*)\}", path)
    if not found:
        return [path]
    return [
        one for part in found[1].split(",") for one in written_out(path[: found.start()] + part + path[found.end() :])
    ]


def is_there(base: Path, path: str) -> bool:
    path = path.rstrip("/.")
    return any(base.glob(path)) if "*" in path else (base / path).exists()


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_path_that_a_page_names_is_there(page: Path) -> None:
    text = page.read_text("utf-8")
    missing = [
        f"line {text[: found.start()].count(chr(10)) + 1}: {path}"
        for found in NAMED.finditer(text)
        for path in written_out(found[1].rstrip(",."))
        if path not in NO_PATHS and not is_there(ROOT, path)
    ]
    for link, anchor in LINK.findall(text):
        target = page.parent / link if link else page
        if "://" in link:
            continue
        if not is_there(page.parent, link):
            missing.append(link)
        elif anchor and target.suffix == ".md" and anchor not in anchors(target):
            missing.append(f"{link}#{anchor}")
    assert missing == []


def anchors(page: Path) -> set[str]:
    """Of the headings of a page, as mkdocs makes them: a second one of a name has _1 behind it."""
    text = re.sub(r"^```.*?^```", "", page.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
    found: set[str] = set()
    for heading in re.findall(r"^#+ +(.+)$", text, re.MULTILINE):
        plain = unicodedata.normalize("NFKD", heading).encode("ascii", "ignore").decode()
        name = re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", plain).strip().lower())
        number = next(n for n in range(99) if (f"{name}_{n}" if n else name) not in found)
        found.add(f"{name}_{number}" if number else name)
    return found


def test_docstrings_and_comments_name_modules_and_tests_that_are_there() -> None:
    missing = [
        f"{source.relative_to(ROOT)}: {found[1]}"
        for folder in ("weft", "schemas", "transforms", "pipeline", "model_smoketest", "benchmarks", "docs", "tests")
        for source in sorted((ROOT / folder).rglob("*.py"))
        for found in re.finditer(rf"(?<![\w./-])((?:{FOLDERS})/[\w/]+\.py)\b", source.read_text("utf-8"))
        if not (ROOT / found[1]).exists()
    ]
    assert missing == []


def test_every_page_is_in_the_navigation() -> None:
    said = (ROOT / "mkdocs.yml").read_text("utf-8")
    assert [page.name for page in sorted(ROOT.glob("docs/*.md")) if f": {page.name}\n" not in said] == []


def test_the_readme_counts_right() -> None:
    told = " ".join((ROOT / "README.md").read_text("utf-8").split())
    recipes = [path for path in ROOT.glob("configs/recipes/*.toml") if path.stem != "raw"]
    assert f"| {len(recipes)} published recipes |" in told
    assert f"{len(list(ROOT.glob('examples/*.py')))} runnable [examples](examples/)" in told


def test_the_readme_names_every_command() -> None:
    told = "|".join(re.findall(r"(?:weft|make) ([\w|]+)", (ROOT / "README.md").read_text("utf-8"))).split("|")
    assert [name for name in completion._commands() if name not in told] == []
