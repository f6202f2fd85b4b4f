"""What single tags say, as the parser writes them: an image's words, a background, a licence, a meta element."""

from __future__ import annotations

import bisect
import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from weft.transforms.extract.html.scan import Scan

ATTRIBUTE = re.compile(r' ([a-z0-9_-]++)="([^"]*+)"')  # `:href` is a name of its own
NAMES = re.compile(r"[A-Z]?[a-z]{2,}|[A-Z]{2,}")
_DECLARED = re.compile(r"background(?:-image)?:", re.I)
_ADDRESS = re.compile(r"url\(\s*+(?:&quot;|['\"])?+((?:(?!url\()[^)'\"])++)(['\"]?+)\s*+\)", re.I)
_SHAPE = str.maketrans("123456789", "000000000", ".,")  # a price, date or count counts as one of its length
MAX_STYLE = 4_096  # characters of a tag in which a background is looked for
HEAD, HEAD_WORDS = 64, 8  # characters at the beginning of a text, and words in them, that are features of it


class Image(NamedTuple):
    """An image element as it stands in the page."""

    tag: str  # as the parser writes it, without its brackets
    picture: list[str]  # srcset values of the sources around it
    link: str  # the tag of the link around it, "" without one
    noscript: bool


def plain(text: str) -> str:
    """Text without the few character references that the parser writes."""
    if "&" not in text:
        return text
    text = text.replace("&nbsp;", "\xa0").replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", '"')
    return text.replace("&amp;", "&")


def head_words(text: str) -> list[str]:
    """The first words of what begins a text, in the form in which they are features."""
    return text.lower().translate(_SHAPE).split()[:HEAD_WORDS]


def background_tag(tag: str) -> str:
    """An image's tag for the background that a tag declares; "" where it declares none."""
    background = _background(tag[:MAX_STYLE])
    role = ' role="img"' if ' role="img"' in tag else ""
    return f'background{role} src="{background}"' if background else ""


def _background(tag: str) -> str:
    """The address of the first background that a tag declares with one, the last where it has several; "" for none."""
    addresses = []
    for found in _ADDRESS.finditer(tag):
        said, quoted = found.groups()
        said = said if quoted else said.rstrip().removesuffix("&quot;")
        if said:
            addresses.append((found.start(), said))
    end = 0
    for declared in _DECLARED.finditer(tag) if addresses else ():
        if declared.start() >= end:  # what stands before that was looked at with the declaration that it is part of
            end = tag.find(";", declared.end()) % (len(tag) + 1)  # len(tag) where there is none
            at = bisect.bisect_left(addresses, (end - 3, ""))  # "url(" itself stands before the end
            if at and addresses[at - 1][0] >= declared.end():
                return addresses[at - 1][1]
    return ""


_SOURCE_OF = re.compile(r' (?:data-)?src="(?!data:)([^"]*)"')
_ALT_OF = re.compile(r' alt="([^"]{1,64})')


def described(tag: str) -> list[str]:
    """The first words of an image's address and alt text."""
    source, alt = _SOURCE_OF.search(tag), _ALT_OF.search(tag)
    said = " ".join(NAMES.findall(source.group(1)[-80:])[-5:]) if source else ""
    return head_words(f"{said} {alt.group(1)}" if alt else said)


def srcset_of(tag: str) -> str:
    """The addresses of a <source>."""
    found = dict(ATTRIBUTE.findall(tag))
    return plain(found.get("srcset") or found.get("data-srcset") or "")


def take_meta(tag: str, page: Scan) -> None:
    """Add what a <meta> says, or the licence that a <link> names."""
    if tag[:4] == "link":
        if "license" in tag and not page.licence:
            found = dict(ATTRIBUTE.findall(tag))
            if "license" in found.get("rel", "").split():
                page.licence = plain(found.get("href", ""))
        return
    found = dict(ATTRIBUTE.findall(tag))
    if "content" in found:
        name = found.get("name") or found.get("property") or found.get("http-equiv") or found.get("itemprop") or ""
        page.meta.append((plain(name).strip().lower(), plain(found["content"])))


def take_title(text: str, page: Scan) -> None:
    """The page's title, if it had none."""
    if not page.title:
        page.title = " ".join(plain(text).split())


def take_base(tag: str, page: Scan) -> None:
    """The address that the page's others are relative to, if it had none."""
    if not page.base:
        page.base = plain(dict(ATTRIBUTE.findall(tag)).get("href", ""))


def take_licence(tag: str, page: Scan) -> None:
    """The licence that a link names, if the page had none."""
    found = dict(ATTRIBUTE.findall(tag))
    if not page.licence and (
        "license" in found.get("rel", "").split() or "creativecommons.org/licenses" in found.get("href", "")
    ):
        page.licence = plain(found.get("href", ""))
