"""WAT: what Common Crawl says of a page without the page → candidate pairs, as cc2dataset makes them.

A `metadata` record of JSON holds a page's headers, meta elements and links; those of images have their address and alt
text. The page is a document without text (it ends in `pack`), its pairs go on. What is missing, against the page
itself: texts, captions beside pictures, order, and pictures that a script or `srcset` names.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from weft.schemas.parameters import PageRules
from weft.schemas.records import DROPPED, KEPT, Document, Fate, Pair, document_id, pair_id
from weft.transforms.archives.record import Record
from weft.transforms.consent import responses
from weft.transforms.extract import captions, language
from weft.transforms.extract.page import STAGE, counted_signals
from weft.transforms.urls import resolve

_MARK = b'"Envelope"'


def of_page(body: bytes) -> dict[str, Any] | None:
    """What a WAT record says of the answer that was a page; None where it says nothing of one."""
    if not body.startswith(b"{") or _MARK not in body:
        return None
    try:
        answer = json.loads(body)["Envelope"]["Payload-Metadata"]["HTTP-Response-Metadata"]
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

    def page(fate: str, reason: str = "", detail: str = "", name: str = doc_id) -> Fate:
        return Fate(STAGE, "page", name, fate, reason, detail, record.url, place)

    if seen is not None:
        if doc_id in seen:
            yield page(DROPPED, "duplicate_record", record.url, f"{doc_id}@{key}")
            return
        seen.add(doc_id)
    html = told["HTML-Metadata"]
    head = html.get("Head") if isinstance(html.get("Head"), dict) else {}
    wish = responses.read(_headers(told), _meta(head), counted_signals(rules))
    if wish.page and rules.honour_opt_out:
        yield page(DROPPED, "opt_out", wish.page)
        return
    title = str(head.get("Title") or "")
    nothing: tuple[Any, ...] = ([], [], [])
    yield Document(
        doc_id, record.url, record.crawl_date, record.archive, record.offset, record.record_id, "", 0.0, title, *nothing
    )
    yield page(KEPT, "", f"not honoured: {wish.page}" if wish.page else "")
    if rules.pairs and not (wish.images and rules.honour_opt_out):
        base = resolve(record.url, str(head.get("Base") or "")) or record.url
        yield from _pairs(record, doc_id, place, html.get("Links"), base, rules)


def _pairs(record: Record, doc_id: str, place: str, links: Any, base: str, rules: PageRules) -> Iterator[Pair | Fate]:
    known: set[str] = set()
    for number, link in enumerate(links if isinstance(links, list) else []):
        if not isinstance(link, dict) or link.get("path") != "IMG@/src" or not link.get("alt"):
            continue
        url, caption = resolve(base, str(link.get("url") or "")), " ".join(str(link["alt"]).split())
        if not url:
            continue
        code, score = language.identify(caption)
        sure = score >= rules.min_language_score
        reason = captions.judge(caption, rules, rules.gibberish)
        if not reason and sure and not language.wanted(code, score, rules.languages, 0.0):
            reason = "language"
        name = pair_id(url, caption)
        if not reason and name in known:
            reason = "repeated"
        if not reason:
            known.add(name)
            yield Pair(name, doc_id, record.url, url, caption, "alt", code if sure else "", score)
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
