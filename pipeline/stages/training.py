"""`train` and `eval` as stages: the smoke model on the shards. Not Beam; torch is imported only here and below."""

from __future__ import annotations

import dataclasses
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import weft.schemas.config as configuration
from weft.pipeline.demo import questions
from weft.pipeline.run import manifest
from weft.pipeline.run.context import Context
from weft.pipeline.runners import process
from weft.schemas.config import SUITES, Config, Train
from weft.schemas.parameters import ConfigError
from weft.schemas.shards import TRAINED
from weft.transforms.io import files, local_copies


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
        process.tell(line)


def check(ctx: Context) -> None:
    """Raise ConfigError, before anything runs, for a model that cannot be built."""
    check_model(ctx.config.train, ctx.config.pack.image_tokens)


def check_model(config: Train, image_tokens: int) -> None:
    """As `check`, of shards that have so many tokens an image."""
    try:
        from weft.model_smoketest.train import check as check_sizes
    except (ImportError, RuntimeError) as error:
        raise ConfigError(f"training needs PyTorch: pip install 'weft-corpus[train]' ({error})") from None
    check_sizes(with_local_tower(config), image_tokens)


def train(ctx: Context) -> dict[str, int]:
    """Train on `shards/` into `model/`; resumes from its own checkpoint."""
    from weft.model_smoketest.train import train as run

    run(files.join(ctx.output, "shards"), ctx.path("model"), with_local_tower(ctx.config.train), _Watch())
    return {}


def evaluate(ctx: Context) -> dict[str, int]:
    """Losses, alignment and checks → model/eval.json."""
    _evaluate()(files.join(ctx.output, "shards"), files.join(ctx.output, "model"), with_local_tower(ctx.config.train))
    return {}


def evaluate_on(shards: str, output: str, config: Config) -> dict[str, Any]:
    """The model of a run on shards that it was not trained on → model/eval-elsewhere.json."""
    return _evaluate()(
        shards, files.join(output, "model"), with_local_tower(config.train), "eval-elsewhere.json", own=False
    )


def suite(name: str, output: str, config: Config, data: str | None, items: int) -> list[str]:
    """The tasks of a suite, asked of the model of a run → model/suite.json, and a table.

    Tasks of the demo's world are made where the run is a demo's.

    Raises:
        ConfigError: there is no trained model, or no directory `data`.
    """
    _evaluate()  # that torch is there
    from weft.model_smoketest import shard_files
    from weft.model_smoketest import suite as tasks
    from weft.model_smoketest.evaluate import load_model
    from weft.model_smoketest.lm import LanguageModel
    from weft.model_smoketest.words import Words

    if data and not Path(data).is_dir():
        raise ConfigError(f"--data {data}: no such directory")
    shards = files.join(output, "shards")
    model, vocabulary = load_model(shards, files.join(output, "model"), tower=with_local_tower(config.train))
    with tempfile.TemporaryDirectory(prefix="weft-suite-") as made:
        homes = [Path(made), *([Path(data)] if data else [])]
        if files.exists(web := files.join(output, "web", "truth.jsonl")):
            questions.write(homes[0], questions.texts_of(web))
        lm = LanguageModel(model, Words(shards, vocabulary))
        found = tasks.run(lm, tasks.load(SUITES / f"{name}.toml"), homes, items)
    files.write_atomic(files.join(output, "model", "suite.json"), shard_files.json_file(found))
    return tasks.table(found)


def export(source: str, output: str) -> list[str]:
    """The trained model of a run as transformers loads it; returns the names of the files.

    Raises:
        ConfigError: there is no run or no trained model, or its vision tower is not known to the exported file.
    """
    _evaluate()  # that torch is there
    from weft.model_smoketest import hugging_face
    from weft.model_smoketest.evaluate import load_model

    config = configuration.from_dict(manifest.known_run(source)["config"])
    shards = files.join(source, "shards")
    model, _ = load_model(shards, files.join(source, "model"), tower=with_local_tower(config.train))
    return hugging_face.export(model, shards, output)


def evaluated(output: str) -> dict[str, Any]:
    """What the stage `eval` of a run has found.

    Raises:
        ConfigError: an earlier version wrote it.
    """
    found = manifest.read_json(files.join(output, "model", "eval.json")) or {}
    if "checks" not in found:
        raise ConfigError(
            f"{output} was evaluated by an earlier version: delete {output}/eval and run `weft eval` again"
        )
    return found


def verdict(found: dict[str, Any]) -> list[str]:
    """The result of an evaluation as lines: losses, gaps, and every check."""
    lines = ["corpus          nats/token   bits/byte   gap ± error (nats/token)   samples"]
    for corpus in filter(found["loss"].__contains__, TRAINED):
        loss, bits, gap = found["loss"][corpus], found["bits_per_byte"][corpus], found["grounding"].get(corpus)
        worth = f"{gap['gap']:+.3f} ± {gap['standard_error']:.3f}" if gap else "–"
        figures = ["–" if value is None else f"{value:.3f}" for value in (loss, bits)]
        lines.append(f"{corpus:14} {figures[0]:>11} {figures[1]:>11}   {worth:24} {found['samples'][corpus]:>9}")
    lines += ["", "check                       value  allowed        p"]
    for check in found["checks"]:
        mark = "FAILS" if check["failed"] else "passes"
        figures = [f"{check['value']:8.3f}", f"{check['allowed']:8.3f}", f"{check['p']:8.2g}"]
        lines.append(f"{check['name']:24} {' '.join(figures)}  {mark}: {check['told']}")
    if found.get("folds"):
        lines += ["", f"pairs and places: judged by {found['folds']} models, each trained without what it judges"]
    return [*lines, "", f"failed: {', '.join(found['failed']) or 'none'}"]


def _evaluate() -> Callable[..., dict[str, Any]]:
    try:
        from weft.model_smoketest.evaluate import evaluate
    except ImportError as error:
        raise ConfigError(f"evaluation needs PyTorch: pip install 'weft-corpus[train]' ({error})") from None
    return evaluate


def with_local_tower(config: Train) -> Train:
    """The section, with a remote vision tower copied to this machine.

    Raises:
        ConfigError: there is none.
    """
    try:
        return dataclasses.replace(
            config,
            vision=local_copies.named(config.vision),
            vision_pretrained=local_copies.named(config.vision_pretrained),
        )
    except FileNotFoundError as error:
        raise ConfigError(f"train.vision: {error}") from None
