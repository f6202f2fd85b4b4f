"""What is not to be in the corpus: lists of addresses, domains, ids and hashes, and rows of extract without it.

lists ──► Exclusions ──► withhold(rows of an archive)     pages, images and pairs by address, domain or id
                    └──► fetch                            images by sha256 or perceptual hash, before they are stored

To exclude is the last rule on a page and looks at nothing but what the rows say. So it gives the same whether it is
applied to rows as they are extracted or to those of a finished run: what is taken out of finished shards leaves what a
run would have made that never had it.

A list has an entry a line, `#` begins a comment (behind an address, after a blank); a directory with `domains` and
`urls` is a category of the lists of Université Toulouse Capitole (UT1), whose entries are lines without a scheme.

    http://a.test/page        a page or an image        0f3c… (32 hex digits)    a document or a pair
    a.test                    a domain and all below    9b1d… (64)               an image by the sha256 of its bytes
    a.test/dir                all addresses below       c3a5… (16)               an image by its perceptual hash

Addresses and entries are compared in one form: http or https, `www.` or not, capitals and dots of a host, its name in
DNS and percent-encoding make no difference; of a domain and what is below it ports do not either.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from urllib.parse import urlsplit

from weft.schemas.parameters import ConfigError
from weft.schemas.records import DROPPED, KEPT, Capture, Document, Fate, Pair, PairKey, SiteFile
from weft.transforms.io import files
from weft.transforms.io.loaded import edited, loaded
from weft.transforms.urls import domains, drawing_of, host_name, image_key, page_key, quoted_anew

REASON = "excluded"
ADDRESSES = ("pages", "images", "domains", "below")  # fields of Exclusions that addresses are compared with
_UT1 = ("domains", "urls")
_COMMENT = re.compile(r"(?:^|(?<=\s))#")
_HASH = {"sha256": re.compile(r"[0-9a-f]{64}"), "phashes": re.compile(r"[0-9a-f]{16}")}
_ID = re.compile(r"[0-9a-f]{32}(:[0-9a-f]{32})?")
_DOMAIN = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)+")
_WEB_HOST = re.compile(r"[a-z0-9_.:-]+")  # an address of a single label or of IPv6 may be asked for
_PORT = re.compile(r":\d{1,5}$")

Row = Document | Pair | Capture | SiteFile | Fate


@dataclasses.dataclass(frozen=True)
class Exclusions:
    """Lists, ready to be asked."""

    pages: frozenset[str]  # page_key
    images: frozenset[str]  # image_key, without `www.`
    domains: frozenset[str]
    below: frozenset[str]  # host/path, `quoted_anew`
    ids: frozenset[str]
    sha256: frozenset[str]
    phashes: frozenset[str]

    @cached_property
    def told(self) -> str:
        """A hash of what they say."""
        said = [sorted(getattr(self, field.name)) for field in dataclasses.fields(Exclusions)]
        return _hash(repr(said) if any(said) else "")

    def page(self, url: str, doc_id: str) -> bool:
        """Whether a page is excluded, by its address or id."""
        return doc_id in self.ids or page_key(url) in self.pages or self._place(url)

    def image(self, url: str) -> bool:
        """Whether an image is excluded, by its address."""
        return bool(url) and (_image(url) in self.images or self._place(url))

    def pair(self, pair: Pair) -> bool:
        """Whether a pair is excluded, by its image's address or its id."""
        key = str(PairKey(pair.doc_id, pair.pair_id))
        return pair.pair_id in self.ids or key in self.ids or self.image(pair.image_url)

    def content(self, image_id: str, phash: str) -> bool:
        """Whether an image is excluded, by its bytes' sha256 or its looks."""
        return image_id in self.sha256 or phash in self.phashes

    def _place(self, url: str) -> bool:
        if not (self.domains or self.below):
            return False
        try:
            parts = urlsplit(url)
            host = host_name(parts.hostname or "")
        except ValueError:
            return False
        if any(domain in self.domains for domain in domains(host)):
            return True
        return bool(self.below) and any(place in self.below for place in _below(host, parts.path))


def parse(lines: Iterable[str], name: str, strict: bool = True) -> Exclusions:
    """A list's lines.

    Args:
        name: of the list, for messages.
        strict: False for the large lists of others, in which a line that can match nothing stops nobody.

    Raises:
        ConfigError: a line that means nothing.
    """
    found: dict[str, set[str]] = {field.name: set() for field in dataclasses.fields(Exclusions)}
    for _, meant in _entries(lines, name, strict):
        for field, value in meant.items():
            found[field].add(value)
    return Exclusions(**{key: frozenset(values) for key, values in found.items()})


@loaded(most=4)
def load(paths: tuple[str, ...]) -> Exclusions | None:
    """The lists together, None where there are none.

    Raises:
        ConfigError: one cannot be read, or holds a line that means nothing.
    """
    lists = [parse(io.StringIO(text, newline=None), path, not ut1) for path in paths for text, ut1 in [_text(path)]]
    if not lists:
        return None
    names = [field.name for field in dataclasses.fields(Exclusions)]
    return Exclusions(**{name: frozenset().union(*(getattr(one, name) for one in lists)) for name in names})


def as_begun(paths: tuple[str, ...], begun: str) -> Exclusions | None:
    """The lists together, which say what they said where the run began.

    Args:
        begun: what `contents` gave there; "" asks for nothing.

    Raises:
        ConfigError: as `load`; or they say something else here, or now.
    """
    excluded = load(paths)
    if begun and (excluded.told if excluded else _hash("")) != begun:
        raise ConfigError(edited(paths))
    return excluded


def is_content_out(excluded: Exclusions | None, image_id: str, phash: str, url: str) -> bool:
    """Whether a list names an image's bytes, its looks or the address that it came from."""
    return excluded is not None and (excluded.content(image_id, phash) or excluded.image(url))


def contents(paths: Sequence[str]) -> str:
    """A hash of what the lists say together, whatever their names and order; of lists that say nothing that of none."""
    found = load(tuple(paths))
    return found.told if found else _hash("")


def _hash(told: str) -> str:
    return hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest()


def entries(path: str) -> set[str]:
    """What a list has, as it stands there, but for lines of others' lists that can match nothing.

    Raises:
        ConfigError: it cannot be read, or holds a line that means nothing.
    """
    text, ut1 = _text(path)
    return {entry for entry, _ in _entries(io.StringIO(text, newline=None), path, not ut1)}


def _entries(lines: Iterable[str], name: str, strict: bool) -> Iterator[tuple[str, dict[str, str]]]:
    """(entry, field of Exclusions → value) of each line that means something; for the rest see `parse`."""
    for number, line in enumerate(lines, 1):
        if not (entry := _entry(line)):
            continue
        if meant := meaning(entry):
            yield entry, meant
        elif strict:
            raise ConfigError(
                f"{name}, line {number}: {entry[:80]!r} matches nothing: it is no address (with http://), domain, "
                "domain/directory, id (32 hex digits), sha256 (64) or perceptual hash (16). A comment begins with #; a "
                "domain or directory stands for all that is below it, without a *; in an address a blank is %20 and a "
                "* is %2A"
            )


def names(url: str) -> Iterator[tuple[str, str]]:
    """(field of Exclusions, value) of each entry that would name a page or image by this address."""
    yield "pages", page_key(url)
    yield "images", _image(url)
    try:
        parts = urlsplit(url)
        host = host_name(parts.hostname or "")
    except ValueError:
        return
    yield from (("domains", domain) for domain in domains(host))
    yield from (("below", place) for place in _below(host, parts.path))


def _below(host: str, path: str) -> Iterator[str]:
    steps, bare = quoted_anew(path).strip("/").split("/"), host.removeprefix("www.")
    return (f"{bare}/{'/'.join(steps[:n])}" for n in range(1, len(steps) + 1))


def _entry(line: str) -> str:
    line = _COMMENT.split(line, maxsplit=1)[0].strip()
    return line if "://" in line else line.partition("#")[0].strip()


def meaning(entry: str) -> dict[str, str]:
    """Field of Exclusions → value of an entry; nothing of one that can match nothing."""
    low = entry.lower()
    if len(entry.split()) > 1 or "*" in entry:
        return {}
    if drawing_of(entry):  # and not the page that it is drawn in
        return {"images": _image(entry)} if _is_address(low) else {}
    if "://" in entry:
        return {"pages": page_key(entry), "images": _image(entry)} if _is_address(low) else {}
    if _ID.fullmatch(low):
        return {"ids": low}
    for field, form in _HASH.items():
        if form.fullmatch(low):
            return {field: low}
    name, _, path = entry.partition("/")
    host, place = _domain(name), quoted_anew(path).strip("/")
    if not host or "?" in path:
        return {}
    return {"below": f"{host}/{place}"} if place else {"domains": host}


def _is_address(low: str) -> bool:
    try:
        parts = urlsplit(low)
        host = host_name(parts.hostname or "")
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and _WEB_HOST.fullmatch(host) is not None


def _domain(name: str) -> str:
    """A domain as it is compared, "" where a name is none: `WWW.A.test.:8080` is `a.test`."""
    try:
        host = host_name(_PORT.sub("", name).strip("."))
    except UnicodeError:
        return ""
    return host.removeprefix("www.") if _DOMAIN.fullmatch(host) else ""


def _image(url: str) -> str:
    key = image_key(url)
    return f"http://{key[11:]}" if key.startswith("http://www.") else key


def _text(path: str) -> tuple[str, bool]:
    """(what a list says, whether it is a category of UT1's)."""
    inside = [files.join(path, name) for name in _UT1]
    try:
        there = [name for name in inside if files.exists(name)]
        said = [files.read_unpacked(name).decode("utf-8-sig", "replace") for name in there or [path]]
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot read the list {path}: {getattr(error, 'strerror', None) or error}") from None
    return "\n".join(said), bool(there)


def withhold(rows: Iterable[Row], excluded: Exclusions) -> Iterator[Row]:
    """Rows of an archive, page after page, without what is excluded.

    Args:
        rows: as `extract_archive` gives them: the fate of a page, then all that is of it, and other rows between pages.

    Raises:
        ValueError: a document, or anything else of a page, comes without the fate of its page before it.
    """
    page: list[Row] = []
    for row in rows:
        begins = isinstance(row, Capture | SiteFile) or (isinstance(row, Fate) and row.kind in ("record", "page"))
        if begins:
            yield from _of_page(page, excluded)
            page = []
        if isinstance(row, Fate) and row.kind == "page":
            page = [row]
        elif begins:
            yield row
        elif page:
            page.append(row)
        else:
            raise ValueError(f"a {type(row).__name__} before the fate of its page")
    yield from _of_page(page, excluded)


def _of_page(rows: list[Row], excluded: Exclusions) -> Iterator[Row]:
    if not rows:
        return
    head = rows[0]
    if not isinstance(head, Fate) or head.fate != KEPT:
        yield from rows
        return
    if excluded.page(head.url, head.key):
        yield _lost(head)
        return
    pairs = [row for row in rows if isinstance(row, Pair)]
    kept = iter(pairs)  # in the order of their fates
    for row in rows:
        if isinstance(row, Document):
            yield _without(row, excluded)
        elif isinstance(row, Pair):
            if not excluded.pair(row):
                yield row
        elif isinstance(row, Fate) and row.fate == KEPT and row.kind == "image":
            yield _lost(row) if excluded.image(row.url) else row
        elif isinstance(row, Fate) and row.fate == KEPT and row.kind == "pair":
            yield _lost(row) if excluded.pair(next(kept)) else row
        else:
            yield row


def _lost(fate: Fate) -> Fate:
    return fate._replace(fate=DROPPED, reason=REASON, detail=fate.url)


def _without(document: Document, excluded: Exclusions) -> Document:
    """A document without excluded images; a position without its image is gone, as where other rules take images."""
    stay = [n for n, url in enumerate(document.images) if url is None or not excluded.image(url)]
    others = [document.alternates[n] for n in stay]
    return document._replace(
        texts=[document.texts[n] for n in stay],
        images=[document.images[n] for n in stay],
        image_meta=[document.image_meta[n] for n in stay],
        alternates=[urls and [url for url in urls if not excluded.image(url)] for urls in others],
    )
