"""Questions about generated pictures: rows for the suite's tasks of the demo's world, of scenes that no caption tells.

Scenes are of seeds that no demo web draws, and held out by composition: one whose first thing and ground stand together
in a caption of the training shards is left out. What is asked is worded as the captions are, which is all that a model
of the demo's shards has read about pictures.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

from PIL import Image

from weft.pipeline.demo import pictures
from weft.pipeline.demo.pictures import COLOURS, GROUNDS, NUMBERS, RELATIONS, SHAPES, Scene, Thing
from weft.schemas.records import hash_bucket, hash_unit

Change = Callable[[Scene], Iterator[Scene]]  # a scene → all that it might be, were one thing of it another

ITEMS = 200  # of each task
SIZE = (224, 224)
CELL = (96, 96)  # of a matrix
CHOICES = 6
_START = "A picture of "


def write(folder: Path, told: Collection[str], items: int = ITEMS) -> None:
    """`folder`/world-…/items.jsonl and pictures. `told` are the captions of the training shards."""
    scenes = _unseen(told)
    for name, change in CHANGES.items():
        _write(folder / f"world-{name}", _choices(scenes, change, items))
    _write(folder / "world-captions", _captions(scenes, items))
    _write(folder / "world-raven", _matrices(items))


def _unseen(told: Collection[str]) -> Iterator[Scene]:
    lower = [caption.lower() for caption in told]
    number = 0
    while True:
        scene = pictures.sample_scene(f"suite-{number}")
        number += 1
        thing = pictures.caption(dataclasses.replace(scene, second=None, relation=""), 5).lower()
        if not any(thing in caption and f"{scene.ground} background" in caption for caption in lower):
            yield scene


def _captions(scenes: Iterator[Scene], items: int) -> Iterator[dict[str, Any]]:
    plural = [pictures.caption(Scene(Thing(shape, "red", 2), None, "", "grey", 0), 5).split()[-1] for shape in SHAPES]
    vocabulary = sorted({*COLOURS, *GROUNDS, *SHAPES, *plural, *NUMBERS[1:]})
    for _, scene in zip(range(items), scenes, strict=False):
        references = [pictures.caption(scene, variant) for variant in range(6)]
        words = references[0].lower().split()
        wanted = [word for word in words if word in vocabulary]
        image = pictures.draw(scene, *SIZE)
        yield {"image": image, "references": references, "words": wanted, "of": vocabulary}


def _colour(scene: Scene) -> Iterator[Scene]:
    for colour in COLOURS:
        if colour != scene.ground:
            yield dataclasses.replace(scene, first=dataclasses.replace(scene.first, colour=colour))


def _shape(scene: Scene) -> Iterator[Scene]:
    for shape in SHAPES:
        yield dataclasses.replace(scene, first=dataclasses.replace(scene.first, shape=shape))


def _number(scene: Scene) -> Iterator[Scene]:
    for count in range(1, 1 + len(NUMBERS)):
        yield dataclasses.replace(scene, first=dataclasses.replace(scene.first, count=count))


def _relation(scene: Scene) -> Iterator[Scene]:
    for relation in RELATIONS:
        yield dataclasses.replace(scene, relation=relation)


CHANGES = {"colour": _colour, "shape": _shape, "number": _number, "relation": _relation}


def _choices(scenes: Iterator[Scene], change: Change, items: int) -> Iterator[dict[str, Any]]:
    """What a picture of one thing (or for relations of two) may be called: the truth among all that it might be."""
    made = 0
    while made < items:
        scene = next(scenes)
        if (scene.second is None) != (change is not _relation):
            continue
        made += 1
        every = list(change(scene))
        candidates = [pictures.caption(one, 1).removeprefix(_START) for one in every]
        yield {"image": pictures.draw(scene, *SIZE), "candidates": candidates, "label": every.index(scene)}


def _matrices(items: int) -> Iterator[dict[str, Any]]:
    """2x2: the shape goes by row, the colour by column; wrong candidates miss one of them or are a cell shown."""
    for number in range(items):
        seed = f"matrix-{number}"
        shapes = sorted(SHAPES, key=lambda shape: hash_unit(shape, seed))[:3]
        colours = sorted(set(COLOURS) - {"white"}, key=lambda colour: hash_unit(colour, seed))[:3]

        def cell(row: int, column: int, shapes: list[str] = shapes, colours: list[str] = colours) -> Scene:
            return Scene(Thing(shapes[row], colours[column], 1), None, "", "grey", 3 * row + column)

        shown = [cell(0, 0), cell(0, 1), cell(1, 0)]
        wrong = [*shown, cell(2, 1), cell(1, 2)]
        label = hash_bucket(seed, CHOICES, "label")
        choices = [*wrong[:label], cell(1, 1), *wrong[label:]]
        first, rest = ([pictures.draw(scene, *CELL) for scene in some] for some in (shown, choices))
        yield {"images": first, "candidates": rest, "label": label}


def _write(folder: Path, rows: Iterator[dict[str, Any]]) -> None:
    """A JSON line a row; pictures become files, and their names stand in the row."""
    folder.mkdir(parents=True, exist_ok=True)
    names = (f"{number:05d}.jpg" for number in itertools.count())

    def laid(value: Any) -> Any:
        if isinstance(value, list):
            return [laid(one) for one in value]
        if not isinstance(value, Image.Image):
            return value
        name = next(names)
        value.save(folder / name, "JPEG", quality=90)
        return name

    lines = [json.dumps({field: laid(value) for field, value in row.items()}) + "\n" for row in rows]
    (folder / "items.jsonl").write_text("".join(lines), "utf-8")
