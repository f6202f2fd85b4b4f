"""One page, outside any run: what `weft html` prints."""

from __future__ import annotations

from typing import Any

from weft.schemas.config import Config
from weft.transforms.archives.record import Record
from weft.transforms.extract import html as extraction
from weft.transforms.extract import page


def describe(html: bytes, url: str, config: Config) -> dict[str, Any]:
    """The document, pairs and fates of one page as plain values; document is None where the recipe drops it."""
    headers = (("content-type", "text/html"),)
    record = Record("response", url or "http://localhost/", "", 0, "", 0, 200, headers, html, "")
    result = page.process(record, "", config.extract)
    document = None
    if result.document is not None:
        document = result.document._asdict()
        document["image_meta"] = [m and m._asdict() for m in result.document.image_meta]
    return {
        "document": document,
        "pairs": [pair._asdict() for pair in result.pairs],
        "fates": [{k: v for k, v in fate._asdict().items() if k != "stage"} for fate in result.fates],
    }


def blocks(html: bytes, url: str) -> list[str]:
    """A line for each block and image of a page: kept or not, how likely it is content, what it is, its beginning."""
    return [
        f"{'+' if kept else '-'} {chance:4.2f} {kind:10} {text[:90]}"
        for kept, chance, kind, text in extraction.explain(extraction.to_text(html), url or "http://localhost/")
    ]
