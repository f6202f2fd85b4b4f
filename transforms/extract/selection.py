"""Single records of archives, chosen by an index: Common Crawl's, read or asked, or any list of (file, offset, length).

    PART.parquet#select?language=isl ──► rows that suit, by row group ─┐
    ID-index#select?domain=…&page=0 ──► rows of the page that suit ────┤
    rows with file, offset and length (Parquet, lines of JSON) ────────┴─► ranged reads, near ones together ─► records

The index of a snapshot is some 300 Parquet files, sorted by host. Of one, row groups whose hosts cannot suit are passed
over by their statistics; of the others the columns that decide are read first, and the rest only where a row suits. Its
schema: github.com/commoncrawl/cc-index-table. Rows of the API (capture_api.py) are held against the same wish.
"""

from __future__ import annotations

import functools
import io
import itertools
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlencode

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from weft.schemas.parameters import ConfigError
from weft.schemas.records import hash_unit
from weft.transforms.archives.record import MAX_RECORD_BYTES, Broken, Record, whole_number
from weft.transforms.archives.warc import read_warc
from weft.transforms.extract import capture_api, rows
from weft.transforms.extract.rows import RECORD_COLUMNS, Look
from weft.transforms.io import files, ranges
from weft.transforms.io.ranges import Place

MARK = "#select?"  # between the path of a part of the index and what is wanted of it
KEYS = ("language", "domain", "url", "mime", "status", "sample")
FIRST_WITH_LANGUAGES = "CC-MAIN-2018-39"  # the first snapshot whose index names them
_TABLE = "cc-index/table/"  # below the same base as the archives that it names
_PLACE = RECORD_COLUMNS[0]
_LANGUAGE = re.compile(r"[a-z]{3}")
_DOMAIN = re.compile(r"(\*\.)?[a-z0-9-]+(\.[a-z0-9-]+)*")
_WWW = re.compile(r"^www\d*\.")  # a SURT is without it
_URL = re.compile(r"\A(https?://)?[a-z0-9-]++(?:\.[a-z0-9-]++)++/[^\s?#]*")


class Wish(NamedTuple):
    """Which rows of an index suit: those that suit all that is said; an empty one is not asked."""

    languages: tuple[str, ...] = ()  # ISO 639-3; one of them among those that the index names
    domains: tuple[str, ...] = ()  # the host is one of these or below it
    urls: tuple[str, ...] = ()  # the address begins with one of these, HOST/PATH
    mimes: tuple[str, ...] = ()  # as detected, or as declared where nothing is detected
    statuses: tuple[int, ...] = (200,)
    sample: float = 1.0  # each record with this chance, by its place


def parse(pairs: Iterable[tuple[str, str]]) -> Wish:
    """What (key, value) pairs ask for; several values of a key are separated by commas.

    Raises:
        ConfigError: a value that means nothing.
    """
    told = {key: tuple(filter(None, value.lower().split(","))) for key, value in pairs}
    for key, form, what in (
        ("language", _LANGUAGE, "codes of three letters (ISO 639-3), such as isl"),
        ("domain", _DOMAIN, "domains, such as *.is or example.org"),
        ("url", _URL, "how addresses begin, such as example.org/news/"),
        ("status", re.compile(r"\d{3}"), "HTTP statuses"),
    ):
        if bad := [value for value in told.get(key, ()) if not form.fullmatch(value)]:
            raise ConfigError(f"{key} takes {what}, not {bad[0]!r}")
    try:
        (said,) = told.get("sample", ("1",))
        sample = float(said)
    except ValueError:
        sample = 0.0
    if not 0 < sample <= 1:
        raise ConfigError("sample is a number above 0 and up to 1")
    return Wish(
        told.get("language", ()),
        tuple(domain.removeprefix("*.") for domain in told.get("domain", ())),
        tuple(url.rpartition("://")[2].removesuffix("*") for url in told.get("url", ())),
        told.get("mime", ()),
        tuple(int(status) for status in told.get("status", ("200",))),
        sample,
    )


def of_part(path: str, wish: Wish) -> str:
    """The input that means these rows of a part of the index."""
    said = {
        "language": wish.languages, "domain": wish.domains, "mime": wish.mimes,
        "status": map(str, wish.statuses), "sample": [repr(wish.sample)], **({"url": wish.urls} if wish.urls else {}),
    }  # fmt: skip
    return f"{path}{MARK}" + urlencode([(key, ",".join(values)) for key, values in said.items()], safe=",/*")


def is_list(seen: Look) -> bool:
    """Whether rows say where records stand."""
    return any(set(names) <= set(seen.names) for names in RECORD_COLUMNS)


def of_index(path: str, base: str = "") -> Iterator[Record | Broken]:
    """Records that `of_part` means, by file and offset.

    Args:
        path: of the part, or of a page of the API, and what is wanted of it.
        base: what the records of a page stand below.

    Raises:
        ConfigError: the index lacks what is asked for.
        Unavailable: a file cannot be had now.
    """
    part, _, query = path.partition(MARK)
    wish = parse(parse_qsl(query))
    try:
        if (page := capture_api.rows(part, query)) is not None:
            chosen = list(_of_group(page, wish))
        else:
            beside, found, _ = part.partition(_TABLE)
            base = beside if found else ""
            with files.open_read(part) as stream:
                chosen = list(_suiting(stream, wish))
        places = [Place(files.join(base, name) if base else name, *at) for name, *at in chosen]
    except (OSError, json.JSONDecodeError, pa.ArrowException) as error:
        yield Broken(0, "unreadable", " ".join(f"{type(error).__name__}: {error}".split())[:200], part)
        return
    yield from records(sorted(places))


def of_list(path: str, seen: Look, base: str) -> Iterator[Record | Broken]:
    """Records that a list means, by file and offset.

    Args:
        path: of the list.
        seen: what `rows.look` made of it.
        base: what files without a place of their own stand below.
    """
    names = next(names for names in RECORD_COLUMNS if set(names) <= set(seen.names))
    places, last = set(), 0
    try:
        for last, row in rows.read(path, seen, names):
            name, offset, length = (row.get(key) for key in names)
            begins, size = whole_number(offset), whole_number(length)
            if not isinstance(name, str) or not rows.is_utf8(name) or begins is None or size is None:
                yield Broken(last, "no_columns", f"{', '.join(names)}: {name!a}, {offset!a}, {length!a}"[:200], path)
                continue
            there = name if "://" in name or name.startswith("/") else files.join(base, name)
            if size > MAX_RECORD_BYTES:
                yield Broken(last, "too_large", f"{there}:{begins}, {size} bytes"[:200], path)
            else:
                places.add(Place(there, begins, size))
    except rows.Unsuited as error:
        yield Broken(last + 1, error.reason, error.detail, path)
    yield from records(sorted(places))


def records(places: Iterable[Place]) -> Iterator[Record | Broken]:
    """The record at each place; a Broken where none can be read."""
    asked, told = itertools.tee(places)
    for place, data in zip(told, ranges.read(asked, missing=True), strict=True):
        if not data:
            yield Broken(place.offset, "unreadable", "nothing there", place.path)
            continue
        yield next(read_warc(io.BytesIO(data), place.offset, 1))._replace(archive=place.path)


def _suiting(stream: Any, wish: Wish) -> Iterator[tuple[str, int, int]]:
    """(file, offset, length) of each row of a part that suits."""
    table = pq.ParquetFile(stream)
    names = table.schema_arrow.names
    if wish.languages and "content_languages" not in names:
        raise ConfigError(f"this snapshot's index names no languages (they begin with {FIRST_WITH_LANGUAGES})")
    asked = [
        name
        for name, needed in {
            "url_host_name": wish.domains, "content_languages": wish.languages, "content_mime_detected": wish.mimes,
            "content_mime_type": wish.mimes, "fetch_status": wish.statuses, "url_surtkey": wish.urls,
        }.items()
        if needed and name in names
    ]  # fmt: skip
    for number in range(table.num_row_groups):
        if not _may_suit(table.metadata.row_group(number), wish):
            continue
        group = table.read_row_group(number, columns=asked)
        suits = _mask(group, wish) if asked else pa.array([True] * group.num_rows)
        if pc.any(suits).as_py():
            yield from _sampled(table.read_row_group(number, columns=list(_PLACE)).filter(suits), wish)


def _of_group(group: pa.Table, wish: Wish) -> Iterator[tuple[str, int, int]]:
    """As `_suiting`, of rows that are here."""
    return _sampled(group.filter(_mask(group, wish)), wish)


def _sampled(found: pa.Table, wish: Wish) -> Iterator[tuple[str, int, int]]:
    for name, offset, length in zip(*(found.column(key).to_pylist() for key in _PLACE), strict=True):
        if wish.sample >= 1 or hash_unit(f"{name}:{offset}", "snapshot") < wish.sample:
            yield name, offset, length


def _may_suit(group: Any, wish: Wish) -> bool:
    """Whether a row group may hold what is asked for: its rows are sorted by SURT, `org,example)/path`."""
    for number in range(group.num_columns):
        column = group.column(number)
        if column.path_in_schema == "url_surtkey" and column.statistics is not None and column.statistics.has_min_max:
            low, high = str(column.statistics.min), str(column.statistics.max)
            asked = [list(map(_surt, wish.domains)), list(map(_surt, wish.urls))]
            return all(any(low[: len(start)] <= start <= high for start in begins) for begins in asked if begins)
    return True


def _surt(begins: str) -> str:
    """How the keys of a domain's, or of an address's, captures begin in the index.

    >>> _surt("www.example.org"), _surt("example.org/news/")
    ('org,example', 'org,example)/news/')
    """
    host, slash, path = begins.partition("/")
    return ",".join(reversed(_WWW.sub("", host).split("."))) + (f"){slash}{path}" if slash else "")


def _mask(group: pa.Table, wish: Wish) -> Any:
    tests = []
    if wish.statuses:
        tests.append(pc.is_in(group.column("fetch_status").cast(pa.int64()), pa.array(wish.statuses, pa.int64())))
    if wish.domains:
        either = "|".join(map(re.escape, wish.domains))
        tests.append(pc.match_substring_regex(group.column("url_host_name"), rf"(^|\.)({either})$"))
    if wish.urls:
        starts = [pc.starts_with(group.column("url_surtkey"), _surt(one)) for one in wish.urls]
        tests.append(functools.reduce(pc.or_, starts))
    if wish.languages:
        tests.append(
            pc.match_substring_regex(group.column("content_languages"), rf"(^|,)({'|'.join(wish.languages)})(,|$)")
        )
    if wish.mimes:
        columns = [group.column(n) for n in ("content_mime_detected", "content_mime_type") if n in group.column_names]
        tests.append(pc.is_in(pc.coalesce(*columns), pa.array(wish.mimes)))
    mask = pc.fill_null(tests[0], False)
    for test in tests[1:]:
        mask = pc.and_(mask, pc.fill_null(test, False))
    return mask
