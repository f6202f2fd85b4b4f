"""The compiled loops of extraction, built with AddressSanitizer and UBSan, on pages that nobody would write.

    python tests/fuzz/compiled.py [SECONDS [SEED [WARC …]]]

Builds transforms/extract/html/_compiled.c with sanitizers into a temporary directory and gives it random markup and
damaged copies of real pages (those of the archives, or of the demo's templates as far as random markup has them), beside
the Python that it must agree with. Ends with status 1 at the first report or difference. Needs gcc.
"""

from __future__ import annotations

import importlib.util
import os
import random
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from weft.transforms.archives.read import read_archive
from weft.transforms.archives.record import Record
from weft.transforms.extract.html import compiled, limits, to_text
from weft.transforms.extract.html.features import features
from weft.transforms.extract.html.model import shipped
from weft.transforms.extract.html.scan import Scan, Scanner
from weft.transforms.extract.html.source import hinted, without_raw

SOURCE = Path(__file__).parents[2] / "transforms/extract/html/_compiled.c"
FLAGS = (
    "-O1 -g -shared -fPIC -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined".split()
)
TAGS = (
    "div p span a img td th tr table pre br hr svg meta link title source picture base li ul h1 figure figcaption noscript "
    "script b i strong nobr font x-y section input style math object !--"
).split()
ATTRIBUTES = "class id href src srcset style role hidden aria-hidden itemprop itemtype alt rel name content width data-src".split()
VALUES = (
    "post-content", "wp-caption", "relatedPosts HTMLParser x2", "display:none", "VISIBILITY: hidden", "url(a.jpg)", "license",
    "background:url('", "ünï", "captıon", "x" * 300, "aB" * 200, "", "&quot;", "a.jpg 1x, b 2w", "http://s.org/Thing",
    "mjx-", "katex", " role=", " hidden=", " class=", " style=", " id=x", "navigation", "x" * 1_100,
)  # fmt: skip
WORDS = (
    " ", "\n", "\x00", "word ", "A Sentence, 1,234.5. ", "&amp;", "&nbsp;", "&lt", "\u2003", "İΣ", "日本語", "\U0001f600",
    "\ud800", "<", ">", "\"", "'", "=", "/", " | ", "|", "é" * 40, "w" * 5_001,
)  # fmt: skip


def sanitized(folder: str) -> ModuleType:
    """The module built with sanitizers; their libraries must be loaded already."""
    made = f"{folder}/_compiled{sysconfig.get_config_var('EXT_SUFFIX')}"
    subprocess.run(["gcc", *FLAGS, f"-I{sysconfig.get_path('include')}", str(SOURCE), "-o", made], check=True)
    spec = importlib.util.spec_from_file_location("_compiled", made)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def markup(chance: random.Random) -> str:
    parts = []
    for _ in range(chance.randint(0, 120)):
        roll = chance.random()
        name = chance.choice(TAGS)
        said = "".join(f' {chance.choice(ATTRIBUTES)}="{chance.choice(VALUES)}"' for _ in range(chance.randint(0, 3)))
        parts.append(f"<{name}{said}>" if roll < 0.4 else f"</{name}>" if roll < 0.6 else chance.choice(WORDS))
    return "".join(parts)


def damaged(page: str, chance: random.Random) -> str:
    for _ in range(chance.randint(1, 8)):
        at = chance.randint(0, len(page))
        page = page[:at] + chance.choice(WORDS) + page[at + chance.randint(0, 40) :]
    return page


def pages(paths: list[str], chance: random.Random) -> Iterator[str]:
    real = [
        to_text(record.body, record.header("content-type"))[:100_000]
        for path in paths
        for record in read_archive(path)
        if isinstance(record, Record) and b"<html" in record.body[:4096]
    ]
    while True:
        yield damaged(chance.choice(real), chance) if real and chance.random() < 0.3 else markup(chance)


def result(source: str, scanner: Scanner) -> dict[str, Any]:
    page = Scan()
    scanner.read(source, page)
    left: tuple[list[str], list[str]] = [], []
    # Numbers of tags depend on what was scanned before; which are alike is in the features.
    found = dict(
        vars(page), tags=[tag[:3] for tag in page.tags], counts=limits.counted(source), formulas=hinted(source),
        cut=without_raw(source, *left), left=left,
    )  # fmt: skip
    if page.texts:
        numbers = features(page, "http://site.test/", shipped().names, shipped().words)
        texts, images = shipped()(numbers)
        arrays = numbers._asdict() | {"logits of texts": texts, "logits of images": images}
        found |= {f"features: {name}": value.tolist() for name, value in arrays.items()}
    return found


def main() -> None:
    seconds, seed, *paths = [*sys.argv[1:], *("60", "0")[len(sys.argv[1:3]) :]]
    if "ASAN_OPTIONS" not in os.environ:  # again, with the sanitizer's library before all others
        library = subprocess.run(["gcc", "-print-file-name=libasan.so"], capture_output=True, text=True, check=True)
        needed = {"ASAN_OPTIONS": "detect_leaks=0", "LD_PRELOAD": library.stdout.strip(), "PYTHONMALLOC": "malloc"}
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **needed})
    chance = random.Random(int(seed))
    with tempfile.TemporaryDirectory() as folder:
        module = sanitized(folder)
    scanners = {module: Scanner(shipped().names), None: Scanner(shipped().names)}
    until, count = time.monotonic() + float(seconds), 0
    for page in pages(paths, chance):
        if time.monotonic() > until:
            break
        found = []
        for compiled.module, scanner in scanners.items():
            found.append(result(page, scanner))
        if found[0] != found[1]:
            which = [name for name in found[0] | found[1] if found[0].get(name) != found[1].get(name)]
            Path("differs.html").write_text(page, "utf-8", "surrogatepass")
            sys.exit(f"differs.html: {', '.join(which)}")
        count += 1
    print(f"{count} pages in {seconds} s, seed {seed}: no report, no difference")


if __name__ == "__main__":
    main()
