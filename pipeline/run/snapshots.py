"""Common Crawl snapshots as input: `cc:CC-MAIN-2024-10?files=10` → the WARC files that it means.

A snapshot is a list of some 90,000 files in 100 segments, `crawl-data/ID/warc.paths.gz`. What is taken of it is chosen
by hashes of paths and of segments' names, the same on every machine and on every day:

    segments=N   the files of N segments
    share=F      each file with the chance F, 0 < F <= 1
    files=N      N files

Given together, each chooses among what the one above it left. More of one contains less of it. No part means all.
`subset=robotstxt` (or crawldiagnostics, wat, wet) takes the files of another list of the snapshot.

Or single records are chosen by the snapshot's index (transforms/extract/selection.py), which is read where it lies, or
asked by its API (transforms/extract/capture_api.py):

    language=isl  domain=*.is  url=example.org/news/  mime=text/html  status=200  sample=F
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections import Counter
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

from weft.schemas.parameters import ConfigError, nearest
from weft.schemas.records import hash_unit
from weft.transforms.extract import capture_api, selection
from weft.transforms.io import files

PREFIX = "cc:"
_ID = re.compile(r"CC-MAIN-\d{4}(-\d{2,4})?")  # 2024-10; of the first years 2008-2009, 2009-2010 and 2012
_SEGMENT = re.compile(r"/segments/([^/]+)/")
_SALT = "snapshot"  # not the run's: the choice of files is no part of a recipe
_PARTS = ("segments", "share", "files")
_SUBSETS = ("warc", "crawldiagnostics", "robotstxt", "wat", "wet")
_INDEXED = _SUBSETS[:3]  # by the columnar index
_LISTS = {"crawldiagnostics": "non200responses"}  # lists that are called otherwise


class Part(NamedTuple):
    """What is asked for of a snapshot; 0 where nothing is said."""

    snapshot: str
    segments: int = 0
    share: float = 0.0
    files: int = 0
    subset: str = "warc"  # which of its lists
    wish: selection.Wish | None = None  # which records, where the index is to choose


def parse(text: str) -> Part:
    """`cc:ID?key=value&…` → what it means.

    Raises:
        ConfigError: it means nothing.
    """
    name, _, query = text.removeprefix(PREFIX).partition("?")
    if not _ID.fullmatch(name):
        raise ConfigError(f"{text}: a snapshot is named like cc:CC-MAIN-2024-10, not {name!r}")
    made = Part(name)
    wished = []
    for key, value in _asked(text, query):
        if key in selection.KEYS:
            wished.append((key, value))
            continue
        if key == "subset":
            if value not in _SUBSETS:
                near = nearest(value, _SUBSETS)
                raise ConfigError(f"{text}: subset is one of {', '.join(_SUBSETS)}, not {value!r}{near}")
            made = made._replace(subset=value)
            continue
        if key not in _PARTS:
            known = (*_PARTS, *selection.KEYS, "subset")
            raise ConfigError(f"{text}: takes {'=, '.join(known)}=, not {key!r}{nearest(key, known)}")
        changed: dict[str, Any] = {key: _number(text, key, value)}
        made = made._replace(**changed)
    if not wished:
        return made
    if made != Part(name, subset=made.subset) or made.subset not in _INDEXED:
        raise ConfigError(f"{text}: {wished[0][0]}= chooses among records, and {', '.join(_PARTS)} among files")
    try:
        wish = selection.parse(wished)
    except ConfigError as error:
        raise ConfigError(f"{text}: {error}") from None
    if wish.languages and name < selection.FIRST_WITH_LANGUAGES:
        raise ConfigError(f"{text}: indexes name languages since {selection.FIRST_WITH_LANGUAGES}")
    return made._replace(wish=wish)


def _asked(text: str, query: str) -> list[tuple[str, str]]:
    asked = parse_qsl(query, keep_blank_values=True)
    if twice := [key for key, times in Counter(key for key, _ in asked).items() if times > 1]:
        raise ConfigError(f"{text}: {twice[0]} is given twice; several values of one key are separated by commas")
    if empty := [key for key, value in asked if key in selection.KEYS and not all(value.split(","))]:
        raise ConfigError(f"{text}: {empty[0]} has an empty value, which would choose everything")
    return asked


def expand(text: str, base: str, api: str = "") -> list[str]:
    """The files that `text` means, each where it lies below `base`, in the order of the snapshot's own list.

    Args:
        text: `cc:ID?…`.
        base: where the snapshot lies.
        api: of the index, which is asked instead of reading the index; "" for none.

    Raises:
        ConfigError: no such snapshot there, or a part of it without any file.
        Unavailable: nobody answers.
    """
    part = parse(text)
    if part.wish is not None and api:
        return _by_api(text, part.snapshot, part.subset, part.wish, api)
    name = _LISTS.get(part.subset, part.subset) if part.wish is None else "cc-index-table"
    listed = files.join(base, "crawl-data", part.snapshot, f"{name}.paths.gz")
    try:
        paths = gzip.decompress(files.read_bytes(listed)).decode("utf-8").split()
    except FileNotFoundError:
        raise ConfigError(f"no snapshot {part.snapshot}: {listed} is not there") from None
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise ConfigError(f"{listed} is no path list: {error}") from None
    if part.wish is not None:
        parts = [path for path in paths if f"/subset={part.subset}/" in path and path.endswith(".parquet")]
        if not parts:
            raise ConfigError(f"{listed} names no index of {part.subset}")
        return [selection.of_part(files.join(base, path), part.wish) for path in parts]
    chosen = choose(paths, part)
    if not chosen:
        raise ConfigError(f"{text} is none of the snapshot's {len(paths):,} files; ask for a larger share or files=1")
    return [files.join(base, path) for path in chosen]


def _by_api(text: str, snapshot: str, subset: str, wish: selection.Wish, api: str) -> list[str]:
    asked = capture_api.questions(wish.domains, wish.urls)
    if not asked:
        raise ConfigError(
            f"{text}: the index's API knows domains and addresses: add domain= or url=, or unset extract.cdx_api"
        )
    endpoint = files.join(api, f"{snapshot}-index")
    return [f"{selection.of_part(endpoint, wish)}&{page}" for page in capture_api.pages(endpoint, asked, subset)]


def choose(paths: list[str], part: Part) -> list[str]:
    """Those of a snapshot's files that a part of it has."""
    chosen = paths
    if part.segments:
        names = _first({_segment(path) for path in chosen}, part.segments)
        chosen = [path for path in chosen if _segment(path) in names]
    if part.share:
        chosen = [path for path in chosen if hash_unit(path, _SALT) < part.share]
    if part.files:
        names = _first(set(chosen), part.files)
        chosen = [path for path in chosen if path in names]
    return chosen


def _first(names: set[str], count: int) -> set[str]:
    return set(sorted(names, key=lambda name: (hash_unit(name, _SALT), name))[:count])


def _segment(path: str) -> str:
    found = _SEGMENT.search(path)
    return found[1] if found else ""


def _number(text: str, key: str, value: str) -> float:
    try:
        number = float(value) if key == "share" else int(value)
    except ValueError:
        number = 0
    if not number > 0 or (key == "share" and number > 1):
        what = "a number above 0 and up to 1" if key == "share" else "a whole number above 0"
        raise ConfigError(f"{text}: {key} is {what}, not {value!r}")
    return number
