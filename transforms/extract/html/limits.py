"""Bounds on what the parser is given: beyond them it would take more time than any page is worth."""

from __future__ import annotations

import re

MAX_TAGS = 1_000_000  # of one page; a browser gives up before
MAX_ATTRIBUTES = 5_000  # of one tag; the parser's time is quadratic in them
MAX_UNCLOSED = 10_000  # formatting elements left open; its time is quadratic in them too
MAX_QUICK = 500_000  # characters; a shorter page takes the parser seconds, whatever it holds
_TAG_WITH_ATTRIBUTES = re.compile(r"[a-zA-Z][\w:-]*\s")
_QUOTED = re.compile(r"\"[^\"]*\"|'[^']*'")
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
        long = (part for part in parts if len(part) > MAX_ATTRIBUTES and _TAG_WITH_ATTRIBUTES.match(part))
        attributes = max((_QUOTED.sub("", part).partition(">")[0].count("=") for part in long), default=0)
        if attributes > MAX_ATTRIBUTES:
            raise TooComplex(f"a tag of {attributes} attributes")
    if tags - 2 * html.count("</") > MAX_UNCLOSED:
        unclosed = sum(1 for _ in _OPENING.finditer(html)) - sum(1 for _ in _CLOSING.finditer(html))
        if unclosed > MAX_UNCLOSED:
            raise TooComplex(f"{unclosed} formatting elements left open")
