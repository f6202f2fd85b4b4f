"""Bounds on what the parser is given: beyond them it would take more than any page is worth, or might."""

from __future__ import annotations

import re
from typing import NamedTuple

from weft.transforms.extract.html import compiled
from weft.transforms.extract.html.parser import TooComplex

MAX_TAGS = 1_000_000  # of one page; a browser gives up before
MAX_ATTRIBUTES = 5_000  # of one tag; the parser's time is quadratic in them
MAX_NAMES = 50_000  # of attributes of one tag, with or without values; a script may look like some thousands
MAX_UNCLOSED = 10_000  # formatting elements left open; its time is quadratic in them too
MAX_OPTIONS = 20_000  # of all selects; and in these
MAX_QUICK = 200_000  # characters; a shorter page takes the parser seconds, whatever it holds
MAX_DEPTHS = 500_000_000  # the depths of all tags together; the parser takes up to 13 ns for each
MAX_COPIES = 1_000_000_000  # bytes of formatting elements that are opened again by tags after them
# What the largest of 2,405 real pages has: 3,900 items, 25,000 containers, 53 in each other, 71,000 tags.
MAX_ITEMS = 50_000  # texts and images; the model takes 14 KB for each
MAX_CONTAINERS = 250_000
MAX_DEPTH = 5_000  # of containers; a browser nests no more than 512 elements
MAX_FOREIGN = 100_000  # tags of a page that trafilatura is given: its time is quadratic in short paragraphs
_NODE = 400  # bytes of the parser's for an element, besides its attributes
_ALIKE = 36  # formatting elements without attributes, of which it opens three of a name again
_WRITTEN = 6  # bytes of a character at most, as the parser writes it: &quot; or &nbsp;
_ONCE = frozenset(("a", "nobr"))  # each closes the one before, so that no more than one is opened again
_FORMATTING = "a b big code em font i nobr s small strike strong tt u".split()
_NAMES = "|".join(_FORMATTING)
# Those with attributes, spelt without IGNORECASE, which takes twice the time; and where each ends, as HTML has it.
_ATTRIBUTED = re.compile(
    "<(?:" + "|".join("".join(f"[{c}{c.upper()}]" for c in name) for name in _FORMATTING) + r")[\t\n\f\r /]"
)
_SPACE, _NO_SPACE = r"[\t\n\f\r ]", r"[^\t\n\f\r "
_WHOLE = re.compile(
    rf"<({_NAMES})(?=[\t\n\f\r /])(?:[\t\n\f\r /]*+{_NO_SPACE}/>]{_NO_SPACE}/>=]*+"
    rf"(?:{_SPACE}*+={_SPACE}*+(?:\"[^\"]*+\"|'[^']*+'|{_NO_SPACE}\"'>]{_NO_SPACE}>]*+)?+)?+)*+[\t\n\f\r /]*+>",
    re.I | re.A,
)
_TAG_WITH_ATTRIBUTES = re.compile(r"[a-zA-Z][\w:-]*+[\s/]")
_QUOTED = re.compile(r"\"[^\"]*\"|'[^']*'")
_TO_ITS_END = re.compile(r"(?:[^\"'>]++|\"[^\"]*+\"|'[^']*+'|[\"'])*+")  # a script may follow
_NAME = re.compile(r"[^\s/]++")
_OPTION = re.compile(r"<option\b", re.I)
_OPENING = re.compile(rf"<(?:{_NAMES})[\s>]", re.I)
_CLOSING = re.compile(rf"</(?:{_NAMES})[\s>]", re.I)


class Counts(NamedTuple):
    """What is counted in a page before it is parsed."""

    tags: int  # "<"
    closing: int  # "</"
    long: list[str]  # what stands between two "<" and is longer than MAX_ATTRIBUTES
    many: int  # formatting elements with attributes, but for those of _ONCE; -1 if not all are whole, or one in another
    characters: int  # of their tags
    once: int  # of the longest tag of those of _ONCE


def counted(html: str) -> Counts:
    """Counts of a page, in one pass where that is compiled."""
    if compiled.module:
        return Counts(*compiled.module.counted(html, MAX_ATTRIBUTES))
    many = characters = once = at = 0
    for start in _ATTRIBUTED.finditer(html):
        found = _WHOLE.match(html, start.start()) if start.start() >= at else None
        if found is None:
            many = -1
            break
        at = found.end()
        if found[1].lower() in _ONCE:
            once = max(once, at - found.start())
        else:
            many += 1
            characters += at - found.start()
    long = [part for part in html.split("<") if len(part) > MAX_ATTRIBUTES]
    return Counts(html.count("<"), html.count("</"), long, many, characters, once)


def laborious(html: str, counts: Counts | None = None) -> bool:
    """Whether the parser might take more than MAX_DEPTHS or MAX_COPIES for a page: never less than it really takes."""
    tags, closing, _, many, characters, once = counts or counted(html)
    opening = tags - closing
    if opening * tags > MAX_DEPTHS:
        return True
    if opening * (_NODE * opening + _WRITTEN * len(html)) <= MAX_COPIES:
        return False
    if many < 0:  # some stand in others, or in what is no markup: all may be one tag
        many, characters, once = opening, len(html), 0
    return opening * (_NODE * (many + len(_ONCE) + _ALIKE) + _WRITTEN * (characters + once)) > MAX_COPIES


def check_items(items: int, containers: int, depth: int) -> None:
    """Raise TooComplex for a page that would take the steps after the scan too much."""
    for count, most, what in (
        (items, MAX_ITEMS, "texts and images"),
        (containers, MAX_CONTAINERS, "block elements"),
        (depth, MAX_DEPTH, "block elements in each other"),
    ):
        if count > most:
            raise TooComplex(f"{count} {what}")


def check_foreign(html: str) -> None:
    """Raise TooComplex for a page that would take trafilatura too much."""
    if html.count("<") > MAX_FOREIGN:
        raise TooComplex(f"{html.count('<')} tags for trafilatura")


def check(html: str, counts: Counts | None = None) -> None:
    """Raise TooComplex for a page that would take the parser too much."""
    if len(html) <= MAX_QUICK:
        return
    tags, closing, long = (counts or counted(html))[:3]
    if tags > MAX_TAGS:
        raise TooComplex(f"{tags} tags")
    for part in filter(_TAG_WITH_ATTRIBUTES.match, long):  # a "<" in a script is no tag: no name and space follow it
        tag = _QUOTED.sub("", _TO_ITS_END.match(part)[0])  # type: ignore[index] # it matches ""
        values, names = tag.count("="), sum(1 for _ in _NAME.finditer(tag))
        if values > MAX_ATTRIBUTES or names > MAX_NAMES:
            raise TooComplex(f"a tag of {max(values, names)} attributes")
    if tags > MAX_OPTIONS:
        options = sum(1 for _ in _OPTION.finditer(html))
        if options > MAX_OPTIONS:
            raise TooComplex(f"{options} options")
    if tags - 2 * closing > MAX_UNCLOSED:
        unclosed = sum(1 for _ in _OPENING.finditer(html)) - sum(1 for _ in _CLOSING.finditer(html))
        if unclosed > MAX_UNCLOSED:
            raise TooComplex(f"{unclosed} formatting elements left open")
