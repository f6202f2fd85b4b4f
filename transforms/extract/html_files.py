"""Pages that lie in no archive → records: a folder of HTML files, and rows of (html, url).

A file's address is what its page calls itself (`rel=canonical`, `og:url`), else where a mirror such as wget's puts it:
HOST/path below the folder. One with neither is dropped as `not_http`, since its images and links would lead nowhere.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from urllib.parse import quote

from weft.transforms.archives.record import Broken, Record, parse_date
from weft.transforms.extract import rows
from weft.transforms.extract.rows import Look
from weft.transforms.io import files

HTML_COLUMNS = ("html", "raw_html", "page_html", "html_content")
URL_COLUMNS = ("url", "page_url", "source_url", "uri")
DATE_COLUMNS = ("date", "crawl_date", "fetch_time", "timestamp")
SUFFIXES = (".html", ".htm", ".xhtml")
_HEAD = 1 << 16  # bytes of a page that are searched for its address
_TAG = re.compile(r"<(?:link|meta)\s[^>]{1,2000}>", re.I)
_NAMES_IT = re.compile(r"""(?:rel\s*=\s*["']?canonical|property\s*=\s*["']?og:url)\b""", re.I)
_ADDRESS = re.compile(r"""(?:href|content)\s*=\s*["']?(https?://[^"'\s>]{1,2000})""", re.I)
_HOST = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)*\.[a-z]{2,}", re.I)


def is_folder(path: str) -> bool:
    """Whether an input is a folder; only one that holds pages and no archive is given as such."""
    return files.is_local(path) and os.path.isdir(path)


def holds(folder: str, path: str) -> bool:
    """Whether a path lies in a folder, or is it.

    >>> holds("/a", "/a/../a/b"), holds("/a", "/ab"), holds("/a", "s3://a/b")
    (True, False, False)
    """
    return f"{files.place(path)}/".startswith(f"{files.place(folder).rstrip('/')}/")


def pages(folder: str) -> list[str]:
    """The HTML files below a folder, sorted."""
    return [path for path in files.below(folder) if path.lower().endswith(SUFFIXES)]


def records(folder: str) -> Iterator[Record | Broken]:
    """The pages below a folder, each as a record of its own file."""
    for path in pages(folder):
        try:
            body = files.read_bytes(path)
        except OSError as error:
            yield Broken(0, "unreadable", f"{type(error).__name__}: {error}"[:200], path)
            continue
        yield _record(address(body, Path(path).relative_to(folder)), body, "", 0, path)


def address(body: bytes, place: Path) -> str:
    """Where a page comes from, "" where nothing says it.

    >>> address(b'<link rel="canonical" href="https://a.test/x">', Path("1.html"))
    'https://a.test/x'
    >>> address(b"<p>", Path("www.a.test/news/index.html"))
    'http://www.a.test/news/index.html'
    """
    for tag in _TAG.findall(body[:_HEAD].decode("utf-8", "replace")):
        if _NAMES_IT.search(tag) and (found := _ADDRESS.search(tag)):
            return unescape(found[1])
    if len(place.parts) > 1 and _HOST.fullmatch(place.parts[0]):
        return f"http://{place.parts[0]}/{quote('/'.join(place.parts[1:]))}"
    return ""


def is_list(seen: Look) -> bool:
    """Whether rows hold pages."""
    return bool(rows.column(seen.names, HTML_COLUMNS) and rows.column(seen.names, URL_COLUMNS))


def of_rows(path: str, seen: Look) -> Iterator[Record | Broken]:
    """The page of each row, as a record whose offset is the row's number."""
    body, url, date = (rows.column(seen.names, known) for known in (HTML_COLUMNS, URL_COLUMNS, DATE_COLUMNS))
    last = -1
    try:
        for last, row in rows.read(path, seen, tuple(name for name in (body, url, date) if name)):
            page = row.get(body) or b""
            data = page if isinstance(page, bytes) else str(page).encode("utf-8", "replace")
            yield _record(
                str(row.get(url) or "").strip(), data, str(row.get(date) or ""), last, path, not isinstance(page, bytes)
            )
    except rows.Unsuited as error:
        yield Broken(last + 1, error.reason, error.detail, path)


def _record(url: str, body: bytes, date: str, place: int, path: str, decoded: bool = False) -> Record:
    media = "text/html; charset=utf-8" if decoded else "text/html"
    return Record("resource", url, date, parse_date(date), "", place, 200, (("content-type", media),), body, "", path)
