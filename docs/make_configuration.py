"""Write docs/configuration.md from schemas/: every section and key, its default, and the comment beside it.

python docs/make_configuration.py          write the page
python docs/make_configuration.py --check  say with the exit status whether the committed page is current
"""

from __future__ import annotations

import ast
import dataclasses
import io
import json
import re
import sys
import tokenize
import typing
from pathlib import Path
from typing import Any

import weft.schemas.config as configuration
from weft.schemas import parameters

PAGE = Path(__file__).with_name("configuration.md")
_HEAD = """# Configuration

<!-- Made by docs/make_configuration.py from schemas/config.py and schemas/parameters.py: change it there. -->

One strict TOML file holds everything scientific. It is layered: the defaults below, then the recipe, then your file,
then `--set section.key=value`. A key that does not exist is an error that names the nearest one, a value out of the
range in the second column is one too. A table takes the place of the recipe's, `{}` empties it, and `--set
section.table.name=value` adds to it or changes one of its names. A command on an output that is there goes by the
configuration stored with it, and `--set` changes that; with `--config` or `--recipe` it begins anew. Machines are not
configured here but by Beam's own flags after `--`.

```toml
recipe = "kosmos1"      # `weft recipes` lists them
salt = "weft"           # seeds every hash that decides something: another salt, another sample and split
exclude = ["taken-down.txt", "ut1/adult"]  # lists of what is not to be in the corpus: docs/removal.md

[pack]
min_side = 100
```

The meaning names the source of a threshold where it has one; thresholds without one are weft's own. The last column is
what recipe `raw`, which filters nothing, sets.
"""


def comments(source: str) -> dict[int, str]:
    """Line number → the comment at its end, where it is meant for people."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    found = {token.start[0]: token.string.lstrip("# ") for token in tokens if token.type == tokenize.COMMENT}
    return {line: told for line, told in found.items() if not told.startswith(("fmt:", "noqa", "type:"))}


def meanings(source: str) -> dict[str, dict[str, str]]:
    """Class → field → comment."""
    beside = comments(source)
    return {
        node.name: {
            item.target.id: "; ".join(beside[n] for n in range(item.lineno, (item.end_lineno or 0) + 1) if n in beside)
            for item in node.body
            if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name)
        }
        for node in ast.parse(source).body
        if isinstance(node, ast.ClassDef)
    }


def render() -> str:
    """The page."""
    told = {}
    for module in (configuration, parameters):
        told.update(meanings(Path(module.__file__).read_text("utf-8")))
    raw = configuration.to_dict(configuration.load(recipe="raw"))
    hints = typing.get_type_hints(configuration.Config)
    parts = [_HEAD]
    for field in dataclasses.fields(configuration.Config):
        section = hints[field.name]
        if not dataclasses.is_dataclass(section):
            continue
        parts.append(f"\n## [{field.name}]\n\n{(section.__doc__ or '').strip()}\n")
        parts.append("\n| key | type | default | meaning | `raw` |\n|---|---|---|---|---|\n")
        types = typing.get_type_hints(section, include_extras=True)
        defaults = configuration.to_dict(section())
        for key, value in defaults.items():
            there = raw[field.name][key]
            cells = (
                f"`{key}`",
                kind(types[key]),
                f"`{shown(value)}`",
                meaning(told, section, key).replace("|", "\\|").replace("<", "&lt;"),
                f"`{shown(there)}`" if there != value else "",
            )
            parts.append("| " + " | ".join(cells) + " |\n")
    return "".join(parts)


def meaning(told: dict[str, dict[str, str]], section: type, key: str) -> str:
    """What is said beside a key in its section, or in the parameters that the section is made of."""
    return next(told[one.__name__][key] for one in section.__mro__ if key in told.get(one.__name__, {}))


def kind(hint: Any) -> str:
    """A type as a user writes it, with its range."""
    if typing.get_origin(hint) is typing.Annotated:
        bare, takes = typing.get_args(hint)
        return f"{kind(bare)}, {takes}" if isinstance(takes, parameters.Range) else kind(bare)
    if typing.get_origin(hint) is typing.Literal:
        return " or ".join(f"`{json.dumps(choice)}`" for choice in typing.get_args(hint))
    if typing.get_origin(hint) is tuple:
        item = typing.get_args(hint)[0]
        named = typing.get_origin(item) is typing.Literal
        return "list of " + (", ".join(f"`{json.dumps(one)}`" for one in typing.get_args(item)) if named else "strings")
    if typing.get_origin(hint) is dict:
        inner = kind(typing.get_args(hint)[1])
        return "table of " + re.sub("^(list|number|string)", r"\1s", inner)
    return {bool: "true or false", int: "whole number", float: "number", str: "string"}[hint]


def shown(value: Any) -> str:
    """A value as TOML writes it."""
    return json.dumps(value, ensure_ascii=False)


if __name__ == "__main__":
    if "--check" in sys.argv[1:]:
        sys.exit(0 if PAGE.read_text("utf-8") == render() else f"{PAGE} is out of date: run {Path(__file__).name}")
    PAGE.write_text(render(), "utf-8")
