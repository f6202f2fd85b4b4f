"""What the meter finds: every planted fault, and nothing in clean runs. Half an hour on two cores.

    python benchmarks/meter.py --shards OUT/shards [--clean 3] [--draws 20] [--steps 300] [--folds 3] [--faults N]

Trains `--clean` models of different seeds on the shards as they are, and one on the shards with each fault of
tests/planted.py that only a model can tell; prints for each fault which check finds it, how its figure moves, and p.
With `--folds` these are judged by models that have not trained on what they judge. `--draws` are clean corpora of the
tests' generated pictures, each with a model of its own: how often a sound corpus fails a check.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import tempfile
from pathlib import Path
from typing import Any

import weft.schemas.config as configuration
from weft.model_smoketest import census, data, evaluate, train
from weft.schemas.config import Train

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
import generated
import planted


def judged(shards: Path, model: Path, config: Train) -> dict[str, Any]:
    """Train on shards and ask."""
    train.train(str(shards), str(model), config, lambda line: None)
    return evaluate.evaluate(str(shards), str(model), config)


def drawn(home: Path, number: int) -> list[str]:
    """The checks that a clean corpus of generated pictures fails."""
    shards = generated.write_shards(home / "shards", generated.COUNTS, draw=number + 1)
    tower = generated.write_tower(home / "tower", seed=number)
    return judged(shards, home / "model", generated.config(tower, seed=number, **generated.LEARNS))["failed"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shards", type=Path, required=True)
    parser.add_argument("--clean", type=int, default=3)
    parser.add_argument("--draws", type=int, default=20)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--folds", type=int, default=3)
    parser.add_argument("--faults", type=int, default=len(planted.FAULTS))
    options = parser.parse_args()
    config = dataclasses.replace(configuration.load().train, steps=options.steps, audit_folds=options.folds)
    before: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as home:
        passed = 0
        for number in range(options.draws):
            failed = drawn(Path(home, f"draw{number}"), number)
            passed += not failed
            print(f"draw {number + 1}: {', '.join(failed) or 'nothing'} found", flush=True)
        for seed in range(options.clean):
            found = judged(options.shards, Path(home, f"clean{seed}"), dataclasses.replace(config, seed=seed))
            passed += not found["failed"]
            before = before or {check["name"]: check["value"] for check in found["checks"]}
            print(f"clean, seed {seed}: {', '.join(found['failed']) or 'nothing'} found", flush=True)
        print("\n| fault | check | clean | with it | p | others that fail |\n|---|---|---|---|---|---|")
        hits = 0
        for number, (fault, (_, name)) in enumerate(list(planted.FAULTS.items())[: options.faults]):
            shards = planted.plant(fault, options.shards, Path(home, f"fault{number}"))
            if name in ("pairs.mismatched", "interleaved.misplaced"):
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


if __name__ == "__main__":
    main()
