"""Lists of (address, caption) → pairs: LAION's, COYO's, DataComp's, CC12M's files, and img2dataset's tars.

Each row is a page that holds one picture and nothing else, so that books, dedup, consent and fates hold for it as for
any page; its document has no text and ends in `pack`.
"""

from __future__ import annotations

import math
import tarfile
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO, NamedTuple

from weft.schemas.parameters import PageRules
from weft.schemas.records import DROPPED, KEPT, Capture, Document, Fate, Pair, pair_id, stable_id
from weft.transforms.archives import image_tar
from weft.transforms.extract import captions, language, own_filters, personal, rows
from weft.transforms.extract.page import STAGE, again, rows_within_budget
from weft.transforms.extract.rows import CAPTION_COLUMNS, SIMILARITY_COLUMNS, URL_COLUMNS, Look, Unsuited
from weft.transforms.io import files

PAGE_COLUMNS = ("page_url", "source_url", "page")


class Row(NamedTuple):
    """A row of a list."""

    place: int  # number of the row; in a tar the offset of the sample's first header
    url: str
    caption: str
    page: str  # address of the page it stood on, where the list says it
    mime: str = ""  # of a picture that lies in the file itself
    similarity: float = math.nan  # of picture and caption, where the list says it
    without: str = ""  # the members of a sample that has no picture


def extract_list(path: str, look: Look, rules: PageRules) -> Iterator[Document | Pair | Capture | Fate]:
    """Rows of the tables for every row of a list, in its order.

    Args:
        path: of the list.
        look: what `rows.look` made of it.
        rules: on captions, languages and given similarities; `list_url` and others name the columns.
    """
    seen: set[str] = set()
    last = 0
    try:
        for row in _rows(path, look, rules):
            last = row.place
            yield from _extract(row, path, rules, seen)
    except Unsuited as error:
        yield Fate(STAGE, "record", f"{path}:{last}!", DROPPED, error.reason, error.detail)


def _extract(row: Row, path: str, rules: PageRules, seen: set[str]) -> Iterator[Document | Pair | Capture | Fate]:
    key = f"{path}:{row.place}"
    caption = " ".join(row.caption.split())
    if row.without:
        yield Fate(STAGE, "record", key, DROPPED, "no_picture", row.without)
        return
    if not rows.is_utf8(said := row.url + row.caption + row.page):
        yield Fate(
            STAGE,
            "record",
            key,
            DROPPED,
            "bad_encoding",
            f"not UTF-8: {said.encode('utf-8', 'replace').decode()[:150]}",
        )
        return
    if not row.url.startswith(("http://", "https://")):
        yield Fate(STAGE, "record", key, DROPPED, "not_http", row.url[:200])
        return
    yield Fate(STAGE, "record", key, KEPT, "", "")
    doc_id = stable_id("row", row.url, caption, row.page)
    if fate := again(seen, doc_id, key, row.url, key, row.page):
        yield fate
        return
    yield from rows_within_budget(
        _page(row, caption, path, rules, doc_id, key), rules, doc_id, row.page or row.url, key
    )


def _page(
    row: Row, caption: str, path: str, rules: PageRules, doc_id: str, key: str
) -> Iterator[Document | Pair | Capture | Fate]:
    if rules.pii == "drop" and (detail := personal.count([caption], rules.pii_kinds)):
        yield Fate(STAGE, "page", doc_id, DROPPED, "personal_data", detail, row.page or row.url, key)
        return
    if rules.pii == "mask":
        caption = personal.mask(caption, rules.pii_kinds)
    if row.mime:
        yield Capture(row.url, path, row.place, row.mime, 0)
    code, score = language.identify(caption, rules.language_model)
    sure = score >= rules.min_language_score
    # The document has no address: many rows of a list may stand on one page, and none is a copy of the others.
    nothing: tuple[Any, ...] = ("", 0, path, row.place, "", code if sure else "", score, "", [], [], [])
    yield Fate(STAGE, "page", doc_id, KEPT, "", row.page or row.url, row.page or row.url, key)
    yield Document(doc_id, *nothing)
    if not rules.pairs:
        return
    told = caption
    reason = captions.refused(caption, (code, score), rules)
    if not reason and rules.list_min_similarity > -1 and not row.similarity >= rules.list_min_similarity:
        reason, told = "low_similarity", f"{row.similarity:.4f}, as the list has it"
    spoken = (code if sure else "", score)
    alike = row.similarity if math.isfinite(row.similarity) else None
    pair = Pair(pair_id(row.url, caption), doc_id, row.page, row.url, caption, "list", *spoken, alike)
    reason = reason or own_filters.judge(pair, rules.pair_filters)[0]
    if not reason:
        yield pair
    yield Fate(STAGE, "pair", f"{doc_id}:0:list", DROPPED if reason else KEPT, reason, told[:200])


def _rows(path: str, seen: Look, rules: PageRules) -> Iterator[Row]:
    if seen.form == "tar":
        with files.open_read(path) as stream:
            yield from _of_tar(stream, rules)
        return
    names = _columns(seen.names, rules) if seen.names else ("", "", "", "")  # of a file that nobody can read
    for number, record in rows.read(path, seen, tuple(name for name in names if name)):
        yield _row(number, record, names)


def _of_tar(stream: BinaryIO, rules: PageRules) -> Iterator[Row]:
    try:
        for one in image_tar.read_samples(stream):
            caption = one.text or str(one.told.get("caption") or "")
            told = next((str(one.told[name]) for name in PAGE_COLUMNS if one.told.get(name)), "")
            alike = _number(one.told.get(rows.column(list(one.told), SIMILARITY_COLUMNS, rules.list_similarity)))
            without = "" if one.mime else ", ".join(one.names)[:200]
            yield Row(one.offset, str(one.told.get("url") or ""), caption, told, one.mime, alike, without)
    except tarfile.TarError as error:
        raise Unsuited("truncated", str(error)) from None


def _columns(names: Sequence[str], rules: PageRules) -> tuple[str, str, str, str]:
    """The columns of address, caption, page and similarity ("" where none is)."""
    url, caption = (
        rows.column(names, known, asked)
        for known, asked in ((URL_COLUMNS, rules.list_url), (CAPTION_COLUMNS, rules.list_caption))
    )
    if not url or not caption:
        said = ", ".join(names)[:200]
        raise Unsuited("no_columns", f"columns {said}: name them with extract.list_url and extract.list_caption")
    alike = rows.column(names, SIMILARITY_COLUMNS, rules.list_similarity)
    if not alike and (rules.list_similarity or rules.list_min_similarity > -1):
        raise Unsuited(
            "no_columns", f"columns {', '.join(names)[:200]}: name that of similarities: extract.list_similarity"
        )
    return url, caption, rows.column(names, PAGE_COLUMNS), alike


def _row(number: int, record: dict[str, Any], names: tuple[str, str, str, str]) -> Row:
    url, caption, page = (_cell(record.get(name)) if name else "" for name in names[:3])
    return Row(number, url.strip(), caption, page, similarity=_number(record.get(names[3])))


def _cell(value: object) -> str:
    """A cell as text; older writers of Parquet say that strings are bytes."""
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else str(value or "")


def _number(value: object) -> float:
    try:
        return float(value) if isinstance(value, (int, float, str)) else math.nan
    except (ValueError, OverflowError):  # JSON has whole numbers beyond all floats
        return math.nan
