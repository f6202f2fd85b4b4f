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
"""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from urllib.parse import urlsplit

from weft.schemas.parameters import ConfigError
from weft.schemas.records import DROPPED, KEPT, Capture, Document, Fate, Pair, PairKey, SiteFile
from weft.transforms.io import files
from weft.transforms.urls import domains, image_key, page_key

REASON = "excluded"
_UT1 = ("domains", "urls")
_COMMENT = re.compile(r"(?:^|(?<=\s))#")
_HEX = re.compile(r"[0-9a-f]+")
_ID = re.compile(r"[0-9a-f]{32}(:[0-9a-f]{32})?")

Row = Document | Pair | Capture | SiteFile | Fate


@dataclasses.dataclass(frozen=True)
class Exclusions:
    """Lists, ready to be asked."""

    pages: frozenset[str]  # page_key
    images: frozenset[str]  # image_key
    domains: frozenset[str]
    below: frozenset[str]  # host/path
    ids: frozenset[str]
    sha256: frozenset[str]
    phashes: frozenset[str]

    def page(self, url: str, doc_id: str) -> bool:
        """Whether a page is excluded, by its address or id."""
        return doc_id in self.ids or page_key(url) in self.pages or self._place(url)

    def image(self, url: str) -> bool:
        """Whether an image is excluded, by its address."""
        return bool(url) and (image_key(url) in self.images or self._place(url))

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
        except ValueError:
            return False
        host = (parts.hostname or "").rstrip(".")
        if any(domain in self.domains for domain in domains(host)):
            return True
        if not self.below:
            return False
        steps = parts.path.strip("/").split("/")
        bare = host.removeprefix("www.")
        return any(f"{bare}/{'/'.join(steps[:n])}" in self.below for n in range(1, len(steps) + 1))


def parse(lines: Iterable[str], name: str, strict: bool = True) -> Exclusions:
    """A list's lines.

    Args:
        name: of the list, for messages.
        strict: False for the large lists of others, in which a line that can match nothing stops nobody.

    Raises:
        ConfigError: a line that means nothing.
    """
    found: dict[str, set[str]] = {field.name: set() for field in dataclasses.fields(Exclusions)}
    for number, line in enumerate(lines, 1):
        if not (entry := _entry(line)):
            continue
        if strict and (len(entry.split()) > 1 or ("*" in entry and "://" not in entry)):
            raise ConfigError(
                f"{name}, line {number}: {entry[:80]!r} matches nothing: a comment begins with #, a blank in an "
                "address is %20, and a domain or directory stands for all that is below it without a *"
            )
        low = entry.lower()
        by_length = {16: "phashes", 64: "sha256"} if _HEX.fullmatch(low) else {}
        if "://" in entry:
            found["pages"].add(page_key(entry))
            found["images"].add(image_key(entry))
        elif _ID.fullmatch(low):
            found["ids"].add(low)
        elif len(low) in by_length:
            found[by_length[len(low)]].add(low)
        elif "/" in entry.rstrip("/") and "." in entry.split("/")[0]:
            found["below"].add(entry.rstrip("/").removeprefix("www."))
        elif re.fullmatch(r"[^\s/]+\.[^\s/]+/?", low):
            found["domains"].add(low.rstrip("/").removeprefix("www."))
        elif strict:
            raise ConfigError(
                f"{name}, line {number}: {entry[:80]!r} is no address, domain, id (32 hex digits), sha256 (64) or "
                "perceptual hash (16)"
            )
    return Exclusions(**{key: frozenset(values) for key, values in found.items()})


@lru_cache(maxsize=4)
def load(paths: tuple[str, ...]) -> Exclusions | None:
    """The lists together, None where there are none.

    Raises:
        ConfigError: one cannot be read, or holds a line that means nothing.
    """
    lists = [parse(text.splitlines(), path, not ut1) for path in paths for text, ut1 in [_text(path)]]
    if not lists:
        return None
    names = [field.name for field in dataclasses.fields(Exclusions)]
    return Exclusions(**{name: frozenset().union(*(getattr(one, name) for one in lists)) for name in names})


def contents(paths: Sequence[str]) -> str:
    """A hash of what the lists say together, whatever their names and order."""
    found = load(tuple(paths))
    told = repr([sorted(getattr(found, field.name)) for field in dataclasses.fields(Exclusions)]) if found else ""
    return hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest()


def entries(path: str) -> set[str]:
    """What a list has, as it stands there.

    Raises:
        ConfigError: it cannot be read.
    """
    return {_entry(line) for line in _text(path)[0].splitlines()} - {""}


def _entry(line: str) -> str:
    line = _COMMENT.split(line, maxsplit=1)[0].strip()
    return line if "://" in line else line.partition("#")[0].strip()


def _text(path: str) -> tuple[str, bool]:
    """(what a list says, whether it is a category of UT1's)."""
    inside = [files.join(path, name) for name in _UT1]
    try:
        there = [name for name in inside if files.exists(name)]
        return "\n".join(files.read_bytes(name).decode("utf-8", "replace") for name in there or [path]), bool(there)
    except OSError as error:
        raise ConfigError(f"cannot read the list {path}: {error.strerror or error}") from None


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
