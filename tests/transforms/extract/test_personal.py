"""Personal data is found where its checks hold, left where they do not, and masked once."""

import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.transforms.extract.personal import KINDS, MASKS, find, mask

# Lines as they stand on pages, with what is personal in them.
LABELLED = [
    ("Email us at druginfo@fda.here.gov or 855-543-3784.", {"email": "druginfo@fda.here.gov", "phone": "855-543-3784"}),
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
    "DB::add(Fe::Cd), a::b and ::1 are calls",
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


@pytest.mark.parametrize("zero", "٠०０𝟎")
def test_digits_of_no_script_are_an_error(zero):
    """What reads them may know fewer than the pattern that proposes them."""
    digits = {ord("0") + n: chr(ord(zero) + n) for n in range(10)}
    for text in [*(text for text, _ in LABELLED), *NOBODYS]:
        assert find(mask(f"{text.translate(digits)}, no. 1")) == []


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


PAGES = [json.loads(line) for line in Path(__file__).with_name("personal.jsonl").read_text("utf-8").splitlines()]


def labelled():
    """(kind, whether it is there, whether it was found) of each piece of the labelled texts, and of each one found."""
    for row in PAGES:
        text = row["text"]
        truth = [(text.index(value), text.index(value) + len(value), kind) for kind, value in row["personal"]]
        found = find(text)
        for start, end, kind in truth:
            yield kind, True, any(f.start <= start and end <= f.end and f.kind == kind for f in found)
        for f in found:
            if not any(f.start < end and start < f.end and f.kind == kind for start, end, kind in truth):
                yield f.kind, False, True


def test_what_is_found_in_labelled_texts_is_what_the_page_says():
    """184 pieces of real pages, read and labelled by hand; docs/extraction.md has these figures."""
    counts = Counter(labelled())
    figures = {
        kind: (counts[kind, True, True], counts[kind, True, False], counts[kind, False, True])
        for kind in ("email", "phone", "ip")
    }
    assert figures == {"email": (38, 0, 2), "phone": (58, 6, 1), "ip": (0, 0, 2)}
    assert {kind for kind, _, _ in counts} == set(figures)  # no card, account or national id is seen in other numbers


@pytest.mark.parametrize(
    "pages",
    [
        ("Call (415) 555-2671 or write to a.roe@here.org.", "Call (206) 431-0098 or write to office@elsewhere.net."),
        ("Tel. 0203 55 66 77, from 8.8.8.8", "Tel. 030 1234567, from 9.9.9.9"),
    ],
)
def test_copies_that_differ_in_personal_data_alone_have_the_same_words(pages):
    one, other = map(mask, pages)
    assert one == other and mask(one) == one


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("'email': 'jo@here.org'", ["jo@here.org"]),
        ("git clone git@github.com:someone/tilt.git, ssh://git@github.com/someone/tilt.git", []),
        ("git@here.org: a list", ["git@here.org"]),
        ("jo@here.org:thanks", ["jo@here.org"]),
        ("mailto:/jo@here.org, mailto://mo@here.org, //bo@here.org", ["jo@here.org", "mo@here.org", "bo@here.org"]),
        ("office/jo@here.org http://here.org/x jo/mo@here.org", ["jo@here.org", "mo@here.org"]),
        ("https://here.org/leave?who=jo@here.org", ["jo@here.org"]),
        ("jo@example.com, jo@host.test, jo@www.example.org", []),
        ("https://lore.kernel.org/30th.anniversary@klaava.Helsinki.FI", []),
        ("Tel: (514)276-8714", ["(514)276-8714"]),
        ("Tlf. 72 30 20 91", ["72 30 20 91"]),
        ("聯絡電話：  03-584-6302", ["03-584-6302"]),
        ("Телефон редакции: 8(85552) 3-18-62", ["8(85552) 3-18-62"]),
        ("New phone: 2021-08-01 18:00", []),
        ("iPhone 14 2022 1299 128", []),
        ("Phone 12.05.2021 12", []),
        ("Phone 12.05.21 14.30", []),
        ("Phone 5/12/2021 9", []),
        ("Phone: 1999-2003, 2019 2020 2021", []),
        ("Phone: 2021-08 12", []),
        *(
            (f"Tel: {number}", [number])
            for number in (
                "01-42-68-53-00",
                "06/12/34/56/78",
                "01.12.05.21.14",
                "12-05-20-21",
                "8-12-2012-345",
                "2012 3456",
                "2020-12-34-56",
                "12/05/20/21",
                "42-68-5300",
            )
        ),
        ("Tél : 01.42.68.53.00", ["01.42.68.53.00"]),
    ],
)
def test_addresses_and_phones_of_other_forms(text, found):
    assert [text[one.start : one.end] for one in find(text)] == found
