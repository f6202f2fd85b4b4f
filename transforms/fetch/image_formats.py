"""What fetched bytes are, told by their first bytes and never by a name or a Content-Type; nothing is decoded here."""

from __future__ import annotations

import re

MAGIC = (  # (offset, bytes, Pillow's name)
    (0, b"\xff\xd8\xff", "JPEG"),
    (0, b"\x89PNG\r\n\x1a\n", "PNG"),
    (0, b"GIF87a", "GIF"),
    (0, b"GIF89a", "GIF"),
    (8, b"WEBP", "WEBP"),
    (0, b"BM", "BMP"),
    (0, b"II*\x00", "TIFF"),
    (0, b"MM\x00*", "TIFF"),
    (4, b"ftypavif", "AVIF"),
    (4, b"ftypavis", "AVIF"),
)
OTHER_MAGIC = (  # images, but not of a kind that is read here
    (0, b"\x00\x00\x01\x00", "ICO"),
    (0, b"\xff\x0a", "JPEG XL"),
    (4, b"JXL ", "JPEG XL"),
    (4, b"jP  ", "JPEG 2000"),
    (4, b"ftyphei", "HEIC"),
    (4, b"ftypmif1", "HEIC"),
    (0, b"8BPS", "PSD"),
    (0, b"\x1f\x8b", "gzip"),
)
MOST_SCANS = 100  # of a JPEG: each costs a pass over all pixels and as little as 100 bytes; real ones have some 10
_SCAN = re.compile(rb"\xff\xda\x00[\x06\x08\x0a\x0c][\x01-\x04]")  # start of a scan of one to four components


def named(data: bytes) -> str:
    """Pillow's name of a format that is read here, "" for all else.

    >>> named(b"GIF89a..."), named(b"<svg xmlns=...")
    ('GIF', '')
    """
    return _found(data, MAGIC)


def unreadable(data: bytes) -> tuple[str, str]:
    """(reason, detail) of bytes that `named` has no name for.

    >>> unreadable(b"8BPS..."), unreadable(b"<html><p>Log in")
    (('unsupported_format', 'PSD'), ('not_an_image', '<html><p>log in'))
    """
    other = _found(data, OTHER_MAGIC)
    if other:
        return "unsupported_format", other
    head = data[:4096].removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if head.startswith(b"<svg") or (head.startswith((b"<?xml", b"<!doctype svg", b"<!--")) and b"<svg" in head):
        return "svg", ""
    return "not_an_image", head[:60].decode("latin-1") if head.startswith(b"<") else f"begins {data[:16]!r}"


def scans(data: bytes) -> int:
    """Scans that a JPEG has, by their heads: embedded videos hold the marker alone as well."""
    return len(_SCAN.findall(data))


def is_cut(data: bytes, kind: str) -> bool:
    """Whether the end that its format prescribes is missing."""
    if kind == "JPEG":
        return b"\xff\xd9" not in data[-1024:]
    if kind == "PNG":
        return b"IEND" not in data[-1024:]
    if kind == "GIF":
        return not data.rstrip(b"\x00").endswith(b";")
    if kind == "WEBP":
        return int.from_bytes(data[4:8], "little") + 8 > len(data)
    return False


def _found(data: bytes, table: tuple[tuple[int, bytes, str], ...]) -> str:
    return next((name for at, magic, name in table if data[at : at + len(magic)] == magic), "")
