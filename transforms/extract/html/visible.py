"""Authors and days that a page shows its readers: marked by attributes, or told on lines beside the headline.

Both are looked for around the headline alone: further down stand the names and days of comments, reviews and other
pages. Attributes are found by searches for a few fixed words in the page as the parser writes it (`rel="author`,
`<time`, "byline"); then the tag around the word is read, and what its element says.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from weft.transforms.extract.html.compiled import find
from weft.transforms.extract.html.dates import day
from weft.transforms.extract.html.scan import KIND, Scan
from weft.transforms.extract.html.tag_values import ATTRIBUTE, plain

# Texts before and after the headline. Of the names in classes with "author" that stood there on labelled pages nine
# tenths were the author's, of those elsewhere a third. Attributes of schema.org are believed further down.
BEFORE, AFTER, FAR = 4, 12, 30
MAX_FOUND = 40  # tags looked at for one word
MAX_TAG = 1_000  # characters
MAX_ELEMENT = 2_000  # characters in which the end of an element is looked for
MAX_LINE = 120  # characters of a line that names an author or a day
MAX_NAME, MAX_NAME_WORDS = 60, 6  # characters and words of one shown
MAX_DAY = 12  # letters of a link that is a day: those of "on September" and fewer
SOON = 150  # characters before a <time> in which it may be said that it is of a change

_ARTICLE = (KIND["article"], KIND["main"])
_TAGS = re.compile(r"<[^<>]*+>")
_BY = re.compile(
    r"(?:(?:article|blog post|guest post|posted|published|reported|started|story|text|words|written)\s++)?by\b:?\s*+"
    r"|(?:authors?|written|autor|autore|autora|auteur)(?:\s*+:\s*+|\Z)|(?:von|par|por):?\s++|thread starter:?\s++",
    re.IGNORECASE,
)
_END = re.compile(
    r"\s?(?:[|•·»–—/(\[<]|\s-\s|\b\d{1,2}[/.:\s]|\b(?:19|20)\d\d\b|,\s|\b(?:on|in|at|published|posted|updated|last|"
    r"reviewed|medically|edited|photo|is an?|founder|editor|contributor|writer|senior|staff writer|min read|minutes?|"
    r"read more|follow|share|view|see|joined|for|january|february|march|april|may|june|july|august|september|october|"
    r"november|december|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec|ago)\b(?!\.\w))",
    re.IGNORECASE,
)
_NO_NAME = re.compile(
    r"(?:by|posts?|post author|authors?|about|about the author|admin|administrator|share|comments?|anonymous|guest|"
    r"none|unknown|null|undefined|n/?a|written|the author|more|read more|home|menu|follow|contact|website|date|team|"
    r"published|staff|webmaster|user|member|profile|reply|replies|thread starter|search|image|photo|avatar|log ?in|"
    r"(?:our|meet|visit|shop|see|view|all|more|get|sign) .*+)\Z",
    re.IGNORECASE,
)
_CHANGED = re.compile(
    r"updat|modif|revis|reviewed|edited|expire|deadline|join|last-?(?:post|active|seen|reply)", re.IGNORECASE
)
_PUBLIC = "creativecommons.org/publicdomain/"
_RIGHT = re.compile(r"authori[tz]", re.IGNORECASE)
_NAMING = frozenset("a span div p li h2 h3 h4 h5 h6 address strong b em cite dt dd td small".split())


class Element:
    """A tag, from its `<` to its `>`, with what stands in its element."""

    def __init__(self, source: str, start: int, end: int) -> None:
        self.source, self.start, self.end = source, start, end
        self.tag = source[start + 1 : end]
        self.name = self.tag.partition(" ")[0]

    def said(self, *names: str) -> str:
        """The first of its attributes of these names that says something."""
        found = dict(ATTRIBUTE.findall(self.tag))
        return next((plain(found[name]) for name in names if found.get(name)), "")

    def inner(self) -> str:
        """What stands in it, as source; "" where that is over MAX_ELEMENT characters."""
        source, at = self.source, self.end + 1
        limit = min(len(source), at + MAX_ELEMENT)
        opening, closing = f"<{self.name}", f"</{self.name}>"
        depth = 1
        while depth:
            close = source.find(closing, at, limit)
            if close < 0:
                return ""
            depth += source.count(opening + " ", at, close) + source.count(opening + ">", at, close) - 1
            at = close + len(closing)
        return source[self.end + 1 : at - len(closing)]

    def text(self) -> str:
        """What it says, on one line."""
        return " ".join(plain(_TAGS.sub(" ", self.inner())).split())


def elements(source: str, word: str, begin: int = 0, end: int | None = None) -> Iterator[Element]:
    """The tags with a word in them, in page order, no more than MAX_FOUND."""
    at = find(source, word, begin, end)
    for _ in range(MAX_FOUND):
        if at < 0:
            return
        start = source.rfind("<", max(0, at - MAX_TAG), at + 1)
        shut = source.find(">", at, at + MAX_TAG)
        if start >= 0 and shut >= 0 and source.find(">", start, at) < 0 and source[start + 1] != "/":
            yield Element(source, start, shut)
            at = shut
        at = find(source, word, at + len(word), end)


def named(text: str) -> str:
    """A name as data states it, "" for what is none, such as an address or a placeholder."""
    text = " ".join(plain(text).split())
    said = _BY.match(text)
    text = text[said.end() :] if said else text
    text = text.strip(" ,;:-@")
    if text.startswith(("http:", "https:", "www.")) or "@" in text or _NO_NAME.match(text):
        return ""
    return text if any(one.isalpha() for one in text) else ""


def name(text: str) -> str:
    """The name at the beginning of a text that a page shows, "" where there is none."""
    text = named(text[:MAX_LINE])
    end = _END.search(text)
    text = named(text[: end.start()] if end else text).strip("–—|•·. ")
    if not 2 <= len(text) <= MAX_NAME or text.count(" ") >= MAX_NAME_WORDS or "http" in text:
        return ""
    return text


class _Place:
    """The part of a page around its headline: its texts, and from where to where it goes in the source."""

    def __init__(self, page: Scan) -> None:
        at = _headline(page)
        self.first = first = max(0, at - BEFORE)
        self.texts = page.texts[first : at + AFTER]
        spans = page.spans or [(0, 0)]
        self.begin = spans[first][0]
        self.end, self.far = (spans[min(len(spans), at + n) - 1][1] for n in (AFTER, FAR))


def _headline(page: Scan) -> int:
    """The number of the item that is the headline: the first heading that the title says, else the first at all."""
    heads = [n for n, kind in enumerate(page.kinds) if kind == KIND["h1"]]
    return next((n for n in heads if page.title and page.texts[n][:MAX_LINE] in page.title), (heads or [0])[0])


def authors(page: Scan) -> Iterator[str]:
    """Those whom the page names as its author, the surest first."""
    place, source = _Place(page), page.source
    yield from _names(source, 'rel="author', place)
    for text, following in zip(place.texts, [*place.texts[1:], ""], strict=False):
        found = _BY.match(text) if len(text) <= MAX_LINE else None
        said = (text[found.end() :] or following) if found else ""
        if said and len(said) <= MAX_LINE and not said[0].islower():
            yield from filter(None, [name(said)])
    for element in elements(source, 'itemprop="author', place.begin, place.far):
        within = next(elements(element.inner(), 'itemprop="name"'), element)
        yield from filter(None, [name(within.said("content") or within.text())])
    yield from _names(source, "byline", place)
    yield from _names(source, "author", place)


def _names(source: str, word: str, place: _Place) -> Iterator[str]:
    for element in elements(source, word, place.begin, place.end):
        if element.name in _NAMING and not _RIGHT.search(element.tag):
            yield from filter(None, [name(element.text())])


def licence(page: Scan) -> str:
    """The address of a licence by an attribute of schema.org's, else of a dedication to the public domain."""
    for element in elements(page.source, 'itemprop="license'):
        return element.said("href", "content") or element.text()
    given = next((tag for tag in page.links if _PUBLIC in tag), "")
    return plain(dict(ATTRIBUTE.findall(given)).get("href", ""))


def days(page: Scan, latest: str) -> Iterator[str]:
    """The days that it shows as that of its publication, the surest first; those of changes are passed over.

    Args:
        page: what its scan found.
        latest: as of dates.day.
    """
    for said in _dated(page):
        changed = _CHANGED.search(said)
        found = day(said[: changed.start()] if changed else said, latest)
        if found:
            yield found


def _is_of_another(page: Scan, at: int) -> bool:
    """Whether a line stands in the page's footer, or is a link that says more than a day, such as to terms of use."""
    text = page.texts[at]
    if 2 * page.linked[at] > len(text) and sum(map(str.isalpha, text)) > MAX_DAY:
        return True
    container, footer = page.containers[at], False
    while container >= 0 and page.tags[container].kind not in _ARTICLE:  # which has a footer of its own
        footer |= page.tags[container].kind == KIND["footer"]
        container = page.parents[container]
    return footer and container < 0


def _dated(page: Scan) -> Iterator[str]:
    place, source = _Place(page), page.source
    if KIND["h1"] in page.kinds:  # beside what else the day of the page would stand, nothing tells
        for at, text in enumerate(place.texts, place.first):
            if len(text) <= MAX_LINE and not _is_of_another(page, at):
                yield text
    for element in elements(source, "<time", place.begin, place.far):
        if not _CHANGED.search(source[max(0, element.start - SOON) : element.end]):
            yield element.said("datetime")
            yield element.text()
    for word in ('itemprop="datePublished', 'itemprop="dateCreated', 'itemprop="uploadDate'):
        for element in elements(source, word, place.begin, place.far):
            yield element.said("content", "datetime") or element.text()
    for word in ("publish", "date", "posted"):
        for element in elements(source, word, place.begin, place.end):
            text = element.text() if element.name in _NAMING and not _CHANGED.search(element.tag) else ""
            yield text if len(text) <= MAX_LINE else ""
