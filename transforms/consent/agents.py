"""Which user agents mean AI where a robots.txt names them: a dated list, configs/ai_agents.toml, and your own names.

The list has three purposes: "train", "search" and "user". What is counted is chosen by purpose, by name, or both; "*"
counts rules for everybody too.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from functools import cache
from importlib import resources

PURPOSES = ("train", "search", "user")
EVERYBODY = "*"


@cache
def listed() -> dict[str, tuple[str, ...]]:
    """Purpose → names of the list, in lower case, sorted."""
    found = tomllib.loads((resources.files("weft.configs") / "ai_agents.toml").read_text("utf-8"))
    return {purpose: tuple(sorted(name.lower() for name in found[purpose])) for purpose in PURPOSES}


@cache
def known() -> frozenset[str]:
    """Every name of the list, in lower case."""
    return frozenset(name for names in listed().values() for name in names)


def chosen(words: Iterable[str]) -> frozenset[str]:
    """Names in lower case of purposes and names.

    >>> sorted(chosen(["user", "OurBot"]))[:3], "gptbot" in chosen(["train"]), "gptbot" in chosen(["search"])
    (['chatgpt-user', 'claude-user', 'devin'], True, False)
    """
    return frozenset(name for word in words for name in listed().get(word, (word.lower(),)))
