"""Archives → records: WARC and ARC, plain or compressed, alone or in a WACZ, read in one pass and never trusted.

`read_archive` reads a whole file, `read_captures` single records of one, `ReadArchives` many files in a Beam pipeline.
A file that cannot be read to its end raises nothing: a Broken says where it ends and why, and everything before counts.
"""

from __future__ import annotations

import dataclasses
import io
import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, BinaryIO, NamedTuple

import apache_beam as beam
from fastwarc.stream_io import ZstdReader

from weft.transforms.archives import image_tar, wacz
from weft.transforms.archives.arc import is_arc, read_arc
from weft.transforms.archives.record import MAX_RECORD_BYTES, Broken, Record
from weft.transforms.archives.warc import read_warc
from weft.transforms.io import files
from weft.transforms.io.parquet import Files

_ZSTD = b"\x28\xb5\x2f\xfd"
_DICTIONARY = b"\x5d\x2a\x4d\x18"  # begins a .warc.zst whose records share a dictionary (Archive Team's convention)


class Archives(NamedTuple):
    """What ReadArchives gives: elements are Records, and a Broken for each file that ends before its end."""

    records: beam.PCollection[Record]
    broken: beam.PCollection[Broken]


@dataclasses.dataclass
class ReadArchives(beam.PTransform):
    """PBegin → Archives(records, broken): every record of every archive, a file's in their order.

    A file is read by one worker, a record at a time. Records hold whole bodies (up to 64 MB): give them to the
    transform that makes them small, such as ExtractPages, before anything is shuffled.

    Args:
        paths: a list, or a pattern that a worker expands. Local, gs://, s3:// or http(s)://; WARC, ARC or WACZ; plain,
            gzip or zstd, which the bytes tell and not the name.
    """

    paths: Sequence[str] | str

    def expand(self, begin: beam.pvalue.PBegin) -> Archives:
        found = begin | "Files" >> Files(self.paths) | "Read" >> beam.FlatMap(_tagged).with_outputs("records", "broken")
        return Archives(found.records, found.broken)


def _tagged(path: str) -> Iterator[Any]:
    for one in read_archive(path):
        yield beam.pvalue.TaggedOutput("records" if isinstance(one, Record) else "broken", one)


def read_archive(path: str) -> Iterator[Record | Broken]:
    """Every record of an archive in order; a Broken comes last where the file does not end well.

    Never raises for what a file holds or lacks: a missing file is a Broken too.
    """
    for one in _read(path):
        yield one._replace(archive=path)


def _read(path: str) -> Iterator[Record | Broken]:
    try:
        with files.open_read(path) as stream:
            head = stream.read(1 << 16)
            if not head:
                yield Broken(0, "empty_file", "0 bytes")
                return
            if not head.startswith(wacz.MAGIC):
                stream.seek(0)
                yield from read_arc(stream) if is_arc(head) else read_warc(stream)
                return
            none = True
            for member in wacz.members(stream):
                none = False
                yield from _member_records(stream, member)
            if none:
                yield Broken(0, "unreadable", "a zip without archive/*.warc.gz")
    except (OSError, EOFError, zlib.error) as error:
        yield Broken(0, "unreadable", f"{type(error).__name__}: {error}")


def read_captures(path: str, offsets: Iterable[int]) -> Iterator[tuple[int, Record | None]]:
    """(offset, its record) for each offset, in the order given; None where no record begins there (any more).

    Raises:
        OSError: the file cannot be opened.
    """
    with files.open_read(path) as stream:
        if image_tar.is_tar(stream.read(512)):
            for offset in offsets:
                picture = image_tar.read_record(stream, offset)
                yield offset, picture._replace(archive=path) if picture else None
            return
        parts = [(0, stream, *_form(stream))]
        if stream.seek(0) == 0 and stream.read(len(wacz.MAGIC)) == wacz.MAGIC:
            inside = [one for one in wacz.members(stream) if not one.problem]
            windows = [(one.start, io.BufferedReader(wacz.Window(stream, one.start, one.length))) for one in inside]
            parts += [(start, window, *_form(window)) for start, window in windows]
        for offset in offsets:
            start, part, arc, dictionary = max((one for one in parts if one[0] <= offset), key=lambda one: one[0])
            try:
                part.seek(offset - start)
                if arc:
                    found = next(read_arc(part, offset - start), None)
                else:
                    found = next(read_warc(part, offset - start, 1, dictionary), None)
            except (OSError, EOFError, zlib.error):
                found = None
            yield offset, found._replace(offset=offset, archive=path) if isinstance(found, Record) else None


def _member_records(stream: BinaryIO, member: wacz.Member) -> Iterator[Record | Broken]:
    """Records of an archive in a zip; their offsets are those in the zip."""
    if member.problem:
        yield Broken(member.start, member.problem, member.name)
        return
    inner = io.BufferedReader(wacz.Window(stream, member.start, member.length))
    arc, _ = _form(inner)
    inner.seek(0)
    for found in read_arc(inner) if arc else read_warc(inner):
        yield found._replace(offset=member.start + found.offset)


def _form(stream: BinaryIO) -> tuple[bool, bytes | None]:
    """Whether this is an ARC file, and the zstd dictionary that all its records are compressed with, if any."""
    stream.seek(0)
    head = stream.read(1 << 16)
    if not head.startswith(_DICTIONARY):
        return is_arc(head), None
    stream.seek(8)
    dictionary = stream.read(int.from_bytes(head[4:8], "little"))
    if dictionary.startswith(_ZSTD):
        dictionary = ZstdReader(io.BytesIO(dictionary)).read(MAX_RECORD_BYTES)
    return False, dictionary
