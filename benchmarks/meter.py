"""What the meter finds: every planted fault, and nothing in clean runs. Half an hour on two cores.

    python benchmarks/meter.py --shards OUT/shards [--draws 20] [--equal 20] [--clean 3] [--folds 3] [--steps 300]
    python benchmarks/meter.py --shards OUT/shards --model OUT/model --draws 0 --equal 0 --clean 0     minutes

Trains `--clean` models of different seeds on the shards as they are, and one on the shards with each fault of
tests/planted.py that only a model can tell; prints for each fault which check finds it, how its figure moves, and p.
With `--folds` these are judged by models that have not trained on what they judge; with `--model` by that of the
shards as they are, and none is trained. `--draws` are demo webs of `--pages`
pages, each of a salt of its own: how often a sound corpus fails a check, with `--draw-steps` one of a model's too.
`--equal` are ways to draw two fives out of `--pool` models of the tests' generated shards, but for their seeds alike,
that are compared as two corpora are: how often a difference is seen that is none; and the same corpus with faults is
compared with it sound.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import io
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

import weft.schemas.config as configuration
from weft.model_smoketest import census, compare, copies, data, evaluate, train
from weft.pipeline import cli
from weft.pipeline.demo import run, web
from weft.schemas.config import Train

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
import generated
import planted

BETWEEN = {  # what a sound corpus is compared with
    "10 % of pairs mismatched": planted.mismatched,
    "30 % of pairs mismatched": lambda world: planted.mismatched(world, 0.3),
    "10 % of samples five times": planted.duplicated,
    "half of the samples five times": lambda world: planted.duplicated(world, 0.5),
}


def judged(shards: Path, model: Path, config: Train) -> dict[str, Any]:
    """Train on shards and ask."""
    train.train(str(shards), str(model), config, lambda line: None)
    return evaluate.evaluate(str(shards), str(model), config)


def judged_by(shards: Path, model: Path, config: Train) -> list[dict[str, Any]]:
    """The checks of shards by a model of others."""
    return list(evaluate.evaluate(str(shards), str(model), config, "planted.json", own=False)["checks"])


def drawn(home: Path, salt: str, pages: int, config: Train) -> list[str]:
    """The checks that the corpus of a demo web of this salt fails; those that need a model where steps are given."""
    web.make_web(str(home / "web"), pages, salt)
    sets = [part for one in (*run.SMALL, "fetch.http=false", 'score.compare="needed"') for part in ("--set", one)]
    asked = ["run", "--quiet", "--input", str(home / "web/warcs"), "--output", str(home / "run"), *sets]
    with contextlib.redirect_stdout(io.StringIO()):
        if cli.main(asked):
            raise SystemExit("the run of a draw failed")
    shards = home / "run/shards"
    if config.steps:
        return list(judged(shards, home / "model", config)["failed"])
    return sorted({one.name for one in census.take(str(shards), data.read_vocabulary(str(shards))) if one.failed})


def equals(home: Path, ways: int, pool: int, seeds: int) -> Iterator[str]:
    """Equal models compared so many ways, and a sound corpus with faulty ones: a line for each.

    Each way draws two fives out of `pool` models that are alike but for their seeds; seeds are not paired, as they
    would be of a corpus and itself, where each difference is exactly 0.
    """
    shards = generated.write_shards(home / "sound", generated.COUNTS)
    corpora = {"sound": str(shards)}
    for name, plant in BETWEEN.items():
        world = planted.World(shards)
        plant(world)
        corpora[name] = str(world.write(home / name, shards))
    config = generated.config(generated.write_tower(home / "tower"), **generated.LEARNS)
    compared = compare.compare(corpora, str(home), config, seeds, neutral=str(shards), log=lambda line: None)
    for one in compared["sizes"]["S"]["pairs"]:
        if one["a"] == "sound":
            yield f"sound less {one['b']}: {_told(one)}"
    held, documents = compare.hold_out({"sound": str(shards)})
    held = compare.fitted(held, list(corpora.values()), config.max_length)
    without = frozenset(documents | copies.of(corpora.values(), [str(shards)]))  # as compare does: five are trained
    bits = []
    for seed in range(pool):
        where = compare.place(str(home), "sound", "S", seed)
        train.train(str(shards), where, dataclasses.replace(config, seed=seed), lambda line: None, without)
        bits.append(compare.judge(str(shards), where, held, without))
    told = by_kind = 0
    for way in range(ways):
        drawn = np.random.default_rng(way).permutation(pool)
        a, b = np.array(bits)[drawn[:5]], np.array(bits)[drawn[5:10]]
        one = compare.verdicts({"a": a, "b": b}, held)["pairs"][0]
        told += one["better"] != "undecided"
        by_kind += any(of["better"] != "undecided" for of in one["by_kind"].values())
        yield f"way {way + 1}: {_told(one)}"
    yield f"equal models told apart: {told} of {ways} times, by some kind of samples {by_kind}"


def _told(one: dict[str, Any]) -> str:
    """A difference in bits per byte, and what it decides; then those by kind."""
    said = f"{one['delta']:+.4f} ({one['low']:+.4f} to {one['high']:+.4f}): {one['better']}"
    return "; ".join([said, *(f"{kind} {_told(of)}" for kind, of in one.get("by_kind", {}).items())])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shards", type=Path, required=True)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--clean", type=int, default=3)
    parser.add_argument("--draws", type=int, default=20)
    parser.add_argument("--draw-steps", type=int, default=0)
    parser.add_argument("--pages", type=int, default=100)
    parser.add_argument("--equal", type=int, default=20)
    parser.add_argument("--pool", type=int, default=20)
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--folds", type=int, default=3)
    parser.add_argument("--faults", type=int, default=len(planted.FAULTS))
    options = parser.parse_args()
    config = dataclasses.replace(configuration.load().train, steps=options.steps, audit_folds=options.folds)
    before: dict[str, float] = {}
    if options.model:
        before = {check["name"]: check["value"] for check in judged_by(options.shards, options.model, config)}
    with tempfile.TemporaryDirectory() as home:
        passed = 0
        for number in range(options.draws):
            drawing = dataclasses.replace(config, steps=options.draw_steps, audit_folds=0)
            failed = drawn(Path(home, f"draw{number}"), f"draw {number}", options.pages, drawing)
            shutil.rmtree(Path(home, f"draw{number}"))
            passed += not failed
            print(f"draw {number + 1}: {', '.join(failed) or 'nothing'} found", flush=True)
        if options.equal:
            for line in equals(Path(home, "equal"), options.equal, options.pool, options.seeds):
                print(line, flush=True)
        for seed in range(options.clean):
            found = judged(options.shards, Path(home, f"clean{seed}"), dataclasses.replace(config, seed=seed))
            passed += not found["failed"]
            before = before or {check["name"]: check["value"] for check in found["checks"]}
            print(f"clean, seed {seed}: {', '.join(found['failed']) or 'nothing'} found", flush=True)
        print("\n| fault | check | clean | with it | p | others that fail |\n|---|---|---|---|---|---|")
        hits = 0
        for number, (fault, (_, name)) in enumerate(list(planted.FAULTS.items())[: options.faults]):
            shards = planted.plant(fault, options.shards, Path(home, f"fault{number}"))
            of_images = name in ("pairs.mismatched", "interleaved.misplaced")
            if of_images and options.model:
                checks = judged_by(shards, options.model, config)
            elif of_images:
                checks = judged(shards, Path(home, f"model{number}"), config)["checks"]
            else:
                checks = [one.row() for one in census.take(str(shards), data.read_vocabulary(str(shards)))]
            check = next(one for one in checks if one["name"] == name)
            others = ", ".join(sorted({one["name"] for one in checks if one["failed"]} - {name})) or "–"
            hits += check["failed"]
            was = f"{before[name]:.3f}" if name in before else "–"
            print(f"| {fault} | `{name}` | {was} | {check['value']:.3f} | {check['p']:.1g} | {others} |", flush=True)
    clean = options.draws + options.clean
    print(f"\nclean runs without a finding: {passed} of {clean}; faults found: {hits} of {options.faults}")
    print(f"ratio: {hits / max(options.faults, 1):.2f}x")
    sys.exit(hits < options.faults or passed < clean)


if __name__ == "__main__":
    main()
