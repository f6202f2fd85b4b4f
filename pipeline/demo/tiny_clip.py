"""Trains the CLIP that weft ships: `python -m weft.pipeline.demo.tiny_clip --output configs/tiny_clip`.

A real open_clip model, small enough to ship and to run anywhere, trained on generated pictures and their captions with
the usual contrastive loss (Radford et al., 2021). Every scene of a batch comes with a near miss of itself (one colour,
shape, number or relation changed), so that the model has to look at what a caption says and not at its subject alone.
Beside that each patch has to tell, by one linear layer that is not kept, the shape and colour of the thing it shows, or
the word: the contrastive loss asks the class token alone, and Kosmos-1 reads the patches.
It knows coloured shapes, hardly reads words, and nothing else; what it is for is that everything runs offline.
"""

from __future__ import annotations

import argparse
import dataclasses
import gzip
import json
import math
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from weft.pipeline.demo import pictures, questions, rendered
from weft.pipeline.demo.pictures import COLOURS, RELATIONS, SHAPES, Scene
from weft.pipeline.demo.rendered import Rendered
from weft.schemas.records import hash_bucket

SIDE, PATCH = 72, 12
CONTEXT = 32
MERGES = 400  # of the text encoder's own byte-pair vocabulary
BPE = "bpe_merges.txt.gz"
WEIGHTS = "open_clip_model.safetensors"
CONFIG = "open_clip_config.json"
MODEL: dict[str, Any] = {
    "embed_dim": 128,
    "vision_cfg": {"image_size": SIDE, "patch_size": PATCH, "width": 128, "layers": 4, "head_width": 32},
    "text_cfg": {"context_length": CONTEXT, "vocab_size": 0, "width": 96, "heads": 3, "layers": 3},
}
PREPROCESS = {"mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25], "interpolation": "bicubic", "resize_mode": "shortest"}
SCENES = 12_000  # and as many near misses
WRITINGS = 4_000  # texts as pictures, likewise
HELD_OUT = 1_000  # scenes to measure on
SIZES = ((128, 96), (96, 128), (112, 112), (144, 96))
SQUARE = 112  # of a text
WORDS = sorted({word.lower() for text in questions.writings() for word in text.split()})
SHOWS = (len(SHAPES), len(COLOURS), len(WORDS))  # what a patch may show, beside nothing


def near_miss(scene: Scene, seed: str) -> Scene:
    """The scene with one thing changed that its captions tell."""

    def pick(name: str, options: tuple[str, ...], *but: str) -> str:
        left = [option for option in options if option not in but]
        return left[hash_bucket(f"{seed}/{name}", len(left), "miss")]

    kind = hash_bucket(seed, 4 if scene.second is None else 6, "miss")
    first, second = scene.first, scene.second
    taken = (second.colour, second.shape) if second else ("", "")
    if kind == 0:
        return dataclasses.replace(
            scene,
            first=dataclasses.replace(first, colour=pick("c", tuple(COLOURS), first.colour, scene.ground, taken[0])),
        )
    if kind == 1:
        return dataclasses.replace(
            scene, first=dataclasses.replace(first, shape=pick("s", SHAPES, first.shape, taken[1]))
        )
    if kind == 2:
        return dataclasses.replace(scene, first=dataclasses.replace(first, count=1 if first.count > 1 else 2))
    if kind == 3:
        grounds = pictures.GROUNDS
        return dataclasses.replace(scene, ground=pick("g", grounds, scene.ground, first.colour, taken[0]))
    assert second is not None
    if kind == 4:
        return dataclasses.replace(scene, relation=pick("r", RELATIONS, scene.relation))
    return dataclasses.replace(
        scene,
        second=dataclasses.replace(second, colour=pick("d", tuple(COLOURS), second.colour, scene.ground, first.colour)),
    )


def changed(scene: Scene, other: Scene) -> str:
    """What a near miss has changed: "colour", "shape", "count", "ground" or "relation"."""
    for field in ("ground", "relation"):
        if getattr(scene, field) != getattr(other, field):
            return field
    for one, two in ((scene.first, other.first), (scene.second, other.second)):
        for field in ("colour", "shape", "count"):
            if one != two and getattr(one, field) != getattr(two, field):
                return field
    raise ValueError("the scenes tell the same")


def pixels(seed: str, scene: Scene | Rendered) -> npt.NDArray[np.uint8]:
    """What the model sees of it, (SIDE, SIDE, 3): drawn at some size, short side scaled, centre cropped."""
    width, height = _size(seed, scene)
    image = rendered.drawn(scene, width, height)
    scale = SIDE / min(width, height)
    image = image.resize((max(SIDE, round(width * scale)), max(SIDE, round(height * scale))), 3)
    left, top = (image.width - SIDE) // 2, (image.height - SIDE) // 2
    return np.asarray(image.crop((left, top, left + SIDE, top + SIDE)), np.uint8)


def shown(seed: str, scene: Scene | Rendered) -> npt.NDArray[np.uint8]:
    """What is at the middle of each patch of `pixels`, (patches, 3): shape, colour and word, from 1, or 0: none."""
    width, height = _size(seed, scene)
    scale = SIDE / min(width, height)
    across = SIDE // PATCH
    centres = (np.arange(across) + 0.5) * PATCH / scale
    x, y = centres + (width - SIDE / scale) / 2, centres + (height - SIDE / scale) / 2
    out = np.zeros((across, across, len(SHOWS)), np.uint8)

    def mark(left: float, top: float, right: float, bottom: float, *what: int) -> None:
        out[((y > top) & (y < bottom))[:, None] & ((x > left) & (x < right))[None, :]] = what

    if isinstance(scene, Rendered):
        for word, box, _ in rendered.words(scene, width, height):
            mark(*box, 0, 0, 1 + WORDS.index(word.lower()))
    else:
        for thing, cx, cy, room in pictures.cells(scene, width, height):
            reach = pictures.RADIUS * room
            what = 1 + SHAPES.index(thing.shape), 1 + list(COLOURS).index(thing.colour), 0
            mark(cx - reach, cy - reach, cx + reach, cy + reach, *what)
    return out.reshape(-1, len(SHOWS))


def _size(seed: str, scene: Scene | Rendered) -> tuple[int, int]:
    return SIZES[hash_bucket(seed, len(SIZES), "size")] if isinstance(scene, Scene) else (SQUARE, SQUARE)


def _example(seed: str) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8], list[list[str]]]:
    scene = pictures.sample_scene(seed)
    both = scene, near_miss(scene, seed)
    return _made(seed, both, [[pictures.caption(one, v) for v in range(6)] for one in both])


def _writing(seed: str) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8], list[list[str]]]:
    """A text, and one that is another word of one."""
    every = questions.writings()
    text = every[hash_bucket(seed, len(every), "text")]
    near = [one for one in every if sum(a != b for a, b in zip(one.split(), text.split(), strict=False)) == 1]
    both = text, near[hash_bucket(seed, len(near), "miss")]
    forms = ("{}", "Written: {}", "The words {}", "It says {}", "A picture of {}", "Here is {}")
    drawn = [Rendered(one, f"{seed}/{n}") for n, one in enumerate(both)]
    return _made(seed, drawn, [[form.format(one) for form in forms] for one in both])


def _made(
    seed: str, both: Sequence[Scene | Rendered], told: list[list[str]]
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8], list[list[str]]]:
    named = list(zip((seed, f"{seed}/b"), both, strict=True))
    images, things = (np.stack([of(*one) for one in named]) for of in (pixels, shown))
    return images, things, told


def examples(
    prefix: str, scenes: int, texts: int = 0
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8], list[list[list[str]]]]:
    """(N, 2, SIDE, SIDE, 3) pictures, scene or text and near miss, `shown` of each, and the six captions of each."""
    with ProcessPoolExecutor() as pool:
        made = list(pool.map(_example, [f"{prefix}-{n}" for n in range(scenes)], chunksize=100))
        made += pool.map(_writing, [f"{prefix}-{n}" for n in range(texts)], chunksize=100)
    images, things, told = zip(*made, strict=True)
    return np.stack(images), np.stack(things), list(told)


def write_vocabulary(output: Path, texts: list[str]) -> int:
    """Learn a small byte-pair vocabulary, write it in open_clip's format; returns its size with the specials."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE(end_of_word_suffix="</w>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Whitespace()])
    trainer = trainers.BpeTrainer(vocab_size=MERGES + 60, end_of_word_suffix="</w>", show_progress=False)
    tokenizer.train_from_iterator([text.lower() for text in texts], trainer)
    merges = [" ".join(m) if isinstance(m, list) else m for m in json.loads(tokenizer.to_str())["model"]["merges"]]
    lines = ["#version: 0.2", *merges]
    (output / BPE).write_bytes(gzip.compress("\n".join(lines).encode(), mtime=0))
    return 512 + len(merges) + 2


def main() -> None:
    """Train, measure on scenes that were not trained on, write the model directory."""
    import open_clip
    import torch
    import torch.nn.functional as F
    from safetensors.torch import load_file, save_file

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("configs/tiny_clip"))
    parser.add_argument("--start", type=Path, help="a directory that an earlier run wrote: go on from its weights")
    parser.add_argument("--steps", type=int, default=1_100)
    parser.add_argument("--scenes", type=int, default=SCENES)
    parser.add_argument("--writings", type=int, default=WRITINGS)
    parser.add_argument("--batch", type=int, default=64, help="scenes a step, each with its near miss")
    parser.add_argument("--rate", type=float, default=1.2e-3, help="of learning, at its highest")
    parser.add_argument("--patches", type=float, default=1.0, help="weight of the loss of what patches show")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    begun = time.monotonic()
    images, things, texts = examples("train", options.scenes, options.writings)
    print(f"{2 * len(images)} pictures in {time.monotonic() - begun:.0f} s", file=sys.stderr)
    if options.start:
        vocabulary = json.loads((options.start / CONFIG).read_text())["model_cfg"]["text_cfg"]["vocab_size"]
        (options.output / BPE).write_bytes((options.start / BPE).read_bytes())
    else:
        vocabulary = write_vocabulary(options.output, [t for scene in texts for forms in scene for t in forms])
    MODEL["text_cfg"]["vocab_size"] = vocabulary
    tokenizer = open_clip.SimpleTokenizer(bpe_path=str(options.output / BPE), context_length=CONTEXT)
    assert tokenizer.vocab_size == vocabulary, (tokenizer.vocab_size, vocabulary)
    tokens = torch.stack([tokenizer([f for forms in scene for f in forms]).reshape(2, 6, CONTEXT) for scene in texts])
    torch.manual_seed(0)
    model = open_clip.CLIP(**MODEL)
    if options.start:
        model.load_state_dict(load_file(options.start / WEIGHTS))
    model.visual.output_tokens = True
    reader = torch.nn.Linear(MODEL["vision_cfg"]["width"], sum(SHOWS) + len(SHOWS))  # of patches; not kept
    parameters = [*model.parameters(), *reader.parameters()]
    optimiser = torch.optim.AdamW(parameters, lr=options.rate, weight_decay=0.02, betas=(0.9, 0.98), fused=True)
    rng = np.random.default_rng(0)
    model.train()
    for step in range(options.steps):
        share = step / options.steps
        for group in optimiser.param_groups:
            group["lr"] = options.rate * min(1.0, step / 50) * 0.5 * (1 + math.cos(math.pi * share))
        picked = rng.choice(len(images), options.batch, replace=False)
        batch = _normalise(images[picked].reshape(-1, SIDE, SIDE, 3))
        form = torch.from_numpy(rng.integers(0, 6, (options.batch, 2)))
        text = tokens[picked].gather(2, form[..., None, None].expand(-1, -1, 1, CONTEXT)).reshape(-1, CONTEXT)
        pooled, tokens_seen = model.visual(batch)
        logits = model.logit_scale.exp() * F.normalize(pooled, dim=-1) @ model.encode_text(text, normalize=True).T
        target = torch.arange(len(logits))
        loss = (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2
        truth = torch.from_numpy(things[picked]).long().flatten(0, 2).unbind(-1)
        parts = reader(tokens_seen).flatten(0, 1).split([1 + each for each in SHOWS], -1)
        read = sum((F.cross_entropy(*one) for one in zip(parts, truth, strict=True)), torch.zeros(()))
        loss = loss + options.patches * read
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        with torch.no_grad():
            model.logit_scale.clamp_(0, math.log(100))
        if step % 50 == 0 or step == options.steps - 1:
            line = f"step {step}: loss {loss.item():.3f}, of patches {read.item():.3f}"
            print(f"{line}, {time.monotonic() - begun:.0f} s", file=sys.stderr, flush=True)
    weights = {name: value.detach().half().contiguous() for name, value in model.state_dict().items()}
    save_file(weights, options.output / WEIGHTS)
    config = {"model_cfg": MODEL, "preprocess_cfg": PREPROCESS}
    (options.output / CONFIG).write_text(json.dumps(config, indent=1, sort_keys=True) + "\n")
    model.visual.output_tokens = False
    figures = measure(model.eval(), tokenizer)
    print(json.dumps(figures))
    (options.output / "figures.json").write_text(json.dumps(figures, indent=1, sort_keys=True) + "\n")


def measure(model: Any, tokenizer: Any, count: int = HELD_OUT) -> dict[str, float]:
    """How often a picture's own caption beats another picture's, and its near miss's, over all and by what is changed.

    On `count` scenes that no model is trained on; all captions are in the first phrasing, which tells everything.
    """
    import torch

    images, _, texts = examples("held-out", count)
    with torch.inference_mode():
        seen = torch.cat(
            [model.encode_image(_normalise(block), normalize=True) for block in np.array_split(images[:, 0], 10)]
        )
        own = model.encode_text(tokenizer([scene[0][0] for scene in texts]), normalize=True)
        missed = model.encode_text(tokenizer([scene[1][0] for scene in texts]), normalize=True)
    right = (seen * own).sum(-1)
    wrong = (seen * own.roll(1, 0)).sum(-1)
    near = (right > (seen * missed).sum(-1)).tolist()
    by_kind: dict[str, list[bool]] = {}
    for number, won in enumerate(near):
        scene = pictures.sample_scene(f"held-out-{number}")
        by_kind.setdefault(changed(scene, near_miss(scene, f"held-out-{number}")), []).append(won)
    return {
        "right_beats_wrong": round((right > wrong).float().mean().item(), 4),
        "right_beats_near_miss": round(float(np.mean(near)), 4),
        **{f"right_beats_near_miss_{kind}": round(float(np.mean(won)), 4) for kind, won in sorted(by_kind.items())},
        "mean_right": round(right.mean().item(), 4),
        "mean_wrong": round(wrong.mean().item(), 4),
    }


def _normalise(images: npt.NDArray[np.uint8]) -> Any:
    import torch

    scaled = torch.from_numpy(images.astype(np.float32) / 255.0).permute(0, 3, 1, 2)
    mean, std = (torch.tensor(PREPROCESS[name])[:, None, None] for name in ("mean", "std"))
    return (scaled - mean) / std


if __name__ == "__main__":
    main()
