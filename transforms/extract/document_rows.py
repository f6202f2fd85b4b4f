"""Somebody else's interleaved corpus, to clean again: rows of OBELICS, MINT-1T and MMC4 → documents.

Rows have `texts` and `images` in parallel (OBELICS, MINT-1T, and what `weft export obelics` writes), or `text_list` and
`image_info` (MMC4, where a picture stands before the text that it is matched with). Each goes through the rules on
content as a page does once it is taken apart; pictures are asked for by their addresses. Parquet and lines of JSON.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

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
_ALT = ("alt_text", "alt")  # OBELICS, and what weft exports in its form


class Parts(NamedTuple):
    """A row taken apart; texts and images are parallel."""

    url: str
    title: str
    texts: list[str | None]
    images: list[str | None]
    alts: list[str]  # parallel to these: "" at texts, and where nothing is told


_Made = tuple[list[str | None], list[str | None], list[str]]  # texts, images, alts: parallel


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
            yield Fate(STAGE, "record", key, KEPT, "", "", parts.url)
            yield from _extract(parts, path, last, rules, seen)
    except rows.Unsuited as error:
        yield Fate(STAGE, "record", f"{path}:{last + 1}!", DROPPED, error.reason, error.detail)


def _extract(parts: Parts, path: str, place: int, rules: PageRules, seen: set[str]) -> Iterator[Document | Pair | Fate]:
    # By what it is, not where it stood.
    name = stable_id("document", parts.url, json.dumps([parts.texts, parts.images]))
    record = Record("resource", parts.url, "", 0, f"<document:{name}>", place, 200, (), b"", "", path)
    doc_id = document_id(record.record_id, parts.url, "", place)
    key = f"{path}:{place}"
    if fate := again(seen, doc_id, key, parts.url, key):
        yield fate
        return
    yield from of_parts(record, parts.title, parts.texts, parts.images, rules, parts.alts).rows()


def _parts(row: dict[str, Any]) -> Parts | None:
    """A row taken apart; None where it is no document."""
    told = _json(row.get("metadata"))
    general = _json(row.get("general_metadata"))
    about = told if isinstance(told, list) else []
    places = [row, general, *about, *([told] if isinstance(told, dict) else [])]
    url = next((str(one[key]) for one in places if isinstance(one, dict) for key in _PAGE if one.get(key)), "")
    title = next((str(one[key]) for one in places[:2] if isinstance(one, dict) for key in _TITLE if one.get(key)), "")
    if isinstance(row.get("texts"), list) and isinstance(row.get("images"), list):
        made = _parallel(row["texts"], row["images"], about)
    elif isinstance(row.get("text_list"), list) and isinstance(row.get("image_info"), list):
        made = _mmc4(row["text_list"], row["image_info"])
    else:
        return None
    return Parts(resolve(url, url), title, *made)


def _json(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json_values.parse(value)
    except (ValueError, RecursionError):
        return None


def _parallel(texts: list[Any], images: list[Any], about: list[Any]) -> _Made:
    made: _Made = ([], [], [])
    for n in range(max(len(texts), len(images))):
        text = texts[n] if n < len(texts) else None
        image = images[n] if n < len(images) else None
        told = about[n] if n < len(about) else None
        if image is not None:
            _add(made, None, _address(image) or _address(told), _said(image, _ALT) or _said(told, _ALT))
        if isinstance(text, str) and text.strip():
            _add(made, text, None)
    return made


def _mmc4(texts: list[Any], images: list[Any]) -> _Made:
    before: dict[int, list[tuple[str, str]]] = {}
    for image in images:
        at = image.get("matched_text_index") if isinstance(image, dict) else None
        if isinstance(at, int) or (isinstance(at, float) and math.isfinite(at)):  # pandas makes floats of whole numbers
            place = min(max(int(at), 0), max(len(texts) - 1, 0))
        else:
            place = len(texts)  # matched with none: after all
        before.setdefault(place, []).append((_address(image), _said(image, _ALT)))
    made: _Made = ([], [], [])
    for n in range(len(texts) + 1):
        for url, alt in before.get(n, ()):
            _add(made, None, url, alt)
        if n < len(texts) and isinstance(texts[n], str) and texts[n].strip():
            _add(made, texts[n], None)
    return made


def _add(made: _Made, text: str | None, image: str | None, alt: str = "") -> None:
    if text is not None or image:
        made[0].append(text)
        made[1].append(image or None)
        made[2].append(alt)


def _address(image: Any) -> str:
    """Where a picture can be asked for, "" where nothing says it."""
    if isinstance(image, dict):
        image = _said(image, _IMAGE)
    return resolve(image, image) if isinstance(image, str) else ""


def _said(image: Any, names: Sequence[str]) -> str:
    """What is told of a picture under the first of these names that has text."""
    found = (image.get(name) for name in names) if isinstance(image, dict) else ()
    return next((one for one in found if isinstance(one, str)), "")
