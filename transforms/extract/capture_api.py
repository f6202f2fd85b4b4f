"""Common Crawl's index by its API: what a host, a domain or the beginning of an address has, without reading the index.

(domain | beginning of an address) ──► how many pages the answer has ──► one input a page ──► rows, with the columns
of the columnar index

The API is pywb's (pywb.readthedocs.io, "CDXJ Server API"): lines of JSON, paged by blocks of the index. Nothing found
is 404, and who asks too much gets 503, which is waited for as with any file (transforms/io/web_files.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pyarrow as pa

from weft.schemas.parameters import ConfigError
from weft.transforms.archives.record import whole_number
from weft.transforms.io import files, json_values

# What the columnar index calls the API's fields, and what they are there.
COLUMNS = {
    "url_surtkey": ("urlkey", pa.string()),
    "url_host_name": ("url", pa.string()),
    "fetch_status": ("status", pa.int64()),
    "content_mime_type": ("mime", pa.string()),
    "content_mime_detected": ("mime-detected", pa.string()),
    "content_languages": ("languages", pa.string()),
    "warc_filename": ("filename", pa.string()),
    "warc_record_offset": ("offset", pa.int64()),
    "warc_record_length": ("length", pa.int64()),
}
_BLOCKS = 5  # of some 3,000 captures, a page; said, so that pages are the same whatever a server's default is


def questions(domains: Sequence[str], urls: Sequence[str]) -> list[str]:
    """What the API is asked, in its words: addresses where there are any, else domains; none lies inside another.

    >>> questions(["is", "example.org", "www.example.org", "visir.is"], [])
    ['*.example.org', '*.is']
    """
    if urls:
        return [f"{one}*" for one in sorted(set(urls)) if not any(one != up and one.startswith(up) for up in urls)]
    bare = {domain.removeprefix("www.") for domain in domains}
    return [f"*.{one}" for one in sorted(bare) if not any(one.endswith(f".{up}") for up in bare)]


def pages(endpoint: str, asked: Sequence[str], subset: str) -> list[str]:
    """What stands behind the mark of each page's input (`selection.of_part` makes the rest).

    Args:
        endpoint: of a snapshot.
        asked: `questions`.
        subset: which of the snapshot's archives: the API answers for all.

    Raises:
        ConfigError: no such snapshot there, or nothing of all that is asked.
        Unavailable: nobody answers.
    """
    found = []
    for question in asked:
        try:
            count = int(json_values.parse(files.read_bytes(_address(endpoint, question, showNumPages="true")))["pages"])
        except FileNotFoundError:
            count = 0
        except (ValueError, TypeError, KeyError):
            raise ConfigError(f"{endpoint} does not answer as Common Crawl's index does") from None
        found += [urlencode({"ask": question, "page": n, "subset": subset}, safe="*/") for n in range(count)]
    if not found:
        raise ConfigError(f"{endpoint} is not there, or knows nothing of {', '.join(asked)}")
    return found


def rows(endpoint: str, query: str) -> pa.Table | None:
    """The rows of one page; None where the query means no page of this API.

    Raises:
        Unavailable: the page cannot be had now.
    """
    told = dict(parse_qsl(query))
    if "page" not in told:
        return None
    try:
        fields = ",".join(field for field, _ in COLUMNS.values())
        data = files.read_bytes(_address(endpoint, told["ask"], output="json", fl=fields, page=told["page"]))
    except FileNotFoundError:
        data = b""
    captures = [one for one in _captures(data) if f"/{told['subset']}/" in str(one["filename"])]
    columns = {
        name: pa.array([_value(name, one.get(field)) for one in captures], kind)
        for name, (field, kind) in COLUMNS.items()
    }
    return pa.table(columns)


def _captures(data: bytes) -> Iterator[dict[str, Any]]:
    """Those of the answer's lines that say where a record lies."""
    for line in data.splitlines():
        one = json_values.parse(line)
        named = isinstance(one, dict) and isinstance(one.get("filename"), str)
        if named and None not in (whole_number(one.get("offset")), whole_number(one.get("length"))):
            yield one


def _value(name: str, said: Any) -> str | int | None:
    if COLUMNS[name][1] == pa.int64():
        return whole_number(said)
    if not isinstance(said, str):
        return None
    return _host(said) if name == "url_host_name" else said


def _host(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:  # an address of an index is whatever some page linked to
        return None


def _address(endpoint: str, question: str, **more: str) -> str:
    return f"{endpoint}?{urlencode({'url': question, 'pageSize': _BLOCKS, **more})}"
