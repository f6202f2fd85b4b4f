"""Words and sentences drawn as pictures: what they say has to be read from the pixels. A text → a picture of it.

The letters are those of the font that Pillow holds.
"""

from __future__ import annotations

import dataclasses
import textwrap

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from weft.schemas.records import hash_unit, stable_id

_LINE = 16  # characters: three such lines fill a square


@dataclasses.dataclass(frozen=True)
class Rendered:
    """A text, and what decides the size and the place of its letters, their shade and the grain of the paper."""

    text: str
    seed: str


def draw(rendered: Rendered, width: int, height: int) -> Image.Image:
    """Dark letters on light paper, as large as fit; an RGB picture of width x height pixels."""

    def luck(name: str) -> float:
        return hash_unit(f"{rendered.seed}/{name}", "rendered")

    text = "\n".join(textwrap.wrap(rendered.text, _LINE))
    paper, ink = 215 + int(35 * luck("paper")), int(70 * luck("ink"))
    picture = Image.new("RGB", (width, height), (paper, paper, paper))
    brush = ImageDraw.Draw(picture)
    across, down = _extent(brush, text, 100)
    size = 100 * min(width / across, height / down) * (0.7 + 0.2 * luck("size"))
    font = ImageFont.load_default(size)
    across, down = _extent(brush, text, size)
    left, top = (0.2 + 0.6 * luck(way) for way in "xy")  # of what is left over
    at = (left * (width - across), top * (height - down))
    brush.multiline_text(at, text, fill=(ink, ink, ink), font=font, spacing=0)
    grain = np.random.default_rng(int(stable_id("paper", rendered.seed)[:8], 16)).normal(0, 5.0, (height, width, 1))
    return Image.fromarray(np.clip(np.asarray(picture, np.float32) + grain, 0, 255).astype(np.uint8), "RGB")


def _extent(brush: ImageDraw.ImageDraw, text: str, size: float) -> tuple[float, float]:
    """Width and height that letters of this size take, from where they are put."""
    _, _, right, bottom = brush.multiline_textbbox((0, 0), text, font=ImageFont.load_default(size), spacing=0)
    return right, bottom
