"""What a page costs as the corpus grows, and what a second worker brings: extract and dedup on generated crawls.

Pages are small (some 4 KB of HTML, 1.5 KB of text, two images), a tenth of them near copies of an earlier one, in WARC
files of FILE_PAGES. Each stage is a command of its own, start-up and imports counted; CPU and memory (PSS) are over all
its processes. Shuffle is what `weft plan` counts for dedup on a sample; extract moves file names alone. The ratio is
CPU per page of the smallest size over that of the largest: under .9, a page costs a tenth more in a large crawl.

The row of one worker is the middle size again: what two workers gain by the clock.

Run: python benchmarks/scale.py [--pages 4000] [--times 1 4 16]
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from dedup_peers import Spent, watch

from weft.pipeline.demo import archive, vocabulary
from weft.pipeline.demo.prose import Dice, sentences

FILE_PAGES = 1_000
PAGE = """<!doctype html><html lang="en"><head><title>{title}</title><style>{style}</style></head><body>
<nav><ul>{links}</ul></nav><main><article><h1>{title}</h1>
{paragraphs}
</article></main><footer><p>About Contact Terms Privacy</p></footer></body></html>"""
PICTURE = '<figure><img src="/images/{0}.jpg" width="640" height="480" alt="{1}"><figcaption>{1}</figcaption></figure>'
STYLE = "body{font:16px serif;margin:2em}" * 20
LINKS = "".join(f'<li><a href="/section/{n}">Section {n}</a></li>' for n in range(20))


def page(number: int, pool: Sequence[str]) -> tuple[str, bytes]:
    """(address, HTML) of a page; every tenth says nearly what the one nine before it said."""
    copied = number % 10 == 9
    chance = random.Random(number - 9 if copied else number)
    told = [" ".join(chance.choices(pool, k=4)) for _ in range(5)]
    if copied:
        told[2] = told[2].rsplit(" ", 3)[0]
    shown = [PICTURE.format(f"{number}-{at}", f"{pool[(number * 7 + at) % len(pool)]}") for at in range(2)]
    parts = [f"<p>{text}</p>" for text in told]
    parts[1:1], parts[4:4] = shown[:1], shown[1:]
    html = PAGE.format(title=f"Page {number}", style=STYLE, links=LINKS, paragraphs="\n".join(parts))
    return f"http://site{number % 997}.test/page/{number}", html.encode()


def crawl(home: Path, pages: int) -> None:
    """WARC files of so many pages."""
    dice = Dice("scale")
    pool = sorted({text for _ in range(600) for topic in vocabulary.TOPICS for text in sentences(dice, topic, 8)})
    headers = {"Content-Type": "text/html; charset=utf-8"}
    home.mkdir(parents=True)
    for start in range(0, pages, FILE_PAGES):
        with (home / f"{start:08}.warc.gz").open("wb") as file:
            for number in range(start, min(start + FILE_PAGES, pages)):
                url, html = page(number, pool)
                answer = archive.http_response(200, headers, html)
                kind, identity = "application/http; msgtype=response", archive.record_id("scale", str(number))
                date = "2024-03-01T00:00:00Z"
                file.write(archive.member(archive.warc_record("response", identity, date, kind, answer, url)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pages", type=int, default=2_000, help="of the smallest crawl")
    parser.add_argument("--times", type=int, nargs="+", default=[1, 4, 16])
    options = parser.parse_args()
    heads = ("wall s", 9), ("CPU s", 9), ("CPU ms/page", 13), ("pages/s/core", 14), ("peak GB", 9)
    print(f"{'pages':>9} {'stage':8}{'workers':>8}" + "".join(f"{name:>{width}}" for name, width in heads))
    each: dict[str, list[float]] = {"extract": [], "dedup": []}
    with tempfile.TemporaryDirectory() as folder:
        middle = sorted(options.times)[len(options.times) // 2]
        for times in options.times:
            pages = options.pages * times
            home = Path(folder, str(times))
            crawl(home / "warcs", pages)
            for stage in each:
                spent = _run(stage, home, home / "out", "2")
                each[stage].append(spent.cpu / pages)
                _print(pages, stage, 2, spent)
            for stage in each if times == middle else ():
                _print(pages, stage, 1, _run(stage, home, home / "alone", "1"))
            plan = [sys.executable, "-m", "weft.pipeline.cli", "plan", "--output", str(home / "out")]
            watch(plan, home / "plan.log")
            total = next(line for line in (home / "plan.log").read_text().splitlines() if line.startswith("all "))
            print(f"{pages:9,} shuffle of dedup, by weft plan: {' '.join(total.split()[1:])}", flush=True)
    print(f"ratio: {min(values[0] / values[-1] for values in each.values()):.2f}x")


def _run(stage: str, home: Path, output: Path, workers: str) -> Spent:
    command = [sys.executable, "-m", "weft.pipeline.cli", stage, "--quiet", "--input", str(home / "warcs")]
    return watch([*command, "--output", str(output), "--", f"--direct_num_workers={workers}"], home / "log")


def _print(pages: int, stage: str, workers: int, spent: Spent) -> None:
    rate = pages / spent.cpu
    print(
        f"{pages:9,} {stage:8}{workers:8}{spent.wall:9.1f}{spent.cpu:9.1f}{spent.cpu / pages * 1e3:13.2f}{rate:14.0f}"
        f"{spent.memory:9.2f}",
        flush=True,
    )


if __name__ == "__main__":
    main()
