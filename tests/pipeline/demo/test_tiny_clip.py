"""The training script of the shipped CLIP: its near misses, its pictures, and settings that are those of the model."""

import gzip
import json

import numpy as np
import pytest

from weft.pipeline.demo import pictures, questions, tiny_clip
from weft.pipeline.demo.rendered import Rendered
from weft.transforms.score.clip_weights import TINY_CLIP

SCENES = [pictures.sample_scene(f"clip-test-{n}") for n in range(150)]


def test_the_shipped_settings_are_the_training_scripts_own() -> None:
    config = json.loads((TINY_CLIP / "open_clip_config.json").read_text())
    assert config["preprocess_cfg"] == tiny_clip.PREPROCESS
    told = json.loads(json.dumps(tiny_clip.MODEL))
    told["text_cfg"]["vocab_size"] = config["model_cfg"]["text_cfg"]["vocab_size"]
    assert config["model_cfg"] == told


def test_a_near_miss_differs_in_one_thing_that_is_told() -> None:
    kinds = set()
    for number, scene in enumerate(SCENES):
        other = tiny_clip.near_miss(scene, f"miss-{number}")
        changed = {
            f"{field}.{part}"
            for field in ("first", "second")
            for part in ("shape", "colour", "count")
            if scene.second is not None or field == "first"
            if getattr(getattr(scene, field), part) != getattr(getattr(other, field), part)
        } | {field for field in ("relation", "ground") if getattr(scene, field) != getattr(other, field)}
        assert len(changed) == 1 and pictures.caption(scene, 0) != pictures.caption(other, 0)
        assert tiny_clip.changed(scene, other) == next(iter(changed)).split(".")[-1]
        kinds |= changed
    assert {"first.colour", "first.shape", "first.count", "ground", "relation", "second.colour"} <= kinds


def test_scenes_that_tell_the_same_have_no_difference():
    with pytest.raises(ValueError, match="tell the same"):
        tiny_clip.changed(SCENES[0], SCENES[0])


def test_pictures_are_square_whatever_was_drawn():
    made = [tiny_clip.pixels(f"seed {n}", SCENES[n]) for n in range(8)]
    assert {one.shape for one in made} == {(tiny_clip.SIDE, tiny_clip.SIDE, 3)}
    assert np.array_equal(made[0], tiny_clip.pixels("seed 0", SCENES[0])) and not np.array_equal(made[0], made[1])


def test_what_a_patch_shows_is_drawn_there():
    """Patches of a thing are nearer to its colour than those of the ground, and each thing has some."""
    there, elsewhere = [], []
    side = tiny_clip.SIDE // tiny_clip.PATCH
    for number, scene in enumerate(SCENES[:60]):
        seed = f"seed {number}"
        patches = tiny_clip.pixels(seed, scene).reshape(side, tiny_clip.PATCH, side, tiny_clip.PATCH, 3)
        patches = patches.transpose(0, 2, 1, 3, 4).reshape(side * side, -1, 3).astype(float)
        shape, colour, word = tiny_clip.shown(seed, scene).T
        assert not word.any()
        things = [thing for thing in (scene.first, scene.second) if thing]
        assert {(s, c) for s, c in zip(shape, colour, strict=True) if s} == {
            (1 + pictures.SHAPES.index(thing.shape), 1 + list(pictures.COLOURS).index(thing.colour)) for thing in things
        }
        for thing in things:
            far = np.linalg.norm(patches - np.array(pictures.COLOURS[thing.colour]), axis=-1).min(1)
            mine = shape == 1 + pictures.SHAPES.index(thing.shape)
            there += far[mine].tolist()
            elsewhere += far[~mine].tolist()
    near, far_off = (np.mean(np.array(of) < 40) for of in (there, elsewhere))
    assert near > 0.65 and far_off < 0.15, (near, far_off)  # the corners of a star are ground


def test_what_a_patch_of_a_text_shows_is_a_word_of_it_and_ink_is_there():
    side, patch = tiny_clip.SIDE // tiny_clip.PATCH, tiny_clip.PATCH
    inked, blank = [], []
    for number, text in enumerate(questions.writings()[::5]):
        seed, written = f"seed {number}", Rendered(text, f"writing {number}")
        shape, colour, word = tiny_clip.shown(seed, written).T
        assert not shape.any() and not colour.any()
        read = {tiny_clip.WORDS[one - 1] for one in word if one}
        assert len(read) >= 2 and read <= set(text.lower().split())
        dark = tiny_clip.pixels(seed, written).reshape(side, patch, side, patch, 3).min((1, 3, 4)).reshape(-1) < 150
        inked += dark[word > 0].tolist()
        blank += dark[word == 0].tolist()
    assert np.mean(inked) > 0.9 > 0.4 > np.mean(blank)


def test_the_near_miss_of_a_text_is_another_word_of_it():
    for number in range(20):
        images, things, told = tiny_clip._writing(f"t-{number}")
        assert images.shape[0] == things.shape[0] == len(told) == 2
        one, other = (forms[0].split() for forms in told)
        assert sum(a != b for a, b in zip(one, other, strict=True)) == 1
        assert all(
            set(text) <= set(form.split()) for text, forms in zip((one, other), told, strict=True) for form in forms
        )


def test_a_vocabulary_is_in_open_clips_format_and_the_same_each_time(tmp_path):
    texts = [pictures.caption(scene, variant) for scene in SCENES[:40] for variant in range(3)]
    size = tiny_clip.write_vocabulary(tmp_path, texts)
    written = (tmp_path / tiny_clip.BPE).read_bytes()
    lines = gzip.decompress(written).decode().splitlines()
    assert lines[0] == "#version: 0.2" and size == 512 + len(lines) - 1 + 2
    assert all(len(line.split()) == 2 for line in lines[1:])
    assert tiny_clip.write_vocabulary(tmp_path, texts) == size and (tmp_path / tiny_clip.BPE).read_bytes() == written
