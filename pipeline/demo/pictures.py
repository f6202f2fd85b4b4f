"""Pictures whose truth is known: one or two kinds of coloured shapes on a textured ground, and words for them.

A scene is sampled from a seed by hash, drawn at any size with gradients, shading and grain (so that JPEG files are as
large as photographs' and no two are equal), and told in six phrasings. The words depend on the picture alone, which
is what makes a model that looks at the picture better at them than one that does not.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator

import numpy as np
from PIL import Image, ImageDraw

from weft.schemas.records import hash_bucket, stable_id

COLOURS = {
    "red": (214, 40, 40),
    "blue": (38, 84, 196),
    "green": (42, 150, 72),
    "yellow": (244, 208, 40),
    "purple": (128, 52, 168),
    "orange": (244, 132, 28),
    "pink": (246, 128, 178),
    "brown": (122, 78, 42),
    "black": (28, 28, 32),
    "white": (246, 246, 246),
}
GROUNDS = ("grey", "green", "blue", "yellow", "pink", "brown")
_GREY = (148, 150, 156)
SHAPES = ("circle", "square", "triangle", "star", "heart", "ring", "cross", "house", "tree", "fish", "moon", "diamond")
NUMBERS = ("a", "two", "three")
RELATIONS = ("left of", "right of", "above", "below")
_OPPOSITE = {"left of": "right of", "right of": "left of", "above": "below", "below": "above"}
_SUPERSAMPLE = 2
RADIUS = 0.42  # of a thing at most, in parts of its room


@dataclasses.dataclass(frozen=True)
class Thing:
    """`count` shapes of one kind and colour."""

    shape: str
    colour: str
    count: int


@dataclasses.dataclass(frozen=True)
class Scene:
    """What is in a picture: one or two kinds of things, how they stand to each other, the ground, and its grain."""

    first: Thing
    second: Thing | None
    relation: str  # of `first` to `second`; "" where it is alone
    ground: str
    grain: int  # seed of texture and jitter; says nothing that a caption tells


def sample_scene(seed: str) -> Scene:
    """The scene of a seed: the same on every machine."""

    def pick(name: str, options: tuple[str, ...]) -> str:
        return options[hash_bucket(f"{seed}/{name}", len(options), "scene")]

    def thing(name: str, most: int, ground: str, taken: Thing | None) -> Thing:
        colours = tuple(c for c in COLOURS if c != ground and (taken is None or c != taken.colour))
        shapes = tuple(s for s in SHAPES if taken is None or s != taken.shape)
        count = 1 + hash_bucket(f"{seed}/{name}/count", most, "scene")
        return Thing(pick(f"{name}/shape", shapes), pick(f"{name}/colour", colours), count)

    ground = pick("ground", GROUNDS)
    alone = hash_bucket(f"{seed}/alone", 5, "scene") < 2
    first = thing("first", 3 if alone else 2, ground, None)
    second = None if alone else thing("second", 2, ground, first)
    relation = "" if alone else pick("relation", RELATIONS)
    return Scene(first, second, relation, ground, int(stable_id("grain", seed)[:8], 16))


def draw(scene: Scene, width: int, height: int) -> Image.Image:
    """The scene as an RGB picture of width x height pixels."""
    rng = np.random.default_rng(scene.grain)
    canvas = _ground(scene, width * _SUPERSAMPLE, height * _SUPERSAMPLE, rng)
    brush = ImageDraw.Draw(canvas)
    for thing, cx, cy, room in cells(scene, canvas.width, canvas.height):
        radius = room * float(rng.uniform(0.34, RADIUS))
        cx += room * float(rng.uniform(-0.05, 0.05))
        cy += room * float(rng.uniform(-0.05, 0.05))
        shade = float(rng.uniform(0.9, 1.08))
        colour = tuple(int(min(255, c * shade)) for c in COLOURS[thing.colour])
        _shape(brush, thing.shape, cx, cy, radius, colour, scene.ground)
    small = canvas.resize((width, height), Image.Resampling.BOX)
    pixels = np.asarray(small, np.float32) + rng.normal(0, 5.0, (height, width, 1)).astype(np.float32)
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8), "RGB")


def cells(scene: Scene, width: int, height: int) -> Iterator[tuple[Thing, float, float, float]]:
    """Each single thing of a picture of width x height pixels: its kind, its centre but for a jitter, its room."""
    for thing, box in _places(scene, width, height):
        for x, y, room in _cells(thing.count, box):
            yield thing, x, y, room


def caption(scene: Scene, variant: int) -> str:
    """A caption in one of six phrasings; all tell shapes, colours, numbers, and most the relation and the ground."""
    one = _noun(scene.first)
    ground = f"a {scene.ground} background"
    if scene.second is None:
        forms = (
            f"{one} on {ground}",
            f"A picture of {one}",
            f"{one}, seen on {ground}",
            f"Drawing: {one} on {ground}",
            f"Here is {one} in front of {ground}",
            f"{one}",
        )
    else:
        two = _noun(scene.second)
        place, back = _phrase(scene.relation), _phrase(_OPPOSITE[scene.relation])
        forms = (
            f"{one} {place} {two} on {ground}",
            f"A picture of {one} {place} {two}",
            f"{two} {back} {one} on {ground}",
            f"{one} and {two} on {ground}",
            f"On {ground}: {one} {place} {two}",
            f"{one} with {two}",
        )
    text = forms[variant % len(forms)]
    return text[0].upper() + text[1:]


def sentence(scene: Scene) -> str:
    """A whole sentence for running text that tells what the picture shows."""
    told = caption(scene, 0 if scene.second is None or scene.grain % 2 else 2)
    opening = ("In the picture you can see", "The image shows", "What the photograph holds is")[scene.grain // 2 % 3]
    return f"{opening} {told[0].lower()}{told[1:]}."


def _noun(thing: Thing) -> str:
    if thing.count == 1:
        return f"{'an' if thing.colour[0] in 'aeiou' else 'a'} {thing.colour} {thing.shape}"
    return f"{NUMBERS[thing.count - 1]} {thing.colour} {plural(thing.shape)}"


def plural(shape: str) -> str:
    """What several things of a shape are called."""
    return {"fish": "fish", "cross": "crosses"}.get(shape, f"{shape}s")


def _phrase(relation: str) -> str:
    return f"to the {relation}" if relation in ("left of", "right of") else relation


def _ground(scene: Scene, width: int, height: int, rng: np.random.Generator) -> Image.Image:
    base = np.array(_GREY if scene.ground == "grey" else COLOURS[scene.ground], np.float32)
    base = base * 0.55 + 110  # paler than the things on it
    coarse = rng.normal(0, 9.0, (6, 8)).astype(np.float32)
    blobs = np.asarray(Image.fromarray(coarse, "F").resize((width, height), Image.Resampling.BICUBIC))
    slope = np.linspace(-14, 14, width, dtype=np.float32)[None, :] * float(rng.uniform(-1, 1))
    slope = slope + np.linspace(-14, 14, height, dtype=np.float32)[:, None] * float(rng.uniform(-1, 1))
    return Image.fromarray(np.clip(base + (blobs + slope)[..., None], 0, 255).astype(np.uint8), "RGB")


Box = tuple[float, float, float, float]


def _places(scene: Scene, width: int, height: int) -> list[tuple[Thing, Box]]:
    whole: Box = (0, 0, width, height)
    if scene.second is None:
        return [(scene.first, whole)]
    if scene.relation in ("left of", "right of"):
        halves: list[Box] = [(0, 0, width / 2, height), (width / 2, 0, width, height)]
    else:
        halves = [(0, 0, width, height / 2), (0, height / 2, width, height)]
    if scene.relation in ("right of", "below"):
        halves.reverse()
    return [(scene.first, halves[0]), (scene.second, halves[1])]


def _cells(count: int, box: Box) -> list[tuple[float, float, float]]:
    """Centres and room of `count` equal cells, side by side along the longer side."""
    left, top, right, bottom = box
    wide = right - left >= bottom - top
    across, down = (count, 1) if wide else (1, count)
    step_x, step_y = (right - left) / across, (bottom - top) / down
    room = min(step_x, step_y)
    return [(left + step_x * (i % across + 0.5), top + step_y * (i // across + 0.5), room) for i in range(count)]


def _shape(  # noqa: C901 - one branch a shape
    brush: ImageDraw.ImageDraw, name: str, x: float, y: float, r: float, colour: tuple[int, ...], ground: str
) -> None:
    def polygon(*points: tuple[float, float]) -> None:
        brush.polygon([(x + px * r, y + py * r) for px, py in points], fill=colour)

    def disc(cx: float, cy: float, radius: float, fill: tuple[int, ...] = colour) -> None:
        brush.ellipse(
            [x + (cx - radius) * r, y + (cy - radius) * r, x + (cx + radius) * r, y + (cy + radius) * r], fill=fill
        )

    hole = tuple(int(c * 0.55 + 110) for c in (_GREY if ground == "grey" else COLOURS[ground]))
    if name == "circle":
        disc(0, 0, 1)
    elif name == "square":
        polygon((-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9))
    elif name == "diamond":
        polygon((0, -1.1), (0.75, 0), (0, 1.1), (-0.75, 0))
    elif name == "triangle":
        polygon((0, -1), (1, 0.85), (-1, 0.85))
    elif name == "star":
        turns = [(math.pi * k / 5 - math.pi / 2, 1.1 if k % 2 == 0 else 0.45) for k in range(10)]
        polygon(*[(math.cos(a) * d, math.sin(a) * d) for a, d in turns])
    elif name == "heart":
        disc(-0.45, -0.35, 0.52)
        disc(0.45, -0.35, 0.52)
        polygon((-0.9, -0.1), (0.9, -0.1), (0, 1))
    elif name == "ring":
        disc(0, 0, 1)
        disc(0, 0, 0.58, hole)
    elif name == "moon":
        disc(0, 0, 1)
        disc(0.5, -0.2, 0.82, hole)
    elif name == "cross":
        polygon((-0.3, -1), (0.3, -1), (0.3, 1), (-0.3, 1))
        polygon((-1, -0.3), (1, -0.3), (1, 0.3), (-1, 0.3))
    elif name == "house":
        polygon((-0.75, -0.1), (0.75, -0.1), (0.75, 0.95), (-0.75, 0.95))
        polygon((-1, -0.1), (1, -0.1), (0, -1))
    elif name == "tree":
        polygon((-0.18, 0.3), (0.18, 0.3), (0.18, 1), (-0.18, 1))
        disc(0, -0.3, 0.7)
    elif name == "fish":
        brush.ellipse([x - r, y - 0.5 * r, x + 0.55 * r, y + 0.5 * r], fill=colour)
        polygon((0.4, 0), (1.1, -0.5), (1.1, 0.5))
    else:
        raise ValueError(f"no shape {name}")
