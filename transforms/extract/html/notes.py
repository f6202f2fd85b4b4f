"""A page without the marks of its notes and headings: "1984<sup><a href="#n1">1</a></sup>" is 1984, and no 19841.

A mark is a link to a place on a page that says a number, a letter or a sign of notes, and is raised, or called a mark
of notes by its class or role. A number in brackets that is neither stays, for it may be part of its sentence ("as [12]
shows"). The way back from a note (^, ↩) goes too, and so do a heading's link to itself (¶) and a wiki's "[edit]".
"""

from __future__ import annotations

import re

from weft.transforms.extract.html.compiled import holds
from weft.transforms.extract.html.tag_values import plain

_LINK = re.compile(r"<a (?=[^<>#]*+#)([^<>]*+)>((?:[^<]{1,40}+|<(?!/?a[ >])[^<>]{0,200}+>){0,12}+)</a>")
_TO_A_PLACE = re.compile(r'(?:\A| )href="[^"#]*+#[^"]')
_CALLED = re.compile(
    r' class="(?:[^"<>]*[ _-])?(?:fnanchor|noteref|footnote[-_](?:ref(?:erence)?|back(?:ref)?))[ "]'
    r'| (?:role|epub:type)="(?:doc-)?(?:noteref|backlink)"'
)
_OF_HEADINGS = "headerlink", "header-anchor", "permalink", "doc-anchor", "hash-link", "anchorjs-link"
_PERMALINK = re.compile(rf"\b(?:{'|'.join(_OF_HEADINGS)}|anchor)\b")
_PERMALINKS = frozenset("¶ # § 🔗 \uf0c1".split())
_EDIT = re.compile(
    r'<span class="(?:mw-)?editsection">'
    r"(?:[^<]{1,40}+|<span(?: [^<>]{0,200}+)?>[^<]{0,40}+</span>|<(?!/?span[ >])[^<>]{0,1000}+>){0,16}+</span>"
)
_HINTS = "<sup", "footnote", "noteref", "fnanchor", "editsection", 'class="anchor"', *_OF_HEADINGS
_TAGS = re.compile(r"<[^<>]*+>")
_LABEL = re.compile(
    r"[\[(]?(?:(?:note|nb|n|fn)\.?\s?)?(?:\d{1,4}|[a-z]|[ivx]{1,5}|[*†‡§¶]{1,4})[\])]?|\[[a-z]{1,2}\]", re.IGNORECASE
)
_BACK = re.compile("[\\^↑↩↵⏎⤴]\ufe0e?")
_RAISED = 200  # characters before a link in which the tag that raises it is looked for
# What is raised and says nothing any more; and what MediaWiki raises: "[citation needed]", ": 7" of a page.
_SAID = r"(?:[^<]{1,60}+|<(?!/?sup[ >])[^<>]{0,200}+>){0,12}+"
_LEFT_RAISED = (
    r"<sup(?: [^<>]*+)?>(?:[\[\](),;\s]{1,9}+|<(?!/?sup[ >])[^<>]{0,200}+>){0,12}+</sup>"
    rf'|<sup (?:[^<>]*? )?class="(?:reference|[^"<>]*Inline-Template)[ "][^<>]*+>{_SAID}</sup>'
)
_LEFT = re.compile(_LEFT_RAISED)
_WAY_BACK = '<span class="mw-cite-backlink">'
_LEFT_OR_BACK = re.compile(rf"{_LEFT_RAISED}|(?<={_WAY_BACK})\s{{0,9}}+\^")  # looks at every character, so is slow


def without_marks(source: str) -> str:
    """A page as the parser writes it, without the marks of its notes and headings."""
    if not holds(source, _HINTS):
        return source
    if "editsection" in source:
        source = _EDIT.sub("", source)
    return (_LEFT_OR_BACK if _WAY_BACK in source else _LEFT).sub("", _LINK.sub(_stays, source))


def _stays(found: re.Match[str]) -> str:
    """A link as it stands, or "" for the mark of a note or a heading."""
    tag, inner = found.groups()
    said = plain(_TAGS.sub("", inner)).strip()
    if not _TO_A_PLACE.search(tag):
        return found[0]
    if _BACK.fullmatch(said) or (said in _PERMALINKS and _PERMALINK.search(tag)):
        return ""
    return "" if _LABEL.fullmatch(said) and (_raised(found, inner) or _CALLED.search(f" {tag} ")) else found[0]


def _raised(found: re.Match[str], inner: str) -> bool:
    if inner.startswith("<sup"):
        return True
    source, start = found.string, found.start()
    before = max(0, start - _RAISED)
    return source.rfind("<sup", before, start) > source.rfind("</sup", before, start)
