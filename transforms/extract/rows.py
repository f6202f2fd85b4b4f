"""Files that are no archives, told by looking: rows of Parquet, of lines of JSON or of a table, and tars.

path → what it is and how its columns are called; then rows as dicts, a batch or a line in memory at a time. Plain or
gzipped, local or remote. What a row means is said by whoever knows its columns (kinds.py).
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import zlib
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, BinaryIO, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from weft.transforms.archives import image_tar
from weft.transforms.io import files, json_values
from weft.transforms.io.streams import GZIP

# What published lists call their columns, in lower case: LAION, COYO, DataComp, Conceptual Captions, img2dataset.
URL_COLUMNS = ("url", "image_url", "img_url")
CAPTION_COLUMNS = ("caption", "text", "top_caption", "alt", "alt_text")
SIMILARITY_COLUMNS = ("similarity", "clip_similarity_vitb32", "clip_b32_similarity_score", "clip_similarity")
# What lists of records in archives call file, offset and length: Common Crawl's columnar index, and its API.
RECORD_COLUMNS = (
    ("warc_filename", "warc_record_offset", "warc_record_length"),
    ("filename", "offset", "length"),
)
_HEAD = 1 << 16
_ARCHIVES = (".warc", ".warc.gz", ".warc.zst", ".arc", ".arc.gz", ".wacz")
_CELL = 16 << 20  # characters of a cell of CSV, and of a row of many lines
_LEAST = 1 << 14  # characters of such a row where quotes were often left open: to look for their ends takes time
_LINE = 64 << 20  # characters of a line of JSON
_BATCH = 1_024  # rows of Parquet at a time: they may hold whole pages


class Look(NamedTuple):
    """What a file is by how it begins."""

    form: str  # "parquet", "tar", "lines", "table"; "" for none of them, and for no file
    names: tuple[str, ...] = ()  # of its columns; of lines those of the first
    comma: str = ""  # of a table
    headed: bool = True  # whether a table's first line is a header


class Unsuited(Exception):
    """A file whose rows cannot be used, or that breaks off."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason, self.detail = reason, detail


def column(names: Sequence[str], known: Sequence[str], asked: str = "") -> str:
    """What a file calls one of its columns: the name that is asked for, or the first that is known; "" for none.

    >>> column(["URL", "TEXT"], ("url", "image_url")), column(["URL", "TEXT"], ("url",), "TEXT")
    ('URL', 'TEXT')
    >>> column(["URL", "TEXT"], ("url",), "TXET")
    ''
    """
    if asked:
        return asked if asked in names else ""
    by_name = {name.lower(): name for name in reversed(names)}
    return next((by_name[name] for name in known if name in by_name), "")


def look(path: str) -> Look:
    """What a file is. Raises nothing for what it holds: who reads it meets the same."""
    if path.endswith(_ARCHIVES):  # spares a request
        return Look("")
    try:
        with files.open_read(path) as stream:
            head = stream.read(_HEAD)
            if head[:4] == b"PAR1":
                return Look("parquet", tuple(pq.ParquetFile(stream).schema_arrow.names))
            if image_tar.is_tar(head):
                return Look("tar")
            if head.startswith(GZIP):
                head = zlib.decompressobj(31).decompress(head, _HEAD)
            if head.removeprefix(codecs.BOM_UTF8).lstrip()[:1] == b"{":
                return Look("lines", tuple(next((row for _, row in _lines(_text(stream)) if row), {})))
    except pa.ArrowException:
        return Look("parquet")
    except (OSError, EOFError, zlib.error):
        return Look("")
    return _layout(head.split(b"\n")[0].decode("utf-8", "replace").strip("\ufeff\r")) or Look("")


def read(path: str, seen: Look, names: tuple[str, ...] = ()) -> Iterator[tuple[int, dict[str, Any]]]:
    """(number, row) of each row of a file; a line that is no JSON object is an empty row.

    Bytes of a table that are no UTF-8 come as lone surrogates (`is_utf8`), those of lines of JSON as U+FFFD.

    Args:
        path: of the file.
        seen: what `look` made of it; no tar.
        names: of Parquet's columns that are wanted; all where none is named.

    Raises:
        Unsuited: the file breaks off.
    """
    try:
        with files.open_read(path) as stream:
            if seen.form == "parquet":
                number = 0
                for batch in pq.ParquetFile(stream).iter_batches(_BATCH, columns=list(names) or None):
                    for row in batch.to_pylist():
                        yield number, row
                        number += 1
            else:
                if seen.form == "lines":
                    yield from _lines(_text(stream))
                else:
                    yield from _table(_text(stream, "surrogateescape"), seen)
    except pa.ArrowException as error:
        raise Unsuited("unreadable", " ".join(str(error).split())[:200]) from None
    except (EOFError, OSError, zlib.error, UnicodeDecodeError) as error:  # strings of Parquet may be none
        reason = "unreadable" if seen.form == "parquet" else "truncated"
        raise Unsuited(reason, f"{type(error).__name__}: {error}"[:200]) from None


def is_utf8(text: str) -> bool:
    r"""Whether a cell was UTF-8: what is guessed of other bytes is no caption.

    >>> is_utf8("caf\u00e9"), is_utf8(b"caf\xe9".decode("utf-8", "surrogateescape"))
    (True, False)
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _text(stream: BinaryIO, errors: str = "replace") -> io.TextIOWrapper:
    stream.seek(0)
    packed = stream.read(2) == GZIP
    stream.seek(0)
    opened: Any = gzip.GzipFile(fileobj=stream) if packed else stream
    return io.TextIOWrapper(opened, "utf-8-sig", errors, newline="")


def _lines(text: io.TextIOWrapper) -> Iterator[tuple[int, dict[str, Any]]]:
    number = 0
    while line := text.readline(_LINE):
        try:
            row = json_values.parse(line) if line.strip() else {}
        except (ValueError, RecursionError):
            row = {}
        yield number, row if isinstance(row, dict) else {}
        number += 1


def _table(text: io.TextIOWrapper, seen: Look) -> Iterator[tuple[int, dict[str, Any]]]:
    csv.field_size_limit(_CELL)
    first = text.readline()
    if not seen.headed:
        yield 0, dict(zip(seen.names, _alone(first, seen.comma), strict=False))
    for number, cells in enumerate(_cells(text, seen.comma), 1):
        yield number, dict(zip(seen.names, cells, strict=False))


class _Lines:
    """Lines of a table, which can be given back."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = iter(lines)
        self._ahead: deque[str] = deque()
        self._reach = _CELL
        self._size = 0  # of the row, in characters
        self._row: list[str] = []

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = self._ahead.popleft() if self._ahead else next(self._lines)
        self._row.append(line)
        self._size += len(line)
        if self._size > self._reach and len(self._row) > 1:
            raise csv.Error("no end of a quote")
        return line

    def close(self) -> None:
        """End a row."""
        self._row, self._size = [], 0

    def back(self) -> str:
        """End a row with its first line, which this gives; the others come again."""
        first, *others = self._row
        self._ahead.extendleft(reversed(others))
        if self._size > _LEAST:
            self._reach = max(_LEAST, self._reach // 2)
        self.close()
        return first


def _cells(text: Iterable[str], comma: str) -> Iterator[list[str]]:
    """Rows of cells. Only quotes that are as CSV has them make a row of many lines: a stray one takes no other row."""
    lines = _Lines(text)
    reader = csv.reader(lines, delimiter=comma, quoting=_quoting(comma), strict=True)
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error:
            cells = _alone(lines.back(), comma)
        lines.close()
        yield cells


def _alone(line: str, comma: str) -> list[str]:
    """The cells of a line that is a row, whatever its quotes; none where one is too long."""
    try:
        rest = iter([line, ""])
        cells = next(csv.reader(rest, delimiter=comma, quoting=_quoting(comma)))
        if next(rest, None) is None:  # it went on: a quote is open, and means itself
            cells = next(csv.reader([line], delimiter=comma, quoting=csv.QUOTE_NONE))
    except csv.Error:
        return []
    return cells


def _quoting(comma: str) -> Any:
    return csv.QUOTE_NONE if comma == "\t" else csv.QUOTE_MINIMAL  # between tabs quotes mean themselves


def _layout(first: str) -> Look | None:
    """The table that begins with this line; None where none does."""
    for comma in ("\t", ","):
        cells = _alone(first, comma)
        low = [cell.strip().lower() for cell in cells]
        if len(cells) < 2:
            continue
        if any(set(names) <= set(cells) for names in RECORD_COLUMNS):
            return Look("table", tuple(cells), comma)
        if any(cell in URL_COLUMNS for cell in low) and any(cell in CAPTION_COLUMNS for cell in low):
            return Look("table", tuple(cells), comma)
        if comma == "\t" and len(cells) == 2:  # Conceptual Captions: (caption, url); 12M: (url, caption)
            web = [cell.startswith(("http://", "https://")) for cell in low]
            if web.count(True) == 1:
                return Look("table", ("url", "caption") if web[0] else ("caption", "url"), comma, headed=False)
    return None
