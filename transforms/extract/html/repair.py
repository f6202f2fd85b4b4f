"""Text as it was meant: broken encodings mended where that is sure, characters that show nothing removed.

ftfy (Speer 2019) undoes UTF-8 that was read as Latin-1 or Windows-1252 and written again. It is only asked where a
text holds the sequences that this leaves behind, because nearly none do and asking costs more than extraction.
"""

from __future__ import annotations

import re

import ftfy

_MOJIBAKE = re.compile("[\xc2\xc3\xc5\xd0\xd1\xe2\xef][\x80-\xbf\u0152\u0153\u0160\u0161\u0178\u017d\u017e\u0192\u02c6"
                       "\u02dc\u2013-\u203a\u20ac\u2122]")  # fmt: skip
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u200b\u2060\ufeff\ufffe]")


def text(value: str) -> str:
    """The text, mended."""
    if value.isascii():
        return value if value.isprintable() else _unseen(value)
    if _MOJIBAKE.search(value):
        value = "\n\n".join(ftfy.fix_encoding(part) for part in value.split("\n\n"))
    return _unseen(value)


def _unseen(value: str) -> str:
    return _UNSEEN.sub("", value).replace("\xa0", " ")
