"""What each filter on pages takes, alone: of the demo's pages beside its truth, and of real archives.

    python benchmarks/filters.py [--pages 1000] [--archives FILE.warc.gz …]

Every filter is switched on over recipe raw, which has none, and asked of each HTML page. Precision: of the pages that
it takes, the share that the truth says should go, for whatever reason; recall: of those that should go for each reason,
the share that it takes. Of real pages nobody knows the truth: the table says how many each filter takes. The demo's
own figures (`weft demo`) are of all filters together, and of duplicates, images, pairs and placement besides.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from weft.pipeline.demo import web
from weft.schemas.config import load
from weft.schemas.parameters import PageRules
from weft.transforms.archives.read import read_archive
from weft.transforms.archives.record import Record, parse_date
from weft.transforms.extract.archive import classify
from weft.transforms.extract.page import extract_page

FAULTS = ("language", "gibberish", "too_short", "opt_out")  # of the demo's truth
DEFAULT = PageRules()
FILTERS: dict[str, dict[str, Any]] = {
    "honour_opt_out": {"honour_opt_out": True},
    "languages": {"languages": ("en",), "min_language_score": DEFAULT.min_language_score},
    "min_words": {"min_words": DEFAULT.min_words},
    "gibberish": {"gibberish": True},
    "gopher_quality": {"gopher_quality": True},
    "gopher_repetition": {"gopher_repetition": True},
    'gopher_counts = "dclm"': {"gopher_quality": True, "gopher_repetition": True, "gopher_counts": "dclm"},
    "fineweb_quality": {"fineweb_quality": True},
    "refinedweb_lines": {"refinedweb_lines": True},
    'c4 = "code"': {"c4": "code"},
    'c4 = "paper"': {"c4": "paper"},
    'c4 = "fineweb"': {"c4": "fineweb"},
    'pii = "drop"': {"pii": "drop"},
    "all of kosmos1": {},
}


def main() -> None:
    """Print a table of the demo's pages, and one of real pages where archives are named."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pages", type=int, default=1_000, help="of the demo's web")
    parser.add_argument("--archives", nargs="*", default=[])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        web.make_web(home, pages=options.pages)
        truth = _truth(home)
        archives = sorted(map(str, Path(home, "warcs").iterdir()))
        pages = [(record, truth[at]) for record in _pages(archives) if (at := (record.url, record.crawl_date)) in truth]
        print(*of_demo(pages), sep="\n")
    if options.archives:
        print(*of_archives(list(_pages(options.archives))), sep="\n")


def rules_of(name: str) -> PageRules:
    """Recipe raw with one filter of FILTERS, without pairs."""
    whole = load(recipe="kosmos1" if name == "all of kosmos1" else "raw").extract
    return dataclasses.replace(whole, pairs=False, **FILTERS[name])


def of_demo(pages: Sequence[tuple[Record, str]]) -> Iterator[str]:
    """Lines of the table on pages with what the truth says of each: "kept" or one of FAULTS."""
    entered = Counter(expected for _, expected in pages)
    faults = [fault for fault in FAULTS if entered[fault]]
    yield f"{len(pages):,} pages of the demo; " + ", ".join(f"{entered[fault]:,} {fault}" for fault in faults)
    yield "| filter | taken | precision | " + " | ".join(f"recall of {fault}" for fault in faults) + " | good pages |"
    yield "|---" * (len(faults) + 4) + "|"
    for name in FILTERS:
        rules = rules_of(name)
        taken = Counter(expected for record, expected in pages if extract_page(record, rules).document is None)
        right = sum(taken[fault] for fault in faults)
        shares = [f"{taken[fault] / entered[fault]:.2f}" for fault in faults]
        precision = f"{right / taken.total():.3f}" if taken.total() else "–"
        lost = f"{taken['kept'] / entered['kept']:.2%}"
        yield f"| `{name}` | {taken.total():,} | {precision} | " + " | ".join(shares) + f" | {lost} |"


def of_archives(pages: Sequence[Record]) -> Iterator[str]:
    """Lines of the table on pages of which nobody knows what they should be."""
    yield f"{len(pages):,} real pages"
    yield "| filter | taken | for |"
    yield "|---|---|---|"
    for name in FILTERS:
        rules = rules_of(name)
        fates = [extract_page(record, rules).fates[0] for record in pages]
        reasons = Counter(fate.reason for fate in fates if fate.reason)
        told = ", ".join(f"{reason} {count:,}" for reason, count in reasons.most_common(4))
        yield f"| `{name}` | {reasons.total() / len(pages):.1%} | {told} |"


def _truth(home: str) -> dict[tuple[str, int], str]:
    """(address, moment of its capture) → what should become of a page."""
    lines = map(json.loads, Path(home, "truth.jsonl").read_text("utf-8").splitlines())
    told = {(line["url"], parse_date(line["date"])): line["expect"] for line in lines if "kind" in line}
    return {at: expected for at, expected in told.items() if expected in ("kept", *FAULTS)}


def _pages(archives: Sequence[str]) -> Iterator[Record]:
    for path in archives:
        for record in read_archive(path):
            if isinstance(record, Record) and classify(record)[0] == "page":
                yield record


if __name__ == "__main__":
    main()
