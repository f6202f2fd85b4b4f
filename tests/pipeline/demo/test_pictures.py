"""Pictures show what their captions tell, the same way every time."""

import io
import re
from collections import Counter

import numpy as np
import pytest
from PIL import Image

from weft.pipeline.demo import pictures
from weft.pipeline.demo.pictures import COLOURS, GROUNDS, SHAPES, Scene, Thing

SCENES = [pictures.sample_scene(f"test-{n}") for n in range(400)]
ALL_THINGS = [Thing(shape, "red", 1) for shape in SHAPES]
NUMBERS = {"a": 1, "an": 1, "two": 2, "three": 3}
OPPOSITES = {"to the left of": "to the right of", "above": "below"}
OPPOSITES |= {there: back for back, there in OPPOSITES.items()}
THING = re.compile(rf"\b(an?|two|three) ({'|'.join(COLOURS)}) ([a-z]+)\b")


def told(text: str) -> list[Thing]:
    """The things that a caption names, read back from its words."""
    singular = {"crosses": "cross", "fish": "fish"}
    found = THING.findall(text.lower())
    return [
        Thing(singular.get(noun, noun if noun in SHAPES else noun.removesuffix("s")), colour, NUMBERS[number])
        for number, colour, noun in found
        if noun not in ("background", "picture")
    ]


def coloured(scene: Scene, colour: str) -> np.ndarray:
    """Where the picture has about this colour."""
    pixels = np.asarray(pictures.draw(scene, 160, 160), np.int32)
    return np.abs(pixels - np.array(COLOURS[colour])).max(axis=2) < 45


def test_there_is_enough_to_tell_apart() -> None:
    assert len(SHAPES) >= 10 and len(COLOURS) >= 8
    assert len(set(SCENES)) == len(SCENES)
    assert {scene.first.shape for scene in SCENES} == set(SHAPES)
    assert {scene.first.colour for scene in SCENES} == set(COLOURS)
    assert {scene.ground for scene in SCENES} == set(GROUNDS)
    assert {scene.relation for scene in SCENES} == {"", *pictures.RELATIONS}


def test_a_seed_always_gives_the_same_scene() -> None:
    """Written out, because a demo's pages, captions and shipped model all hang on it."""
    assert pictures.sample_scene("a") == pictures.sample_scene("a") != pictures.sample_scene("b")
    assert pictures.caption(pictures.sample_scene("weft"), 0) == "Two black crosses on a yellow background"
    assert pictures.sample_scene("weft").grain == 2_846_544_999


def test_a_scene_is_drawn_the_same_each_time_and_its_grain_makes_it_one_of_a_kind() -> None:
    scene = SCENES[0]
    other = Scene(scene.first, scene.second, scene.relation, scene.ground, scene.grain + 1)
    assert pictures.draw(scene, 90, 70).tobytes() == pictures.draw(scene, 90, 70).tobytes()
    assert pictures.draw(scene, 90, 70).tobytes() != pictures.draw(other, 90, 70).tobytes()
    assert pictures.caption(scene, 0) == pictures.caption(other, 0)


@pytest.mark.parametrize("size", [(64, 64), (320, 200), (200, 320)])
def test_pictures_have_the_size_asked_for_and_compress_like_photographs(size: tuple[int, int]) -> None:
    image = pictures.draw(SCENES[1], *size)
    assert image.size == size and image.mode == "RGB"
    out = io.BytesIO()
    image.save(out, "JPEG", quality=85)
    assert len(out.getvalue()) > size[0] * size[1] * 0.15  # a flat disc on a flat ground takes 0.05 at 320x200


@pytest.mark.parametrize("variant", range(6))
def test_captions_tell_what_is_there_and_nothing_else(variant: int) -> None:
    for scene in SCENES:
        text = pictures.caption(scene, variant)
        there = [scene.first] if scene.second is None else [scene.first, scene.second]
        assert Counter(told(text)) == Counter(there), text
        ground = re.search(r"a (\w+) background", text)
        assert ground is None or ground[1] == scene.ground
        order = [f"to the {scene.relation}" if scene.relation.endswith("of") else scene.relation]
        stated = [phrase for phrase in OPPOSITES if phrase in text]
        if stated:
            assert scene.second is not None
            backwards = told(text)[0] == scene.second
            assert stated == ([OPPOSITES[order[0]]] if backwards else order), text


def test_the_six_phrasings_differ() -> None:
    for scene in SCENES[:50]:
        assert len({pictures.caption(scene, variant) for variant in range(6)}) == 6


def test_a_sentence_tells_the_things_too() -> None:
    for scene in SCENES:
        text = pictures.sentence(scene)
        assert text.endswith(".") and text[0].isupper()
        there = {scene.first, scene.second} - {None}
        assert set(told(text)) == there, text


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_has_a_silhouette_of_its_own(shape: str) -> None:
    """Overlap with each other shape's silhouette, drawn alone and large, stays clearly below one."""

    def silhouette(name: str) -> np.ndarray:
        return coloured(Scene(Thing(name, "red", 1), None, "", "grey", 7), "red")

    mine = silhouette(shape)
    assert 0.04 < mine.mean() < 0.6
    for other in SHAPES:
        if other != shape:
            theirs = silhouette(other)
            assert (mine & theirs).sum() / (mine | theirs).sum() < 0.9, other


@pytest.mark.parametrize("relation", pictures.RELATIONS)
def test_things_stand_as_the_relation_says(relation: str) -> None:
    scene = Scene(Thing("circle", "red", 1), Thing("square", "blue", 1), relation, "grey", 3)
    (y1, x1), (y2, x2) = (np.argwhere(coloured(scene, colour)).mean(axis=0) for colour in ("red", "blue"))
    across, down = x2 - x1, y2 - y1
    told_by = {"left of": across, "right of": -across, "above": down, "below": -down}
    assert told_by[relation] > 50
    assert abs(down if relation.endswith("of") else across) < 20


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("size", [(160, 160), (240, 120), (120, 240)])
def test_there_are_as_many_as_the_caption_says(count: int, size: tuple[int, int]) -> None:
    scene = Scene(Thing("circle", "red", count), None, "", "grey", 11)
    pixels = np.asarray(pictures.draw(scene, *size), np.int32)
    mask = np.abs(pixels - np.array(COLOURS["red"])).max(axis=2) < 45
    along = mask.any(axis=0 if size[0] >= size[1] else 1)
    runs = np.flatnonzero(np.diff(np.concatenate([[0], along.astype(int), [0]])) == 1)
    assert len(runs) == count
    assert isinstance(pictures.draw(scene, 8, 8), Image.Image)
