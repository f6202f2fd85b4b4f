"""`train` and `eval` as stages: the smoke model on the shards. Not Beam; torch is imported only here and below."""

from __future__ import annotations

import sys
import time

from weft.pipeline.run.context import Context
from weft.schemas.parameters import ConfigError


class _Watch:
    """Passes lines on; of those about steps, one every EVERY_S seconds."""

    EVERY_S = 5.0

    def __init__(self) -> None:
        self._last = 0.0

    def __call__(self, line: str) -> None:
        now = time.monotonic()
        if line.startswith("train: step") and now - self._last < self.EVERY_S:
            return
        self._last = now
        print(line, file=sys.__stderr__, flush=True)


def train(ctx: Context) -> dict[str, int]:
    """Train on `shards/` into `model/`; resumes from its own checkpoint."""
    try:
        from weft.model_smoketest.train import train as run
    except ImportError as error:
        raise ConfigError(f"training needs PyTorch: pip install 'weft-corpus[train]' ({error})") from None
    run(ctx.path("shards"), ctx.path("model"), ctx.config.train, _Watch())
    return {}


def evaluate(ctx: Context) -> dict[str, int]:
    """Validation loss per corpus and the grounding gap → model/eval.json."""
    try:
        from weft.model_smoketest.evaluate import evaluate as run
    except ImportError as error:
        raise ConfigError(f"evaluation needs PyTorch: pip install 'weft-corpus[train]' ({error})") from None
    run(ctx.path("shards"), ctx.path("model"), ctx.config.train)
    return {}
