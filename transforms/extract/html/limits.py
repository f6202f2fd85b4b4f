"""Bounds on what the parser is given: beyond them it would take more time than any page is worth."""

from __future__ import annotations

import re

MAX_TAGS = 1_000_000  # of one page; a browser gives up before
MAX_ATTRIBUTES = 5_000  # of one tag; the parser's time is quadratic in them
MAX_NAMES = 50_000  # of attributes of one tag, with or without values; a script may look like some thousands
MAX_UNCLOSED = 10_000  # formatting elements left open; its time is quadratic in them too
MAX_OPTIONS = 20_000  # of all selects; and in these
MAX_QUICK = 200_000  # characters; a shorter page takes the parser seconds, whatever it holds
_TAG_WITH_ATTRIBUTES = re.compile(r"[a-zA-Z][\w:-]*+[\s/]")
_QUOTED = re.compile(r"\"[^\"]*\"|'[^']*'")
_NAME = re.compile(r"[^\s/]++")
_OPTION = re.compile(r"<option\b", re.I)
_OPENING = re.compile(r"<(?:a|b|big|code|em|font|i|nobr|s|small|strike|strong|tt|u)[\s>]", re.I)
_CLOSING = re.compile(r"</(?:a|b|big|code|em|font|i|nobr|s|small|strike|strong|tt|u)[\s>]", re.I)


class TooComplex(ValueError):
    """A page that would take the parser more time than any page is worth."""


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
