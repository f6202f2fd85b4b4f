"""Bytes of a page → characters."""

from __future__ import annotations

import codecs
import re

from resiliparse.parse.encoding import detect_encoding, map_encoding_to_html5

_CHARSET = re.compile(r"charset\s*+=\s*+[\"']?\s*+([\w.:-]+)", re.I)
_META_CHARSET = re.compile(rb"<meta[^>]{0,200}charset\s*+=\s*+[\"']?\s*+([\w.:-]+)", re.I)
_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))


def to_text(data: bytes, content_type: str = "") -> str:
    """Characters of an HTML page, in the encoding that the page tells or shows.

    The first of these that says one decides: byte order mark, `content_type`, meta element, UTF-8 if the bytes are
    that, detection. A declared encoding that does not fit the bytes is passed over. In the end, what cannot be decoded
    becomes U+FFFD.

    >>> to_text("naïve".encode("latin-1"), "text/html; charset=iso-8859-1"), to_text("naïve".encode())
    ('naïve', 'naïve')
    """
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
