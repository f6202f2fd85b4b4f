"""Headers and dates of a record."""

import pytest

from weft.transforms.archives.http_message import parse_http
from weft.transforms.archives.record import Record, parse_date


def test_headers_are_lower_cased_folded_and_joined():
    block = b"HTTP/1.1 200 OK\r\nX-Robots-Tag: noai\r\nX-ROBOTS-TAG: noindex\r\nA: b\r\n c\r\n\r\nbody"
    status, headers, body, _ = parse_http(block)
    made = Record("response", "", "", 0, "", 0, status, headers, body, "")
    assert made.header("x-robots-tag") == "noai, noindex" and made.header("a") == "b c"


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("2024-01-02T03:04:05Z", "20240102030405"),
        ("2024-01-02T03:04:05.123456Z", "20240102030405"),
        ("2024-01", "20240101000000"),
        ("2024", "2024-01-01T00:00:00Z"),
    ],
)
def test_dates_of_any_precision(text, same):
    assert parse_date(text) == parse_date(same) > 0


@pytest.mark.parametrize("text", ["", "yesterday", "20", "2024-13-45T00:00:00Z"])
def test_unreadable_dates_are_zero(text):
    assert parse_date(text) == 0
