"""Tars of captioned pictures, as img2dataset writes them: KEY.jpg, KEY.json with the address, KEY.txt.

A picture's record begins at the first member of its key, so that `fetch` reads it from there and asks nobody.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

from weft.transforms.archives.record import Record
from weft.transforms.io import json_values

PICTURES = {
    **{"jpg": "image/jpeg", "jpeg": "image/jpeg", "png": "image/png", "webp": "image/webp", "gif": "image/gif"},
    **{"avif": "image/avif", "bmp": "image/bmp", "tif": "image/tiff", "tiff": "image/tiff"},
}
_MAGIC_AT = 257


class Sample(NamedTuple):
    """The members of one key."""

    offset: int  # of its first member's header
    mime: str  # "" where there is no picture
    picture: bytes
    told: dict[str, Any]  # KEY.json
    text: str  # KEY.txt
    names: tuple[str, ...]  # of its members


def is_tar(head: bytes) -> bool:
    """Whether a file that begins so is a tar."""
    return head[_MAGIC_AT : _MAGIC_AT + 5] == b"ustar"


def read_samples(stream: BinaryIO) -> Iterator[Sample]:
    """Samples in their order, from where the stream stands.

    Raises:
        tarfile.TarError: the file breaks off, or is damaged: what follows is not the empty block that ends a tar.
    """
    key = ""
    parts: dict[str, tuple[int, bytes]] = {}
    with tarfile.open(fileobj=stream, mode="r:") as tar:
        for member in tar:
            folder, slash, base = member.name.removeprefix("./").rpartition("/")
            stem, _, suffix = base.partition(".")  # of a path too, as webdataset has it: d.v1/0001.jpg
            file = tar.extractfile(member) if member.isreg() and stem else None  # links lead anywhere, or to themselves
            if file is None:
                continue
            name = folder + slash + stem
            if name != key and parts:
                yield _sample(key, parts)
                parts = {}
            key = name
            parts[suffix.lower()] = (member.offset, file.read())
        stream.seek(tar.offset)
        ended = stream.read(tarfile.BLOCKSIZE) == tarfile.NUL * tarfile.BLOCKSIZE
    if parts:
        yield _sample(key, parts)
    if not ended:  # a header that is cut or damaged ends a tar too, says tarfile
        raise tarfile.ReadError("no whole header, and no end of the tar")


def _sample(key: str, parts: dict[str, tuple[int, bytes]]) -> Sample:
    try:
        told = json_values.parse(parts["json"][1]) if "json" in parts else {}
    except (ValueError, RecursionError):
        told = {}
    text = parts["txt"][1].decode("utf-8", "replace") if "txt" in parts else ""
    suffix = next((suffix for suffix in parts if suffix in PICTURES), "")
    data = parts[suffix][1] if suffix else b""
    told = told if isinstance(told, dict) else {}
    names = tuple(f"{key}.{suffix}" for suffix in parts)
    return Sample(min(at for at, _ in parts.values()), PICTURES.get(suffix, ""), data, told, text, names)


def read_record(stream: BinaryIO, offset: int) -> Record | None:
    """The picture whose sample begins at `offset`, as the response to its address; None where none does."""
    stream.seek(offset)
    try:
        sample = next(read_samples(stream), None)
    except tarfile.TarError:
        return None
    if sample is None or not sample.mime:
        return None
    headers = (("content-type", sample.mime),)
    return Record("resource", str(sample.told.get("url") or ""), "", 0, "", offset, 200, headers, sample.picture, "")
