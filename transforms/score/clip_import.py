"""open_clip without what no CLIP of its own uses: five CPU seconds less in each process that loads one.

open_clip imports timm where it is there, for towers of timm's; and torchvision's operators of detection import
PyTorch's compiler to ask one question that no CLIP leads to. While open_clip is imported, timm is not to be had unless
a model needs it, and that question is answered by a function which asks the compiler when somebody calls it.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import ModuleType
from typing import Any

LOCAL, HUB = "local-dir:", "hf-hub:"  # what names of models may begin with
_COMPILER = "torch._dynamo"
_importing = threading.Lock()


def imported(timm: bool = True) -> Any:
    """open_clip, with or without timm's towers; one that was imported without gets them when they are asked for.

    Raises:
        ImportError, RuntimeError: it cannot be imported.
    """
    with _importing:
        if "open_clip" not in sys.modules and not timm:  # timm asks the compiler more
            # What fails here fails again below: a torchvision that asks more does not, open_clip itself does.
            with suppress(ImportError), _absent("timm"), _compiler_when_called():
                import open_clip
        import open_clip

        if timm and open_clip.timm_model.timm is None and importlib.util.find_spec("timm"):
            importlib.reload(open_clip.timm_model)
        return open_clip


def needs_timm(name: str) -> bool:
    """Whether open_clip builds a model with timm: known where it is described on this machine, feared elsewhere."""
    found = importlib.util.find_spec("open_clip")
    described = [
        Path(folder, "model_configs", f"{name}.json") for folder in (found and found.submodule_search_locations) or ()
    ]
    if name.startswith(LOCAL):
        described = [Path(name.removeprefix(LOCAL), "open_clip_config.json")]
    return next(("timm" in path.read_text("utf-8") for path in described if path.is_file()), True)


@contextmanager
def _absent(name: str) -> Iterator[None]:
    """A module that is not imported yet cannot be."""
    if name in sys.modules:
        yield
        return
    sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[name]


@contextmanager
def _compiler_when_called() -> Iterator[None]:
    """Whoever imports the compiler for `is_compile_supported` gets a function that imports it when it is called."""
    import torch  # noqa: F401 - what of the compiler this imports is the real one

    if _COMPILER in sys.modules:
        yield
        return
    stand_ins = {_COMPILER: ModuleType(_COMPILER), f"{_COMPILER}.utils": ModuleType(f"{_COMPILER}.utils")}
    stand_ins[_COMPILER].__path__ = []
    vars(stand_ins[f"{_COMPILER}.utils"])["is_compile_supported"] = _is_compile_supported
    sys.modules.update(stand_ins)
    try:
        yield
    finally:
        for name in stand_ins:
            del sys.modules[name]


def _is_compile_supported(device: str) -> Any:
    return importlib.import_module(f"{_COMPILER}.utils").is_compile_supported(device)
