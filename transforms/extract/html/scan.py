"""A page → its items, texts and images in reading order, and the containers that they stand in.

characters → DOM (lexbor, through resiliparse) → the DOM written out again, now well-formed → one pass over its tags.
Asking a DOM for its nodes one by one would cost more than all the rest. In the page as the parser writes it every `<`
and `>` outside raw text belongs to a tag: two string calls in C split it into tags and texts, and one loop reads these.

An item is an image, or a block: a run of inline content between block-level tags. A container is a block-level element
and spans a range of items. Names (classes, ids, roles) are known by their numbers in a vocabulary.
"""

from __future__ import annotations

import itertools
import re
import sys
from array import array
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, TypeVar

from weft.transforms.extract.html import compiled
from weft.transforms.extract.html.limits import check, check_items, counted, laborious
from weft.transforms.extract.html.parser import written
from weft.transforms.extract.html.source import without_raw
from weft.transforms.extract.html.tag_values import (
    HEAD,
    HEAD_WORDS,
    NAMES,
    Image,
    background_tag,
    described,
    head_words,
    plain,
    srcset_of,
    take_base,
    take_licence,
    take_meta,
    take_title,
)

BLOCKS = (
    "body p li div h1 h2 h3 h4 h5 h6 tr td th dt dd figcaption caption blockquote pre button summary label legend "
    "section article main aside header footer nav form fieldset figure ul ol dl table tbody thead tfoot address "
    "details dialog center hgroup menu search noscript"
).split()
KIND = {name: number for number, name in enumerate(BLOCKS)}
CUSTOM, IMAGE = len(BLOCKS), len(BLOCKS) + 1  # kinds of an element with a hyphen in its name, and of an image
KINDS = len(BLOCKS) + 2
_TR, _TD, _TH, _PRE, _FIGURE, _NOSCRIPT = (KIND[name] for name in ("tr", "td", "th", "pre", "figure", "noscript"))

# Parts of class names and ids that tell what elements are for, in run-together words too; the first that fits counts.
PURPOSES = (
    "abstract accordion advert alert answer archive article aside author avatar badge banner blog blurb bread brand "
    "button byline caption card carousel cart categor checkout cite collaps comment community compare consent contact "
    "content cookie copyright country cta date deliver descri desktop detail dialog disclaim discuss disqus drawer "
    "dropdown entry event excerpt expand faq featur feed figure filter flyout footer footnote form forum galler grid "
    "header headline hero hidden hide image instagram intro item label lang latest layout lead legal licen link list "
    "locale login logo main masthead media mega member menu message meta mobile modal more nav news newsletter next "
    "notice offcanvas offer option overlay overview page pagina paragraph partner payment popular popup portfolio "
    "post prev price primary print privacy product profile promo question quick quote rating recent recipe recommend "
    "refer regist relat reply replies result review rich search second section seller seo service share shipping shop "
    "sidebar signature signup similar skip slide social spec sponsor sr-only star step sticky story submenu subscri "
    "suggest summary swatch tab table tag tagline teaser term testimonial text thread thumb title toc toggle toolbar "
    "tooltip topic trending upsell user utility variant video visually vote warranty widget wiki wrapper"
).split()


def _by_beginning(words: Iterable[str], depth: int = 2) -> str:
    """A pattern of words in this order, with those together that begin alike: a tenth of the tries."""
    groups: dict[str, list[str]] = {}
    for word in words:
        groups.setdefault(word[:1], []).append(word[1:])
    inner = (_by_beginning(ends, depth - 1) if depth > 1 else "|".join(ends) for ends in groups.values())
    return "|".join(f"{letter}(?:{ends})" for letter, ends in zip(groups, inner, strict=True))


_PURPOSE = re.compile(_by_beginning(PURPOSES))
_CAPTIONS = frozenset(("div", "p", "dd"))

_CELLS, _ROW = frozenset((_TD, _TH)), frozenset((_TR, _TD, _TH))

# What a tag does to the scan, commonest first.
_INLINE, _OPEN, _CLOSE, _SPAN, _UNSPAN, _LINK, _UNLINK, _IMAGE, _BREAK = range(9)
_SVG, _META, _TITLE, _SOURCE, _PICTURE, _PICTURE_END, _BASE = range(9, 16)
_ACTIONS = {
    "span": _SPAN, "/span": _UNSPAN, "a": _LINK, "/a": _UNLINK, "img": _IMAGE, "amp-img": _IMAGE, "amp-anim": _IMAGE,
    "br": _BREAK, "hr": _BREAK, "svg": _SVG, "meta": _META, "link": _META, "title": _TITLE, "source": _SOURCE,
    "picture": _PICTURE, "/picture": _PICTURE_END, "base": _BASE,
}  # fmt: skip
_MANY = frozenset((_LINK, _SPAN, _IMAGE))  # nearly every such tag is unlike all others, mostly in what does not matter

_OPENS, _CLOSES = frozenset("([{（【「『"), frozenset(",.;:!?)]}%…，。、；：！？）】」』")
TAG = re.compile(r"<([^>]*+)(?:>|\Z)([^<]*+)")  # and the text after it
_NAMED = re.compile(r' ((?:role|itemprop|itemtype|style|hidden|aria-hidden)="[^"]*)"')
_CALLED = re.compile(r' (?:class|id)="([^"]*)"')
CAPTION_CLASS = re.compile(r' class="[^"]*caption', re.I)
_HIDDEN = re.compile(r"display:\s*none|visibility:\s*hidden", re.I)
MAX_NAMES = 8  # of one attribute that are read; longer class lists are utility classes
MAX_VALUE = 256  # characters of its that are looked at
MAX_CACHED = 50_000  # tags remembered from page to page
MAX_KNOWN = 1_000  # characters of one of them, or of an attribute; a longer one hardly comes again
MAX_CELL = 200  # characters; a table row that is longer is layout, and each of its cells a block of its own

Vocabulary = Mapping[str, int]
_Known = TypeVar("_Known")


class Tag(NamedTuple):
    """What a tag does to the scan."""

    action: int  # one of _ACTIONS', or to open, close or be inline
    kind: int  # of KIND, or CUSTOM; 0 where the action is none of a container
    names: tuple[int, ...]  # numbers of the names on it
    number: int  # the same for tags that are alike in all of this


class Scan:
    """What one pass over a page finds."""

    def __init__(self) -> None:
        self.title = ""
        self.meta: list[tuple[str, str]] = []  # (name in lower case, content)
        self.base = ""
        self.licence = ""
        self.json_ld: list[str] = []
        self.links: list[str] = []  # tags of links, in page order
        self.source = ""  # what the pass went over: the page as the parser writes it, without comments and raw text
        self.drawings: list[int] = []  # inline SVGs: how many items came before each
        self.drawn: list[str] = []  # of each of these "", or the address of the image of a formula that is text now
        # By item, in reading order.
        self.texts: list[str] = []  # "" for an image
        self.kinds = array("q")
        self.linked = array("q")  # characters inside links
        self.figures = array("q")  # number of the figure it stands in, 0 outside
        self.containers = array("q")  # its innermost container, -1 for none
        self.images: dict[int, Image] = {}  # by item
        # Where in the source it stands, from the end of the tag before it to the beginning of the tag that ends it; an
        # image is its own tag.
        self.spans: list[tuple[int, int]] = []
        self.inline = array("q")  # names on inline elements in items and on images
        self.inline_ends = array("q")  # by item, end of its part of them
        self.words: list[str] = []  # the first words of items
        self.word_ends = array("q")
        # By container, as they open: the items that it spans, its parent (-1 for none), its depth and its tag.
        self.starts = array("q")
        self.ends = array("q")
        self.parents = array("q")
        self.depths = array("q")
        self.tags: list[Tag] = []

    def add(
        self, text: str, kind: int, linked: int, figure: int, container: int, start: int, end: int, tag: str = ""
    ) -> None:
        """Add a text, or an image, whose tag says the words that are features of it."""
        self.texts.append(text)
        self.spans.append((start, end))
        self.kinds.append(kind)
        self.linked.append(linked)
        self.figures.append(figure)
        self.containers.append(container)
        self.inline_ends.append(len(self.inline))
        self.words += head_words(text[:HEAD]) if text else described(tag)
        self.word_ends.append(len(self.words))


class Scanner:
    """Scans pages with one vocabulary of names and passes over the names that are not in it.

    What it has learned of a tag it remembers from page to page; that changes no result.
    """

    def __init__(self, names: Vocabulary) -> None:
        self._names = names
        self.kinds = KIND
        self._cache: dict[str, Tag] = {}  # by what stands in the page
        self._tags: dict[tuple[int, int, tuple[int, ...]], Tag] = {}
        self._by_name = {name: self._tag(action, 0, ()) for name, action in _ACTIONS.items() if action not in _MANY}
        self._links: dict[str, Tag] = {}  # by class
        self._spans: dict[str, Tag] = {}
        self._pictures: dict[str, Tag] = {}
        self._called: dict[str, tuple[int, ...]] = {}  # numbers by value of a class or id
        self._word: dict[str, tuple[int, ...]] = {}  # by word of one
        self._said: dict[str, tuple[int, ...]] = {}  # by another attribute

    def scan(self, html: str, figures: bool = False) -> Scan:
        """Items, containers and metadata of a page.

        Args:
            figures: drawings that are figures are images (inline.py).

        Raises:
            TooComplex: it is beyond the bounds in limits.py, or takes the parser too much.
            ValueError: the parser gives no document.
        """
        counts = counted(html)
        check(html, counts)
        page = Scan()
        source = written(html, laborious(html, counts))
        self.read(without_raw(source, page.json_ld, page.drawn, {} if figures else None), page)
        check_items(len(page.texts), len(page.starts), max(page.depths, default=0))
        return page

    def read(self, source: str, page: Scan) -> None:
        """Read `source`, a page as the parser writes it, without comments and raw text, into `page`, a new Scan."""
        memory: tuple[dict[Any, Any], ...] = (
            self._cache, self._tags, self._links, self._spans, self._pictures, self._called, self._word, self._said
        )  # fmt: skip
        if max(map(len, memory)) > MAX_CACHED:
            for cache in memory:
                cache.clear()
        page.source = source
        if compiled.module:
            kinds = (_TR, _TD, _TH, _PRE, _FIGURE, _NOSCRIPT, IMAGE)
            limits = (HEAD, HEAD_WORDS, MAX_CELL, MAX_NAMES, MAX_VALUE, MAX_KNOWN)
            compiled.module.walk(sys.modules[__name__], self, source, page, kinds, limits)
            return
        if source.count("<") == source.count(">"):
            parts = source.replace(">", "<").split("<")
        else:  # a name of an attribute may hold a "<", which the parser leaves as it is
            parts = [source.partition("<")[0], *itertools.chain.from_iterable(TAG.findall(source))]
        self._loop(parts, page)

    def _loop(self, parts: list[str], page: Scan) -> None:
        # What `walk` of _compiled.c does, where that was built: over some thousand tags a page, and one function for
        # that reason. Its state is in locals, the commonest actions come first, a tag seen before costs one look-up.
        cached, learn = self._cache.get, self._learn
        texts, own = page.texts, page.inline
        starts, ends, parents, depths, tags = page.starts, page.ends, page.parents, page.depths, page.tags
        stack: list[tuple[int, int, int]] = []  # (outer container, its kind, outer figure)
        container, kind = -1, 0
        pieces: list[str] = []  # of the block being read
        filled = False  # they hold more than white space
        links = linked = noscript = figures = figure = preformatted = length = own_end = 0
        link = ""
        picture: list[str] = []
        in_picture = broke = shut = False  # shut: an inline element ended just here
        each = iter(parts)
        following = start = len(next(each))  # where the next tag stands; where the block being read begins
        for tag, text in zip(each, each, strict=False):
            known = cached(tag) or learn(tag)
            action, tag_kind, names, _ = known
            at = following
            following += len(tag) + len(text) + 2
            if action == _INLINE:
                shut = False
                if names:
                    own.extend(names)
            elif action <= _CLOSE:  # _OPEN or _CLOSE
                cell = tag_kind in _CELLS
                if filled and not (cell and length < MAX_CELL and kind in _ROW):
                    said = _rendered(pieces, kind, preformatted)
                    if said:
                        row = kind in _CELLS
                        page.add(said, _TR if row else kind, linked, figure, container, start, at)
                    filled, linked, length, own_end = False, 0, 0, len(own)
                if not filled:
                    pieces.clear()
                    del own[own_end:]
                    start = at + len(tag) + 2
                broke = shut = False
                if action == _OPEN:
                    if filled and cell and pieces[-1] != " | ":
                        pieces.append(" | ")
                    depths.append(len(stack))
                    stack.append((container, kind, figure))
                    parents.append(container)
                    container, kind = len(starts), tag_kind
                    starts.append(len(texts))
                    ends.append(0)
                    tags.append(known)
                    if tag_kind == _FIGURE:
                        figures += 1
                        figure = figures
                    elif tag_kind == _PRE:
                        preformatted += 1
                    elif tag_kind == _NOSCRIPT:
                        noscript += 1
                    if "url(" in tag:
                        background = background_tag(tag)
                        if background:
                            page.images[len(texts)] = Image(background, [], link if links else "", noscript > 0)
                            page.add("", IMAGE, 0, figure, container, at, at + len(tag) + 2)
                            own_end = len(own)
                elif stack:
                    ends[container] = len(texts) + filled
                    container, kind, figure = stack.pop()
                    if tag_kind == _PRE and preformatted:
                        preformatted -= 1
                    elif tag_kind == _NOSCRIPT and noscript:
                        noscript -= 1
            elif action == _SPAN:
                if shut and not preformatted and apart(pieces[-1] if pieces else "", text):
                    pieces.append(" ")
                shut = False
                if names:
                    own.extend(names)
            elif action == _UNSPAN:
                shut = not text
            elif action == _LINK:
                if shut and not preformatted and apart(pieces[-1] if pieces else "", text):
                    pieces.append(" ")
                shut = False
                links += 1
                link = tag
                page.links.append(tag)
                if names:
                    own.extend(names)
                if "license" in tag:
                    take_licence(tag, page)
            elif action == _UNLINK:
                links = max(0, links - 1)
                shut = not text
            elif (
                action == _IMAGE
                or (action == _BREAK and (broke or tag[:2] == "hr" or not filled))
                or (action == _PICTURE_END and in_picture and any(picture))  # its image is added by a script
            ):
                if filled:  # an image, a rule or two line breaks end a block
                    said = _rendered(pieces, kind, preformatted)
                    if said:
                        row = kind in _CELLS
                        page.add(said, _TR if row else kind, linked, figure, container, start, at)
                    filled, linked, length, own_end = False, 0, 0, len(own)
                pieces.clear()
                start = at + len(tag) + 2
                if action != _BREAK:
                    around = picture if in_picture else []
                    in_picture = False  # its sources are this element's
                    said = tag if action == _IMAGE else "img"
                    page.images[len(texts)] = Image(said, around, link if links else "", noscript > 0)
                    own.extend(names)
                    page.add("", IMAGE, 0, figure, container, at, start, said)
                    own_end = len(own)
            elif action == _BREAK:
                pieces.append("\x00")
                broke = True
            elif action == _SVG:
                page.drawings.append(len(texts))
            elif action == _META:
                take_meta(tag, page)
            elif action == _SOURCE:
                if in_picture:
                    picture.append(srcset_of(tag))
            elif action == _PICTURE:
                picture, in_picture = [], True
            elif action == _PICTURE_END:
                in_picture = False
            elif action == _TITLE:
                take_title(text, page)
                continue
            elif action == _BASE:
                take_base(tag, page)
            if text:
                if text.isspace():
                    if filled:
                        pieces.append(text)
                else:
                    pieces.append(text)
                    filled, broke = True, False
                    size = len(text)
                    length += size
                    if links:
                        linked += size
        if filled:
            said = _rendered(pieces, kind, preformatted)
            if said:
                page.add(said, kind, linked, figure, container, start, following)
        while stack:
            ends[container] = len(texts)
            container, kind, figure = stack.pop()

    def _learn(self, tag: str) -> Tag:
        """What a tag does; remembered if the same tag is likely to come again."""
        name, _, rest = tag.partition(" ")
        found = self._by_name.get(name)
        if found is not None:
            return _remember(self._cache, tag, found) if found.action < _SVG else found
        action = _ACTIONS.get(name)
        if action is not None:  # one of _MANY
            at = rest.find('class="')
            end = rest.find('"', at + 7)
            value = rest[at + 7 : end] if at >= 0 else ""
            memory = self._links if action == _LINK else self._spans if action == _SPAN else self._pictures
            found = memory.get(value)
            if found is None:
                found = _remember(memory, value, self._tag(action, 0, self._numbers(value)))
            alone = not rest or (at == 0 and end == len(rest) - 1)
            return _remember(self._cache, tag, found) if alone else found
        closing = name[:1] == "/"
        bare = name[1:] if closing else name
        kind = KIND.get(bare, CUSTOM if "-" in bare else -1)
        action = _INLINE if kind < 0 else _CLOSE if closing else _OPEN
        names: tuple[int, ...] = ()
        if not closing and rest:
            names = self._names_of(" " + rest)
            if bare in _CAPTIONS and CAPTION_CLASS.search(tag):
                kind = KIND["figcaption"]  # what pages called a caption before there was an element for it
        return _remember(self._cache, tag, self._tag(action, max(kind, 0), names))

    def _tag(self, action: int, kind: int, names: tuple[int, ...]) -> Tag:
        key = action, kind, names
        found = self._tags.get(key)
        if found is None:
            found = self._tags[key] = Tag(action, kind, names, len(self._tags))
        return found

    def _names_of(self, attributes: str) -> tuple[int, ...]:
        found: tuple[int, ...] = ()
        for value in _CALLED.findall(attributes):
            found += self._numbers(value)
        if "hidden" in attributes or "item" in attributes or "role" in attributes or "display" in attributes:
            for said in _NAMED.findall(attributes):
                found += self._said_numbers(said)
        return found

    def _said_numbers(self, said: str) -> tuple[int, ...]:
        """Numbers of what an attribute other than class and id says; it is given without its last quote."""
        found = self._said.get(said)
        if found is None:
            key, _, value = said.partition('="')
            if key == "style":
                names = ["@hidden"] if _HIDDEN.search(value) else []
            elif key in ("hidden", "aria-hidden"):
                names = [f"@{key}{value}"]
            else:
                names = [f"{key}:{part.rpartition('/')[2]}" for part in value.lower().split()[:MAX_NAMES]]
            numbers = tuple(n for name in names if (n := self._names.get(name)) is not None)
            found = _remember(self._said, said, numbers)
        return found

    def _numbers(self, value: str) -> tuple[int, ...]:
        """Numbers of the names in a class or an id."""
        found = self._called.get(value)
        if found is None:
            found = ()
            for word in NAMES.findall(value[:MAX_VALUE])[:MAX_NAMES]:
                found += self._word_numbers(word)
            _remember(self._called, value, found)
        return found

    def _word_numbers(self, word: str) -> tuple[int, ...]:
        found = self._word.get(word)
        if found is None:
            found = self._word[word] = self._parts(word.lower())
        return found

    def _parts(self, word: str) -> tuple[int, ...]:
        said = [word, *("~" + part for part in dict.fromkeys(_PURPOSE.findall(word)))]
        return tuple(number for name in said if (number := self._names.get(name)) is not None)


def figures_of(html: str) -> dict[str, str]:
    """The files of the drawings of a page that are figures (inline.py), by their sha256.

    Raises:
        TooComplex, ValueError: as `Scanner.scan`.
    """
    found: dict[str, str] = {}
    counts = counted(html)
    check(html, counts)
    without_raw(written(html, laborious(html, counts)), [], [], found)
    return found


def _remember(memory: dict[str, _Known], key: str, found: _Known) -> _Known:
    if len(key) <= MAX_KNOWN:
        memory[key] = found
    return found


def apart(before: str, after: str) -> bool:
    """Whether two inline elements that touch are apart, by the text before and after: no mark that closes is."""
    return before[-1:] not in _OPENS and after[:1] not in _CLOSES


def _rendered(pieces: list[str], kind: int, preformatted: int) -> str:
    """The characters of a block as a browser shows them."""
    text = plain("".join(pieces))
    if preformatted:
        return text.replace("\x00", "\n").strip("\n").rstrip()
    if "\x00" in text:
        return "\n".join(filter(None, (" ".join(line.split()) for line in text.split("\x00"))))
    text = " ".join(text.split())
    return text.strip("| ") if kind in _ROW else text
