"""Which texts of a page can stand for an image as its caption, and which of them say something.

Candidates are an image's caption, alt text, aria-label and title, in this order. A text that the page gives to many
images describes none of them (`max_shared`). Default bounds are LAION-400M's (alt texts of under 5 characters were
dropped).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from weft.schemas.parameters import CaptionRules, PageRules
from weft.schemas.records import ImageMeta
from weft.transforms.extract import language

_FILE_NAME = re.compile(
    r"^[\w\s()%.-]*\.(?:jpe?g|png|gif|webp|bmp|svg|tiff?|avif)(?: ?\(?\d{1,5} ?[x×] ?\d{1,5}\)?)?$", re.IGNORECASE
)
_CAMERA = re.compile(  # its name for a picture, and what an editor or a weblog adds to that
    r"^(?:img|dsc|dscn|dscf|p|pict|picture|image|photo|screenshot|untitled|wp|pxl|mvimg|vid)[\s_-]*+\d*+"
    r"(?:[\s_-]++(?:\d++(?:x\d++)?|pro|edit(?:ed)?|copy|scaled|rotated|cropped|hdr))*+$",
    re.IGNORECASE,
)
_STOCK = frozenset(  # what stands where a description was to be, in lower case without a full stop
    "animated gif|article image|click to enlarge|cover image|default image|featured image|image not found|image result|"
    "no description available|no image available|page image|placeholder image|post image|post thumbnail|profile photo|"
    "profile picture|refer to adjacent text|refer to caption|see adjacent text|see caption|see text|stock photo|"
    "thumbnail image|user avatar|view larger image|view full size".split("|")
)
_UNSPACED = "\u0e00"  # from here on scripts are written without blanks, and dates stand in them with hyphens
_HYPHENS = 4  # of a word with capital letters; Aix-en-Provence and Rhein-Main-Donau-Kanal have fewer
_LETTER = re.compile(r"[^\W\d_]")
_URL = re.compile(r"^(?:https?://|www\.)\S+$", re.IGNORECASE)


def candidates(meta: ImageMeta) -> Iterator[tuple[str, str]]:
    """(source, text) of every text that the page gives an image, white space collapsed, none twice.

    >>> list(candidates(ImageMeta("A red  barn", "The barn in May", "A red barn", width=None, height=None)))
    [('figcaption', 'The barn in May'), ('alt', 'A red barn')]
    """
    seen = set()
    told = (
        (meta.caption_source or "figcaption", meta.caption), ("alt", meta.alt), ("aria_label", meta.aria_label),
        ("title", meta.title),
    )  # fmt: skip
    for source, text in told:
        flat = " ".join(text.split())
        if flat and flat not in seen:
            seen.add(flat)
            yield source, flat


def shared(urls: Sequence[str | None], metas: Sequence[ImageMeta | None], most: int) -> set[str]:
    """Texts that a page gives to more than `most` different images: site names, search phrases, "product photo"."""
    if not most:
        return set()
    images: dict[str, set[str]] = {}
    for url, meta in zip(urls, metas, strict=True):
        if url is not None and meta is not None:
            for source, text in candidates(meta):
                if source != "figcaption":  # a figure of several has one caption
                    images.setdefault(text, set()).add(url)
    return {text for text, urls_of in images.items() if len(urls_of) > most}


def refused(text: str, spoken: tuple[str, float], rules: PageRules) -> str:
    """The reason to drop a caption, "" to keep it: by what it is, and by its language where that is sure.

    A short text often has no sure language: then it counts as being in that of its page.

    Args:
        text: of a candidate.
        spoken: its language and how sure that is, as `language.identify` has it.
        rules: which captions and languages are kept.
    """
    code, score = spoken
    reason = judge(text, rules, rules.gibberish)
    sure = score >= rules.min_language_score
    return reason or ("language" if sure and not language.wanted(code, score, rules.languages, 0.0) else "")


def judge(text: str, rules: CaptionRules, gibberish: bool = True) -> str:
    """The reason to drop a caption, "" to keep it.

    Args:
        text: of a candidate.
        rules: bounds on its characters and words, and what it may not hold.
        gibberish: drop what says nothing of a picture: a file name, an address, a text without a letter, a stock text.

    >>> [judge(text, CaptionRules()) for text in ("A red barn in May", "barn", "DSC_0042.JPG", "www.a.test", "* 12 *")]
    ['', 'too_short', 'file_name', 'url', 'no_letter']
    >>> [judge(text, CaptionRules()) for text in ("red_barn_in_may", "See adjacent text.")]
    ['file_name', 'stock_text']
    """
    if len(text) < rules.min_pair_chars:
        return "too_short"
    if len(text.split()) < rules.min_pair_words:
        return "too_few_words"
    if len(text) > rules.max_pair_chars:
        return "too_long"
    if len(text.split()) > rules.max_pair_words > 0:
        return "too_many_words"
    if any(tag in text for tag in rules.pair_forbidden):
        return "forbidden_tag"
    if gibberish:
        if _FILE_NAME.match(text) or _CAMERA.match(text):
            return "file_name"
        if _URL.match(text):
            return "url"
        if not _LETTER.search(text):
            return "no_letter"
        if _is_slug(text):
            return "file_name"
        if text.rstrip(".").lower() in _STOCK:
            return "stock_text"
    return ""


def _is_slug(text: str) -> bool:
    """Whether a text is words joined by `_` or `-`, as in a file's name or an address, and no compound or place."""
    under, hyphens = text.count("_"), text.count("-")
    if under + hyphens < 2 or any(char.isspace() or char >= _UNSPACED for char in text):
        return False
    plain = text == text.lower() or any(map(str.isdigit, text))
    return under > 1 or plain or hyphens >= _HYPHENS
