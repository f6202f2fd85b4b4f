"""Somebody else's interleaved corpus, to clean again: rows of OBELICS, MINT-1T and MMC4 → documents.

Rows have `texts` and `images` in parallel (OBELICS, MINT-1T, and what `weft export obelics` writes), or `text_list` and
`image_info` (MMC4, where a picture stands before the text that it is matched with). Each goes through the rules on
content as a page does once it is taken apart; pictures are asked for by their addresses. Parquet and lines of JSON.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

from weft.schemas.parameters import PageRules
from weft.schemas.records import DROPPED, KEPT, Document, Fate, Pair, document_id, stable_id
from weft.transforms.archives.record import Record
from weft.transforms.extract import rows
from weft.transforms.extract.page import STAGE, again, of_parts
from weft.transforms.extract.rows import Look
from weft.transforms.io import json_values
from weft.transforms.urls import resolve

_PARALLEL, _MMC4 = ("texts", "images"), ("text_list", "image_info")
_PAGE = ("url", "document_url", "page_url")
_TITLE = ("title", "page_title")
_TOLD = ("metadata", "general_metadata", *_PAGE, *_TITLE)
_IMAGE = ("raw_url", "src", "image_url", "url", "unformatted_src")
Parts = tuple[str, str, list[str | None], list[str | None]]  # URL, title, texts, images


def is_list(seen: Look) -> bool:
    """Whether rows are interleaved documents."""
    return any(set(names) <= set(seen.names) for names in (_PARALLEL, _MMC4))


def extract_documents(path: str, look: Look, rules: PageRules) -> Iterator[Document | Pair | Fate]:
    """Rows of the tables for every document of a file, in its order.

    Args:
        path: of the file.
        look: what `rows.look` made of it.
        rules: on content, as for pages.
    """
    names = tuple(name for name in (*_PARALLEL, *_MMC4, *_TOLD) if name in look.names)
    seen: set[str] = set()
    last = -1
    try:
        for last, row in rows.read(path, look, names):
            key = f"{path}:{last}"
            parts = _parts(row)
            if parts is None:
                yield Fate(STAGE, "record", key, DROPPED, "no_columns", ", ".join(row)[:200] or "no JSON object")
                continue
            yield Fate(STAGE, "record", key, KEPT, "", "", parts[0])
            yield from _extract(parts, path, last, rules, seen)
    except rows.Unsuited as error:
        yield Fate(STAGE, "record", f"{path}:{last + 1}!", DROPPED, error.reason, error.detail)


def _extract(parts: Parts, path: str, place: int, rules: PageRules, seen: set[str]) -> Iterator[Document | Pair | Fate]:
    url, title, texts, images = parts
    name = stable_id("document", url, json.dumps([texts, images]))  # by what it is, not where it stood
    record = Record("resource", url, "", 0, f"<document:{name}>", place, 200, (), b"", "", path)
    doc_id = document_id(record.record_id, url, "", place)
    key = f"{path}:{place}"
    if fate := again(seen, doc_id, key, url, key):
        yield fate
        return
    yield from of_parts(record, title, texts, images, rules).rows()


def _parts(row: dict[str, Any]) -> Parts | None:
    """A row taken apart; None where it is no document."""
    told = _json(row.get("metadata"))
    general = _json(row.get("general_metadata"))
    about = told if isinstance(told, list) else []
    places = [row, general, *about, *([told] if isinstance(told, dict) else [])]
    url = next((str(one[key]) for one in places if isinstance(one, dict) for key in _PAGE if one.get(key)), "")
    title = next((str(one[key]) for one in places[:2] if isinstance(one, dict) for key in _TITLE if one.get(key)), "")
    if isinstance(row.get("texts"), list) and isinstance(row.get("images"), list):
        texts, images = _parallel(row["texts"], row["images"], about)
    elif isinstance(row.get("text_list"), list) and isinstance(row.get("image_info"), list):
        texts, images = _mmc4(row["text_list"], row["image_info"])
    else:
        return None
    return resolve(url, url), title, texts, images


def _json(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json_values.parse(value)
    except (ValueError, RecursionError):
        return None


def _parallel(texts: list[Any], images: list[Any], about: list[Any]) -> tuple[list[str | None], list[str | None]]:
    made: tuple[list[str | None], list[str | None]] = ([], [])
    for n in range(max(len(texts), len(images))):
        text = texts[n] if n < len(texts) else None
        image = images[n] if n < len(images) else None
        told = about[n] if n < len(about) else None
        if image is not None:
            _add(made, None, _address(image) or _address(told))
        if isinstance(text, str) and text.strip():
            _add(made, text, None)
    return made


def _mmc4(texts: list[Any], images: list[Any]) -> tuple[list[str | None], list[str | None]]:
    before: dict[int, list[str]] = {}
    for image in images:
        at = image.get("matched_text_index") if isinstance(image, dict) else None
        if isinstance(at, int) or (isinstance(at, float) and math.isfinite(at)):  # pandas makes floats of whole numbers
            place = min(max(int(at), 0), max(len(texts) - 1, 0))
        else:
            place = len(texts)  # matched with none: after all
        before.setdefault(place, []).append(_address(image))
    made: tuple[list[str | None], list[str | None]] = ([], [])
    for n in range(len(texts) + 1):
        for url in before.get(n, ()):
            _add(made, None, url)
        if n < len(texts) and isinstance(texts[n], str) and texts[n].strip():
            _add(made, texts[n], None)
    return made


def _add(made: tuple[list[str | None], list[str | None]], text: str | None, image: str | None) -> None:
    if text is not None or image:
        made[0].append(text)
        made[1].append(image or None)


def _address(image: Any) -> str:
    """Where a picture can be asked for, "" where nothing says it."""
    if isinstance(image, dict):
        image = next((image[key] for key in _IMAGE if isinstance(image.get(key), str)), "")
    return resolve(image, image) if isinstance(image, str) else ""
