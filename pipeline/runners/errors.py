"""What went wrong on a runner, in one line: what it says runs over pages and through two languages."""

from __future__ import annotations

import re

_PYTHON = re.compile(r"^(?:[\w.]+\.)?(\w*(?:Error|Exception|Unavailable|Damaged)\b.*)$", re.MULTILINE)
_JAVA = re.compile(r"^(?:[\w.$]+(?:Exception|Error): )+")
_LONGEST = 300  # characters


def line(error: BaseException) -> str:
    """The cause: of a Python worker's traceback its last line, of others all there is without Java's class names."""
    text = str(error) or type(error).__name__
    if "Traceback (most recent call last)" in text and (found := _PYTHON.findall(text.replace("\\n", "\n"))):
        cause = found[-1]
    else:
        head, _, rest = text.partition(" failed in state FAILED: ")
        cause = _JAVA.sub("", rest) if rest else head
    cause = re.sub(r" \[while running.*", "", cause)
    return " ".join(cause.split())[:_LONGEST]
