"""Minimal pairs: what of a picture a trained model reads. A held-out scene and its caption, and those of a near miss.

One thing is changed: a colour, a shape, a number, the ground, a relation. The model is asked both ways: are the two
captions likelier (in nats, as a whole) under their own pictures than under each other's? So a caption that is likelier
in itself wins nothing, and half would be right by chance. Scenes are of seeds that no demo web draws.
"""

from __future__ import annotations

import io
import math
from typing import Any

import numpy as np

from weft.pipeline.demo import pictures
from weft.pipeline.demo.tiny_clip import changed, near_miss
from weft.schemas import shards as contract

SCENES = 150
SIZE = (280, 224)
QUALITY = 85


def measure(shards: str, model_dir: str, scenes: int = SCENES) -> dict[str, dict[str, float]]:
    """Attribute → share of minimal pairs that the model gets right, and how many there were.

    Raises:
        ConfigError: there is no trained model.
    """
    from weft.model_smoketest import evaluate, losses
    from weft.model_smoketest.tars import Sample
    from weft.model_smoketest.words import Words

    model, vocabulary = evaluate.load_model(shards, model_dir)
    words, eye = Words(shards, vocabulary), losses.Eye(model)
    asked: list[Any] = []
    kinds: list[str] = []
    for number in range(scenes):
        seed = f"minimal-{number}"
        scene = pictures.sample_scene(seed)
        other = near_miss(scene, seed)
        kinds.append(changed(scene, other))
        for shown in (scene, other):
            for told in (scene, other):
                text = words.encode(pictures.caption(told, 0))
                ids = np.array(contract.encode_segments([None, text], vocabulary), np.int64)
                asked.append(Sample(seed, ids, contract.loss_mask(ids, vocabulary), (_jpeg(shown),)))
    found = [math.fsum(row) for row in losses.of_samples(model, eye, asked)]
    right: dict[str, list[bool]] = {}
    for kind, (own, miss, back, there) in zip(kinds, zip(*[iter(found)] * 4, strict=True), strict=True):
        right.setdefault(kind, []).append(own + there < miss + back)
    return {kind: {"right": round(sum(won) / len(won), 4), "pairs": len(won)} for kind, won in sorted(right.items())}


def _jpeg(scene: pictures.Scene) -> bytes:
    out = io.BytesIO()
    pictures.draw(scene, *SIZE).save(out, "JPEG", quality=QUALITY)
    return out.getvalue()
