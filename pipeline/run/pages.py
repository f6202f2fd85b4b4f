"""Whether there was a page at all in what was read, and what it is if not.

The books of extract and the first bytes of the files → one line for whoever gave a README, a picture, or the WAT files
of a snapshot instead of its WARC files.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence

from weft.pipeline.run import manifest
from weft.schemas.parameters import ConfigError
from weft.transforms.io import files
from weft.transforms.io.streams import GZIP
from weft.transforms.io.web_files import Unavailable

SHOWN = 3  # files and reasons that are named
_HEAD = 4_096  # bytes of a file that are looked at
_BEGINS = {
    b"\x89PNG": "a PNG picture",
    b"\xff\xd8\xff": "a JPEG picture",
    b"GIF8": "a GIF picture",
    b"PAR1": "a Parquet table",
    b"%PDF": "a PDF",
    b"PK\x03\x04": "a zip file",
    b"WARC/": "a WARC file",
    b"filedesc:": "an ARC file",
}
_HTML = (".html", ".htm")
_RECORDS = {"metadata": "as in WAT files", "conversion": "as in WET files"}


def check(output: str, inputs: Sequence[str]) -> None:
    """Check a finished extract.

    Raises:
        ConfigError: no page entered it; the message says what its input is.
    """
    books = (manifest.read(output, "extract") or {}).get("books", {})
    if books and not books["page"]["entered"]:
        named = ", ".join(f"{path} is {kind(path)}" for path in sorted(inputs)[:SHOWN])
        folder = next((path.rpartition("/")[0] or "." for path in inputs if path.lower().endswith(_HTML)), "")
        html = f"; HTML files are read as a folder: --input {folder}" if folder else ""
        more = f", and {len(inputs) - SHOWN} more files" if len(inputs) > SHOWN else ""
        raise ConfigError(
            f"the input holds not one page: {named}{more}; its records are {_records(books['record']['dropped'])}. "
            f"Pages stand in WARC files (Common Crawl: warc.paths.gz), ARC or WACZ{html}"
        )


def kind(path: str) -> str:
    """What a file is, by its first bytes."""
    try:
        head = files.read_range(path, 0, _HEAD)
    except (OSError, Unavailable):
        return "not readable"
    packed = head.startswith(GZIP)
    if packed:
        try:
            head = zlib.decompressobj(wbits=31).decompress(head, _HEAD)
        except zlib.error:
            return "broken gzip"
    found = next((name for begin, name in _BEGINS.items() if head.startswith(begin)), "")
    if not head:
        return "empty"
    if not found:
        text = b"\0" not in head and all(byte >= 32 or byte in b"\t\n\r\f\x1b" for byte in head)
        found = "text" if text else "of no kind that weft knows"
    return f"{found}, packed" if packed and "ARC file" not in found else found


def _records(dropped: dict[str, int]) -> str:
    reasons = sorted(dropped.items(), key=lambda item: (-item[1], item[0]))
    told = [f"{n:,} {reason}" + (f" ({_RECORDS[reason]})" if reason in _RECORDS else "") for reason, n in reasons]
    return ", ".join(told[:SHOWN]) or "none"
