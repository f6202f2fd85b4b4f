"""One HTML page → its document, its caption pairs and a fate for everything on it: the rules in their order.

size → opt-out → language at first look → main content → licence → C4's lines → marks and dumps of numbers → length and
gibberish → language → rules on the whole text → lines as FineWeb and RefinedWeb take them → bad words → quality
models → the user's own → images and caption pairs. The first rule that fails drops the page and is its reason. No Beam,
and no files but models.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Any, Literal, NamedTuple, TypeVar

from weft.schemas.parameters import ConfigError, PageRules
from weft.schemas.records import DROPPED, KEPT, Document, Fate, ImageMeta, Pair, document_id, pair_id
from weft.transforms.archives.record import Record, parse_date
from weft.transforms.consent import responses
from weft.transforms.extract import (
    bad_words,
    captions,
    cpu_budget,
    dclm_rules,
    document_rules,
    fasttext_models,
    gibberish,
    html,
    language,
    language_rules,
    line_rules,
    number_lines,
    own_filters,
    personal,
    quality,
    second_opinion,
)

STAGE = "extract"
DEFAULTS = PageRules()
_TOO_SLOW = "over {} CPU seconds"
T = TypeVar("T")
_SAID_OF_IMAGES = ("alt", "caption", "title", "aria_label")


class HtmlPage(NamedTuple):
    """A page from anywhere."""

    url: str  # absolute; relative links on the page are resolved against it
    html: bytes  # as served, without transfer and content codings
    content_type: str = ""  # of the response; its charset, if any, goes before what the page says
    date: str = ""  # of the capture, ISO 8601; with the URL it makes the doc_id, so that two captures have two ids
    headers: tuple[tuple[str, str], ...] = ()  # of the response; what forbids its use is read

    def record(self) -> Record:
        """The page as the record of an archive."""
        headers = [(name.lower(), value) for name, value in self.headers]
        if self.content_type:
            headers = [("content-type", self.content_type), *(h for h in headers if h[0] != "content-type")]
        fixed = "response", self.url, self.date, parse_date(self.date)
        return Record(*fixed, "", 0, 200, tuple(headers), self.html, "")


class _Judged(NamedTuple):
    """What the rules on content make of a page."""

    page: html.Page  # without the lines that they take
    reason: str = ""
    detail: str = ""  # where there is no reason, what numbers were taken out of the texts
    language: str = ""
    language_score: float = 0.0
    quality: quality.Scores = ()


class Result(NamedTuple):
    """What became of a page.

    Without a document there is one fate, with the reason. With one, the fates are that of the page, of each of its N
    images (key "doc_id:n", n in page order from 0) and of each caption candidate (key "doc_id:n:source").
    """

    document: Document | None  # None where a rule dropped the page
    pairs: list[Pair]
    fates: list[Fate]

    def rows(self) -> Iterator[Document | Pair | Fate]:
        """All of it, one after another."""
        yield from self.fates
        if self.document is not None:
            yield self.document
        yield from self.pairs


def check(rules: PageRules) -> None:
    """Raise ConfigError, in one line, for models, lists, limits and filters that cannot be used as they are meant."""
    if rules.language_model:
        fasttext_models.check(rules.language_model, "extract.language_model")
        if language.known(rules.language_model).isdisjoint(language.known()):
            raise ConfigError(f"extract.language_model = {rules.language_model!r}: none of its labels is a language")
    language.check(rules.languages, "extract.languages", rules.language_model)
    if rules.language_rules:
        language.check(language_rules.load(rules.language_rules), "extract.language_rules", rules.language_model)
        if rules.gopher_counts != DEFAULTS.gopher_counts:
            raise ConfigError(
                f"extract.gopher_counts = {rules.gopher_counts!r} counts nothing where extract.language_rules is set"
            )
    quality.check(rules)
    bad_words.load(rules.bad_words)
    own_filters.hashes(rules.own_filters)


def extract_html(html: str | bytes, url: str, rules: PageRules = DEFAULTS) -> Result:
    r"""The document, caption pairs and fates of one HTML page.

    Raises nothing for what a page holds: a page that cannot be parsed has the fate "parse_error", "too_complex" or
    "page_too_slow".

    Args:
        html: the page; bytes are decoded as its byte order mark or meta element says, else by detection.
        url: its absolute address, against which relative links are resolved.
        rules: which pages, images and captions are kept.

    >>> page = "<h1>Barns</h1><p>Ours is red.</p><img src=barn.jpg alt='A red barn'>"
    >>> found = extract_html(page, "https://a.test/farm/", PageRules(min_words=0, languages=(), main_content=False))
    >>> found.document.texts, found.document.images
    (['Barns\n\nOurs is red.', None], [None, 'https://a.test/farm/barn.jpg'])
    >>> [(pair.text, pair.source) for pair in found.pairs]
    [('A red barn', 'alt')]
    >>> extract_html(page, "https://a.test/farm/").fates[0].reason
    'too_short'
    """
    if isinstance(html, str):
        return extract_page(HtmlPage(url, html.encode("utf-8", "replace"), "text/html; charset=utf-8").record(), rules)
    return extract_page(HtmlPage(url, html).record(), rules)


def extract_page(record: Record, rules: PageRules = DEFAULTS) -> Result:
    """`extract_html` of the record of an HTML page, with the opt-outs of its HTTP headers.

    Args:
        record: its status and type are not looked at.
        rules: which pages, images and captions are kept.
    """
    if len(record.body) > rules.max_page_bytes:
        return _lost(record, "page_too_long", f"{len(record.body)} bytes")
    wish = responses.read(record.headers, (), counted_signals(rules))
    if wish.page and rules.honour_opt_out:
        return _lost(record, "opt_out", wish.page)

    def work() -> Result:
        try:
            characters = html.to_text(record.body, record.header("content-type"))
            foreign = language.foreign(characters, rules.languages, rules.language_model) if rules.look_first else ""
            if foreign:
                return _lost(record, "language", f"{foreign} at first look")
            page = _extract(record, characters, rules)
        except html.TooComplex as error:
            return _lost(record, "too_complex", str(error))
        except (ValueError, RuntimeError, RecursionError, MemoryError) as error:
            return _lost(record, "parse_error", f"{type(error).__name__}: {error}"[:200])
        return _settle(record, page, rules)

    return _within_budget(record, work)


def of_parts(
    record: Record,
    title: str,
    texts: list[str | None],
    images: list[str | None],
    rules: PageRules,
    alts: Sequence[str] = (),
) -> Result:
    """What becomes of a page that somebody else has taken apart.

    Args:
        record: says where it stands and what it is called; its body is not looked at.
        title: of the page.
        texts: in reading order, parallel to `images`: at each position one of the two is not None.
        images: absolute addresses.
        rules: as of `extract_html`.
        alts: alternative texts, parallel to `images`; empty where none is known.
    """
    said = alts or [""] * len(images)
    meta = [
        None if image is None else ImageMeta(alt, "", "", None, None) for image, alt in zip(images, said, strict=True)
    ]
    others: list[list[str] | None] = [None if image is None else [] for image in images]
    found = [html.Occurrence(image, "", "") for image in images if image is not None]
    page = html.Page(title, texts, images, meta, found, [], record.url, others, html.About())
    size = sum(len(text) for text in texts if text)
    if size > rules.max_page_bytes:
        return _lost(record, "page_too_long", f"{size} characters")
    return _within_budget(record, lambda: _settle(record, page, rules))


def _within_budget(record: Record, work: Callable[[], Result]) -> Result:
    """What `work` makes of a page, dropped where that takes over cpu_budget.CPU_S."""
    try:
        return cpu_budget.within(cpu_budget.CPU_S, work)
    except cpu_budget.TooSlow:
        return _lost(record, "page_too_slow", _TOO_SLOW.format(cpu_budget.CPU_S))


def rows_within_budget(rows: Iterable[T], rules: PageRules, doc_id: str, url: str, place: str) -> Iterable[T | Fate]:
    """The rows of a page of captions alone, or its fate where they take too long: as a filter of the user's own may."""
    if not rules.pair_filters:
        return rows
    try:
        return cpu_budget.within(cpu_budget.CPU_S, lambda: list(rows))
    except cpu_budget.TooSlow:
        return [Fate(STAGE, "page", doc_id, DROPPED, "page_too_slow", _TOO_SLOW.format(cpu_budget.CPU_S), url, place)]


def _lost(record: Record, reason: str, detail: str = "") -> Result:
    """A page that is dropped."""
    doc_id = document_id(record.record_id, record.url, record.date, record.offset)
    return Result(
        None, [], [Fate(STAGE, "page", doc_id, DROPPED, reason, detail or record.url, record.url, _place(record))]
    )


def counted_signals(rules: PageRules) -> Collection[str]:
    """The signals that are read: those that count, or all where none is honoured, for the record."""
    return rules.opt_out if rules.honour_opt_out else responses.PAGE_SIGNALS


def again(seen: set[str] | None, doc_id: str, key: str, url: str, place: str, page: str = "") -> Fate | None:
    """The fate of a page that came before in its archive; None for one that did not, which `seen` then holds.

    Args:
        seen: doc_ids so far; None looks for no copies.
        doc_id: of the page.
        key: of its record.
        url: what it is known by.
        place: where it stands.
        page: its address, where that is another.
    """
    if seen is None or doc_id not in seen:
        if seen is not None:
            seen.add(doc_id)
        return None
    return Fate(STAGE, "page", f"{doc_id}@{key}", DROPPED, "duplicate_record", url, page or url, place)


def _place(record: Record) -> str:
    return f"{record.archive}:{record.offset}" if record.archive else ""


def _settle(record: Record, page: html.Page, rules: PageRules) -> Result:
    """The rules on a page's content, from its own opt-outs on."""
    doc_id = document_id(record.record_id, record.url, record.date, record.offset)
    place = _place(record)

    def lost(reason: str, detail: str = "") -> Result:
        return _lost(record, reason, detail)

    wish = responses.read(record.headers, page.meta, counted_signals(rules))
    if wish.page and rules.honour_opt_out:
        return lost("opt_out", wish.page)
    judged = _judge(page, rules)
    if judged.reason:
        return lost(judged.reason, judged.detail)
    page = judged.page
    if wish.images and rules.honour_opt_out:
        page = _without_images(page, wish.images)
    document = Document(
        doc_id, record.url, record.crawl_date, record.archive, record.offset, record.record_id,
        judged.language, judged.language_score, page.title, page.texts, page.images, page.image_meta, page.alternates,
        *page.about, judged.quality,
    )  # fmt: skip
    reason, own = own_filters.judge(document, rules.filters)
    if reason:
        return lost(reason, own)
    ignored = "" if rules.honour_opt_out else wish.page or wish.images
    told = "; ".join(filter(None, [f"not honoured: {ignored}" if ignored else "", judged.detail]))
    fates = [Fate(STAGE, "page", doc_id, KEPT, "", told, record.url, place)]
    fates += [
        Fate(STAGE, "image", f"{doc_id}:{n}", DROPPED if o.reason else KEPT, o.reason, o.detail or o.url, o.url, place)
        for n, o in enumerate(page.occurrences)
    ]
    pairs, of_pairs = _pairs(document, page, rules, place) if rules.pairs else ([], [])
    return Result(document, pairs, fates + of_pairs)


def _extract(record: Record, characters: str, rules: PageRules) -> html.Page:
    captured = _day(record.crawl_date)
    if rules.extractor == "trafilatura":
        return second_opinion.read(characters, record.url, captured)
    how = rules.main_content, rules.markup == "markdown", rules.markup_links, captured, rules.inline_svg
    return html.extract(characters, record.url, *how)


def _day(crawl_date: int) -> str:
    """The day of a capture, ISO 8601; "" where its date is unknown."""
    if not crawl_date:
        return ""
    return (datetime.date(1970, 1, 1) + datetime.timedelta(microseconds=crawl_date)).isoformat()


def _judge(page: html.Page, rules: PageRules) -> _Judged:
    """The rules on content in their order: C4 looks at lines first; FineWeb and RefinedWeb do after Gopher's rules."""
    if rules.licences and not any(one in page.about.licence for one in rules.licences):
        return _Judged(page, "licence", page.about.licence or "none stated")
    first = rules.c4 if rules.c4 in ("code", "paper") else "off"
    page, reason, detail = _by_lines(page, first, False)
    if reason:
        return _Judged(page, reason, detail)
    page = _without_forbidden(page, rules.image_url_forbidden)
    page, taken = _without_numbers(page, rules)
    text = _whole(page, rules)
    reason, detail = gibberish.judge(text, rules)
    if reason:
        return _Judged(page, reason, detail)
    spoken = language.identify(text, rules.language_model)
    reason, detail = _by_whole_text(text, spoken, rules)
    if not reason:
        last = rules.c4 if rules.c4 == "fineweb" else "off"
        page, reason, detail = _by_lines(page, last, rules.refinedweb_lines)
    if not reason and rules.fineweb_quality and not rules.language_rules:
        reason, detail = document_rules.fineweb(_whole(page, rules))
    if not reason and (word := bad_words.find(_whole(page, rules), spoken[0], rules.bad_words)):
        reason, detail = "bad_words", word
    scores: quality.Scores = ()
    if not reason and rules.quality_models:
        scores = quality.score(_whole(page, rules), rules)
        reason, detail = quality.judge(scores, rules.min_quality, rules.max_quality)
    page = _as_markdown(page)
    if not reason and rules.pii != "off":
        page, reason, detail = _without_personal(page, rules)
    return _Judged(page, reason, detail or taken, *spoken, scores)


def _by_whole_text(text: str, spoken: tuple[str, float], rules: PageRules) -> tuple[str, str]:
    """(reason, detail) of a text by its language and how sure that is, and by the rules on the whole of it."""
    code, score = spoken
    said = f"{code or 'none'} {score:.2f}"
    if not language.wanted(code, score, rules.languages, rules.min_language_score):
        return "language", said
    if rules.language_rules:
        limits = language_rules.of(code, rules.language_rules)
        if limits is None:
            return "language", f"{said}, and no rules for it"
        if score < limits.language_score:
            return "language", f"{said} < {limits.language_score}"
        return document_rules.judge_by_language(text, code, limits, rules)
    judge = dclm_rules.judge if rules.gopher_counts == "dclm" else document_rules.judge
    return judge(text, code, rules)


def _without_personal(page: html.Page, rules: PageRules) -> tuple[html.Page, str, str]:
    """(the page with masks in place of personal data, "", ""), or a reason where such a page is dropped."""
    if rules.pii == "drop":
        said = [page.title, page.about.author, page.about.publisher, *filter(None, page.texts)]
        said += [getattr(meta, name) for meta in page.image_meta if meta for name in _SAID_OF_IMAGES]
        detail = personal.count(said, rules.pii_kinds)
        return page, "personal_data" if detail else "", detail

    def masked(text: str) -> str:
        return personal.mask(text, rules.pii_kinds)

    texts = [text and masked(text) for text in page.texts]

    def without(meta: ImageMeta) -> ImageMeta:
        said: dict[str, Any] = {name: masked(getattr(meta, name)) for name in _SAID_OF_IMAGES}
        return meta._replace(**said)

    metas = [meta and without(meta) for meta in page.image_meta]
    about = page.about._replace(author=masked(page.about.author), publisher=masked(page.about.publisher))
    return page._replace(title=masked(page.title), texts=texts, image_meta=metas, about=about), "", ""


def _whole(page: html.Page, rules: PageRules) -> str:
    """All texts of a page as one; trafilatura's have a line for what are two paragraphs in weft's."""
    joint = "\n" if rules.extractor == "trafilatura" else "\n\n"
    return joint.join(text for text in page.texts if text)


def _by_lines(
    page: html.Page, c4: Literal["off", "code", "paper", "fineweb"], refinedweb: bool
) -> tuple[html.Page, str, str]:
    """(the page as rules on lines leave it, "", ""), or a reason; a text that has become empty loses its position."""
    if c4 == "off" and not refinedweb:
        return page, "", ""
    made = _lines(page)
    left, reason, detail = line_rules.apply_to_lines(made, c4, refinedweb)
    return (page, reason, detail) if reason else (_with_lines(page, made, left), "", "")


def _without_numbers(page: html.Page, rules: PageRules) -> tuple[html.Page, str]:
    """(the page without page marks and dumps of numbers, what was taken)."""
    if not rules.gibberish:
        return page, ""
    made = _lines(page)
    left, taken = number_lines.apply_to_lines(made, rules)
    return (_with_lines(page, made, left) if taken else page), taken


def _lines(page: html.Page) -> list[list[str] | None]:
    """The plain lines of each text, None at an image."""
    if page.marked:
        return [[line.plain for line in lines] or None for lines in page.marked]
    return [None if text is None else text.split("\n") for text in page.texts]


def _with_lines(
    page: html.Page, made: Sequence[line_rules.Lines | None], left: Sequence[line_rules.Lines | None]
) -> html.Page:
    """The page with what rules have left of the lines that were made of it."""
    if page.marked:
        lines = [html.marked.kept(was, said or ()) for was, said in zip(page.marked, left, strict=True)]
        page = page._replace(marked=lines)
    texts = [
        text if now is was else line_rules.joined(now) for text, was, now in zip(page.texts, made, left, strict=True)
    ]
    return _with_texts(page, texts)


def _as_markdown(page: html.Page) -> html.Page:
    """The page with the Markdown of its texts in their place, where it was asked for; rules on texts come before."""
    if not page.marked:
        return page
    texts = [html.marked.written(lines) if lines else text for text, lines in zip(page.texts, page.marked, strict=True)]
    return _with_texts(page._replace(marked=()), texts)


def _with_texts(page: html.Page, texts: list[str | None]) -> html.Page:
    """The page with other texts; one that has become empty loses its position."""
    if texts == page.texts:
        return page
    return _only(page._replace(texts=texts), [n for n, text in enumerate(texts) if text or page.images[n] is not None])


def _without_forbidden(page: html.Page, words: tuple[str, ...]) -> html.Page:
    """The page without the images whose address holds one of `words`, in whatever case."""
    low = [word.lower() for word in words]

    def forbidden(url: str) -> bool:
        return any(word in url.lower() for word in low)

    stay = [n for n, url in enumerate(page.images) if url is None or not forbidden(url)]
    if len(stay) == len(page.images):
        return page
    occurrences = [
        o if o.reason or not forbidden(o.url) else o._replace(reason="forbidden_url") for o in page.occurrences
    ]
    return _only(page._replace(occurrences=occurrences), stay)


def _only(page: html.Page, positions: list[int]) -> html.Page:
    return page._replace(
        texts=[page.texts[n] for n in positions],
        images=[page.images[n] for n in positions],
        image_meta=[page.image_meta[n] for n in positions],
        alternates=[page.alternates[n] for n in positions],
        marked=[page.marked[n] for n in positions] if page.marked else (),
    )


def _without_images(page: html.Page, words: str) -> html.Page:
    """The page's texts as one, without its images, which `words` of the page forbid."""
    texts: list[str | None] = [text for text in page.texts if text is not None]
    empty: list[None] = [None] * len(texts)
    return page._replace(
        texts=["\n\n".join(t for t in texts if t)] if texts else [],
        images=list(empty[:1]),
        image_meta=list(empty[:1]),
        alternates=list(empty[:1]),
        occurrences=[o if o.reason else o._replace(reason="opt_out", detail=words) for o in page.occurrences],
    )


def _pairs(document: Document, page: html.Page, rules: PageRules, place: str) -> tuple[list[Pair], list[Fate]]:
    """The caption pairs of a document's images, and a fate for every candidate."""
    pairs: list[Pair] = []
    fates: list[Fate] = []
    ids = set()
    ordinals = iter([n for n, o in enumerate(page.occurrences) if not o.reason])
    shared = captions.shared(document.images, document.image_meta, rules.max_shared)
    for url, meta in zip(document.images, document.image_meta, strict=True):
        if url is None or meta is None:
            continue
        ordinal = next(ordinals)
        for source, text in captions.candidates(meta):
            code, score = language.identify(text, rules.language_model)
            name = pair_id(url, text)
            reason = captions.refused(text, (code, score), rules)
            sure = score >= rules.min_language_score
            if not reason and text in shared:
                reason = "shared"
            if not reason and name in ids:
                reason = "repeated"
            spoken = (code, score) if sure else (document.language, document.language_score)
            pair = Pair(name, document.doc_id, document.url, url, text, source, *spoken)
            reason = reason or own_filters.judge(pair, rules.pair_filters)[0]
            if not reason:
                ids.add(name)
                pairs.append(pair)
            key = f"{document.doc_id}:{ordinal}:{source}"
            fates.append(Fate(STAGE, "pair", key, DROPPED if reason else KEPT, reason, text[:200], url, place))
    return pairs, fates
