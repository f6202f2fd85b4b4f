"""One page, outside any run: what `weft html` prints."""

from __future__ import annotations

from typing import Any

from schemas.config import Config


def describe(html: bytes, url: str, config: Config) -> dict[str, Any]:
    """The document, pairs and image fates of one page as plain values."""
    raise NotImplementedError
