"""An archive → rows: what each record is, and what becomes of the pages and images among them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from weft.schemas.parameters import PageRules
from weft.schemas.records import DROPPED, KEPT, Capture, Document, Fate, Pair, SiteFile, document_id
from weft.transforms.archives.read import read_archive
from weft.transforms.archives.record import Broken, Record
from weft.transforms.consent import site_files
from weft.transforms.extract import caption_list, document_rows, html_files, rows, selection, wat
from weft.transforms.extract.page import DEFAULTS, STAGE, again, extract_page, of_parts
from weft.transforms.urls import drawing_of, site_host

Row = Document | Pair | Capture | SiteFile | Fate
_HTML = ("text/html", "application/xhtml+xml")
_TYPES = frozenset(  # WARC 1.1, 5.5
    ("warcinfo", "response", "resource", "request", "metadata", "revisit", "conversion", "continuation")
)
_NO_FILE = (401, 403, 404, 410)  # RFC 9309, 2.3.1.3: the site has no such file, and so says nothing
_IMAGE_BEGINS = (b"\xff\xd8\xff", b"\x89PNG\r\n", b"GIF8", b"BM", b"II*\x00", b"MM\x00*")


def extract_archive(path: str, rules: PageRules = DEFAULTS) -> Iterator[Row]:
    """Rows of all records of an archive, of those that an index chooses, or of a list; one in memory at a time.

    A page whose doc_id came before in the same archive has the fate "duplicate_record". A file that holds nothing has a
    fate too; an index that chooses nothing has none.
    """
    none = selection.MARK not in path
    for row in _rows(path, rules):
        none = False
        yield row
    if none:
        yield Fate(STAGE, "record", f"{path}:0", DROPPED, "empty_file", "no record, and no row")


def _rows(path: str, rules: PageRules) -> Iterator[Row]:
    if selection.MARK in path:
        yield from _of_records(selection.of_index(path, rules.common_crawl), rules)
    elif html_files.is_folder(path):
        yield from _of_records(html_files.records(path), rules)
    elif not (look := rows.look(path)).form:
        yield from _of_records(read_archive(path), rules)
    elif html_files.is_list(look):
        yield from _of_records(html_files.of_rows(path, look), rules)
    elif selection.is_list(look):
        yield from _of_records(selection.of_list(path, look, rules.common_crawl), rules)
    elif document_rows.is_list(look):
        yield from document_rows.extract_documents(path, look, rules)
    else:
        yield from caption_list.extract_list(path, look, rules)


def _of_records(records: Iterator[Record | Broken], rules: PageRules) -> Iterator[Row]:
    times: Counter[tuple[str, int]] = Counter()
    seen: set[str] = set()
    for record in records:
        place = (record.archive, record.offset)
        times[place] += 1
        again = times[place]  # a file that is one gzip member has one offset for all its records
        key = f"{record.archive}:{record.offset}" + (f"#{again}" if again > 1 else "")
        yield from extract_record(record, rules, key, seen)


def extract_record(
    record: Record | Broken, rules: PageRules = DEFAULTS, key: str = "", seen: set[str] | None = None
) -> Iterator[Row]:
    """Rows of one record: its fate; a Capture for an image; a page's fates, and its Document and Pairs if it is kept.

    A site's robots.txt, ai.txt or tdmrep.json is a SiteFile, also where the answer is that there is none.

    Args:
        record: of whatever kind. One that is none of these is dropped with the reason from `classify`.
        rules: which pages, images and captions are kept.
        key: of the record's fate; "" for "archive:offset".
        seen: doc_ids of the pages so far. A page that is in it is dropped; one that is not is added to it.
    """
    key = key or f"{record.archive}:{record.offset}"
    if isinstance(record, Record) and record.kind == "metadata" and (told := wat.of_page(record.body)):
        yield from wat.extract_links(record, told, rules, key, seen)
        return
    kind, reason, detail = classify(record)
    url = "" if isinstance(record, Broken) else record.url
    yield Fate(STAGE, "record", key, DROPPED if reason else KEPT, reason, detail, url)
    if reason or isinstance(record, Broken):
        return
    if kind == "image":
        yield Capture(record.url, record.archive, record.offset, record.header("content-type"), record.crawl_date)
        return
    if kind == "site_file":
        name, body = site_files.name_of(record.url), record.body if record.status < 300 else b""
        yield SiteFile(site_host(record.url), record.crawl_date, name, site_files.read(name, body, rules.ai_agents))
        return
    doc_id = document_id(record.record_id, record.url, record.date, record.offset)
    if fate := again(seen, doc_id, key, record.url, f"{record.archive}:{record.offset}"):
        yield fate
        return
    if kind == "text":
        yield from of_parts(record, "", [record.body.decode("utf-8", "replace").strip()], [None], rules).rows()
    else:
        made = extract_page(record, rules)
        archived = record.record_id or record.kind == "response"  # and so read again by fetch, for the drawings in it
        shown = made.document.images if made.document and archived else ()
        for drawn in dict.fromkeys(image for image in shown if image and drawing_of(image)):
            yield Capture(drawn, record.archive, record.offset, "image/svg+xml", record.crawl_date)
        yield from made.rows()


def classify(record: Record | Broken) -> tuple[str, str, str]:
    """(kind, reason, detail) of a record: kind "page", "text", "image" or "site_file", or why it is none of them."""
    if isinstance(record, Broken):
        return "", record.reason, record.detail
    if record.kind == "metadata" and len(record.body) > wat.MAX_BYTES:
        return "", "too_large", f"{len(record.body)} bytes of metadata"
    if record.problem:
        return "", record.problem, f"{record.kind[:80]} {record.url}"
    if record.kind == "conversion" and record.header("content-type").startswith("text/plain") and record.body.strip():
        return "text", "", ""
    if record.kind not in ("response", "resource"):
        known = record.kind in _TYPES
        return "", record.kind if known else "unknown_type", record.url if known else f"{record.kind[:80]} {record.url}"
    if not record.url.startswith(("http://", "https://")):
        return "", "not_http", record.url
    if site_files.name_of(record.url) and (record.status in _NO_FILE or _is_site_file(record)):
        return "site_file", "", ""
    if not 200 <= record.status < 300:
        return "", "http_error" if record.status >= 400 else "redirect", f"{record.status} {record.url}"
    mime = record.header("content-type").split(";")[0].strip().lower()
    head = record.body[:512].lstrip() or record.body.lstrip()[:512]
    if not head:
        return "", "empty", record.url
    if mime.startswith("image/") or head.startswith(_IMAGE_BEGINS):
        return "image", "", mime
    if mime in _HTML or (not mime and _looks_like_html(head)):
        return "page", "", ""
    return "", "not_html", mime


def _is_site_file(record: Record) -> bool:
    """Whether the answer to the address of a site file is one: many sites answer with a page whatever is asked for."""
    if not 200 <= record.status < 300:
        return False
    mime = record.header("content-type").split(";")[0].strip().lower()
    return mime not in _HTML or record.body.lstrip()[:1] != b"<"


def _looks_like_html(head: bytes) -> bool:
    return head[:15].lower().startswith((b"<!doctype html", b"<html"))
