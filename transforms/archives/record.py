"""What an archive is read as, whatever its format: records, and where reading broke off."""

from __future__ import annotations

import datetime
import re
from typing import NamedTuple

MAX_RECORD_BYTES = 64 << 20  # a record is read into memory; larger ones are named and passed over
MAX_DIGITS = 18  # of a record's length; a longer number is beyond every file
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


class Broken(NamedTuple):
    """Where and why an archive could not be read to its end; what stands before that place was read."""

    offset: int  # bytes into the file as stored
    reason: str  # "empty_file", "unreadable", "truncated"
    detail: str
    archive: str = ""  # path of the file


class Record(NamedTuple):
    """One archive record; status, headers and body are empty where it is no HTTP response."""

    kind: str  # WARC-Type; "response" for ARC
    url: str
    date: str  # as the archive writes it
    crawl_date: int  # microseconds since the epoch, UTC; 0 where the date is unreadable
    record_id: str  # WARC-Record-ID; "" in ARC
    offset: int  # bytes into the file as stored, at which the record begins
    status: int  # HTTP status, 0 where there is none
    headers: tuple[tuple[str, str], ...]  # HTTP headers, names in lower case
    body: bytes  # without transfer and content codings
    problem: str  # "", "truncated", "too_large", "bad_encoding", "no_http", "bad_header", "bad_length"
    archive: str = ""  # path of the file that it stands in

    def header(self, name: str) -> str:
        """All values of a header (its name in lower case), joined by a comma; "" where there is none."""
        return ", ".join(value for key, value in self.headers if key == name)


def whole_number(said: object) -> int | None:
    """An offset or a length as a list says it; None where it is none, or beyond every file.

    >>> whole_number("17"), whole_number(17), whole_number("²"), whole_number(10**30)
    (17, 17, None, None)
    """
    text = str(said)
    return int(text) if text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS else None


def parse_date(text: str) -> int:
    """Microseconds since the epoch of a WARC (ISO 8601, any precision) or ARC (digits) date; 0 if unreadable.

    >>> parse_date("2024-01-02T03:04:05Z") == parse_date("20240102030405") == 1_704_164_645_000_000
    True
    >>> parse_date("2024"), parse_date("yesterday")
    (1704067200000000, 0)
    """
    digits = re.sub(r"\D", "", text.split(".")[0])[:14]
    if len(digits) < 4:
        return 0
    padded = digits + "00000101000000"[len(digits) :]
    try:
        moment = datetime.datetime.strptime(padded, "%Y%m%d%H%M%S").replace(tzinfo=datetime.UTC)
    except ValueError:
        return 0
    return int((moment - _EPOCH).total_seconds()) * 1_000_000
