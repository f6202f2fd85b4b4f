"""A web that is crawled: pages and pictures of many hosts at one address, with robots.txt, entity tags and a log.

What it answers is given as URL → Page; `of_archives` makes that of archives, so that a crawl can be held against them.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import recording_web
from recording_web import RecordingWeb, Seen

from weft.transforms.archives.read import read_archive
from weft.transforms.archives.record import Record
from weft.transforms.extract.archive import classify


class Page(NamedTuple):
    """An answer."""

    body: bytes
    mime: str = "text/html; charset=utf-8"
    status: int = 200
    headers: Mapping[str, str] = {}
    takes: float = 0.0  # seconds until the answer
    first: Page | None = None  # what is answered the first time instead


def key(url: str) -> str:
    """Host and target of a URL, whatever its scheme."""
    parts = urlsplit(url)
    return f"{parts.hostname}{parts.path or '/'}" + (f"?{parts.query}" if parts.query else "")


def of_archives(paths: Sequence[Path]) -> tuple[dict[str, Page], list[str]]:
    """(what a web answers, the addresses of its pages), of the pages and pictures of archives; the first capture counts."""
    answers: dict[str, Page] = {}
    pages: dict[str, None] = {}
    for path in paths:
        for record in read_archive(str(path)):
            kind, reason, _ = classify(record)
            if isinstance(record, Record) and not reason and key(record.url) not in answers:
                headers = {n.title(): v for n, v in record.headers if n in ("x-robots-tag", "tdm-reservation")}
                answers[key(record.url)] = Page(record.body, record.header("content-type"), 200, headers)
                if kind == "page":
                    pages[record.url] = None
    return answers, list(pages)


@contextmanager
def crawled_web(answers: Mapping[str, Page], takes: float = 0.0) -> Iterator[RecordingWeb]:
    """Serve; what a host has not is 404, robots.txt of hosts that give none too."""
    by_key = {key(url) if "://" in url else url: page for url, page in answers.items()}

    class Handler(recording_web.Handler):
        def _answer(self, seen: Seen, nth: int) -> tuple[int, dict[str, str], bytes]:
            page = by_key.get(f"{seen.host}{seen.path}")
            if page is None:
                return 404, {"Content-Type": "text/html"}, b"<p>nothing here"
            page = page.first if page.first and nth == 1 else page
            time.sleep(page.takes)
            tag = f'"{hashlib.md5(page.body).hexdigest()}"'
            if self.headers.get("If-None-Match") == tag:
                return 304, {"ETag": tag}, b""
            return page.status, {"Content-Type": page.mime, "ETag": tag, **page.headers}, page.body

    with recording_web.recording_web(takes, Handler) as web:
        yield web


def routes(web: RecordingWeb, *domains: str) -> str:
    """For --set: every host below these domains is this web."""
    listed = ", ".join(f'"{domain}=127.0.0.1:{web.server_address[1]}"' for domain in domains)
    return f"fetch.connect_to=[{listed}]"
