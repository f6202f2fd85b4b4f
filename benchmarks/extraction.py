"""Extraction: pages a second a core, text F1 and image figures of weft beside its peers, and where weft's time goes.

    python benchmarks/extraction.py [WARC …] [--gold JSONL.GZ [--images JSONL.GZ --scorer FILE.py]] [--folds DIR]

Without arguments it reads the demo's web, made into a temporary directory, and gives rates alone. Gold texts are lines
of {"url", "gold_text", "page_type"}; the scorer is a file with a function score(documents, gold, images), documents
being {url: [(text or None, image or None), …]}. Without a scorer figures are those of `agreement`, and gold may also be
"gold_html", or parts of the text that are to be kept ("with") or left out ("without"). With --folds, the weights that
`python -m weft.transforms.extract.html.training fit --folds DIR` wrote, each page is extracted
by the model that has not seen its site.

Peers: trafilatura with images, resiliparse with a mark in every alt text, and rs-trafilatura where it is installed
(texts alone: it does not place images). All get the same decoded characters in one process; CPU time.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # per core; before numpy is imported
os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import functools
import glob
import gzip
import importlib.util
import json
import re
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import trafilatura
from resiliparse.extract.html2text import extract_plain_text
from resiliparse.parse.html import HTMLTree

from weft.pipeline.demo import web
from weft.transforms.archives.read import read_archive
from weft.transforms.archives.record import Record
from weft.transforms.extract.archive import classify
from weft.transforms.extract.html import extract, model, page, to_text
from weft.transforms.extract.html.choose import choose
from weft.transforms.extract.html.features import features
from weft.transforms.extract.html.model import Model
from weft.transforms.extract.html.scan import IMAGE, Scan, Scanner
from weft.transforms.extract.html.source import without_raw
from weft.transforms.extract.html.training.labels import SHINGLE, words
from weft.transforms.urls import resolve

Document = list[tuple[str | None, str | None]]
_MARK = re.compile("\ue000(\\d+)\ue001")
_MARKDOWN_IMAGE = re.compile(r"!\[[^\]\n]*\]\(([^)\s]+)[^)\n]*\)")


def read_pages(paths: Iterable[str], wanted: set[str]) -> list[tuple[str, str]]:
    found = []
    for path in paths:
        for record in read_archive(path):
            if isinstance(record, Record) and classify(record)[0] == "page" and (not wanted or record.url in wanted):
                found.append((to_text(record.body, record.header("content-type")), record.url))
    return found


def by_weft(html: str, url: str) -> Document:
    made = extract(html, url)
    return list(zip(made.texts, made.images, strict=True))


def by_trafilatura(html: str, url: str) -> Document:
    text = trafilatura.extract(html, url=url, include_images=True, include_comments=False, output_format="markdown")
    return _cut(text or "", _MARKDOWN_IMAGE, lambda found: resolve(url, found.group(1)))


def by_resiliparse(html: str, url: str) -> Document:
    tree = HTMLTree.parse(html)
    assert tree.document is not None
    images = tree.document.query_selector_all("img")
    urls = [resolve(url, image.getattr("src") or image.getattr("data-src") or "") for image in images]
    for number, image in enumerate(images):
        image.setattr("alt", f"\ue000{number}\ue001")
    text = extract_plain_text(tree, main_content=True, alt_texts=True)
    return _cut(text, _MARK, lambda found: urls[int(found.group(1))])


def by_rs_trafilatura(html: str, url: str) -> Document:
    import rs_trafilatura

    return [(rs_trafilatura.extract(html, url=url).main_content, None)]


def _cut(text: str, pattern: re.Pattern[str], address: Callable[[re.Match[str]], str]) -> Document:
    made: Document = []
    at = 0
    for found in pattern.finditer(text):
        if text[at : found.start()].strip():
            made.append((text[at : found.start()], None))
        if address(found):
            made.append((None, address(found)))
        at = found.end()
    return made + ([(text[at:], None)] if text[at:].strip() else [])


def by_folds(folder: Path, corpus: list[tuple[str, str]]) -> dict[str, Document]:
    """Documents of pages, each by weights that have not seen its site."""
    chosen = weights_of(folder)
    made = {}
    for html, url in corpus:
        use(functools.partial(chosen, url, html))
        made[url] = by_weft(html, url)
    use(model.shipped)
    return made


def weights_of(folder: Path) -> Callable[[str, str], Model]:
    """What gives, for a page's address and characters, the weights that have not seen its site."""
    from weft.transforms.extract.html.training.fit import FOLDS, fold_of
    from weft.transforms.extract.html.training.table import domain

    weights = []
    for fold in range(FOLDS):
        with np.load(folder / f"fold{fold}.npz") as arrays:
            weights.append(Model(dict(arrays)))
    return lambda url, html: weights[fold_of(domain(url, html))]


def use(weights: Callable[[], Model]) -> None:
    page.shipped = weights  # type: ignore[attr-defined]
    vars(page._own).clear()


def steps(corpus: list[tuple[str, str]]) -> list[tuple[str, float]]:
    """Seconds of each step of weft's extraction, and of the whole."""
    weights = model.shipped()
    scanner = Scanner(weights.names)
    spent: dict[str, float] = {}

    def timed(name: str, work: Callable[..., Any], *values: Any) -> Any:
        begun = time.process_time()
        made = work(*values)
        spent[name] = spent.get(name, 0.0) + time.process_time() - begun
        return made

    trees = [timed("parse", HTMLTree.parse, html) for html, _ in corpus]
    for tree, (_, url) in zip(trees, corpus, strict=True):
        written = timed("write out", getattr, tree.document, "html")
        scan = Scan()
        source = timed("drop raw text", without_raw, written, scan.json_ld, scan.drawn)
        timed("scan tags", scanner.read, source, scan)
        if scan.texts:
            found = timed("features", features, scan, url, weights.names, weights.words)
            logits = timed("model", weights, found)
            timed("choose", choose, *logits, found.words, found.kinds == IMAGE)
    begun = time.process_time()
    for html, url in corpus:
        by_weft(html, url)
    whole = time.process_time() - begun
    return [*spent.items(), ("images, captions, joining", whole - sum(spent.values())), ("whole", whole)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pages", nargs="*", metavar="WARC")
    parser.add_argument("--gold")
    parser.add_argument("--images")
    parser.add_argument("--scorer", type=Path)
    parser.add_argument("--folds", type=Path)
    parser.add_argument("--every", type=int, default=1, metavar="N", help="only each N-th page")
    parser.add_argument("--only", help="comma-separated names of ways")
    options = parser.parse_args()
    gold = _lines(options.gold)
    images = _lines(options.images)
    paths = sorted(options.pages)
    with tempfile.TemporaryDirectory() as home:
        if not paths:
            web.make_web(home, pages=300)
            paths = sorted(glob.glob(f"{home}/warcs/*"))
        corpus = read_pages(paths, {line["url"] for line in gold})[:: options.every]
    seen = {url for _, url in corpus}
    gold, images = [line for line in gold if line["url"] in seen], [line for line in images if line["url"] in seen]
    score = _scorer(options.scorer) if options.scorer else None
    ways: dict[str, Callable[[str, str], Document]] = {
        "weft": by_weft,
        "resiliparse + marks": by_resiliparse,
        "trafilatura + images": by_trafilatura,
    }
    if importlib.util.find_spec("rs_trafilatura"):
        ways["rs-trafilatura"] = by_rs_trafilatura
    if options.only:
        ways = {name: way for name, way in ways.items() if name in options.only.split(",")}
    size = sum(len(html) for html, _ in corpus) / len(corpus) / 1000
    print(f"{len(corpus)} pages of {size:.0f} thousand characters")
    rates: dict[str, float] = {}
    for name, way in ways.items():
        way(*corpus[0])  # what is loaded once
        begun = time.process_time()
        made = {url: way(html, url) for html, url in corpus}
        rates[name] = len(corpus) / (time.process_time() - begun)
        print(f"{name:22} {rates[name]:7.1f} pages/s/core {_scored(score, made, gold, images)}", flush=True)
    if options.folds:
        print(f"{'weft, sites held out':22} {'':20} {_scored(score, by_folds(options.folds, corpus), gold, images)}")
    for name, rate in rates.items():
        print(f"weft / {name}: {rates['weft'] / rate:.2f}x")
    for name, seconds in steps(corpus):
        print(f"  {name:28} {seconds / len(corpus) * 1000:6.2f} ms a page")


def agreement(made: dict[str, Document], gold: list[Any]) -> str:
    """Means over pages of precision, recall and F1 of runs of four words; of parts, where gold names such, over all."""
    texts = {url: " ".join("\n".join(text for text, _ in document if text).split()) for url, document in made.items()}
    if "with" in gold[0]:
        found, wrong, wanted = 0, 0, 0
        for line in gold:
            kept, left = ([" ".join(part.split()) for part in line[name]] for name in ("with", "without"))
            text = texts.get(line["url"], "")
            found, wrong = found + sum(part in text for part in kept), wrong + sum(part in text for part in left)
            wanted += len(kept)
        precision, recall, f1 = found / max(1, found + wrong), found / wanted, 2 * found / (wrong + found + wanted)
        return f"P {precision:.4f}, R {recall:.4f}, F1 {f1:.4f}"
    pages = []
    for line in gold:
        text = line.get("gold_text") or extract_plain_text(HTMLTree.parse(line["gold_html"]), alt_texts=False)
        said, wanted = _runs(texts.get(line["url"], "")), _runs(text)
        both = len(said & wanted)
        pages.append([both / max(1, len(said)), both / max(1, len(wanted)), 2 * both / max(1, len(said) + len(wanted))])
    means, errors = np.mean(pages, 0), np.std(pages, 0) / len(pages) ** 0.5
    each = zip(("P", "R", "F1"), means, errors, strict=True)
    return ", ".join(f"{name} {mean:.4f} ± {error:.4f}" for name, mean, error in each)


def _runs(text: str) -> set[tuple[str, ...]]:
    said = words(text)
    return {tuple(said[at : at + SHINGLE]) for at in range(max(1, len(said) - SHINGLE + 1))} if said else set()


def _scored(score: Any, made: dict[str, Document], gold: list[Any], images: list[Any]) -> str:
    if score is None and gold:
        return agreement(made, gold)
    if not gold:
        return f"{sum(image is not None for document in made.values() for _, image in document)} images"
    found = score(made, gold, images)
    said = [f"F1 {found['f1']:.4f}"]
    if images:
        named = (name for name in ("recall", "intrusion", "order", "placed", "beside") if f"image_{name}" in found)
        said += [f"{name} {found[f'image_{name}']:.3f}" for name in named]
    return ", ".join(said) + "; " + " ".join(f"{kind} {value:.3f}" for kind, value in found["f1_by_type"].items())


def _scorer(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location("scorer", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.score  # type: ignore[attr-defined]


def _lines(path: str | None) -> list[Any]:
    if not path:
        return []
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


if __name__ == "__main__":
    main()
