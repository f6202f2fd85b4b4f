"""Fetched bytes → a validated, upright, resized RGB JPEG with its hashes, or the reason there is none.

Nothing is decoded before its header has been read: format by magic bytes, then dimensions against a pixel limit. What
is stored is always encoded afresh, so that every trainer can read every image and no metadata travels along.

img2dataset's Resizer, the field's usual one, is measured beside this (benchmarks/images.py) but not used: it ignores
EXIF orientation, and it redirects file descriptors 1 and 2 while it works, which breaks a worker with threads.
"""

from __future__ import annotations

import functools
import hashlib
import io
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from schemas.config import Fetch

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "MPO", "ICO")
SINGLE_COLOUR_STD = 2.0  # of 255: below this no channel says anything; JPEG noise of a flat picture stays under it
_PHASH_SIDE, _PHASH_LOW = 32, 8  # the imagehash package's definition: 32x32 grey, DCT, low 8x8 above its median
Image.MAX_IMAGE_PIXELS = None  # the configured limit is checked before decoding instead


class Prepared(NamedTuple):
    """An image as it is stored."""

    data: bytes  # JPEG
    image_id: str  # sha256 of the bytes as fetched
    mime: str
    width: int  # of the original, upright
    height: int
    stored_width: int
    stored_height: int
    phash: str
    single_colour: bool


class Refused(NamedTuple):
    """Why bytes are no usable image."""

    reason: str
    detail: str


def prepare(data: bytes, config: Fetch) -> Prepared | Refused:
    """Validate, orient, resize and hash one image; every failure is a reason, nothing is raised."""
    if len(data) < max(config.min_bytes, 1):
        return Refused("too_few_bytes", f"{len(data)} bytes")
    if len(data) > config.max_bytes:
        return Refused("too_many_bytes", f"{len(data)} bytes")
    head = data[:1024].lstrip().lower()
    if head.startswith(b"<svg") or (
        head.startswith((b"<?xml", b"<!doctype svg", b"<!--")) and b"<svg" in data[:4096].lower()
    ):
        return Refused("svg", "")
    if head.startswith(b"<"):
        return Refused("not_an_image", head[:60].decode("latin-1"))
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
    except (OSError, ValueError, SyntaxError, TypeError, OverflowError, Image.DecompressionBombError) as error:
        return Refused("not_an_image", str(error)[:100])
    width, height = image.size
    if width * height > config.max_pixels:
        return Refused("too_many_pixels", f"{width}x{height}")
    if width < 1 or height < 1:
        return Refused("not_an_image", f"{width}x{height}")
    mime = Image.MIME.get(image.format or "", "")
    try:
        if image.format in ("JPEG", "MPO"):
            image.draft("RGB", (config.max_side, config.max_side))
        image.load()
        upright = ImageOps.exif_transpose(image)
        if image.getexif().get(0x0112, 1) in (5, 6, 7, 8):
            width, height = height, width
        small = to_rgb(upright)
        small.thumbnail((config.max_side, config.max_side), Image.Resampling.LANCZOS, reducing_gap=2.0)
    except (
        OSError,
        ValueError,
        SyntaxError,
        TypeError,
        EOFError,
        IndexError,
        OverflowError,
        MemoryError,
        KeyError,
    ) as error:
        told = str(error)[:100]
        return Refused("truncated" if "truncated" in told.lower() or "Truncated" in told else "undecodable", told)
    out = io.BytesIO()
    small.save(out, "JPEG", quality=config.quality)
    pixels = np.asarray(small, np.float32)
    return Prepared(
        out.getvalue(),
        hashlib.sha256(data).hexdigest(),
        mime,
        width,
        height,
        small.width,
        small.height,
        phash(small),
        bool(pixels.reshape(-1, 3).std(axis=0).max() < SINGLE_COLOUR_STD),
    )


def to_rgb(image: Image.Image) -> Image.Image:
    """Any mode as RGB: transparency on white, 16 bits scaled to 8, CMYK and palettes converted."""
    if image.mode.startswith(("I", "F")):
        values = np.asarray(image, np.float32)
        top = 65_535.0 if image.mode.startswith("I;16") or values.max(initial=0) > 255 else 255.0
        return Image.fromarray(np.clip(values / top * 255, 0, 255).astype(np.uint8)).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        coloured = image.convert("RGBA")
        ground = Image.new("RGBA", coloured.size, (255, 255, 255, 255))
        return Image.alpha_composite(ground, coloured).convert("RGB")
    return image.convert("RGB") if image.mode != "RGB" else image


def phash(image: Image.Image) -> str:
    """64-bit perceptual hash as 16 hex digits, most significant bit first."""
    grey = image.convert("L").resize((_PHASH_SIDE, _PHASH_SIDE), Image.Resampling.LANCZOS)
    basis = _dct()
    low = (basis @ np.asarray(grey, np.float64) @ basis.T)[:_PHASH_LOW, :_PHASH_LOW]
    bits = (low > np.median(low)).reshape(-1)
    return f"{int(''.join('1' if bit else '0' for bit in bits), 2):016x}"


@functools.cache
def _dct() -> npt.NDArray[np.float64]:
    """Rows of the type-II discrete cosine transform."""
    n = np.arange(_PHASH_SIDE)
    return 2 * np.cos(np.pi * np.outer(n, 2 * n + 1) / (2 * _PHASH_SIDE))
