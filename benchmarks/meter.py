"""What the meter finds: every planted fault, and nothing in clean runs. Twenty minutes on two cores.

    python benchmarks/meter.py --shards OUT/shards [--clean 20] [--steps 300] [--faults N]

Trains `--clean` models of different seeds on the shards as they are, and one on the shards with each fault of
tests/planted.py that only a model can tell; prints for each fault which check finds it, how its figure moves, and p.
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

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
import planted


def judged(shards: Path, model: Path, seed: int, steps: int) -> dict[str, Any]:
    """Train on shards and ask."""
    config = dataclasses.replace(configuration.load().train, seed=seed, steps=steps)
    train.train(str(shards), str(model), config, lambda line: None)
    return evaluate.evaluate(str(shards), str(model), config)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shards", type=Path, required=True)
    parser.add_argument("--clean", type=int, default=20)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--faults", type=int, default=len(planted.FAULTS))
    options = parser.parse_args()
    before: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as home:
        passed = 0
        for seed in range(options.clean):
            found = judged(options.shards, Path(home, f"clean{seed}"), seed, options.steps)
            passed += not found["failed"]
            before = before or {check["name"]: check["value"] for check in found["checks"]}
            print(f"clean, seed {seed}: {', '.join(found['failed']) or 'nothing'} found", flush=True)
        print("\n| fault | check | clean | with it | p | others that fail |\n|---|---|---|---|---|---|")
        hits = 0
        for number, (fault, (_, name)) in enumerate(list(planted.FAULTS.items())[: options.faults]):
            shards = planted.plant(fault, options.shards, Path(home, f"fault{number}"))
            if name in ("pairs.mismatched", "interleaved.misplaced"):
                checks = judged(shards, Path(home, f"model{number}"), 0, options.steps)["checks"]
            else:
                checks = [one.row() for one in census.take(str(shards), data.read_vocabulary(str(shards)))]
            check = next(one for one in checks if one["name"] == name)
            others = ", ".join(sorted({one["name"] for one in checks if one["failed"]} - {name})) or "–"
            hits += check["failed"]
            was = f"{before[name]:.3f}" if name in before else "–"
            print(f"| {fault} | `{name}` | {was} | {check['value']:.3f} | {check['p']:.1g} | {others} |", flush=True)
    print(f"\nclean runs without a finding: {passed} of {options.clean}; faults found: {hits} of {options.faults}")
    print(f"ratio: {hits / max(options.faults, 1):.2f}x")


if __name__ == "__main__":
    main()
