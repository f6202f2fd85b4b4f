"""Text F1 on pages in scripts other than Latin, beside trafilatura, by pairs of characters.

    python benchmarks/languages.py WARC …

What is content is said by languages.jsonl: the address of a page and hashes of the first and the last text of it, as
weft's scan has them (`label` below), chosen by reading the pages. F1 is that of the multisets of pairs of
neighbouring letters and digits, which needs no words.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import re
import statistics
from collections import Counter
from pathlib import Path

import extraction
import trafilatura

from weft.transforms.extract.html import extract, model
from weft.transforms.extract.html.scan import Scanner

LABELS = Path(__file__).with_suffix(".jsonl")


def label(text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).hexdigest()


def pairs(text: str) -> Counter[str]:
    said = re.sub(r"\W+", "", text)
    return Counter(map("".join, itertools.pairwise(said)))


def f1(told: str, gold: str) -> float:
    a, b = pairs(told), pairs(gold)
    both = (a & b).total()
    return 2 * both / (a.total() + b.total()) if both else 0.0


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("warcs", nargs="+", metavar="WARC")
    with LABELS.open() as lines:
        gold = {line["url"]: line for line in map(json.loads, lines)}
    scanner = Scanner(model.shipped().names)
    found = []
    for html, url in extraction.read_pages(arguments.parse_args().warcs, set(gold)):
        texts = scanner.scan(html).texts
        places = [label(text) for text in texts]
        first = places.index(gold[url]["first"])
        content = "\n".join(texts[first : places.index(gold[url]["last"], first) + 1])
        weft = "\n".join(filter(None, extract(html, url).texts))
        peer = trafilatura.extract(html, url=url, include_comments=False) or ""
        found.append((f1(weft, content), f1(peer, content)))
        print(f"{gold[url]['language']} weft {found[-1][0]:.3f} trafilatura {found[-1][1]:.3f} {url[:60]}")
    for name, values in zip(("weft", "trafilatura"), zip(*found, strict=True), strict=True):
        error = statistics.stdev(values) / len(values) ** 0.5 if len(values) > 1 else 0.0
        print(f"{name}: {statistics.mean(values):.3f} ± {error:.3f} over {len(values)} pages")


if __name__ == "__main__":
    main()
