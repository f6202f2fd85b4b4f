"""The hot loops of extraction as compiled from _compiled.c, where that was built; else the Python ones do the same.

Both give the same of every page. WEFT_COMPILED=0 in the environment asks for the Python ones.
"""

from __future__ import annotations

import importlib
import os
from types import ModuleType

VERSION = 5  # that of _compiled.c; an extension of another was built from other source than this


def built() -> tuple[ModuleType | None, str]:
    """The extension, or None and why there is none."""
    if os.environ.get("WEFT_COMPILED") == "0":
        return None, "WEFT_COMPILED is 0"
    try:
        found = importlib.import_module("weft.transforms.extract.html._compiled")
    except ImportError:
        return None, "its compiled part is not built: make setup, with a C compiler"
    if getattr(found, "VERSION", None) != VERSION:
        return None, "its compiled part is of another version: install weft again (make setup)"
    return found, ""


module, lacking = built()


def holds(source: str, words: tuple[str, ...]) -> bool:
    """Whether one of these words stands in a page."""
    if module:
        return bool(module.holds(source, words))
    return any(word in source for word in words)


def find(source: str, word: str, begin: int = 0, end: int | None = None) -> int:
    """As str.find, of an ASCII word of two characters or more, which takes a fifth of the time."""
    if module:
        return int(module.find(source, word, begin, len(source) if end is None else end))
    return source.find(word, begin, end)
