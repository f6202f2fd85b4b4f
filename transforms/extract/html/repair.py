"""Text as it was meant: wrongly decoded characters mended where that is sure, invisible ones removed.

ftfy (Speer 2019) undoes UTF-8 that was read as Latin-1 or Windows-1252. It is asked only where a text holds a sequence
that this leaves behind: few do, and asking costs more than the whole extraction.
"""

from __future__ import annotations

import re

import ftfy

_MOJIBAKE = re.compile("[\xc2\xc3\xc5\xd0\xd1\xe2\xef][\x80-\xbf\u0152\u0153\u0160\u0161\u0178\u017d\u017e\u0192\u02c6"
                       "\u02dc\u2013-\u203a\u20ac\u2122]")  # fmt: skip
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u200b\u2060\ufeff\ufffe]")


def text(value: str) -> str:
    r"""The text, mended.

    >>> text("cafÃ©"), text("soft\u00adhyphen and\xa0space")
    ('café', 'softhyphen and space')
    """
    if value.isascii():
        return value if value.isprintable() else _unseen(value)
    if _MOJIBAKE.search(value):
        value = "\n\n".join(ftfy.fix_encoding(part) for part in value.split("\n\n"))
    return _unseen(value)


def _unseen(value: str) -> str:
    return _UNSEEN.sub("", value).replace("\xa0", " ")
