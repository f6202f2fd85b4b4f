"""HTML → text and images in reading order, with one parse and one walk.

bytes → characters → DOM (lexbor, through resiliparse) → blocks of text and image occurrences in page order → what of
them is main content → merged texts and images. The main-content decision on text is resiliparse's: every block gets a
private-use mark before its extractor runs, and a block whose mark comes out is kept. Images, to which that extractor is
blind in figures, asides and galleries, are placed by what stands around them: an image is content when the text before
and after it is, or when it stands on the inside of a figure or article beside kept text.

Every image occurrence is returned, kept or with the reason it was dropped.
"""

from __future__ import annotations

import codecs
import dataclasses
import re
from collections.abc import Callable
from typing import Any, NamedTuple

from resiliparse.extract.html2text import extract_plain_text
from resiliparse.parse.encoding import detect_encoding, map_encoding_to_html5
from resiliparse.parse.html import HTMLTree, NodeType

from schemas.records import ImageMeta
from transforms import sources
from transforms.urls import resolve

_BLOCKS = frozenset(
    "address article aside blockquote body caption center dd details dialog div dl dt fieldset figcaption figure "
    "footer form h1 h2 h3 h4 h5 h6 header hgroup hr legend li main menu nav ol p pre section summary table tbody "
    "tfoot thead tr ul".split()
)
_SKIPPED = frozenset(
    "script style template head iframe object embed applet canvas audio video select textarea math".split()
)
_TIGHT = frozenset(("li", "tr", "dt", "dd", "caption"))  # one line break, not two, between two of these
_MARK = re.compile("\ue000(\\d+)\ue001")
_PRIVATE = re.compile("[\ue000\ue001]")
_CHARSET = re.compile(r"charset\s*=\s*[\"']?\s*([\w.:-]+)", re.I)
_META_CHARSET = re.compile(rb"<meta[^>]{0,200}charset\s*=\s*[\"']?\s*([\w.:-]+)", re.I)
_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
# Short lines that ask the reader for something; the main-content decision passes them when their classes are plain.
_ASKING = re.compile(
    r"^(?:share (?:this|on|via|with|to)\b|(?:click|tap) (?:here )?to share|read (?:more|also|next)\b|"
    r"(?:follow|join) us\b|advertisement\b|sponsored\b|sign up (?:for|to)\b|subscribe (?:to|now|for)\b|"
    r"accept (?:all )?cookies|"
    r"(?:tweet|pin it|email|print|copy link)$|skip to (?:main )?content)",
    re.IGNORECASE,
)
_ASKING_WORDS = 12  # a longer block is a sentence that happens to begin so
MIN_MAIN_WORDS = 25  # when the extractor finds less than this, all that is not page furniture is kept instead
MAX_DEPTH = 512  # of open elements (Blink's limit); the main-content decision takes quadratic time in it
MAX_LIST_LINKS = 0.3  # share of a list's characters inside links: above it, it is a menu
MAX_ALTERNATES = 6  # URLs of one picture, the best one included
NEAR_WORDS = 4  # a text block of fewer words says nothing of what is around it


class Occurrence(NamedTuple):
    """An image element of the page and what became of it."""

    url: str  # absolute, "" where it has none
    reason: str  # "" when kept
    detail: str


class Page(NamedTuple):
    """A page's main content in reading order, and what else it says."""

    title: str
    texts: list[str | None]
    images: list[str | None]
    image_meta: list[ImageMeta | None]
    occurrences: list[Occurrence]  # every image element, in page order
    meta: list[tuple[str, str]]  # (name, content) of the meta elements, names in lower case
    base: str
    alternates: list[list[str] | None]  # parallel to images: other URLs of the same picture, best first


@dataclasses.dataclass
class _Text:
    tag: str
    parts: list[str]
    node: Any  # its first text node
    preformatted: bool
    figure: int  # number of the figure it stands in, 0 outside
    furniture: bool  # inside nav, header, footer, aside of the page
    linked: int = 0  # characters inside links
    kept: bool = False
    text: str = ""


@dataclasses.dataclass
class _Image:
    url: str
    reason: str
    detail: str
    meta: ImageMeta
    others: list[str]  # further URLs of the same picture
    figure: int
    inside: bool  # of article or main
    furniture: bool
    noscript: bool
    kept: bool = False


_Item = _Text | _Image


def to_text(data: bytes, content_type: str = "") -> str:
    """Characters of an HTML page: by byte order mark, HTTP header, meta element, then detection."""
    for bom, name in _BOMS:
        if data.startswith(bom):
            return data[len(bom) :].decode(name, "replace")
    found = _CHARSET.search(content_type)
    declared = [found.group(1)] if found else []
    declared += [m.decode("ascii", "replace") for m in _META_CHARSET.findall(data[:4096])[:1]]
    for name in declared:
        try:
            known = map_encoding_to_html5(name, fallback_utf8=False)  # not every codec of Python's is for pages
            if known:
                return data.decode(known)
        except (LookupError, TypeError, ValueError):
            continue
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        pass
    name = detect_encoding(data, max_len=65_536) or "utf-8"
    try:
        return data.decode(name, "replace")
    except LookupError:
        return data.decode("utf-8", "replace")


def extract(html: str, url: str, main_content: bool = True) -> Page:
    """A page's content in reading order.

    Args:
        html: the page as characters.
        url: its address, which relative links are relative to.
        main_content: False keeps every block and image that has a source.
    """
    clean = html.replace("\x00", "")
    if "\ue000" in clean or "\ue001" in clean:  # a substitution without a match costs more than the parse
        clean = _PRIVATE.sub("", clean)
    tree = HTMLTree.parse(clean)
    meta, base = _head(tree, url)
    items, depth = _walk(tree.body, base, meta) if tree.body is not None else ([], 0)
    texts = [item for item in items if isinstance(item, _Text)]
    if main_content:
        _decide_texts(tree, texts, depth)
        _decide_images(items)
    else:
        for item in items:
            item.kept = isinstance(item, _Text) or not item.reason
    title = " ".join((tree.title or dict(meta).get("og:title", "")).split())
    return _assemble(title, items, meta, base)


def _head(tree: HTMLTree, url: str) -> tuple[list[tuple[str, str]], str]:
    """Meta elements of the head, and what relative links are relative to."""
    meta: list[tuple[str, str]] = []
    node = tree.head.first_child if tree.head is not None else None
    while node is not None:  # resiliparse's collections take quadratic time to go through
        if node.tag == "meta":
            _take_meta(node, meta)
        node = node.next
    found = tree.document.query_selector("base[href]") if tree.document is not None else None
    return meta, (resolve(url, found.getattr("href") or "") if found is not None else "") or url


def _take_meta(node: Any, meta: list[tuple[str, str]]) -> None:
    content = node.getattr("content")
    if content is not None:
        name = node.getattr("name") or node.getattr("property") or node.getattr("http-equiv") or ""
        meta.append((name.strip().lower(), content))


class _Walk:
    """The state of one walk: open elements that matter, and the block that text goes to."""

    def __init__(self, base: str, meta: list[tuple[str, str]]) -> None:
        self.base, self.meta = base, meta
        self.items: list[_Item] = []
        self.open: _Text | None = None
        self.figures = self.figure = 0
        self.pre = self.inside = self.furniture = self.noscript = self.links = 0
        self.figure_stack: list[int] = []
        self.picture: list[str] = []
        self.picture_open = False
        self.tags: list[str] = []

    def enter(self, node: Any, tag: str) -> bool:
        """Take an element in; False keeps its children out."""
        if tag in _SKIPPED:
            return False
        if tag == "svg":
            self.items.append(self._image(node, [], "svg_inline"))
            return False
        if tag in _BLOCKS:
            self.open = None
            self.tags.append(tag)
            if tag == "figure":
                self.figures += 1
                self.figure_stack.append(self.figure)
                self.figure = self.figures
            elif tag == "pre":
                self.pre += 1
            elif tag in ("article", "main"):
                self.inside += 1
            elif tag in ("nav", "footer", "aside") or (tag == "header" and not self.inside):
                self.furniture += 1
        elif tag in ("img", "amp-img", "amp-anim"):
            self._take_image(node)
        elif tag == "picture":
            self.picture, self.picture_open = [], True
        elif tag == "source" and self.picture_open:
            self.picture.append(node.getattr("srcset") or node.getattr("data-srcset") or "")
        elif tag == "noscript":
            self.noscript += 1
        elif tag == "a":
            self.links += 1
        elif tag == "meta":
            _take_meta(node, self.meta)
        elif tag == "br":
            if self.open is not None:
                self.open.parts.append("\n")
        elif tag in ("td", "th") and self.open is not None and self.open.tag == "tr":
            self.open.parts.append(" | ")
        return True

    def leave(self, tag: str) -> None:
        if tag in _BLOCKS:
            self.open = None
            if self.tags:
                self.tags.pop()
            if tag == "figure" and self.figure_stack:
                self.figure = self.figure_stack.pop()
            elif tag == "pre":
                self.pre -= 1
            elif tag in ("article", "main"):
                self.inside -= 1
            elif tag in ("nav", "footer", "aside") or (tag == "header" and not self.inside):
                self.furniture -= 1
        elif tag == "picture":
            if self.picture_open and any(self.picture):
                urls, reason = sources.candidates(lambda name: None, self.picture, self.base)
                self.items.append(self._plain(urls, reason))
            self.picture, self.picture_open = [], False
        elif tag == "noscript":
            self.noscript -= 1
        elif tag == "a":
            self.links -= 1

    def text(self, node: Any, value: str) -> None:
        if self.noscript or (self.open is None and not value.strip()):
            return
        if self.open is None:
            tag = self.tags[-1] if self.tags else "body"
            if tag in ("tbody", "table"):
                tag = "tr"
            self.open = _Text(tag, [], node, self.pre > 0, self.figure, self.furniture > 0)
            self.items.append(self.open)
        self.open.parts.append(value)
        if self.links:
            self.open.linked += len(value)

    def _take_image(self, node: Any) -> None:
        urls, reason = sources.candidates(node.getattr, self.picture if self.picture_open else (), self.base)
        self.picture_open = False  # its sources are this element's
        made = self._image(node, urls, reason)
        if made.noscript and self._twin(made):
            made.reason = "noscript_twin"
        self.items.append(made)
        self.open = None

    def _twin(self, made: _Image) -> bool:
        """Whether the image just before is what this <noscript> stands for; an unfinished one takes its URL."""
        before = next((item for item in reversed(self.items[-6:]) if isinstance(item, _Image)), None)
        if before is None or before.noscript:
            return False
        if before.reason in ("no_source", "data_uri", "bad_url") and made.url:
            before.url, before.others, before.reason, before.detail = made.url, made.others, "", ""
            return True
        return before.url == made.url or before.url.split("?")[0] == made.url.split("?")[0]

    def _image(self, node: Any, urls: list[str], reason: str) -> _Image:
        get: Callable[[str], str | None] = node.getattr
        meta = ImageMeta(
            _flat(get("alt")), "", _flat(get("title")), _pixels(get("width")), _pixels(get("height"))
        )  # the caption comes when its figure has been read
        return self._made(urls, reason, _flat(get("src"))[:80] if reason else "", meta)

    def _plain(self, urls: list[str], reason: str) -> _Image:
        return self._made(urls, reason, "", ImageMeta("", "", "", None, None))

    def _made(self, urls: list[str], reason: str, detail: str, meta: ImageMeta) -> _Image:
        url, others = (urls[0], urls[1:MAX_ALTERNATES]) if urls else ("", [])
        inside, furniture = self.inside > 0, self.furniture > 0
        return _Image(url, reason, detail, meta, others, self.figure, inside, furniture, self.noscript > 0)


def _walk(body: Any, base: str, meta: list[tuple[str, str]]) -> tuple[list[_Item], int]:
    """Blocks and images below `body` in page order, and how deep it goes; meta elements found on the way join `meta`.

    A loop, because pages nest deeper than Python does.
    """
    state = _Walk(base, meta)
    node, deepest = body.first_child, 0
    path: list[tuple[Any, str]] = []
    while node is not None:
        tag = node.tag
        if tag == "#text":
            state.text(node, node.value or "")
        elif node.type == NodeType.ELEMENT and state.enter(node, tag):
            child = node.first_child
            if child is not None:
                path.append((node, tag))
                deepest = max(deepest, len(path))
                node = child
                continue
            state.leave(tag)
        after = node.next
        while after is None and path:
            parent, tag = path.pop()
            state.leave(tag)
            after = parent.next
        node = after
    _bind_captions(state.items)
    for item in state.items:
        if isinstance(item, _Text):
            item.text = _rendered(item)
    return [item for item in state.items if isinstance(item, _Image) or item.text], deepest


def _bind_captions(items: list[_Item]) -> None:
    captions: dict[int, list[str]] = {}
    for item in items:
        if isinstance(item, _Text) and item.figure and item.tag == "figcaption":
            captions.setdefault(item.figure, []).append(" ".join("".join(item.parts).split()))
    pictures: dict[int, list[_Image]] = {}
    for item in items:
        if isinstance(item, _Image) and item.figure in captions and not item.reason:
            pictures.setdefault(item.figure, []).append(item)
    for figure, images in pictures.items():
        said = captions[figure]
        paired = said if len(said) == len(images) else [" ".join(said)] * len(images)
        for image, caption in zip(images, paired, strict=True):
            image.meta = image.meta._replace(caption=caption)


def _rendered(block: _Text) -> str:
    raw = "".join(block.parts)
    if block.preformatted:
        return raw.strip("\n").rstrip()
    lines = (
        " ".join(line.split()).strip("| ") if block.tag == "tr" else " ".join(line.split()) for line in raw.split("\n")
    )
    if "\n" not in block.parts:  # line breaks of the source are spaces; those of <br> were put in as parts
        return " ".join(lines).strip()
    text = "".join("\x00" if part == "\n" else part for part in block.parts)
    return "\n".join(filter(None, (" ".join(line.split()) for line in text.split("\x00"))))


def _decide_texts(tree: HTMLTree, texts: list[_Text], depth: int) -> None:
    if depth <= MAX_DEPTH:
        for number, block in enumerate(texts):
            block.node.value = f"\ue000{number}\ue001{block.node.value}"
        main = extract_plain_text(tree, main_content=True, alt_texts=True, preserve_formatting=False)
        for mark in _MARK.finditer(main):
            number = int(mark.group(1))
            if number < len(texts):
                texts[number].kept = True
    if sum(len(block.text.split()) for block in texts if block.kept) < MIN_MAIN_WORDS:
        for block in texts:
            block.kept = not block.furniture
    _keep_lists(texts)
    for block in texts:
        if block.kept and _ASKING.match(block.text) and block.text.count(" ") < _ASKING_WORDS:
            block.kept = False


def _keep_lists(texts: list[_Text]) -> None:
    """Give a list back that stands between kept texts and is no list of links: the extractor drops short ones."""
    start = 0
    while start < len(texts):
        end = start + 1
        if texts[start].tag == "li" and not texts[start].kept:
            while end < len(texts) and texts[end].tag == "li" and not texts[end].kept:
                end += 1
            items = texts[start:end]
            between = start > 0 and end < len(texts) and texts[start - 1].kept and texts[end].kept
            linked = sum(item.linked for item in items) / max(1, sum(len(item.text) for item in items))
            if between and linked < MAX_LIST_LINKS and not any(item.furniture for item in items):
                for item in items:
                    item.kept = True
        start = end


def _decide_images(items: list[_Item]) -> None:
    """Keep an image that stands between kept texts, or inside a figure or article beside one."""
    after: list[bool] = [False] * len(items)
    known = False
    for index in range(len(items) - 1, -1, -1):
        item = items[index]
        after[index] = known
        if isinstance(item, _Text) and _speaks(item):
            known = item.kept
    before = False
    for index, item in enumerate(items):
        if isinstance(item, _Text):
            if _speaks(item):
                before = item.kept
            continue
        if item.reason:
            continue
        content = item.figure > 0 or item.inside
        item.kept = (before and after[index]) or (content and not item.furniture and (before or after[index]))
        if not item.kept:
            item.reason = "boilerplate"
    kept_figures = {item.figure for item in items if isinstance(item, _Image) and item.kept and item.figure}
    for item in items:
        if isinstance(item, _Text) and item.figure in kept_figures and item.tag == "figcaption":
            item.kept = True


def _speaks(block: _Text) -> bool:
    return block.text.count(" ") + 1 >= NEAR_WORDS


def _assemble(title: str, items: list[_Item], meta: list[tuple[str, str]], base: str) -> Page:
    texts: list[str | None] = []
    images: list[str | None] = []
    metas: list[ImageMeta | None] = []
    others: list[list[str] | None] = []
    tight = False
    for item in items:
        if not item.kept:
            continue
        if isinstance(item, _Image):
            texts.append(None)
            images.append(item.url)
            metas.append(item.meta)
            others.append(item.others)
            continue
        said = f"- {item.text}" if item.tag == "li" else item.text
        if texts and texts[-1] is not None:
            joint = "\n" if tight and item.tag in _TIGHT else "\n\n"
            texts[-1] += joint + said
        else:
            texts.append(said)
            images.append(None)
            metas.append(None)
            others.append(None)
        tight = item.tag in _TIGHT
    occurrences = [
        Occurrence(item.url, "" if item.kept else item.reason or "boilerplate", item.detail)
        for item in items
        if isinstance(item, _Image)
    ]
    return Page(title, texts, images, metas, occurrences, meta, base, others)


def _flat(value: str | None) -> str:
    return " ".join((value or "").split())


def _pixels(value: str | None) -> int | None:
    found = re.match(r"\s*(\d{1,5})(?:\.\d+)?\s*(?:px)?\s*$", value or "")
    return int(found.group(1)) if found else None
