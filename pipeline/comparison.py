"""`weft compare` and `weft ablate`: which corpus or recipe gives the better model, and a page that shows it.

compare takes finished runs (or directories of shards); ablate first makes a run of each file on one input.
Stages that two configurations share are run once: a stage of the second whose fingerprint the first has is taken over.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import weft.schemas.config as configuration
from weft.pipeline.report.charts import text
from weft.pipeline.run import decides, inputs, lock, manifest, registry, removal
from weft.pipeline.run.run import Run
from weft.pipeline.stages import training
from weft.schemas.config import Config, Train
from weft.schemas.parameters import ConfigError
from weft.schemas.records import digest
from weft.transforms.io import files, state

PAGE = "compare.html"
_WIDTH, _ROW, _MIDDLE = 620, 44, 310

Say = Callable[[str], None]


def compare(options: argparse.Namespace, config: Config, say: Say) -> dict[str, Any]:
    """The runs that the options name, against each other; returns what `weft.model_smoketest.compare` found.

    Raises:
        ConfigError: fewer than two, or one without shards.
    """
    corpora: dict[str, str] = {}
    for run in options.runs:
        shards = files.join(run, "shards") if files.exists(files.join(run, "shards")) else run
        name = os.path.basename(os.path.normpath(run)) or run
        corpora[name if name not in corpora else f"{name}-{len(corpora) + 1}"] = shards
    check(options, config.train, [_trainer().data.read_vocabulary(shards).image_tokens for shards in corpora.values()])
    with lock.held(options.output):
        return judge(corpora, options, config.train, say)


def ablate(
    options: argparse.Namespace, configs: Mapping[str, Config], flags: Sequence[str], say: Say
) -> dict[str, Any]:
    """A run of each configuration on the input, below the output, and the comparison of all.

    Args:
        configs: name → configuration; the first one's [train] makes the models.

    Raises:
        ConfigError: finished work that would be discarded unasked, a directory of one of the names that holds no run,
            or what `check` finds; no run has begun then.
    """
    train = next(iter(configs.values())).train
    check(options, train, [config.pack.image_tokens for config in configs.values()])
    runs: dict[str, Run] = {}
    with contextlib.ExitStack() as held:
        held.enter_context(lock.held(options.output))
        for name, config in configs.items():
            found, keys = inputs.named(inputs.marked(inputs.of_config(options.input, config)))
            home = files.join(options.output, name)
            held.enter_context(lock.held(home))
            manifest.refuse_foreign(home)
            removal.check(home)
            config = manifest.leaving_out(config, home)
            told, own = partial(_named, say, name), tuple(found)
            runs[name] = Run(
                home, own, config, tuple(flags), options.quiet, told, adds="never", redo=options.redo, keys=keys
            )
            runs[name].check(registry.CORPUS)
        done: list[Run] = []
        for run in runs.values():
            for other in done:
                take_over(other.output, run.output, run.config, run.inputs)
            run.go(registry.CORPUS, run.write)
            done.append(run)
        corpora = {name: files.join(run.output, "shards") for name, run in runs.items()}
        return judge(corpora, options, train, say)


def check(options: argparse.Namespace, train: Train, image_tokens: Sequence[int]) -> None:
    """What would stop a comparison, before hours of runs have gone into it.

    Args:
        image_tokens: of an image in each corpus.

    Raises:
        ConfigError: no PyTorch, a size that there is not, held-out shards that are none, or a model that is not built.
    """
    trainer = _trainer()
    if not (sizes := _sizes(options)):
        raise ConfigError(f"--sizes takes some of {','.join(trainer.SIZES)}, not {options.sizes!r}")
    trainer.check(sizes, options.neutral or "")
    training.check_model(train, max(image_tokens))


def _trainer() -> Any:
    try:
        from weft.model_smoketest import compare
    except ImportError as error:
        raise ConfigError(f"comparing needs PyTorch: pip install 'weft-corpus[train]' ({error})") from None
    return compare


def _sizes(options: argparse.Namespace) -> list[str]:
    return [size for size in options.sizes.split(",") if size]


def _named(say: Say, name: str, line: str) -> None:
    say(f"{name}: {line}")


def take_over(source: str, target: str, config: Config, found: Sequence[registry.Input]) -> list[str]:
    """Link the stages of another run that a run of `config` would repeat; returns their names."""
    taken = []
    prints = registry.fingerprints(config, found, source)
    for stage in (registry.BY_NAME[name] for name in registry.CORPUS):
        wanted = prints[stage.name]
        if (manifest.read(source, stage.name) or {}).get("fingerprint") != wanted:
            break
        if (manifest.read(target, stage.name) or {}).get("fingerprint") != wanted:
            for name in stage.owned:  # of another configuration, or of a call that was killed
                files.remove_tree(files.join(target, name))
            done, begun = (files.join(stage.name, name) for name in manifest.SAID)
            os.makedirs(files.join(target, stage.name), exist_ok=True)
            os.link(files.join(source, begun), files.join(target, begun))  # killed from here on it is one that goes on
            for name in stage.owned:
                if os.path.isdir(files.join(source, name)):
                    shutil.copytree(
                        files.join(source, name), files.join(target, name), copy_function=os.link, dirs_exist_ok=True,
                        ignore=shutil.ignore_patterns(*manifest.SAID),
                    )  # fmt: skip
            os.link(files.join(source, done), files.join(target, done))
        taken.append(stage.name)
    return taken


def judge(corpora: Mapping[str, str], options: argparse.Namespace, config: Train, say: Say) -> dict[str, Any]:
    """Train and compare; the page and the figures are written into the output."""
    if len(corpora) < 2:
        raise ConfigError("compare takes two or more runs")
    tower, neutral = training.with_local_tower(config), options.neutral or ""
    _check_same(corpora, options, tower)
    found = _trainer().compare(corpora, options.output, tower, options.seeds, _sizes(options), neutral, say)
    files.write_atomic(files.join(options.output, PAGE), page(found))
    return found


def _check_same(corpora: Mapping[str, str], options: argparse.Namespace, config: Train) -> None:
    """Raise ConfigError where the output holds models of another comparison, and nobody has said that they may go."""
    trainer, path = _trainer(), files.join(options.output, "models", "of.json")
    every = {**corpora, "": options.neutral} if options.neutral else corpora
    data = {name: trainer.data.fingerprint(at, trainer.data.read_vocabulary(at)) for name, at in every.items()}
    settings = {k: v for k, v in configuration.to_dict(config).items() if k not in trainer.train.INCIDENTAL}
    tower = decides.train(dataclasses.replace(Config(), train=config))["vision"]
    made_of = digest(data, settings, tower or [config.vision, config.vision_pretrained])
    if (state.read(path) or {}).get("of", made_of) != made_of and not getattr(options, "redo", False):
        more = " or add --redo" if hasattr(options, "redo") else ""
        raise ConfigError(
            f"{options.output} holds models of other corpora or settings, which this would discard: name another "
            f"--output{more}"
        )
    state.write(path, {"of": made_of})


def told(found: Mapping[str, Any]) -> list[str]:
    """The result as lines."""
    lines = []
    for size, one in found["sizes"].items():
        lines.append(f"size {size}: bits per byte of held-out text, mean of {one['seeds']} seeds")
        for name in one["rank"]:
            means = one["bits_per_byte"][name]
            kinds = ", ".join(f"{kind} {means[kind]:.4f}" for kind in ("pairs", "interleaved", "text") if kind in means)
            epochs = ", ".join(f"{kind} {value:.1f}" for kind, value in sorted(found["epochs"][name].items()))
            own = ", ".join(f"of {source} {value:.4f}" for source, value in means["by_source"].items())
            lines.append(f"  {name:20} {means['overall']:.4f}  ({kinds}; samples {own}; epochs: {epochs})")
        for pair in one["pairs"]:
            lines.append(f"  {pair['a']} - {pair['b']}: {_verdict(pair)}")
            kinds = ", ".join(f"{kind} {_verdict(of)}" for kind, of in pair["by_kind"].items())
            lines.append(f"    by kind, 95 % for all together: {kinds}")
    if len(found["sizes"]) > 1:
        lines.append(f"the order {'holds' if found['rank_holds'] else 'does not hold'} across sizes")
    return lines


def _verdict(pair: Mapping[str, Any]) -> str:
    decided = "undecided" if pair["better"] == "undecided" else f"{pair['better']} is better"
    return f"{pair['delta']:+.4f} {_interval(pair)}  {decided}"


def _interval(pair: Mapping[str, Any]) -> str:
    return "(one seed)" if pair["low"] is None else f"[{pair['low']:+.4f}, {pair['high']:+.4f}]"


def page(found: Mapping[str, Any]) -> str:
    """The result as a page: each difference as a point with its interval, zero in the middle, and all figures."""
    pairs = [(size, pair) for size, one in found["sizes"].items() for pair in one["pairs"]]
    ends = [abs(pair[key]) for _, pair in pairs for key in ("low", "high", "delta") if pair[key] is not None]
    scale = (_MIDDLE - 40) / max([*ends, 1e-9])
    marks = []
    for row, (size, pair) in enumerate(pairs):
        y = row * _ROW + 32
        low, high, at = (
            _MIDDLE + scale * (nowhere if pair[key] is None else pair[key])
            for key, nowhere in (("low", -max(ends)), ("high", max(ends)), ("delta", 0.0))
        )
        name = f"{pair['a']} − {pair['b']}, size {size}: {pair['better']}"
        marks.append(
            f'<text x="8" y="{y - 12}">{text(name)}</text><line x1="{low:.1f}" x2="{high:.1f}" y1="{y}" y2="{y}"/>'
            f'<circle cx="{at:.1f}" cy="{y}" r="4"/>'
        )
    height = len(pairs) * _ROW + 16
    lines = "\n".join(told(found))
    return f"""<!doctype html>
<html lang="en"><meta charset="utf-8"><title>weft compare</title>
<style>:root{{color-scheme:light dark}}
body{{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem}}
svg{{width:100%;font-size:13px;fill:currentColor}}line{{stroke:currentColor;stroke-width:2}}
.zero{{stroke-dasharray:3 3;stroke-width:1}}pre{{overflow-x:auto}}</style>
<h1>{text(" against ".join(found["corpora"]))}</h1>
<p>Difference in bits per byte of held-out text, with its 95 % interval over {found["seeds"]} seeds and
{sum(found["held_out"].values())} samples, of models that saw {found["tokens"]:,} tokens each. Left of the line the
first is better. Where the interval crosses it nothing is decided.</p>
<svg viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="{text("; ".join(told(found)))}">
<line class="zero" x1="{_MIDDLE}" x2="{_MIDDLE}" y1="0" y2="{height}"/>{"".join(marks)}</svg>
<pre>{text(lines)}</pre></html>
"""
