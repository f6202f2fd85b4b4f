"""Drawings that stand in a page as `<svg>` → which of them are figures, and the file that each would be.

    <svg …>…</svg> ──► figure ──► an SVG file ─┬─► tag of an image, which stands in the page for it
                                               └─► address: PAGE#svg=SHA256, by which fetch finds it there again

A figure is no smaller than LEAST_SIDE and has LEAST_PARTS parts or more that draw something: icons and marks have
fewer. None is what readers of the page are not told of (`aria-hidden`), what draws parts of other drawings (sprites) or
lays out HTML (`foreignObject`), a drawing in a drawing, and what has all its colours from the page's style sheets.
Nothing of the page goes into the file: currentColor is black, and what rules of the page add to it is not there. Its
bytes stay in the archive, and a hash of them goes on.
"""

from __future__ import annotations

import hashlib
import html
import re
from xml.sax.saxutils import escape, quoteattr

from weft.transforms.urls import DRAWING

LEAST_SIDE = 100  # pixels of CSS. Of 44,727 drawings in 925 real pages 92 of 100 say less, or nothing
LEAST_PARTS = 5  # that draw: of those that are larger 93 of 100 have fewer, which are marks, arrows and waves
MOST_BYTES = 256 << 10  # of one; the largest figure of these pages has 76 KB
MOST = 50  # of a page
_PARTS = re.compile(r"<(?:path|rect|circle|ellipse|line|polyline|polygon|text|image)[ >]")
_NO_FIGURE = re.compile(r"<(?:foreignobject|svg)\b", re.IGNORECASE)
_USED = re.compile(r'<use (?:[^<>]* )?(?:xlink:)?href="([^"]*)"')
_OWN_PARTS = re.compile(r' id="([^"]*+)"')
_PAINTED = re.compile(r' (?:fill|stroke|style|stop-color)="|<style')
_PIECES = re.compile(r"<(/?)([A-Za-z][^\s<>/]*+)([^<>]*+)>|<!--.*?(?:-->|\Z)|([^<]++)|<", re.DOTALL)
_ATTRIBUTE = re.compile(r' ((?:xlink:|xml:)?[A-Za-z_][\w.-]*+)="([^"]*+)"')
_VOID = frozenset("area base br col embed hr img input link meta source track wbr".split())  # HTML in a description
_EXTENT = re.compile(r"(\d{1,5}+(?:\.\d{1,9}+)?+)(?:px)?")
_LABEL = re.compile(r' aria-label="([^"]*+)"')
_TITLE = re.compile(r"<title[^<>]*+>([^<]*+)</title>")
_STANDS_FOR = re.compile(r' DRAWN="([0-9a-f]{64})"')  # in capitals: the parser writes no attribute of a page so


def figure(tag: str, inside: str) -> str:
    """The SVG file of a drawing, "" where it is no figure.

    Args:
        tag: of the element as the parser writes it, with its brackets.
        inside: what stands between it and its end.
    """
    if len(inside) > MOST_BYTES or ' aria-hidden="true"' in tag or _NO_FIGURE.search(inside):
        return ""
    if len(_PARTS.findall(inside)) < LEAST_PARTS or min(size(tag)) < LEAST_SIDE:
        return ""
    if not _PAINTED.search(inside) and not _PAINTED.search(tag):
        return ""
    if not {f"#{name}" for name in _OWN_PARTS.findall(inside)}.issuperset(_USED.findall(inside)):
        return ""
    return _file(tag + inside)


def size(tag: str) -> tuple[float, float]:
    """(width, height) in pixels of CSS that a drawing says, by its view box where it says no length; 0 for unknown."""
    told = dict(_ATTRIBUTE.findall(tag))
    box = [*re.split(r"[\s,]+", told.get("viewBox", "").strip()), "", "", "", ""]
    said = ((told.get("width", "").strip(), box[2]), (told.get("height", "").strip(), box[3]))
    sides = (_EXTENT.fullmatch(own) or _EXTENT.fullmatch(other) for own, other in said)
    width, height = (float(side[1]) if side else 0.0 for side in sides)
    return width, height


def drawn(tag: str, inside: str, figures: dict[str, str]) -> str:
    """The tag of an image that stands for a drawing, whose file is added to `figures`; "" where it is no figure."""
    file = figure(tag, inside) if len(figures) < MOST else ""
    if not file:
        return ""
    name = hashlib.sha256(file.encode()).hexdigest()
    figures[name] = file
    label, title = _LABEL.search(tag), _TITLE.search(inside)
    said = (label or title or ["", ""])[1].replace('"', "&quot;")
    width, height = map(round, size(tag))
    return f'<img DRAWN="{name}" alt="{said}" width="{width}" height="{height}">'


def named(tag: str) -> str:
    """The name of the drawing that an image's tag stands for, "" for any other image."""
    found = _STANDS_FOR.search(tag)
    return found[1] if found else ""


def address(page: str, name: str) -> str:
    """The address of a drawing of a page."""
    return page.partition("#")[0] + f"#{DRAWING}{name}"


def _file(source: str) -> str:
    """A drawing as XML, without attributes of events, frameworks and the like whose names XML has not."""
    parts = []
    for closing, name, rest, text in _PIECES.findall(source):
        if name and name not in _VOID:
            told = [(key, value) for key, value in _ATTRIBUTE.findall(rest) if key != "xmlns"]
            said = "".join(f" {key}={quoteattr(html.unescape(value))}" for key, value in told)
            parts.append(f"<{closing}{name}{said}>")
        elif text:
            parts.append(escape(html.unescape(text)))
    head = '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    return f"{head}{''.join(parts).removeprefix('<svg')}</svg>"
