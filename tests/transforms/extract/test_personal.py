"""Personal data is found where its checks hold, left where they do not, and masked once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.transforms.extract.personal import KINDS, MASKS, find, mask

# Lines as they stand on pages, with what is personal in them.
LABELLED = [
    ("Email us at druginfo@fda.example or 855-543-3784.", {"email": "druginfo@fda.example", "phone": "855-543-3784"}),
    ("Engagement Center at 1-800-800-1504", {"phone": "1-800-800-1504"}),
    ("110 Gough St. Suite 301\n(415) 861-5449", {"phone": "(415) 861-5449"}),
    ("Reach o'neil+news@mail.here.co.uk, please", {"email": "o'neil+news@mail.here.co.uk"}),
    ("Tel: 030 1234567", {"phone": "030 1234567"}),
    ("call +44 20 7946 0958 today", {"phone": "+44 20 7946 0958"}),
    ("+33 (0)1 42 68 53 00", {"phone": "+33 (0)1 42 68 53 00"}),
    ("DNS at 8.8.8.8 and 2001:4860:4860::8888.", None),
    ("posted from 81.2.69.142", {"ip": "81.2.69.142"}),
    ("IBAN DE89 3704 0044 0532 0130 00", {"iban": "DE89 3704 0044 0532 0130 00"}),
    ("GB82WEST12345698765432", {"iban": "GB82WEST12345698765432"}),
    ("Visa 4111-1111-1111-1111", {"card": "4111-1111-1111-1111"}),
    ("Amex 378282246310005", {"card": "378282246310005"}),
    ("SSN 536-90-4399", {"id": "536-90-4399"}),
    ("NI number AB 12 34 56 C", {"id": "AB 12 34 56 C"}),
    ("DNI 12345678Z", {"id": "12345678Z"}),
    ("NIE X1234567L", {"id": "X1234567L"}),
    ("CPF 529.982.247-25", {"id": "529.982.247-25"}),
    ("Sécu 2 55 08 14 168 025 38", {"id": "2 55 08 14 168 025 38"}),
    ("C.F. RSSMRA85T10A562S", {"id": "RSSMRA85T10A562S"}),
]
NOBODYS = [
    "version 1.2.3.4 of openresty/1.9.7.1, see Section 7.8.2.1",
    "127.0.0.1, 10.0.0.1, 192.168.1.1, 224.0.0.251 and 169.254.0.0/16",
    "from 12:30:45 to 13:00, or 2024-01-02T03:04:05",
    "in 1999-2000, 2019 2020 2021, and 100 000 000 people; $1,234,567.89",
    "ISBN 978-3-16-148410-0, order 4111 1111 1111 1112, 1234567890123456",
    "DE89 3704 0044 0532 0130 01 is no account, nor is US12 3456 7890 1234",
    "DNI 12345678A, CPF 529.982.247-26, 111.111.111-11, SSN 000-12-3456, 666-12-3456",
    "follow @russell, a@b, x@y.z1 and 3@5",
    "call 911 or 0800; chapter 555-0100",
]


@pytest.mark.parametrize(("text", "wanted"), LABELLED, ids=[text[:30] for text, _ in LABELLED])
def test_what_is_personal_is_found(text, wanted):
    found = {one.kind: text[one.start : one.end] for one in find(text)}
    assert found == (wanted or {"ip": "2001:4860:4860::8888"})


@pytest.mark.parametrize("text", NOBODYS)
def test_what_is_not_is_left(text):
    assert find(text) == [] and mask(text) == text


def test_kinds_are_chosen_and_masks_are_not_found_again():
    text = "jo@here.org, 81.2.69.142, 855-543-3784"
    assert mask(text, ("ip",)) == "jo@here.org, 192.0.2.1, 855-543-3784"
    assert mask(text) == "email@example.com, 192.0.2.1, 555-0100"
    assert find(" ".join(MASKS.values())) == [] and set(KINDS) == set(MASKS)


@given(st.text(alphabet="aA1 .-+@:()/", max_size=60))
def test_masking_twice_is_masking_once(text):
    once = mask(text)
    assert [one.kind for one in find(once)] == []


def test_no_text_takes_long():
    for text in (
        "a" * 99_999,
        "1 " * 50_000,
        "1-" * 50_000,
        "a.b" * 33_333,
        "+1" * 50_000,
        ":1" * 50_000,
        "1." * 50_000,
    ):
        mask(text + "@")


def test_every_kind_has_a_mask():
    assert tuple(MASKS) == KINDS
