r"""JSON of others → values that every table can hold.

JSON may name half of a pair of surrogates (`"\ud83d"`, of an emoji that was cut), which is no character: Parquet, the
models and every hash of UTF-8 refuse it. It becomes U+FFFD, as bytes that are no UTF-8 do.
"""

from __future__ import annotations

import json
import re
from typing import Any

_HIGH, _LOW = r"\\u[dD][89abAB][0-9a-fA-F][0-9a-fA-F]", r"\\u[dD][c-fC-F]"
_MAY_HOLD_HALF = re.compile(rf"{_HIGH}(?!{_LOW})|(?<!{_HIGH}){_LOW}|[\ud800-\udfff]")
_HALF = re.compile("[\ud800-\udfff]")


def parse(text: str | bytes, strict: bool = True) -> Any:
    r"""The value that a JSON text means.

    Args:
        text: as it came; bytes of UTF-8, 16 or 32.
        strict: whether control characters within strings are an error.

    Raises:
        ValueError: it is no JSON, or no text.
        RecursionError: it has too many brackets in each other.

    >>> parse(r'["\ud83d", "\ud83d\ude00"]') == ["\ufffd", "\U0001f600"]
    True
    """
    if isinstance(text, bytes):
        text = text.decode(json.detect_encoding(text), "surrogatepass")
    value = json.loads(text, strict=strict)
    if _MAY_HOLD_HALF.search(text):
        value = json.loads(_HALF.sub("\ufffd", json.dumps(value, ensure_ascii=False)))
    return value
