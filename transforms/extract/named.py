"""What rules on pages name: models, limits, lists and filters, told by their contents.

What they hold decides bytes as a key does. A process loads each once, by its name; where a name has come to mean
something else, what was loaded is forgotten, and a worker that has something else than the run began with is an error.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from weft.schemas.parameters import ConfigError, PageRules
from weft.transforms.extract import bad_words, fasttext_models, language, language_rules, own_filters, quality
from weft.transforms.io import local_copies


def contents(rules: PageRules) -> dict[str, Any]:
    """Hashes of all that rules name, by kind; what they do not name adds nothing.

    Raises:
        ConfigError: a list or filter cannot be had.
    """
    paths = rules.language_model, language_rules.path(rules.language_rules), *rules.quality_models.values()
    models = [local_copies.contents(path) if path else "" for path in paths]
    found: dict[str, Any] = {"models": models if any(models) else []}
    _loaded(json.dumps(models))
    if rules.bad_words:
        found["bad_words"] = bad_words.contents(rules.bad_words)
    return found | {"filters": own_filters.hashes(rules.own_filters)}


@lru_cache(maxsize=1)  # what is held is that of the run which was asked about last
def check(rules: PageRules, wanted: str) -> None:
    """Raise ConfigError unless what rules name is here what it was where the run began.

    Args:
        rules: on pages.
        wanted: what `contents` gave there, as JSON; more keys say nothing here.
    """
    begun: Mapping[str, Any] = json.loads(wanted)
    own_filters.check(begun.get("filters", {}))
    for kind, found in contents(rules).items():
        if begun.get(kind, found) != found:
            raise ConfigError(
                f"what [extract] names ({kind}) is another on {os.uname().nodename}, or was changed while the run goes "
                "on: have the same everywhere"
            )


@lru_cache(maxsize=1)
def _loaded(told: str) -> None:
    """Forget what was loaded under names that meant something else."""
    for cached in (fasttext_models.load, fasttext_models.labels, language.known, language_rules.load, quality.marks):
        cached.cache_clear()
