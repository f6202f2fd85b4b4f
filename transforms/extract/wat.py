"""WAT: what Common Crawl says of a page without the page → candidate pairs, as cc2dataset makes them.

A `metadata` record of JSON holds a page's headers, meta elements and links; those of images have their address and alt
text. The page is a document without text (it ends in `pack`), its pairs go on. What is missing, against the page
itself: texts, captions beside pictures, order, and pictures that a script or `srcset` names.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from weft.schemas.parameters import PageRules
from weft.schemas.records import DROPPED, KEPT, Document, Fate, Pair, document_id, pair_id
from weft.transforms.archives.record import Record
from weft.transforms.consent import responses
from weft.transforms.extract import captions, language, own_filters, personal
from weft.transforms.extract.page import STAGE, again, counted_signals, rows_within_budget
from weft.transforms.io import json_values
from weft.transforms.urls import resolve

_MARK = b'"Envelope"'
MAX_BYTES = 16 << 20  # of a record that is read: its links take twenty times that in memory


def of_page(body: bytes) -> dict[str, Any] | None:
    """What a WAT record says of the answer that was a page; None where it says nothing of one."""
    if len(body) > MAX_BYTES or not body.startswith(b"{") or _MARK not in body:
        return None
    try:
        answer = json_values.parse(body)["Envelope"]["Payload-Metadata"]["HTTP-Response-Metadata"]
        page = answer["HTML-Metadata"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return answer if isinstance(answer, dict) and isinstance(page, dict) else None


def extract_links(
    record: Record, told: dict[str, Any], rules: PageRules, key: str, seen: set[str] | None
) -> Iterator[Document | Pair | Fate]:
    """Rows of one page: its document without text, its pairs, and fates.

    Args:
        record: the WAT record.
        told: what `of_page` made of it.
        rules: on captions, languages and opt-outs.
        key: of the record's fate.
        seen: as of `archive.extract_record`.
    """
    yield Fate(STAGE, "record", key, KEPT, "", "", record.url)
    doc_id = document_id(record.record_id, record.url, record.date, record.offset)
    place = f"{record.archive}:{record.offset}"
    if fate := again(seen, doc_id, key, record.url, place):
        yield fate
        return
    yield from rows_within_budget(_page(record, told, rules, doc_id, place), rules, doc_id, record.url, place)


def _page(
    record: Record, told: dict[str, Any], rules: PageRules, doc_id: str, place: str
) -> Iterator[Document | Pair | Fate]:
    html = told["HTML-Metadata"]
    head = html.get("Head") if isinstance(html.get("Head"), dict) else {}
    wish = responses.read(_headers(told), _meta(head), counted_signals(rules))
    title, links = str(head.get("Title") or ""), list(_images(html.get("Links")))
    reason, detail = ("opt_out" if wish.page and rules.honour_opt_out else ""), wish.page
    if not reason and rules.pii == "drop":
        detail = personal.count([title, *(alt for _, _, alt in links)], rules.pii_kinds)
        reason = "personal_data" if detail else ""
    if reason:
        yield Fate(STAGE, "page", doc_id, DROPPED, reason, detail, record.url, place)
        return
    if rules.pii == "mask":
        title = personal.mask(title, rules.pii_kinds)
        links = [(number, url, personal.mask(alt, rules.pii_kinds)) for number, url, alt in links]
    told_of = f"not honoured: {wish.page}" if wish.page else ""
    yield Fate(STAGE, "page", doc_id, KEPT, "", told_of, record.url, place)
    nothing: tuple[Any, ...] = ([], [], [])
    yield Document(
        doc_id, record.url, record.crawl_date, record.archive, record.offset, record.record_id, "", 0.0, title, *nothing
    )
    if rules.pairs and not (wish.images and rules.honour_opt_out):
        base = resolve(record.url, str(head.get("Base") or "")) or record.url
        yield from _pairs(record, doc_id, place, links, base, rules)


def _images(links: Any) -> Iterator[tuple[int, str, str]]:
    """(number of the link, address as written, alt text) of the pictures that have both."""
    for number, link in enumerate(links if isinstance(links, list) else []):
        if isinstance(link, dict) and link.get("path") == "IMG@/src" and link.get("alt"):
            yield number, str(link.get("url") or ""), " ".join(str(link["alt"]).split())


def _pairs(
    record: Record, doc_id: str, place: str, links: Iterable[tuple[int, str, str]], base: str, rules: PageRules
) -> Iterator[Pair | Fate]:
    known: set[str] = set()
    for number, written, caption in links:
        if not (url := resolve(base, written)):
            continue
        code, score = language.identify(caption, rules.language_model)
        reason, name = captions.refused(caption, (code, score), rules), pair_id(url, caption)
        if not reason and name in known:
            reason = "repeated"
        spoken = (code if score >= rules.min_language_score else "", score)
        pair = Pair(name, doc_id, record.url, url, caption, "alt", *spoken)
        reason = reason or own_filters.judge(pair, rules.pair_filters)[0]
        if not reason:
            known.add(name)
            yield pair
        fate = DROPPED if reason else KEPT
        yield Fate(STAGE, "pair", f"{doc_id}:{number}:alt", fate, reason, caption[:200], url, place)


def _headers(told: dict[str, Any]) -> list[tuple[str, str]]:
    headers = told.get("Headers")
    return [(str(n).lower(), str(v)) for n, v in headers.items()] if isinstance(headers, dict) else []


def _meta(head: dict[str, Any]) -> list[tuple[str, str]]:
    metas = head.get("Metas")
    return [
        (str(one.get("name", "")).lower(), str(one.get("content", "")))
        for one in (metas if isinstance(metas, list) else [])
        if isinstance(one, dict)
    ]
