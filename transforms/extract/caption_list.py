"""Lists of (address, caption) → pairs: LAION's, COYO's, DataComp's, CC12M's files, and img2dataset's tars.

Parquet, CSV, TSV, lines of JSON, and tars are told by looking. Each row is a page that holds one picture and nothing
else, so that books, dedup, consent and fates hold for it as for any page; its document has no text and ends in `pack`.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import tarfile
import zlib
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from weft.schemas.parameters import PageRules
from weft.schemas.records import DROPPED, KEPT, Capture, Document, Fate, Pair, pair_id, stable_id
from weft.transforms.archives import image_tar
from weft.transforms.archives.record import GZIP
from weft.transforms.extract import captions, language
from weft.transforms.extract.page import STAGE
from weft.transforms.io import files

# What published lists call their columns, in lower case: LAION, COYO, DataComp, Conceptual Captions, img2dataset.
URL_COLUMNS = ("url", "image_url", "img_url")
CAPTION_COLUMNS = ("caption", "text", "top_caption", "alt", "alt_text")
PAGE_COLUMNS = ("page_url", "source_url", "page")
_HEAD = 1 << 16
_ARCHIVES = (".warc", ".warc.gz", ".warc.zst", ".arc", ".arc.gz", ".wacz")
_CELL = 16 << 20  # characters of a cell of CSV


class Row(NamedTuple):
    """A row of a list."""

    place: int  # number of the row; in a tar the offset of the sample's first header
    url: str
    caption: str
    page: str  # address of the page it stood on, where the list says it
    mime: str = ""  # of a picture that lies in the file itself


class Unsuited(Exception):
    """A list whose columns say neither address nor caption, or that breaks off."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason, self.detail = reason, detail


def kind(path: str) -> str:
    """What a file is by how it begins: "parquet", "tar", "lines" or "table"; "" for none of them, and for no file."""
    if path.endswith(_ARCHIVES):  # spares a request
        return ""
    try:
        with files.open_read(path) as stream:
            head = stream.read(_HEAD)
        if head[:4] == b"PAR1":
            return "parquet"
        if image_tar.is_tar(head):
            return "tar"
        if head.startswith(GZIP):
            head = zlib.decompressobj(31).decompress(head, _HEAD)
    except (OSError, zlib.error):
        return ""
    if head.lstrip()[:1] == b"{":
        return "lines"
    first = head.split(b"\n")[0].decode("utf-8", "replace").strip("\ufeff\r")
    return "table" if _layout(first) else ""


def extract_list(path: str, form: str, rules: PageRules) -> Iterator[Document | Pair | Capture | Fate]:
    """Rows of the tables for every row of a list, in its order.

    Args:
        form: what `kind` says the file is.
        rules: on captions and languages; `list_url` and `list_caption` name the columns.
    """
    seen: set[str] = set()
    last = 0
    try:
        for row in _rows(path, form, rules):
            last = row.place
            yield from _extract(row, path, rules, seen)
    except Unsuited as error:
        yield Fate(STAGE, "record", f"{path}:{last}!", DROPPED, error.reason, error.detail)


def _extract(row: Row, path: str, rules: PageRules, seen: set[str]) -> Iterator[Document | Pair | Capture | Fate]:
    key = f"{path}:{row.place}"
    caption = " ".join(row.caption.split())
    if not row.url.startswith(("http://", "https://")):
        yield Fate(STAGE, "record", key, DROPPED, "not_http", row.url[:200])
        return
    yield Fate(STAGE, "record", key, KEPT, "", "")
    doc_id = stable_id("row", row.url, caption, row.page)
    if doc_id in seen:
        yield Fate(STAGE, "page", f"{doc_id}@{key}", DROPPED, "duplicate_record", row.url, row.page or row.url, key)
        return
    seen.add(doc_id)
    if row.mime:
        yield Capture(row.url, path, row.place, row.mime, 0)
    code, score = language.identify(caption)
    sure = score >= rules.min_language_score
    # The document has no address: many rows of a list may stand on one page, and none is a copy of the others.
    nothing: tuple[Any, ...] = ("", 0, path, row.place, "", code if sure else "", score, "", [], [], [])
    yield Document(doc_id, *nothing)
    yield Fate(STAGE, "page", doc_id, KEPT, "", row.page or row.url, row.page or row.url, key)
    if not rules.pairs:
        return
    reason = captions.judge(caption, rules, rules.gibberish)
    if not reason and sure and not language.wanted(code, score, rules.languages, 0.0):
        reason = "language"
    if not reason:
        yield Pair(pair_id(row.url, caption), doc_id, row.page, row.url, caption, "list", code if sure else "", score)
    yield Fate(STAGE, "pair", f"{doc_id}:0:list", DROPPED if reason else KEPT, reason, caption[:200])


def _rows(path: str, form: str, rules: PageRules) -> Iterator[Row]:
    with files.open_read(path) as stream:
        if form == "tar":
            yield from _of_tar(stream)
            return
        records = _of_parquet(stream, rules) if form == "parquet" else _of_text(stream, form, rules)
        yield from records


def _of_tar(stream: BinaryIO) -> Iterator[Row]:
    try:
        for one in image_tar.read_samples(stream):
            caption = one.text or str(one.told.get("caption") or "")
            if one.mime:
                told = next((str(one.told[name]) for name in PAGE_COLUMNS if one.told.get(name)), "")
                yield Row(one.offset, str(one.told.get("url") or ""), caption, told, one.mime)
    except tarfile.TarError as error:
        raise Unsuited("truncated", str(error)) from None


def _of_parquet(stream: BinaryIO, rules: PageRules) -> Iterator[Row]:
    try:
        table = pq.ParquetFile(stream)
        names = _columns(table.schema_arrow.names, rules)
        number = 0
        for batch in table.iter_batches(columns=[name for name in names if name]):
            for record in batch.to_pylist():
                yield _row(number, record, names)
                number += 1
    except (pa.ArrowException, OSError) as error:
        raise Unsuited("unreadable", " ".join(str(error).split())[:200]) from None


def _of_text(stream: BinaryIO, form: str, rules: PageRules) -> Iterator[Row]:
    packed = stream.read(2) == GZIP
    stream.seek(0)
    opened: Any = gzip.GzipFile(fileobj=stream) if packed else stream
    text = io.TextIOWrapper(opened, "utf-8-sig", "replace", newline="")
    try:
        if form == "lines":
            yield from _of_lines(text, rules)
        else:
            yield from _of_table(text, rules)
    except (EOFError, OSError, zlib.error, csv.Error) as error:
        raise Unsuited("truncated", f"{type(error).__name__}: {error}"[:200]) from None


def _of_lines(text: io.TextIOWrapper, rules: PageRules) -> Iterator[Row]:
    names = None
    for number, line in enumerate(text):
        try:
            record = json.loads(line) if line.strip() else {}
        except ValueError:
            record = {}
        record = record if isinstance(record, dict) else {}
        names = names or _columns(list(record), rules)  # the first line says what the columns are
        yield _row(number, record, names)


def _of_table(text: io.TextIOWrapper, rules: PageRules) -> Iterator[Row]:
    csv.field_size_limit(_CELL)
    first = text.readline()
    comma, names = _layout(first.strip("\r\n")) or (",", None)
    cells = next(csv.reader([first], delimiter=comma), [])
    head = _columns(cells, rules) if names is None else names
    if names is not None:  # no header: the first line is a row
        yield _row(0, dict(zip(("0", "1"), cells, strict=False)), head)
    keys = cells if names is None else ["0", "1"]
    rest = csv.reader(text) if comma == "," else csv.reader(text, delimiter=comma, quoting=csv.QUOTE_NONE)
    for number, row in enumerate(rest, 1):
        yield _row(number, dict(zip(keys, row, strict=False)), head)


def _layout(first: str) -> tuple[str, tuple[str, str, str] | None] | None:
    """(separator, columns) of a table that begins with this line; columns are None where the line is a header."""
    for comma in ("\t", ","):
        cells = [cell.strip().strip('"').lower() for cell in first.split(comma)]
        if len(cells) < 2:
            continue
        if any(cell in URL_COLUMNS for cell in cells) and any(cell in CAPTION_COLUMNS for cell in cells):
            return comma, None
        if comma == "\t" and len(cells) == 2:  # Conceptual Captions: (caption, url); 12M: (url, caption)
            web = [cell.startswith(("http://", "https://")) for cell in cells]
            if web.count(True) == 1:
                return comma, ("0", "1", "") if web[0] else ("1", "0", "")
    return None


def _columns(names: Sequence[str], rules: PageRules) -> tuple[str, str, str]:
    """The columns of address, caption and page ("" where none is)."""
    by_name = {name.lower(): name for name in reversed(names)}

    def find(asked: str, known: Sequence[str]) -> str:
        return asked if asked in names else next((by_name[name] for name in known if name in by_name), "")

    url, caption = find(rules.list_url, URL_COLUMNS), find(rules.list_caption, CAPTION_COLUMNS)
    if not url or not caption:
        said = ", ".join(names)[:200]
        raise Unsuited("no_columns", f"columns {said}: name them with extract.list_url and extract.list_caption")
    return url, caption, find("", PAGE_COLUMNS)


def _row(number: int, record: dict[str, Any], names: tuple[str, str, str]) -> Row:
    url, caption, page = (str(record.get(name) or "") if name else "" for name in names)
    return Row(number, url.strip(), caption, page)
