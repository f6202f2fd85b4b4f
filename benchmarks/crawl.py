"""A polite crawl of the demo's web over loopback: limits as the server saw them, and the documents of its own archives.

    .venv/bin/python benchmarks/crawl.py [--pages 1000] [--interval 0.2]

The limit is what manners leave: the host with most requests, one `interval` apart. The last line is that time over the
crawl's own.
"""

from __future__ import annotations

import argparse
import datetime
import itertools
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from crawled_web import Page, crawled_web, of_archives, routes

from weft.pipeline import cli
from weft.pipeline.demo import web as demo
from weft.schemas.records import Crawled
from weft.transforms.archives.read import read_archive
from weft.transforms.archives.record import Record
from weft.transforms.extract.archive import classify
from weft.transforms.extract.page import extract_page
from weft.transforms.io import parquet
from weft.transforms.urls import image_key

SLOW, DELAY, FORBIDDEN = "docs1.weft.test", 1.0, "/api/"


def main() -> None:
    asked = argparse.ArgumentParser()
    asked.add_argument("--pages", type=int, default=1_000)
    asked.add_argument("--interval", type=float, default=0.2)
    options = asked.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        demo.make_web(str(home / "web"), pages=options.pages)
        answers, pages = of_archives(sorted((home / "web/warcs").iterdir()))
        robots = f"User-agent: *\nCrawl-delay: {DELAY}\nDisallow: {FORBIDDEN}"
        answers[f"{SLOW}/robots.txt"] = Page(robots.encode(), "text/plain")
        (home / "urls.txt").write_text("\n".join(pages))
        with crawled_web(answers) as web:
            begun = time.monotonic()
            told = ["--set", f"crawl.interval_s={options.interval}", "--set", routes(web, "weft.test"), "--quiet"]
            status = cli.main(["crawl", "--urls", str(home / "urls.txt"), "--output", str(home / "out"), *told])
            took = time.monotonic() - begun
            seen = web.by_host()
            gaps = {
                host: min((b.begun - a.begun for a, b in itertools.pairwise(all_)), default=9.0)
                for host, all_ in seen.items()
            }
            most = max(count for host, count in web.most.items() if host != "all")
        dates: dict[str, list[float]] = {}
        for row in parquet.read_table(str(home / "out/index"), Crawled):
            if row.record_id and row.date:
                sent = datetime.datetime.fromisoformat(row.date).timestamp()
                dates.setdefault(urlsplit(row.url).hostname or "", []).append(sent)
        own_gaps = [b - a for sent in dates.values() for a, b in itertools.pairwise(sorted(sent))]
        own, found = documents(home / "web/warcs"), documents(home / "out/warc")
    slow = [one for one in seen[SLOW] if not one.path.endswith((".txt", ".json"))]
    rest = min(later.begun - one.begun for one, later in itertools.pairwise(slow))
    told = {
        "hosts": len({urlsplit(url).hostname for url in pages}),
        "pages asked for": len({image_key(url) for url in pages}),
        "requests": sum(map(len, seen.values())),
        "at once to a host (limit 2)": most,
        f"shortest gap of a host (limit {options.interval} s)": f"{min(gaps.values()):.3f} s",
        "the same by the crawl's own clock, of answers that are kept": f"{min(own_gaps):.3f} s",
        f"shortest gap of {SLOW} (limit {DELAY} s)": f"{rest:.3f} s",
        "forbidden addresses asked for": sum(one.path.startswith(FORBIDDEN) for one in seen[SLOW]),
        "documents of the crawl and of the web's own archives": f"{len(found)} and {len(own)}",
        "of these the same": sum(found.get(key) == document for key, document in own.items()),
        "exit status": status,
        "wall": f"{took:.1f} s",
    }
    for name, value in told.items():
        print(f"{name:62} {value}")
    least = max([*(len(all_) * options.interval for all_ in seen.values()), len(slow) * DELAY])
    print(f"ratio: {least / took:.2f}x")


def documents(folder: Path) -> dict[str, object]:
    """Address, whatever its scheme → what its first capture gives."""
    found: dict[str, object] = {}
    for path in sorted(folder.iterdir()):
        for record in read_archive(str(path)):
            if isinstance(record, Record) and classify(record)[0] == "page":
                made = extract_page(record).document
                images = made and [url and urlsplit(url)[1:] for url in made.images]
                found.setdefault(image_key(record.url), made and (made.texts, images))
    return {key: document for key, document in found.items() if document}


if __name__ == "__main__":
    main()
