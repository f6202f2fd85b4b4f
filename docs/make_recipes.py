"""Write docs/recipes.md from configs/recipes/: what each recipe sets, and what its comments say of it.

python docs/make_recipes.py          write the page
python docs/make_recipes.py --check  say with the exit status whether the committed page is current
"""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path
from typing import Any

import weft.schemas.config as configuration

PAGE = Path(__file__).with_name("recipes.md")
_HEAD = """# Recipes

<!-- Made by docs/make_recipes.py from configs/recipes/: change it there. -->

A recipe is a named set of decisions: `recipe = "laion400m"` in your file, or `--recipe laion400m`. Your file and
`--set` go on top of it, and the [defaults](configuration.md), which are weft's and Kosmos-1's, are below it.
`weft recipes` lists them, `weft recipes NAME` shows one with all defaults.

The peers' recipes hold their published thresholds, each with its source, as far as weft has the rule; what is left out
is said. A threshold on CLIP's similarity means nothing without its model, so a recipe that has one names both, and
loads that model from the network or from open_clip's cache. Heads for unsafe, watermarked and unaesthetic images are
files of your own (`score.unsafe_head` and others: [scores](scores.md)), so no recipe has limits on what they say.
A recipe that needs a model of texts, which weft does not ship, has "" in its place and says in one line, before
anything starts, that it is to be the model's path: `--set extract.quality_models.hq=fasttext_oh_eli5.bin`.

All recipes write all three corpora; one for pairs decides about pairs, and its documents are whatever is left.
"""


def render() -> str:
    """The page."""
    parts = [_HEAD]
    for path in sorted(configuration.RECIPES.glob("*.toml")):
        source = path.read_text("utf-8")
        parts.append(f"\n## {path.stem}\n\n{_said(source)}\n\n| key | value | default | from |\n|---|---|---|---|\n")
        plain = configuration.to_dict(configuration.Config())
        beside = comments(source)
        for section, values in tomllib.loads(source).items():
            for key, value in values.items():
                was = plain[section][key]
                cells = (
                    f"`{section}.{key}`",
                    f"`{configuration.shown(value)}`",
                    f"`{configuration.shown(was)}`" if was != value else "same",
                    beside[section, key].replace("|", "\\|").replace("<", "&lt;"),
                )
                parts.append("| " + " | ".join(cells) + " |\n")
    return "".join(parts)


def _said(source: str) -> str:
    """The comment that a recipe begins with."""
    lines: list[str] = []
    for line in source.splitlines():
        if not line.startswith("#"):
            break
        lines.append(line.lstrip("# ").strip())
    return "\n".join(lines).replace("<", "&lt;")


def comments(source: str) -> dict[tuple[str, str], str]:
    """(section, key) → the comment at the end of its line."""
    found: dict[tuple[str, str], str] = {}
    section = ""
    for line in source.splitlines():
        if line.startswith("["):
            section = line.strip("[] ")
        elif "=" in line and not line.startswith("#"):
            found[section, line.split("=")[0].strip()] = _comment(line)
    return found


def _comment(line: str) -> str:
    """What follows the value: the first "#" that leaves valid TOML before it."""
    at = -1
    while (at := line.find("#", at + 1)) >= 0:
        if _valid(line[:at]):
            return line[at + 1 :].strip()
    return ""


def _valid(line: str) -> Any:
    try:
        return bool(tomllib.loads(line))
    except tomllib.TOMLDecodeError:
        return False


if __name__ == "__main__":
    if "--check" in sys.argv[1:]:
        sys.exit(0 if PAGE.read_text("utf-8") == render() else f"{PAGE} is out of date: run {Path(__file__).name}")
    PAGE.write_text(render(), "utf-8")
