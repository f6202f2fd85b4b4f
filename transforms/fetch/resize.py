"""The form in which an image is stored: its size (`resize`, `max_side`) and its encoding (`format`, `quality`).

The modes of resizing are img2dataset's, with its `resize_only_if_bigger`: an image is never enlarged, and one that is
small enough keeps its size and shape whatever the mode. Cropping and padding come last, after the image has been turned
upright and its perceptual hash taken, so that the hash does not depend on them.
"""

from __future__ import annotations

import io

from PIL import Image

from weft.schemas.parameters import ImageForm

_WHITE = (255, 255, 255)
_LONGEST = {"jpeg": 65_500, "webp": 16_383, "png": 1 << 20}  # side that a format holds; JPEG's as libjpeg has it


def target(width: int, height: int, form: ImageForm) -> tuple[int, int]:
    """(width, height) that an image is resampled to, before it is cropped or padded.

    >>> target(1200, 800, ImageForm(max_side=300)), target(1200, 800, ImageForm(max_side=300, resize="center_crop"))
    ((300, 200), (450, 300))
    """
    if form.resize == "no":
        return width, height
    by = min if form.resize in ("keep_ratio", "center_crop") else max
    return _scaled(width, height, by(width, height), form.max_side)


def fit(width: int, height: int, max_side: int) -> tuple[int, int]:
    """(width, height) with the longest side at most `max_side`, never larger than it was."""
    return _scaled(width, height, max(width, height), max_side)


def shaped(image: Image.Image, form: ImageForm) -> Image.Image:
    """An upright image cropped or padded to a square, in the modes that do so; smaller ones are left alone."""
    side = form.max_side
    if form.resize == "center_crop" and min(image.size) >= side:
        left, top = (image.width - side) // 2, (image.height - side) // 2
        return image.crop((left, top, left + side, top + side))
    if form.resize == "border" and max(image.size) >= side:
        ground = Image.new("RGB", (side, side), _WHITE)
        ground.paste(image.convert("RGB"), ((side - image.width) // 2, (side - image.height) // 2))
        return ground
    return image


def unstorable(size: tuple[int, int], form: ImageForm) -> bool:
    """Whether the format has no room for an image of this size."""
    return max(size) > _LONGEST[form.format]


def encoded(image: Image.Image, form: ImageForm) -> bytes:
    """The bytes that are stored, without metadata."""
    out = io.BytesIO()
    image.info = {}  # else a comment of the original is written too
    if form.format == "jpeg":
        image.save(out, "JPEG", quality=form.quality)
    elif form.format == "webp":
        image.save(out, "WEBP", quality=form.quality)
    else:
        image.convert("RGB").save(out, "PNG")
    return out.getvalue()


def _scaled(width: int, height: int, side: int, most: int) -> tuple[int, int]:
    if side <= most:
        return width, height
    return max(1, round(width * most / side)), max(1, round(height * most / side))
