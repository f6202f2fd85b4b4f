"""`weft demo`: make the small web, serve it, run every stage on it, say what came out.

The web is generated (web.py), its images that are not in the WARC files come over HTTP from a loopback server
(server.py), and because its truth is known the summary can say how right each filter was (truth.py).
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from typing import Any

import weft.schemas.config as configuration
from weft.pipeline.demo import lessons, minimal_pairs, questions, server, truth, web
from weft.pipeline.report import closing, report
from weft.pipeline.run import inputs, lock, manifest, progress, registry
from weft.pipeline.run.run import Run
from weft.schemas.config import Config
from weft.schemas.parameters import ConfigError
from weft.transforms.io import files

# What a minute on two cores needs: short sequences, few slots per image, a small vocabulary. All else is the recipe's.
SMALL = (
    "pack.context_length=512",
    "pack.image_tokens=16",
    "pack.vocab_size=2048",
    "pack.val_fraction=0.1",
    "dedup.buckets=2",
    "fetch.buckets=4",
    "score.buckets=2",
    'score.compare="always"',  # the demo shows similarities, whatever the recipe makes of them
    "pack.shards=2",
)
INSTRUCTIONS = "instructions.jsonl"


def demo(options: argparse.Namespace, config: Config, flags: Sequence[str]) -> None:
    """Run the demo into `options.output`; a second call goes on where the first one stopped."""
    begun = time.monotonic()
    home = files.join(options.output, "web")
    _check_place(options, home, config.salt)
    web.make_web(home, options.pages, config.salt, options.questions)
    say = (lambda line: None) if options.quiet else progress.say
    say(f"web      {time.monotonic() - begun:6.1f} s  {options.pages} pages made in {home}")
    if options.questions:
        config = _changed(config, "pack", max_images=max(config.pack.max_images, lessons.MOST))
    if options.instructions:
        config = _instructed(config, home, options.instructions)
    found = inputs.marked(inputs.expand([files.join(home, "warcs")]))
    with server.serve(home) as port:
        served = _connect(config, port)
        run = Run(options.output, tuple(found), served, tuple(flags), options.quiet, say, redo=options.redo)
        run.go([stage.name for stage in registry.STAGES], lambda: manifest.write_run(options.output, config, found))
    read = minimal_pairs.measure(files.join(options.output, "shards"), files.join(options.output, "model"))
    files.write_atomic(files.join(options.output, "model", "minimal_pairs.json"), json.dumps(read, indent=1) + "\n")
    verdict = truth.judge(options.output, home)
    files.write_atomic(files.join(options.output, "truth.json"), json.dumps(verdict, indent=1, sort_keys=True) + "\n")
    written = report.write(options.output, config)
    print(summary(options.output, verdict))
    print(f"\nin {time.monotonic() - begun:.0f} s; the report: {written}")


def _check_place(options: argparse.Namespace, home: str, salt: str) -> None:
    """Raise ConfigError for a directory that holds anything but a demo, or the demo of another web."""
    demo = files.exists(files.join(home, web.DONE))
    if not demo and lock.occupied(options.output):
        raise ConfigError(f"{options.output} holds something that is not a demo; name another --output")
    asked = (home, options.pages, salt, options.questions)
    if demo and manifest.read_run(options.output) and not (options.redo or web.is_made(*asked)):
        raise ConfigError(
            f"{options.output} holds a demo on another web; name another --output, or --redo to replace it"
        )


def _connect(config: Config, port: int) -> Config:
    """The configuration with the demo's hosts led to the loopback server."""
    return _changed(config, "fetch", connect_to=[f"weft.test=127.0.0.1:{port}"])


def _instructed(config: Config, home: str, rows: int) -> Config:
    """The configuration with so many instructions of the web's scenes."""
    path = files.join(home, INSTRUCTIONS)
    questions.write_instructions(path, questions.texts_of(files.join(home, web.TRUTH)), rows)
    return _changed(config, "pack", instructions=[path])


def _changed(config: Config, section: str, **more: Any) -> Config:
    values = configuration.to_dict(config)
    values[section] |= more
    return configuration.from_dict(values)


def summary(output: str, verdict: dict[str, Any]) -> str:
    """The table that the demo prints: what came out, how the model did, how right the filters were."""
    lines = ["", *closing.funnel(output), "", *closing.corpora(output)]
    lines += ["", "against the known truth                  precision   recall", *_judged(verdict)]
    evaluated = manifest.read_json(files.join(output, "model", "eval.json")) or {}
    lines += ["", "model, on held-out shards", *_learned(evaluated)]
    read = manifest.read_json(files.join(output, "model", "minimal_pairs.json")) or {}
    if read:
        told = ", ".join(f"{kind} {one['right']:.2f}" for kind, one in read.items())
        lines += [f"  tells a caption from one with a change of (chance 0.50): {told}"]
    return "\n".join(lines)


def _judged(value: dict[str, Any], prefix: str = "") -> list[str]:
    """The verdict as lines: precision and recall side by side, other figures by name."""
    lines = []
    if {"precision", "recall"} <= set(value):
        lines.append(f"  {prefix.strip():38} {value['precision']:9.3f} {value['recall']:8.3f}")
    for key, item in value.items():
        if isinstance(item, dict):
            lines += _judged(item, f"{prefix}{key} ")
        elif key not in ("precision", "recall", "refused") and isinstance(item, float):
            lines.append(f"  {prefix}{key.replace('_', ' '):{max(1, 38 - len(prefix))}} {item:9.3f}")
    return lines


def _learned(evaluated: dict[str, Any]) -> list[str]:
    lines = [f"  loss of {name:30} {loss:9.3f}" for name, loss in evaluated.get("loss", {}).items() if loss is not None]
    for name, found in evaluated.get("grounding", {}).items():
        if found:
            lines.append(
                f"  grounding gap, {name:23} {found['gap']:9.3f} ± {found['standard_error']:.3f} nats a token; "
                f"the right image is better for {found['win_rate']:.0%} of {found['samples']}"
            )
    if "failed" in evaluated:
        lines.append(f"  checks of the corpus: {', '.join(evaluated['failed']) or 'none'} failed")
    return lines + [f"  {note}" for note in evaluated.get("notes", [])]
