"""C4's own function that cleans a page (tensorflow_datasets' text/c4_utils.py), loaded alone, in its peer's Python.

Its package wants TensorFlow, which the function never calls: the modules that it imports are empty ones here. Sentences
are told as there by nltk's punkt for English, whose tables llama-index-core carries.
"""

from __future__ import annotations

import importlib.util
import logging
import re
import sys
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

_REASONS = {
    "filtered:loremipsum": "lorem_ipsum",
    "filtered:squigglybracket": "curly_bracket",
    "filtered:too_few_sentences": "too_few_sentences",
}
_CITATIONS = re.compile(r"\[\d*\]|\[edit\]|\[citation needed\]")  # get_clean_page_fn's


def judge(text: str) -> str:
    """Why the function drops a page of this text, "" where it keeps it."""
    told: list[str] = []
    module = _module()
    kept = list(module.clean_page(module.PageFeatures(text=text), _CITATIONS, lambda key, by=1: told.append(key)))
    return "" if kept else next(_REASONS[key] for key in told if key in _REASONS)


@cache
def _module() -> Any:
    for name in ("core", "core.utils", "core.utils.lazy_imports_utils", "public_api", ""):
        empty = ModuleType(f"tensorflow_datasets.{name}".rstrip("."))
        empty.tensorflow = empty.public_api = None  # type: ignore[attr-defined]
        sys.modules[empty.__name__] = empty
    absl = ModuleType("absl")
    absl.logging = logging  # type: ignore[attr-defined]
    sys.modules.setdefault("absl", absl)
    found = _folder("tensorflow_datasets") / "text/c4_utils.py"
    spec = importlib.util.spec_from_file_location("c4_utils", found)
    assert spec and spec.loader
    module = sys.modules["c4_utils"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    import nltk
    from nltk.tokenize.punkt import PunktTokenizer

    nltk.data.path.insert(0, str(_folder("llama_index") / "core/_static/nltk_cache"))
    module._get_sentences = PunktTokenizer("english").tokenize  # type: ignore[attr-defined]
    return module


def _folder(package: str) -> Path:
    """Where an installed package lies, which is not imported."""
    for place in sys.path:
        if (Path(place) / package).is_dir():
            return Path(place) / package
    raise ImportError(f"{package} is not there: make loaders-setup")
