"""Texts as pictures: all letters stand in them, dark on light, the same each time."""

import numpy as np
import pytest

from weft.pipeline.demo import questions, rendered
from weft.pipeline.demo.rendered import Rendered

TEXTS = ["b", "triangle", *(form.format("wonderful") for form in questions.OPINIONS)]


def ink(text, seed="s", size=(224, 224)):
    return np.asarray(rendered.draw(Rendered(text, seed), *size).convert("L")) < 130


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("size", [(224, 224), (96, 96), (300, 60)])
def test_letters_fill_the_picture_and_none_is_cut(text, size):
    for seed in "abc":
        dark = ink(text, seed, size)
        assert 0.005 < dark.mean() < 0.5
        assert not dark[[0, -1]].any() and not dark[:, [0, -1]].any()
        across, down = (np.ptp(np.flatnonzero(dark.any(axis))) for axis in (0, 1))
        assert max(across / size[0], down / size[1]) > 0.35


def test_a_text_is_drawn_the_same_and_another_otherwise():
    first = rendered.draw(Rendered("red", "s"), 96, 96).tobytes()
    assert first == rendered.draw(Rendered("red", "s"), 96, 96).tobytes()
    assert first != rendered.draw(Rendered("red", "t"), 96, 96).tobytes()
    assert (ink("red") ^ ink("rod")).mean() > 0.005


def test_long_texts_go_over_lines():
    one, two = (np.diff(ink(text).any(1).astype(int)).clip(0).sum() for text in ("dull", "dull and hollow and tedious"))
    assert two >= 2 > one
