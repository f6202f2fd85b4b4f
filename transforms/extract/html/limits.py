"""Bounds on what the parser is given: beyond them it would take more than any page is worth, or might."""

from __future__ import annotations

import re

from weft.transforms.extract.html.parser import TooComplex

MAX_TAGS = 1_000_000  # of one page; a browser gives up before
MAX_ATTRIBUTES = 5_000  # of one tag; the parser's time is quadratic in them
MAX_NAMES = 50_000  # of attributes of one tag, with or without values; a script may look like some thousands
MAX_UNCLOSED = 10_000  # formatting elements left open; its time is quadratic in them too
MAX_OPTIONS = 20_000  # of all selects; and in these
MAX_QUICK = 200_000  # characters; a shorter page takes the parser seconds, whatever it holds
MAX_DEPTHS = 500_000_000  # the depths of all tags together; the parser takes up to 13 ns for each
MAX_COPIES = 1_000_000_000  # bytes of formatting elements that are opened again by tags after them
_NODE = 400  # bytes of the parser's for an element, besides its attributes
_ALIKE = 36  # formatting elements without attributes, of which it opens three of a name again
_SPACE = r"[\t\n\f\r ]"
_FORMATTING = "(?:b|big|code|em|font|i|s|small|strike|strong|tt|u)"  # a and nobr close the one before
# Those with attributes, spelt without IGNORECASE, which takes twice the time; and of these, those that are well-formed,
# so that they end where they seem to.
_ATTRIBUTED = re.compile(
    "<" + re.sub(r"[a-z]", lambda found: f"[{found[0]}{found[0].upper()}]", _FORMATTING) + r"[\t\n\f\r /]"
)
_WELL_FORMED = re.compile(
    rf"<{_FORMATTING}(?:{_SPACE}++[^\t\n\f\r \"'<>/=]++"
    rf"(?:{_SPACE}*+={_SPACE}*+(?:\"[^\"]*+\"|'[^']*+'|[^\t\n\f\r \"'=<>`]++))?+)++{_SPACE}*+/?>",
    re.I,
)
_TAG_WITH_ATTRIBUTES = re.compile(r"[a-zA-Z][\w:-]*+[\s/]")
_QUOTED = re.compile(r"\"[^\"]*\"|'[^']*'")
_NAME = re.compile(r"[^\s/]++")
_OPTION = re.compile(r"<option\b", re.I)
_OPENING = re.compile(r"<(?:a|b|big|code|em|font|i|nobr|s|small|strike|strong|tt|u)[\s>]", re.I)
_CLOSING = re.compile(r"</(?:a|b|big|code|em|font|i|nobr|s|small|strike|strong|tt|u)[\s>]", re.I)


def laborious(html: str) -> bool:
    """Whether the parser might take more than MAX_DEPTHS or MAX_COPIES for a page: never less than it really takes."""
    tags = html.count("<")
    opening = tags - html.count("</")
    if opening * tags > MAX_DEPTHS:
        return True
    if opening * (_NODE * opening + len(html)) <= MAX_COPIES:
        return False
    found = len(_ATTRIBUTED.findall(html))
    if opening * (_NODE * (found + _ALIKE) + (len(html) if found else 0)) <= MAX_COPIES:
        return False
    plain = [len(tag) for tag in _WELL_FORMED.findall(html)]
    ends_known = len(plain) == found
    return opening * (_NODE * (found + _ALIKE) + (sum(plain) if ends_known else len(html))) > MAX_COPIES


def check(html: str) -> None:
    """Raise TooComplex for a page beyond the bounds above."""
    if len(html) <= MAX_QUICK:
        return
    tags = html.count("<")
    if tags > MAX_TAGS:
        raise TooComplex(f"{tags} tags")
    parts = html.split("<")
    if max(map(len, parts)) > MAX_ATTRIBUTES:
        # A "<" in a script is no tag: what follows it there is no name and a space.
        for part in parts:
            if len(part) > MAX_ATTRIBUTES and _TAG_WITH_ATTRIBUTES.match(part):
                tag = _QUOTED.sub("", part).partition(">")[0]
                values, names = tag.count("="), sum(1 for _ in _NAME.finditer(tag))
                if values > MAX_ATTRIBUTES or names > MAX_NAMES:
                    raise TooComplex(f"a tag of {max(values, names)} attributes")
    if tags > MAX_OPTIONS:
        options = sum(1 for _ in _OPTION.finditer(html))
        if options > MAX_OPTIONS:
            raise TooComplex(f"{options} options")
    if tags - 2 * html.count("</") > MAX_UNCLOSED:
        unclosed = sum(1 for _ in _OPENING.finditer(html)) - sum(1 for _ in _CLOSING.finditer(html))
        if unclosed > MAX_UNCLOSED:
            raise TooComplex(f"{unclosed} formatting elements left open")
