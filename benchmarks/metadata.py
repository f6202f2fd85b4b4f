"""Author and day of publication of real pages: how many are found, and how many of what is told are right.

    python benchmarks/metadata.py --gold JSONL.GZ WARC …

Gold is lines of {"url", "author", "publish_date"}, "" or null where a page has none. Sites are dealt into two halves
by a hash of their names: half 0 may be looked at, half 1 is for measuring. Recall is over what gold says. Precision is
over all that is told, where what is told of a page that gold gives none is wrong, and over pages with gold. Errors are
standard deviations over resampled pages. trafilatura reads the same pages.
"""

from __future__ import annotations

import argparse
import datetime
import gzip
import hashlib
import json
import random
import re
import statistics
import time
import unicodedata
from collections.abc import Callable
from urllib.parse import urlsplit

import extraction
from trafilatura.metadata import extract_metadata

from weft.transforms.extract.html import about, model
from weft.transforms.extract.html.scan import Scanner

Told = tuple[str, str]  # author, day
SAMPLES = 500


def words(text: str) -> set[str]:
    plain = "".join(one for one in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(one))
    return set(re.findall(r"\w+", plain)) - {"by", "and"}


def same_author(told: str, gold: str) -> bool:
    """Whether the words of one are all among the other's, and half of all are in both."""
    a, b = words(told), words(gold)
    return bool(a and b) and (a <= b or b <= a) and 4 * len(a & b) >= len(a) + len(b)


def same_day(told: str, gold: str) -> bool:
    """Whether the days are at most one apart, as one in UTC and one that a page shows may be; gold may be a month."""
    if not told or len(gold) < 10:
        return bool(told) and told.startswith(gold)
    days = (datetime.date.fromisoformat(told[:10]) - datetime.date.fromisoformat(gold[:10])).days
    return abs(days) <= 1


def half(url: str) -> int:
    host = (urlsplit(url).hostname or "").removeprefix("www.")
    return hashlib.blake2b(host.encode(), digest_size=8).digest()[-1] % 2


def figures(rows: list[tuple[bool, bool, bool]]) -> tuple[float, float, float]:
    """(precision of all, precision of pages with gold, recall) of rows (right, told, has gold)."""
    right = sum(row[0] for row in rows)
    return (
        right / max(1, sum(row[1] for row in rows)),
        right / max(1, sum(row[1] and row[2] for row in rows)),
        right / max(1, sum(row[2] for row in rows)),
    )


def with_errors(rows: list[tuple[bool, bool, bool]]) -> str:
    dice = random.Random(0)
    drawn = [figures(dice.choices(rows, k=len(rows))) for _ in range(SAMPLES)]
    return " ".join(
        f"{value:.3f} ± {statistics.pstdev(one[n] for one in drawn):.3f} |" for n, value in enumerate(figures(rows))
    )


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("warcs", nargs="+", metavar="WARC")
    arguments.add_argument("--gold", required=True)
    arguments.add_argument("--captured", default="", help="day of capture: none after it is a day of publication")
    options = arguments.parse_args()
    with gzip.open(options.gold, "rt") as lines:
        gold = {row["url"]: row for row in map(json.loads, lines)}
    corpus = extraction.read_pages(options.warcs, set(gold))
    scanner = Scanner(model.shipped().names)
    scans = [(scanner.scan(html), url) for html, url in corpus]
    found: dict[str, dict[str, Told]] = {}
    for name, read in (
        ("weft", lambda: {url: about.read(scan, url, options.captured)[:2] for scan, url in scans}),
        ("trafilatura", lambda: {url: _by_trafilatura(html, url) for html, url in corpus}),
    ):
        begun = time.process_time()
        found[name] = read()
        print(f"{name}: {(time.process_time() - begun) / len(corpus) * 1000:.2f} ms a page")
    tests: tuple[tuple[int, str, Callable[[str, str], bool]], ...] = (
        (0, "author", same_author),
        (1, "publish_date", same_day),
    )
    print("| | half | precision of all | of pages with gold | recall |\n|---|---|---|---|---|")
    for part in (0, 1):
        for name, told in found.items():
            for n, key, same in tests:
                rows = []
                for url in told:
                    if half(url) == part:
                        said, wanted = told[url][n], gold[url].get(key) or ""
                        rows.append((bool(wanted) and same(said, wanted), bool(said), bool(wanted)))
                print(f"| {name}, {key} | {part} | {with_errors(rows)}")


def _by_trafilatura(html: str, url: str) -> Told:
    made = extract_metadata(html, default_url=url)
    return made.author or "", made.date or ""


if __name__ == "__main__":
    main()
