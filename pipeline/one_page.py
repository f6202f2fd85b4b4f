"""One page, outside any run: what `weft html` prints."""

from __future__ import annotations

import json
from typing import Any

from weft.schemas.parameters import PageRules
from weft.transforms.extract import cpu_budget
from weft.transforms.extract import html as extraction
from weft.transforms.extract.cpu_budget import CPU_S
from weft.transforms.extract.page import check, extract_html

_NOWHERE = "http://localhost/"  # the address of a page whose own is not given


def describe(html: bytes, url: str, rules: PageRules) -> dict[str, Any]:
    """The document, pairs and fates of one page as plain values; document is None where a rule drops the page.

    Raises:
        ConfigError: the rules name a model that cannot be read.
    """
    check(rules)
    result = extract_html(html, url or _NOWHERE, rules)
    document = None
    if result.document is not None:
        document = result.document._asdict()
        document["image_meta"] = [meta and meta._asdict() for meta in result.document.image_meta]
    return {
        "document": json.loads(json.dumps(document)),
        "pairs": [pair._asdict() for pair in result.pairs],
        "fates": [{k: v for k, v in fate._asdict().items() if k != "stage"} for fate in result.fates],
    }


def blocks(html: bytes, url: str) -> list[str]:
    """A line for each block and image of a page: kept (+) or not, its probability of being content, kind, beginning.

    One line says why there are none of a page that is too complex or too slow.
    """
    try:
        items = cpu_budget.within(CPU_S, lambda: extraction.explain(extraction.to_text(html), url or _NOWHERE))
    except extraction.TooComplex as error:
        return [f"too_complex: {error}"]
    except cpu_budget.TooSlow:
        return [f"page_too_slow: over {CPU_S} seconds of processor time"]
    return [f"{'+' if kept else '-'} {chance:4.2f} {kind:10} {text[:90]}" for kept, chance, kind, text in items]
