"""Days as pages write them → the day in UTC, ISO 8601.

A day that could be two (03/04/2024) is none, nor is one before MIN_YEAR or after the page was captured: such are
defaults, mistakes and what is announced.
"""

from __future__ import annotations

import datetime
import re

MIN_YEAR = 1990  # the web's first pages are of 1991
MAX_TEXT = 120  # characters in which a date is looked for

# By the first letters that tell a month in the language: English, German, French, Spanish, Italian, Portuguese, Dutch.
_MONTHS = {
    "jan": 1, "ene": 1, "gen": 1, "jän": 1, "feb": 2, "fév": 2, "fev": 2, "mar": 3, "mär": 3, "maa": 3, "mrt": 3,
    "apr": 4, "avr": 4, "abr": 4, "may": 5, "mai": 5, "mag": 5, "mei": 5, "jun": 6, "juin": 6, "giu": 6, "jul": 7,
    "juil": 7, "lug": 7, "aug": 8, "aoû": 8, "aou": 8, "ago": 8, "sep": 9, "set": 9, "oct": 10, "okt": 10, "ott": 10,
    "out": 10, "nov": 11, "dec": 12, "dez": 12, "déc": 12, "dic": 12,
}  # fmt: skip
_NAME = rf"(?P<month>{'|'.join(sorted(_MONTHS, key=len, reverse=True))})[a-zà-ÿ]{{0,8}}+"
_YEAR = r"(?P<year>(?:19|20)\d\d)(?!\d)"
_FORMS = tuple(
    re.compile(form, re.IGNORECASE)
    for form in (
        # 2024-03-05T10:11:12+02:00, with a space for T, and with slashes or points
        r"(?<!\d)(?P<year>(?:19|20)\d\d)[-/.](?P<m>\d{1,2})[-/.](?P<d>\d{1,2})(?!\d)"
        r"(?:[T ](?P<hour>\d\d):(?P<minute>\d\d)(?::\d\d(?:\.\d{1,9})?)? ?(?P<zone>Z|UTC|GMT|[+-]\d\d:?\d\d)?)?",
        rf"(?<![a-zà-ÿ]){_NAME}\.? (?P<d>\d{{1,2}})(?:st|nd|rd|th)?,? {_YEAR}",
        rf"(?<!\d)(?P<d>\d{{1,2}})(?:st|nd|rd|th|er|\.|º)?[ -](?:de |of )?{_NAME}\.?,?[ -](?:del? )?{_YEAR}",
        rf"(?<!\d)(?P<d>\d{{1,2}})\. ?(?P<m>\d{{1,2}})\. ?{_YEAR}",
        rf"(?<!\d)(?P<first>\d{{1,2}})/(?P<second>\d{{1,2}})/{_YEAR}",
        r"(?<!\d)(?P<year>(?:19|20)\d\d) ?[年년] ?(?P<m>\d{1,2}) ?[月월] ?(?P<d>\d{1,2}) ?[日일]",
        r"(?<!\d)(?P<year>(?:19|20)\d\d)(?P<m>\d\d)(?P<d>\d\d)(?!\d)",
    )
)


def day(text: str, latest: str = "") -> str:
    """The first day that a text says, "" where it says none that can be.

    Args:
        text: no more than its first MAX_TEXT characters are read.
        latest: no day after this one counts; "" for no such bound.

    >>> day("2024-03-05T23:30:00-05:00"), day("Published 5 mars 2024"), day("3/4/2024"), day("1970-01-01")
    ('2024-03-06', '2024-03-05', '', '')
    """
    text = text[:MAX_TEXT]
    best, at = "", len(text)
    for form in _FORMS:
        for found in form.finditer(text):
            if found.start() >= at:
                break
            said = _said(found)
            if said and (not latest or said <= latest):
                best, at = said, found.start()
    return best


def _said(found: re.Match[str]) -> str:
    said = found.groupdict()
    year = int(said["year"])
    if said.get("month"):
        name = said["month"].casefold()
        month, of_month = _MONTHS[name], int(said["d"])
    elif said.get("first"):
        first, second = int(said["first"]), int(said["second"])
        if first <= 12 and second <= 12 and first != second:
            return ""  # of two orders, and nothing says which
        month, of_month = (first, second) if first <= 12 else (second, first)
    else:
        month, of_month = int(said["m"]), int(said["d"])
    try:
        when = datetime.datetime(year, month, of_month)
        if said.get("hour") and said.get("zone"):
            when = when.replace(hour=int(said["hour"]), minute=int(said["minute"])) - _offset(said["zone"])
    except (ValueError, OverflowError):
        return ""
    return when.date().isoformat() if when.year >= MIN_YEAR else ""


def _offset(zone: str) -> datetime.timedelta:
    if zone[0] not in "+-":
        return datetime.timedelta(0)
    minutes = int(zone[1:3]) * 60 + int(zone[-2:])
    return datetime.timedelta(minutes=-minutes if zone[0] == "-" else minutes)
