"""Extraction with images, pages a second a core: weft beside the two libraries that place images at all.

    python benchmarks/extract.py [WARC …]      default: the demo's web, made into a temporary directory

trafilatura reads images from its own tree; resiliparse is given the usual trick, a mark in every img's alt text. All
get the decoded characters of the same pages in the same process; CPU time, best of two rounds taken in turn.
"""

from __future__ import annotations

import glob
import re
import sys
import tempfile
import time
from collections.abc import Callable

import trafilatura
from resiliparse.extract.html2text import extract_plain_text
from resiliparse.parse.html import HTMLTree

from pipeline.demo import web
from pipeline.extract import classify
from transforms.html import extract, to_text
from transforms.warc import Record, read_archive

MOST_PAGES = 300
ROUNDS = 2
_MARK = re.compile("\ue000(\\d+)\ue001")


def pages(paths: list[str]) -> list[tuple[str, str]]:
    found = []
    for path in paths:
        for record in read_archive(path):
            if isinstance(record, Record) and classify(record)[0] == "page":
                found.append((to_text(record.body, record.header("content-type")), record.url))
    return found[:: max(1, len(found) // MOST_PAGES)]


def by_weft(html: str, url: str) -> int:
    return sum(image is not None for image in extract(html, url).images)


def by_trafilatura(html: str, url: str) -> int:
    text = trafilatura.extract(html, url=url, include_images=True, include_comments=False, output_format="markdown")
    return (text or "").count("![")


def by_resiliparse(html: str, url: str) -> int:
    tree = HTMLTree.parse(html)
    assert tree.document is not None
    for number, image in enumerate(tree.document.query_selector_all("img")):
        image.setattr("alt", f"\ue000{number}\ue001")
    return len(_MARK.findall(extract_plain_text(tree, main_content=True, alt_texts=True)))


def main() -> None:
    paths = sys.argv[1:]
    with tempfile.TemporaryDirectory() as home:
        if not paths:
            web.make_web(home, pages=300)
            paths = sorted(glob.glob(f"{home}/warcs/*"))
        corpus = pages(paths)
    ways: dict[str, Callable[[str, str], int]] = {
        "weft": by_weft,
        "resiliparse + alt marks": by_resiliparse,
        "trafilatura + images": by_trafilatura,
    }
    best: dict[str, float] = {}
    images: dict[str, int] = {}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            begun = time.process_time()
            images[name] = sum(way(html, url) for html, url in corpus)
            best[name] = min(best.get(name, 1e9), time.process_time() - begun)
    size = sum(len(html) for html, _ in corpus) / len(corpus) / 1000
    print(f"{len(corpus)} pages of {size:.0f} thousand characters")
    print(f"{'':26} {'pages/s':>8} {'images':>8}")
    for name, seconds in best.items():
        print(f"{name:26} {len(corpus) / seconds:8.1f} {images[name]:8}")
    print(f"ratio: {min(best['resiliparse + alt marks'], best['trafilatura + images']) / best['weft']:.2f}x")


if __name__ == "__main__":
    main()
