"""Personal data in texts: e-mail, phones, IP addresses, cards, accounts, national ids → where they stand; or masked.

A pattern proposes, and a check decides where a number has one: Luhn for cards, modulo 97 for accounts (ISO 13616) and
French ids, letters and digits of their own for the others. Addresses that are nobody's (RFC 1918, RFC 5737) are no
personal data. The masks are fixed, so that two copies of a page with other numbers stay copies, and are numbers and
names that are set aside for examples; what is masked already is found no more. Patterns take a bounded number of steps
from each place of a text.

datatrove masks e-mail and public IP addresses alone (`PIIFormatter`), which is what recipe fineweb asks for.
"""

from __future__ import annotations

import ipaddress
import re
from bisect import bisect
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import NamedTuple, get_args

from weft.schemas.parameters import PersonalKind

MASKS = {
    "email": "email@example.com",
    "iban": "XX00 0000 0000 0000 0000 00",
    "card": "0000 0000 0000 0000",
    "id": "000-00-0000",
    "ip": "192.0.2.1",
    "phone": "555-0100",
}
KINDS = get_args(PersonalKind)  # in the order in which they are looked for: what one has found no later one takes apart

_EMAIL = re.compile(  # not what git clones
    r"(?<![\w.+%-])(?<!\w')(?!git@[\w.-]{1,255}[:/]\w)"
    r"[\w.+%-][\w.+%'-]{0,63}+@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}(?![\w-])"
)
_PATH = re.compile(r"://[^\s/]{1,255}/\S*")  # of a web address, with its host
_RESERVED = re.compile(r"[@.](?:example\.(?:com|net|org)|example|test|invalid|localhost)$", re.IGNORECASE)  # RFC 2606
_IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?(?![A-Za-z0-9])")
_CARD = re.compile(r"(?<![\d.,+-])(?<!\d )\d(?:[ -]?\d){12,18}(?![ -]?\d)(?![.,]\d)")
_IPV4 = re.compile(r"(?<![\w./-])(?<!ection[ \xa0])(?<!ersion )(?:\d{1,3}\.){3}\d{1,3}(?![\w-])(?!\.\d)")
_IPV6 = re.compile(r"(?<![\w:.])[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}(?![\w:])")
_PHONE = re.compile(
    r"(?<![\w+.-])(?:\+\d{1,3}(?:[ .-]?\(?\d{1,4}\)?){2,6}"  # international
    r"|(?:1[ .-])?(?:\([2-9]\d{2}\) ?|[2-9]\d{2}[ .-])\d{3}[ .-]\d{4})(?![\w-])(?!\.\d)"  # of North America
)
_LED_PHONE = re.compile(  # of anywhere, after a word that says so
    r"(?:(?<![^\W_])(?:tel|tlf|tél|fon|phone|telephone|telefon|téléphone|teléfono|telefone|telefono|mobile|mobil|mob|cell"
    r"|gsm|fax|whatsapp|hotline|тел|телефон|факс|моб)(?: [^\W\d_]{1,10})?|電話|电话|傳真|传真|行動|手机)"
    r"[.:： \xa0\u3000]{1,8}"
    r"(\(?\d(?:[ ().\u2011/-]{0,2}\d){6,14})(?![\w-])(?![.,]\d)",
    re.IGNORECASE,
)
_DAY = r"(?:0?[1-9]|[12]\d|3[01])"  # or month
_DATED = re.compile(  # begins as a date does that ends there: phones are written in more pairs
    r"(?:19|20)\d\d(?:[ ./-](?:19|20)\d\d)+(?!\d)"
    rf"|(?:(?:19|20)\d\d([ ./-]){_DAY}(?:\1{_DAY})?|{_DAY}([./-]){_DAY}\2(?:19|20)?\d\d)(?!\d|\1\d|\2\d)"
)
_SSN = re.compile(r"(?<![\w-])(?!000|666|9)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\w-])")
_NINO = re.compile(
    r"(?<!\w)(?!BG|GB|KN|NK|NT|TN|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?\d{2} ?\d{2} ?\d{2} ?[A-D](?!\w)"
)
_DNI = re.compile(r"(?<![\w.-])[0-9XYZ]\d{7}-?[A-Z](?!\w)")
_CPF = re.compile(r"(?<![\w.-])\d{3}\.\d{3}\.\d{3}-\d{2}(?!\w)")
_NIR = re.compile(r"(?<!\d)[12] ?\d{2} ?(?:0[1-9]|1[0-2]) ?(?:\d{2}|2[AB]) ?\d{3} ?\d{3} ?\d{2}(?!\d)")
_FISCAL = re.compile(r"(?<!\w)[A-Z]{6}[0-9]{2}[A-EHLMPRST][0-9]{2}[A-Z][0-9]{3}[A-Z](?!\w)")
_ISSUERS = re.compile(  # ISO/IEC 7812: the first digits and the length
    r"4\d{12}(?:\d{3}){0,2}|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}|3[47]\d{13}"
    r"|6(?:011|5\d\d)\d{12}|35\d{14}|3(?:0[0-5]|[68]\d)\d{11}"
)
_LENGTHS = {  # of accounts, ISO 13616
    "AT": 20, "BE": 16, "BG": 22, "CH": 21, "CY": 28, "CZ": 24, "DE": 22, "DK": 18, "EE": 20, "ES": 24, "FI": 18,
    "FR": 27, "GB": 22, "GR": 27, "HR": 21, "HU": 28, "IE": 22, "IT": 27, "LT": 20, "LU": 20, "LV": 21, "MT": 31,
    "NL": 18, "NO": 15, "PL": 28, "PT": 25, "RO": 24, "SE": 24, "SI": 19, "SK": 24, "TR": 26, "AE": 23, "SA": 24,
}  # fmt: skip
_FISCAL_ODD = dict(zip("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", (
    1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22,
    25, 24, 23,
)))  # fmt: skip


class Found(NamedTuple):
    """A piece of personal data: its place in the text, and its kind."""

    start: int
    end: int
    kind: str


def find(text: str, kinds: Collection[str] = KINDS) -> list[Found]:
    """Personal data of a text, in the order in which it stands there; no two overlap.

    >>> find("Write to jo@here.org or call +49 30 1234567.")
    [Found(start=9, end=20, kind='email'), Found(start=29, end=43, kind='phone')]
    """
    if not any(map(text.__contains__, "0123456789@")):
        return []
    found: list[Found] = []
    taken = bytearray(len(text))
    for kind in KINDS:
        for start, end in _FINDERS[kind](text) if kind in kinds else ():
            if text[start:end] != MASKS[kind] and taken.find(1, start, end) < 0:
                taken[start:end] = b"\1" * (end - start)
                found.append(Found(start, end, kind))
    return sorted(found)


def mask(text: str, kinds: Collection[str] = KINDS) -> str:
    """The text with a mask in place of each piece.

    >>> mask("Card 4111 1111 1111 1111, from 8.8.8.8"), mask("Order 4111 1111 1111 1112, version 1.2.3")
    ('Card 0000 0000 0000 0000, from 192.0.2.1', 'Order 4111 1111 1111 1112, version 1.2.3')
    """
    made, place = [], 0
    for start, end, kind in find(text, kinds):
        made += [text[place:start], MASKS[kind]]
        place = end
    return "".join([*made, text[place:]]) if made else text


def count(texts: Iterable[str], kinds: Collection[str] = KINDS) -> str:
    """How many pieces of each kind texts hold, quoting nothing; "" for none.

    >>> count(["Write to jo@here.org", "or to mo@here.org, +49 30 1234567."])
    '2 email, 1 phone'
    """
    found = Counter(one.kind for text in texts for one in find(text, kinds))
    return ", ".join(f"{found[kind]} {kind}" for kind in sorted(found))


def _matching(pattern: re.Pattern[str], good: Callable[[str], bool]) -> Callable[[str], Iterator[tuple[int, int]]]:
    """Places of the pattern's last group, or of all of it, that are good."""
    at = pattern.groups
    return lambda text: (found.span(at) for found in pattern.finditer(text) if good(found[at]))


def _any(*finders: Callable[[str], Iterator[tuple[int, int]]]) -> Callable[[str], Iterator[tuple[int, int]]]:
    return lambda text: (span for finder in finders for span in finder(text))


def _emails(text: str) -> Iterator[tuple[int, int]]:
    """Addresses that may be somebody's: not ids of messages, after a slash in the path of a web address."""
    paths: list[tuple[int, int]] | None = None
    for found in _EMAIL.finditer(text):
        start, end = found.span()
        if _RESERVED.search(found[0]):
            continue
        if text.endswith("/", 0, start):
            paths = [path.span() for path in _PATH.finditer(text)] if paths is None else paths
            at = bisect(paths, (start,)) - 1
            if at >= 0 and end <= paths[at][1]:
                continue
        yield start, end


def _digits(text: str) -> list[int]:
    return [int(character) for character in text if character.isdecimal()]


def _is_public(text: str) -> bool:
    try:
        address = ipaddress.ip_address(text)
        # Outside 2000::/3 nothing is assigned (RFC 4291), and `DB::add` is a call.
        assigned = address.version == 4 or int(address) >> 125 == 1
        return assigned and address.is_global and not address.is_multicast
    except ValueError:
        return False


def _is_card(text: str) -> bool:
    digits = _digits(text)
    doubled = [sum(divmod(2 * digit, 10)) if n % 2 else digit for n, digit in enumerate(reversed(digits))]
    return sum(doubled) % 10 == 0 and _ISSUERS.fullmatch("".join(map(str, digits))) is not None


def _is_iban(text: str) -> bool:
    plain = text.replace(" ", "")
    turned = "".join(str(int(character, 36)) for character in plain[4:] + plain[:4])
    return _LENGTHS.get(plain[:2]) == len(plain) and int(turned) % 97 == 1


def _is_phone(text: str) -> bool:
    return 7 <= len(_digits(text)) <= 15 and _DATED.match(text) is None


def _is_dni(text: str) -> bool:
    plain = text.replace("-", "").translate(str.maketrans("XYZ", "012")) if text[0] in "XYZ" else text.replace("-", "")
    return text[-1] == "TRWAGMYFPDXBNJZSQVHLCKE"[int(plain[:8]) % 23]


def _is_cpf(text: str) -> bool:
    digits = _digits(text)
    for length in (9, 10):
        rest = 11 - sum((length + 1 - n) * digit for n, digit in enumerate(digits[:length])) % 11
        if digits[length] != (rest if rest < 10 else 0):
            return False
    return len(set(digits)) > 1


def _is_nir(text: str) -> bool:
    plain = text.replace(" ", "").replace("2A", "19").replace("2B", "18")
    return 97 - int(plain[:13]) % 97 == int(plain[13:])


def _is_fiscal(text: str) -> bool:
    odd = sum(_FISCAL_ODD[character] for character in text[0:15:2])
    even = sum(int(c) if c.isdecimal() else ord(c) - ord("A") for c in text[1:15:2])
    return chr((odd + even) % 26 + ord("A")) == text[15]


def _always(text: str) -> bool:
    return True


_FINDERS = {
    "email": _emails,
    "iban": _matching(_IBAN, _is_iban),
    "card": _matching(_CARD, _is_card),
    "id": _any(
        _matching(_SSN, _always),
        _matching(_NINO, _always),
        _matching(_DNI, _is_dni),
        _matching(_CPF, _is_cpf),
        _matching(_NIR, _is_nir),
        _matching(_FISCAL, _is_fiscal),
    ),
    "ip": _any(_matching(_IPV4, _is_public), _matching(_IPV6, _is_public)),
    "phone": _any(_matching(_PHONE, _is_phone), _matching(_LED_PHONE, _is_phone)),
}
