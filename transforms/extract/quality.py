"""What fastText classifiers of the user's own say of a page's text, and which scores drop it.

text ──► each model of extract.quality_models ──► name, score ──► column `quality` of documents/
                                                            └──► limits of [extract] here, of [pack] at the end

A model answers as DCLM asks it (dclm: quality_prediction_enrichers_calc_fasttext.py): for the whole text as one line.
Its score is the probability of one label; where all labels are numbers, as of FineWeb-Edu's marks from 0 to 5, it is
the mark to be expected: the labels' mean by their probabilities.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping

from weft.schemas.parameters import ConfigError, PageRules
from weft.transforms.extract import fasttext_models

_NAME = re.compile(r"[\w-]+")
DECIMALS = 6  # of a score; DCLM's limit has as many
Scores = tuple[tuple[str, float], ...]  # (name, score) by name


def score(text: str, rules: PageRules) -> Scores:
    """The score of a text by each model, rounded to DECIMALS; 0 of no text.

    Args:
        text: a whole page.
        rules: name the models.
    """
    line = " ".join(text.strip().splitlines())
    return tuple(
        (name, round(_ask(line, rules.quality_models[name], rules.quality_labels.get(name, name)), DECIMALS))
        for name in sorted(rules.quality_models)
    )


def judge(
    scores: Iterable[tuple[str, float]], least: Mapping[str, float], most: Mapping[str, float]
) -> tuple[str, str]:
    """("quality", what says so) for a score below its least or above its most, ("", "") where there is none.

    >>> judge((("edu", 1.5),), {"edu": 3.0}, {}), judge((("toxic", 0.2),), {}, {"toxic": 0.4})
    (('quality', 'edu 1.5 < 3.0'), ('', ''))
    """
    for name, value in scores:
        if value < least.get(name, value):
            return "quality", f"{name} {value} < {least[name]}"
        if value > most.get(name, value):
            return "quality", f"{name} {value} > {most[name]}"
    return "", ""


def check(rules: PageRules) -> None:
    """Raise ConfigError, in one line, for models that cannot be asked what they are to be."""
    for name, path in rules.quality_models.items():
        key = f"extract.quality_models.{name}"
        if not _NAME.fullmatch(name):
            raise ConfigError(f"extract.quality_models: {name!r} is no name: letters, digits, _ and -")
        if not path:
            raise ConfigError(f"{key} is to be the path of a fastText model, which weft does not ship")
        fasttext_models.check(path, key)
        label, labels = rules.quality_labels.get(name, name), fasttext_models.labels(path)
        if not marks(path) and label not in labels:
            told = ", ".join(labels[:20])
            raise ConfigError(f"extract.quality_labels.{name} is to be one of this model's labels: {told}")
        if marks(path) and name in rules.quality_labels:
            raise ConfigError(f"extract.quality_labels.{name}: this model's labels are marks, and all of them count")
    _check_names(rules.quality_labels, rules, "extract.quality_labels")
    check_limits(rules.min_quality, rules.max_quality, rules, "extract")


def check_limits(
    least: Mapping[str, float], most: Mapping[str, float], rules: PageRules, section: str, scores: bool = True
) -> None:
    """Raise ConfigError for limits on scores that no model gives, or that no page can meet.

    Args:
        section: of the configuration that they are in.
        scores: whether the models can be asked which scores they give.
    """
    _check_names(least, rules, f"{section}.min_quality")
    _check_names(most, rules, f"{section}.max_quality")
    for name, value in least.items():
        if value > most.get(name, value):
            raise ConfigError(f"{section}.min_quality.{name} = {value} is above {section}.max_quality.{name}")
        path = rules.quality_models[name]
        if scores and value > (best := max(map(int, fasttext_models.labels(path))) if marks(path) else 1):
            raise ConfigError(f"{section}.min_quality.{name} = {value}: its model gives {best} at most")


def _check_names(names: Iterable[str], rules: PageRules, key: str) -> None:
    """Raise ConfigError for a name that no model has."""
    for name in names:
        if name not in rules.quality_models:
            told = ", ".join(sorted(rules.quality_models)) or "none"
            raise ConfigError(f"{key}.{name}: extract.quality_models has no {name!r} ({told})")


@functools.cache
def marks(path: str) -> bool:
    """Whether a model's labels are numbers."""
    return all(label.isdecimal() for label in fasttext_models.labels(path))


def _ask(line: str, path: str, label: str) -> float:
    if not line:
        return 0.0
    found = fasttext_models.predict(line, path, fasttext_models.MOST_LABELS, -1.0)
    if marks(path):
        return sum(share * int(mark) for share, mark in found) / (sum(share for share, _ in found) or 1.0)
    return next((share for share, one in found if one == label), 0.0)
