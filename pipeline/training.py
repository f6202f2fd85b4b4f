"""`train` and `eval` as stages: the smoke model on the shards. Not Beam; torch is imported only here and below."""

from __future__ import annotations

import sys

from pipeline.context import Context
from schemas.config import ConfigError


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def train(ctx: Context) -> dict[str, int]:
    """Train on `shards/` into `model/`; resumes from its own checkpoint."""
    try:
        from model_smoketest.train import train as run
    except ImportError as error:
        raise ConfigError(f"training needs PyTorch: pip install 'weft[train]' ({error})") from None
    run(ctx.path("shards"), ctx.path("model"), ctx.config.train, _say)
    return {}


def evaluate(ctx: Context) -> dict[str, int]:
    """Validation loss per corpus and the grounding gap → model/eval.json."""
    try:
        from model_smoketest.evaluate import evaluate as run
    except ImportError as error:
        raise ConfigError(f"evaluation needs PyTorch: pip install 'weft[train]' ({error})") from None
    run(ctx.path("shards"), ctx.path("model"), ctx.config.train)
    return {}
