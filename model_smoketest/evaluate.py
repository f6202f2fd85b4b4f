"""Evaluation on held-out shards: loss per corpus, and whether the model looks at the pictures.

The grounding gap is the loss with wrong images minus the loss with the right ones, in nats per target token that
stands after an image (those before it cannot know it). A model that ignores images, and one whose shards joined
texts with the wrong images, both have a gap of 0: the end-to-end proof that image and text were kept together.

Wrong images come from the held-out images themselves: sorted by content hash and rotated, so that every image is used
exactly as often as before and nobody keeps his own, not even where two samples share one image.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections import Counter
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from weft.model_smoketest import data
from weft.model_smoketest.model import Kosmos
from weft.model_smoketest.train import CONFIG, WEIGHTS, build, forward, whole
from weft.model_smoketest.vision import StemCache
from weft.schemas.config import Train
from weft.schemas.parameters import ConfigError
from weft.schemas.records import digest
from weft.schemas.shards import CORPORA, Vocabulary

RESULT = "eval.json"
ROTATIONS = 3  # wrong assignments that the gap is averaged over
BATCH_TOKENS = 8192


def evaluate(shards: str, model_dir: str, config: Train) -> dict[str, Any]:
    """Loss per corpus and grounding on the val split; also written to `model_dir`/eval.json.

    `config` decides how much is evaluated; the model is the one that was trained.

    Raises:
        ConfigError: there is no trained model, or it does not fit these shards.
    """
    model, vocabulary = load_model(shards, model_dir)
    stems = StemCache(model.tower)
    cut = dataclasses.replace(model.config, eval_samples=config.eval_samples)
    result: dict[str, Any] = {"loss": {}, "samples": {}, "tokens": {}, "grounding": {}, "notes": []}
    for corpus in CORPORA:
        samples = list(data.validation(shards, corpus, vocabulary, cut))
        losses = sample_losses(model, stems, corpus, samples, [s.images for s in samples])
        targets = sum(len(row) for row in losses)
        result["samples"][corpus], result["tokens"][corpus] = len(samples), targets
        result["loss"][corpus] = round(math.fsum(map(math.fsum, losses)) / targets, 5) if targets else None
        if not targets:
            result["notes"].append(f"no held-out {corpus} sample: its figures are null")
        if corpus != "text":
            found, note = grounding(model, stems, corpus, samples, losses)
            result["grounding"][corpus] = found
            result["notes"] += [note] if note else []
    whole(Path(model_dir, RESULT), (json.dumps(result, indent=1, sort_keys=True) + "\n").encode())
    return result


def load_model(shards: str, model_dir: str) -> tuple[Kosmos, Vocabulary]:
    """The trained model, ready to evaluate.

    Raises:
        ConfigError: none was trained here, or shards or vision tower have changed since.
    """
    try:
        described = json.loads(Path(model_dir, CONFIG).read_text("utf-8"))
        weights = load_file(Path(model_dir, WEIGHTS))
    except OSError:
        raise ConfigError(f"{model_dir} holds no trained model: run `weft train` first") from None
    vocabulary = data.read_vocabulary(shards)
    model, identity = build(Train(**described["train"]), vocabulary)
    if digest(identity, data.fingerprint(shards, vocabulary)) != described["identity"]:
        raise ConfigError(f"{model_dir} was trained on other shards or another vision tower: run `weft train` again")
    model.load_trained({name: value.to(next(model.parameters()).device) for name, value in weights.items()})
    return model.eval(), vocabulary


@torch.inference_mode()
def sample_losses(
    model: Kosmos, stems: StemCache, corpus: str, samples: list[data.Sample], images: list[tuple[bytes, ...]]
) -> list[list[float]]:
    """Losses of each sample's target tokens, in order, when it is shown `images`."""
    rows: list[list[float]] = [[] for _ in samples]
    by_length = sorted(range(len(samples)), key=lambda i: len(samples[i].ids))
    while by_length:
        chosen = [by_length.pop()]
        while by_length and (len(chosen) + 1) * len(samples[chosen[0]].ids) <= BATCH_TOKENS:
            chosen.append(by_length.pop())
        batch = data.collate(corpus, [samples[i]._replace(images=images[i]) for i in chosen], model.vocabulary)
        counts = batch.mask[:, 1:].sum(1).tolist()
        for i, part in zip(chosen, forward(model, stems, batch).double().cpu().split(counts), strict=True):
            rows[i] = part.tolist()
    return rows


def rotations(images: list[bytes]) -> list[list[int]]:
    """Up to ROTATIONS permutations of `images` that give nobody an image equal to his own; none where none can be."""
    keys = [hashlib.blake2b(image, digest_size=16).digest() for image in images]
    order = sorted(range(len(images)), key=lambda i: (keys[i], i))
    count = len(images)
    nearest = max(Counter(keys).values(), default=1)  # equal images stand together: step over the largest group
    if count < 2 * nearest:
        return []
    shifts = sorted({nearest + (count - 2 * nearest) * k // max(1, ROTATIONS - 1) for k in range(ROTATIONS)})
    found = []
    for shift in shifts:
        source = [0] * count
        for place, i in enumerate(order):
            source[i] = order[(place + shift) % count]
        found.append(source)
    return found


def grounding(
    model: Kosmos, stems: StemCache, corpus: str, samples: list[data.Sample], right: list[list[float]]
) -> tuple[dict[str, Any] | None, str]:
    """What wrong images cost, and a note where that cannot be said.

    The standard error is over samples: it says how far the gap may be off because there are only so many of them.
    """
    after = []  # (sample, its first target after an image)
    for i, sample in enumerate(samples):
        first = int((sample.ids == model.vocabulary.image).argmax()) if sample.images else len(sample.ids)
        skipped = int(sample.mask[1:first].sum())
        if skipped < len(right[i]):
            after.append((i, skipped))
    images = [image for sample in samples for image in sample.images]
    sources = rotations(images)
    if not sources or not after:
        return None, f"too few different held-out images in {corpus}: no grounding gap"
    loss = sum(math.fsum(right[i][s:]) for i, s in after)
    tokens = sum(len(right[i]) - s for i, s in after)
    gaps = dict.fromkeys([i for i, _ in after], 0.0)  # nats that wrong images cost a sample, averaged over rotations
    wins = 0
    for source in sources:
        shown = iter([images[i] for i in source])
        wrong = sample_losses(model, stems, corpus, samples, [tuple(next(shown) for _ in s.images) for s in samples])
        for i, skipped in after:
            cost = math.fsum(wrong[i][skipped:]) - math.fsum(right[i][skipped:])
            gaps[i] += cost / len(sources)
            wins += cost > 0
    gap = math.fsum(gaps.values()) / tokens
    spread = math.fsum((gaps[i] - gap * (len(right[i]) - s)) ** 2 for i, s in after)
    found = {
        "right": round(loss / tokens, 5),
        "wrong": round(loss / tokens + gap, 5),
        "gap": round(gap, 5),
        "standard_error": round(math.sqrt(spread) / tokens, 5),
        "win_rate": round(wins / (len(sources) * len(after)), 4),
        "samples": len(after),
        "images": len(images),
        "rotations": len(sources),
    }
    return found, ""
