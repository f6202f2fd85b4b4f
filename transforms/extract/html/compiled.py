"""The hot loops of extraction as compiled from _compiled.c, where that was built; else the Python ones do the same.

Both give the same of every page. WEFT_COMPILED=0 in the environment asks for the Python ones.
"""

from __future__ import annotations

import contextlib
import importlib
import os
from types import ModuleType

module: ModuleType | None = None
if os.environ.get("WEFT_COMPILED") != "0":
    with contextlib.suppress(ImportError):  # no compiler was there when weft was installed
        module = importlib.import_module("weft.transforms.extract.html._compiled")
