"""Command line of the training: see the package's docstring."""

from __future__ import annotations

import argparse
from pathlib import Path

from weft.transforms.extract.html.training import fit, table


def main() -> None:
    """Run one of the two commands."""
    parser = argparse.ArgumentParser(prog="python -m weft.transforms.extract.html.training")
    commands = parser.add_subparsers(dest="command", required=True)
    made = commands.add_parser("table", help="sets of pages with gold texts → the table of features and labels")
    made.add_argument("sets", nargs="+", metavar="SET", help="what SET*.warc.gz, SET.gold.jsonl.gz … begin with")
    made.add_argument("--out", type=Path, default=table.SHIPPED)
    fitted = commands.add_parser("fit", help="the table → weights")
    fitted.add_argument("--table", type=Path, default=table.SHIPPED)
    fitted.add_argument("--out", type=Path, default=fit.SHIPPED)
    fitted.add_argument("--folds", type=Path, metavar="DIR", help="cross-validate: weights of each fold into DIR")
    fitted.add_argument("--epochs", type=int, default=fit.EPOCHS)
    fitted.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if options.command == "table":
        table.make(options.sets, options.out)
    elif options.folds:
        fit.cross_validate(table.load(options.table), options.folds, options.epochs, options.seed)
    else:
        fit.fit_all(table.load(options.table), options.out, options.epochs, options.seed)


if __name__ == "__main__":
    main()
