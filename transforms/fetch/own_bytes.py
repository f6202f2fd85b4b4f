"""The bytes of a picture that is stored as it came, without its metadata; nothing is decoded here.

A file that was decoded well → the same file with nothing but what makes its pixels, so that it decodes to the same
ones: of a JPEG its tables, frame and scans, of a PNG its header and data, of a WebP its one bitstream. EXIF, XMP,
colour profiles, comments, thumbnails and whatever follows the picture stay behind. Anything unusual gives b"", and is
to be encoded afresh: animations, alpha, more than eight bits, arithmetic coding, JPEGs that are not in YCbCr, bytes
where none belong.
"""

from __future__ import annotations

import re
import zlib

_SOF, _SOS, _APP14, _COM = b"\xc0\xc1\xc2", 0xDA, 0xEE, 0xFE  # frames: baseline, extended, progressive
_PIXELS = b"\xc4\xdb\xdd" + _SOF  # Huffman tables, quantisation, restarts, frames
_APPS = range(0xE0, 0xF0)
_JFIF = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00"  # so it is YCbCr
_AFTER_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7]")  # a marker that is neither a stuffed byte nor a restart
_TRUE_COLOUR = b"\x08\x02"  # of IHDR: eight bits, true colour


def stripped(data: bytes, kind: str) -> bytes:
    """The file without what is no pixel; b"" where it is not plain enough.

    Args:
        data: a whole file that has been decoded well.
        kind: Pillow's name of its format.
    """
    return {"JPEG": _jpeg, "PNG": _png, "WEBP": _webp}[kind](data)


def _jpeg(data: bytes) -> bytes:
    kept, at = [_JFIF], 2
    while data[at : at + 1] == b"\xff" and at + 4 <= len(data):
        code, end = data[at + 1], at + 2 + int.from_bytes(data[at + 2 : at + 4])
        if code == _SOS:
            after = _AFTER_SCAN.search(data, end)
            end = after.start() if after else len(data)
        elif code in _SOF and (data[at + 4 : at + 10 : 5] != b"\x08\x03" or data[at + 10 : at + 19 : 3] == b"RGB"):
            return b""
        elif code == _APP14 and data[at + 4 : at + 9] == b"Adobe" and data[at + 15 : at + 16] != b"\x01":
            return b""  # holds no YCbCr
        if code == _SOS or code in _PIXELS:
            kept.append(data[at:end])
        elif code != _COM and code not in _APPS:
            return b""
        at = end
        if data[at : at + 2] == b"\xff\xd9":
            return b"".join((*kept, b"\xff\xd9"))
    return b""


def _png(data: bytes) -> bytes:
    kept, at = [data[:8]], 8
    while at + 12 <= len(data):
        kind, end = data[at + 4 : at + 8], at + 12 + int.from_bytes(data[at : at + 4])
        if kind == b"IHDR" and data[at + 16 : at + 18] != _TRUE_COLOUR:
            return b""
        if kind in (b"IHDR", b"IDAT", b"IEND"):
            if zlib.crc32(data[at + 4 : end - 4]) != int.from_bytes(data[end - 4 : end]):
                return b""
            kept.append(data[at:end])
        elif kind in (b"acTL", b"tRNS") or (kind[:1].isupper() and kind != b"PLTE"):
            return b""
        if kind == b"IEND":
            return b"".join(kept)
        at = end
    return b""


def _webp(data: bytes) -> bytes:
    at = 12
    while at + 8 <= len(data):
        kind, length = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        if kind in (b"ALPH", b"ANIM", b"ANMF"):
            return b""
        end = at + 8 + length
        if kind in (b"VP8 ", b"VP8L") and end <= len(data):
            chunk = data[at:end] + b"\x00" * (length % 2)
            return b"RIFF" + (4 + len(chunk)).to_bytes(4, "little") + b"WEBP" + chunk
        at = end + length % 2
    return b""
