"""The form in which a picture is stored: its size (`fetch.resize`, `fetch.max_side`) and its encoding (`fetch.format`).

The modes are img2dataset's, with its `resize_only_if_bigger`: a picture is never enlarged, and one that is small
enough keeps its size and shape whatever the mode. A crop or a border is made of the upright picture; hashes are of the
picture before that, so that they do not depend on it.
"""

from __future__ import annotations

import io

from PIL import Image

from weft.schemas.config import Fetch

_WHITE = (255, 255, 255)
_LONGEST = {"jpeg": 65_500, "webp": 16_383, "png": 1 << 20}  # side that a format holds; JPEG's as libjpeg has it


def target(width: int, height: int, config: Fetch) -> tuple[int, int]:
    """Size that a picture is resampled to."""
    if config.resize == "no":
        return width, height
    by = min if config.resize in ("keep_ratio", "center_crop") else max
    return _scaled(width, height, by(width, height), config.max_side)


def fit(width: int, height: int, max_side: int) -> tuple[int, int]:
    """Size with the longest side at most `max_side`, never larger than it was."""
    return _scaled(width, height, max(width, height), max_side)


def shaped(image: Image.Image, config: Fetch) -> Image.Image:
    """Cut or padded to a square, in the modes that do so; what was not larger than the square is left alone."""
    side = config.max_side
    if config.resize == "center_crop" and min(image.size) >= side:
        left, top = (image.width - side) // 2, (image.height - side) // 2
        return image.crop((left, top, left + side, top + side))
    if config.resize == "border" and max(image.size) >= side:
        ground = Image.new("RGB", (side, side), _WHITE)
        ground.paste(image.convert("RGB"), ((side - image.width) // 2, (side - image.height) // 2))
        return ground
    return image


def unstorable(size: tuple[int, int], config: Fetch) -> bool:
    """Whether the format has no room for a picture of this size."""
    return max(size) > _LONGEST[config.format]


def encoded(image: Image.Image, config: Fetch) -> bytes:
    """The bytes that are stored, without metadata."""
    out = io.BytesIO()
    image.info = {}  # else a comment of the original is written too
    if config.format == "jpeg":
        image.save(out, "JPEG", quality=config.quality)
    elif config.format == "webp":
        image.save(out, "WEBP", quality=config.quality)
    else:
        image.convert("RGB").save(out, "PNG")
    return out.getvalue()


def _scaled(width: int, height: int, side: int, most: int) -> tuple[int, int]:
    if side <= most:
        return width, height
    return max(1, round(width * most / side)), max(1, round(height * most / side))
