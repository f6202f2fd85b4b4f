"""Words and sentences drawn as pictures: what they say has to be read from the pixels. A text → a picture of it.

The letters are those of the font that Pillow holds.
"""

from __future__ import annotations

import dataclasses
import textwrap
from collections.abc import Iterator

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from weft.pipeline.demo import pictures
from weft.pipeline.demo.pictures import Scene
from weft.schemas.records import hash_unit, stable_id

Box = tuple[float, float, float, float]  # left, top, right, bottom
_LINE = 11  # characters: five such lines fill a square
_PITCH = 1.2  # from line to line, in sizes of the letters


@dataclasses.dataclass(frozen=True)
class Rendered:
    """A text, and what decides the size and the place of its letters, their shade and the grain of the paper."""

    text: str
    seed: str


def drawn(what: Scene | Rendered, width: int, height: int) -> Image.Image:
    """What a picture shows, things or a text."""
    return pictures.draw(what, width, height) if isinstance(what, Scene) else draw(what, width, height)


def draw(rendered: Rendered, width: int, height: int) -> Image.Image:
    """Dark letters on light paper, as large as fit; an RGB picture of width x height pixels."""
    paper, ink = 215 + int(35 * _luck(rendered, "paper")), int(70 * _luck(rendered, "ink"))
    picture = Image.new("RGB", (width, height), (paper, paper, paper))
    brush = ImageDraw.Draw(picture)
    for word, (left, top, _, _), size in words(rendered, width, height):
        brush.text((left, top), word, fill=(ink, ink, ink), font=ImageFont.load_default(size))
    grain = np.random.default_rng(int(stable_id("paper", rendered.seed)[:8], 16)).normal(0, 5.0, (height, width, 1))
    return Image.fromarray(np.clip(np.asarray(picture, np.float32) + grain, 0, 255).astype(np.uint8), "RGB")


def words(rendered: Rendered, width: int, height: int) -> Iterator[tuple[str, Box, float]]:
    """Each word of a picture of width x height pixels, its box, and the size of its letters."""
    font = ImageFont.load_default(100)
    lines = textwrap.wrap(rendered.text, _LINE)
    across, down = max(map(font.getlength, lines)) / 100, _PITCH * len(lines)  # of letters of size 1
    size = min(width / across, height / down) * (0.7 + 0.2 * _luck(rendered, "size"))
    left, top = (0.2 + 0.6 * _luck(rendered, way) for way in "xy")  # of what is left over
    left, top = left * (width - across * size), top * (height - down * size)
    for number, line in enumerate(lines):
        before = ""
        for word in line.split():
            start, end = (left + font.getlength(text) * size / 100 for text in (before, before + word))
            yield word, (start, top + number * _PITCH * size, end, top + (number + 1) * _PITCH * size), size
            before += f"{word} "


def _luck(rendered: Rendered, name: str) -> float:
    return hash_unit(f"{rendered.seed}/{name}", "rendered")
