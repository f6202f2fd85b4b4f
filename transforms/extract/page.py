"""One archived page → its document, pairs and fates: the recipe's extract rules in their order.

opt-out → size → extraction → lines → length and gibberish → language → whole text → images and caption pairs. Pure: no
files, no Beam.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from weft.schemas.config import Extract
from weft.schemas.records import DROPPED, KEPT, Document, Fate, ImageMeta, Pair, document_id, pair_id
from weft.transforms import optout
from weft.transforms.archives.record import Record
from weft.transforms.extract import captions, document_rules, gibberish, html, language, line_rules
from weft.transforms.urls import resolve

STAGE = "extract"
_MARKDOWN_IMAGE = re.compile(r"!\[([^\]\n]*)\]\(([^)\s]+)[^)\n]*\)")


class Result(NamedTuple):
    """What became of a page."""

    document: Document | None
    pairs: list[Pair]
    fates: list[Fate]


def process(record: Record, warc_file: str, config: Extract) -> Result:
    """The document and pairs of a page record, and a fate for it and all that is on it."""
    doc_id = document_id(record.record_id, record.url, record.date, record.offset)

    def lost(reason: str, detail: str = "") -> Result:
        return Result(None, [], [Fate(STAGE, "page", doc_id, DROPPED, reason, detail or record.url)])

    if len(record.body) > config.max_page_bytes:
        return lost("page_too_long", f"{len(record.body)} bytes")
    wish = optout.read(record.headers)
    if wish.page and config.honour_opt_out:
        return lost("opt_out", wish.page)
    try:
        page = _extract(record, config)
    except html.TooComplex as error:
        return lost("too_complex", str(error))
    except (ValueError, RuntimeError, RecursionError, MemoryError) as error:
        return lost("parse_error", f"{type(error).__name__}: {error}"[:200])
    wish = optout.read(record.headers, page.meta)
    if wish.page and config.honour_opt_out:
        return lost("opt_out", wish.page)
    texts, reason, detail = line_rules.apply(page.texts, config.c4, config.refinedweb_lines)
    if reason:
        return lost(reason, detail)
    page = _without_forbidden(_with_texts(page, texts), config.image_url_forbidden)
    text = "\n\n".join(t for t in page.texts if t is not None)
    reason, detail = gibberish.judge(text, config)
    if reason:
        return lost(reason, detail)
    code, score = language.identify(text)
    if not language.wanted(code, score, config.languages, config.min_language_score):
        return lost("language", f"{code or 'none'} {score:.2f}")
    reason, detail = _massive(text, code, config)
    if reason:
        return lost(reason, detail)
    if wish.images and config.honour_opt_out:
        page = _without_images(page)
    document = Document(
        doc_id, record.url, record.crawl_date, warc_file, record.offset, record.record_id, code, score,
        page.title, page.texts, page.images, page.image_meta, page.alternates,
        page.about.author, page.about.published, page.about.licence,
    )  # fmt: skip
    seen = "; ".join(filter(None, (wish.page or wish.images,)))
    fates = [
        Fate(STAGE, "page", doc_id, KEPT, "", f"not honoured: {seen}" if seen and not config.honour_opt_out else "")
    ]
    fates += [
        Fate(STAGE, "image", f"{doc_id}:{n}", DROPPED if o.reason else KEPT, o.reason, o.detail or o.url)
        for n, o in enumerate(page.occurrences)
    ]
    pairs, told = _pairs(document, page, config) if config.pairs else ([], [])
    return Result(document, pairs, fates + told)


def _extract(record: Record, config: Extract) -> html.Page:
    characters = html.to_text(record.body, record.header("content-type"))
    page = html.extract(characters, record.url, config.main_content)
    return _second_opinion(page, characters, record.url) if config.extractor == "trafilatura" else page


def _second_opinion(page: html.Page, characters: str, url: str) -> html.Page:
    """trafilatura's reading of the page, with its images; those that it leaves out keep their occurrence."""
    import trafilatura

    markdown = trafilatura.extract(
        characters, url=url, include_images=True, include_comments=False, output_format="markdown"
    )
    known: dict[str, ImageMeta] = {}
    plain = html.extract(characters, url, main_content=False)
    for image, meta in zip(plain.images, plain.image_meta, strict=True):
        if image is not None and meta is not None:
            known.setdefault(image, meta)
    texts: list[str | None] = []
    images: list[str | None] = []
    metas: list[ImageMeta | None] = []
    at = 0
    for found in [*_MARKDOWN_IMAGE.finditer(markdown or ""), None]:
        before = (markdown or "")[at : found.start() if found else None].strip()
        if before:
            texts.append(before)
            images.append(None)
            metas.append(None)
        if found:
            at = found.end()
            source = resolve(page.base, found.group(2))
            if source:
                texts.append(None)
                images.append(source)
                metas.append(known.get(source, ImageMeta(found.group(1), "", "", None, None)))
    wanted = [image for image in images if image is not None]
    occurrences = []
    for o in plain.occurrences:
        taken = not o.reason and o.url in wanted
        if taken:
            wanted.remove(o.url)
        occurrences.append(o if o.reason or taken else o._replace(reason="boilerplate"))
    occurrences += [html.Occurrence(image, "", "") for image in wanted]
    none: list[list[str] | None] = [None] * len(texts)
    return page._replace(texts=texts, images=images, image_meta=metas, occurrences=occurrences, alternates=none)


def _massive(text: str, code: str, config: Extract) -> tuple[str, str]:
    """(reason, detail) of the first rule on the whole text that is asked for and fails."""
    reason, detail = document_rules.gopher_repetition(text) if config.gopher_repetition else ("", "")
    if not reason and config.gopher_quality:
        reason, detail = document_rules.gopher_quality(text, code)
    if not reason and config.fineweb_quality:
        reason, detail = document_rules.fineweb(text)
    return reason, detail


def _with_texts(page: html.Page, texts: list[str | None]) -> html.Page:
    """The page with texts that rules on lines have cut; what is empty now has no place."""
    if texts == page.texts:
        return page
    stay = [n for n, text in enumerate(texts) if text or page.images[n] is not None]
    return page._replace(
        texts=[texts[n] for n in stay],
        images=[page.images[n] for n in stay],
        image_meta=[page.image_meta[n] for n in stay],
        alternates=[page.alternates[n] for n in stay],
    )


def _without_forbidden(page: html.Page, words: tuple[str, ...]) -> html.Page:
    """The page without the images whose address holds one of the words, letters large or small."""
    bad = [bool(url) and any(word.lower() in url.lower() for word in words) for url in page.images if url is not None]
    if not any(bad):
        return page
    placed, numbers = iter(bad), iter(bad)
    stay = [n for n, url in enumerate(page.images) if url is None or not next(placed)]
    occurrences = [o if o.reason or not next(numbers) else o._replace(reason="forbidden_url") for o in page.occurrences]
    return page._replace(
        texts=[page.texts[n] for n in stay],
        images=[page.images[n] for n in stay],
        image_meta=[page.image_meta[n] for n in stay],
        alternates=[page.alternates[n] for n in stay],
        occurrences=occurrences,
    )


def _without_images(page: html.Page) -> html.Page:
    texts: list[str | None] = [text for text in page.texts if text is not None]
    empty: list[None] = [None] * len(texts)
    return page._replace(
        texts=["\n\n".join(t for t in texts if t)] if texts else [],
        images=list(empty[:1]),
        image_meta=list(empty[:1]),
        alternates=list(empty[:1]),
        occurrences=[o if o.reason else o._replace(reason="opt_out") for o in page.occurrences],
    )


def _pairs(document: Document, page: html.Page, config: Extract) -> tuple[list[Pair], list[Fate]]:
    pairs: list[Pair] = []
    fates: list[Fate] = []
    ids = set()
    ordinals = iter([n for n, o in enumerate(page.occurrences) if not o.reason])
    shared = captions.shared(document.images, document.image_meta)
    for url, meta in zip(document.images, document.image_meta, strict=True):
        if url is None or meta is None:
            continue
        ordinal = next(ordinals)
        for source, text in captions.candidates(meta):
            code, score = language.identify(text)
            name = pair_id(url, text)
            reason = captions.judge(text, config)
            sure = score >= config.min_language_score
            if not reason and sure and not language.wanted(code, score, config.languages, 0.0):
                reason = "language"
            if not reason and text in shared:
                reason = "shared"
            if not reason and name in ids:
                reason = "repeated"
            if not reason:
                ids.add(name)
                spoken = (code, score) if sure else (document.language, document.language_score)
                pairs.append(Pair(name, document.doc_id, document.url, url, text, source, *spoken))
            key = f"{document.doc_id}:{ordinal}:{source}"
            fates.append(Fate(STAGE, "pair", key, DROPPED if reason else KEPT, reason, text[:200]))
    return pairs, fates
