"""Training speed: tokens per CPU second of the smoke model's step beside plain PyTorch of the same size.

The peer is what one would write first: nn.Embedding, nn.TransformerEncoder (pre-norm, GELU, causal), tied output
layer over all positions, AdamW; it sees the same token ids and no images. weft's step has on top the last CLIP
block, the resampler, sub-LN and xPos. Stem activations are remembered, as after the first epoch of a run.

    python benchmarks/train.py [--seconds 10]
"""

from __future__ import annotations

import argparse
import io
import os
import time
from collections.abc import Callable

os.environ.setdefault("OMP_NUM_THREADS", "1")  # per core; before torch is imported

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import nn

from weft.model_smoketest import data
from weft.model_smoketest.model import Kosmos
from weft.model_smoketest.tars import Sample
from weft.model_smoketest.train import forward, make_optimizer
from weft.model_smoketest.vision import StemCache, Tower
from weft.schemas import shards as contract
from weft.schemas.config import Train

VOCABULARY = contract.Vocabulary(2048, 0, 1, 2, 4, 5, 16, 512, "tokenizer.json")  # the demo's sizes
CLIP = {
    "embed_dim": 64,
    "vision_cfg": {"image_size": 64, "layers": 4, "width": 128, "head_width": 32, "patch_size": 8},
    "text_cfg": {"context_length": 16, "vocab_size": 64, "width": 32, "heads": 2, "layers": 1},
}
CAPTION, DOCUMENT = 16, 100  # words of a caption, and of a document between two images


class Plain(nn.Module):
    """The peer."""

    def __init__(self, config: Train) -> None:
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY.size, config.width)
        self.places = nn.Embedding(config.max_length, config.width)
        layer = nn.TransformerEncoderLayer(
            config.width, config.heads, config.ffn, 0.0, "gelu", batch_first=True, norm_first=True
        )
        norm = nn.LayerNorm(config.width)
        self.layers = nn.TransformerEncoder(layer, config.layers, norm, enable_nested_tensor=False)

    def forward(self, batch: data.Batch) -> torch.Tensor:
        length = batch.ids.shape[1]
        causal = nn.Transformer.generate_square_subsequent_mask(length)
        x = self.embedding(batch.ids) + self.places.weight[:length]
        logits = F.linear(self.layers(x, causal, is_causal=True), self.embedding.weight)
        targets = torch.full((batch.ids.numel(),), -100).index_copy(0, batch.places, batch.labels)
        return F.cross_entropy(logits.flatten(0, 1), targets, reduction="sum")


def batches(config: Train) -> dict[str, data.Batch]:
    """A step's micro-batches in the paper's proportion, of random words and pictures."""
    rng = np.random.default_rng(0)

    def words(count: int) -> list[int]:
        return rng.integers(6, VOCABULARY.size, count).tolist()

    def picture() -> bytes:
        out = io.BytesIO()
        Image.fromarray(rng.integers(0, 255, (64, 64, 3), np.uint8)).save(out, "JPEG")
        return out.getvalue()

    shapes = {
        "text": [words(config.max_length - 2)],
        "pairs": [None, words(CAPTION)],
        "interleaved": [words(DOCUMENT), None, words(DOCUMENT), None, words(DOCUMENT)],
    }
    made = {}
    for corpus, segments in shapes.items():
        share = config.batch_tokens * getattr(config, f"mix_{corpus}") / 1.2
        samples: list[Sample] = []
        while sum(len(s.ids) for s in samples) < share:
            ids = np.array(contract.encode_segments([s and words(len(s)) for s in segments], VOCABULARY), np.int64)
            images = tuple(picture() for s in segments if s is None)
            samples.append(Sample("", ids, contract.loss_mask(ids, VOCABULARY), images))
        made[corpus] = data.collate(samples, VOCABULARY)
    return made


def measure(step: Callable[[], None], tokens: int, seconds: float) -> float:
    """Tokens per CPU second."""
    step()
    begun, steps = time.process_time(), 0
    while time.process_time() - begun < seconds:
        step()
        steps += 1
    return steps * tokens / (time.process_time() - begun)


def main() -> None:
    import open_clip

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=10.0, help="CPU seconds per row")
    seconds = parser.parse_args().seconds
    config = Train()
    torch.manual_seed(0)
    model = Kosmos(config, VOCABULARY, Tower(open_clip.CLIP(**CLIP).visual, (0.5,) * 3, (0.25,) * 3, True)).train()
    plain = Plain(config)
    stems, made = StemCache(model.tower), batches(config)
    ours, theirs = (
        make_optimizer(model, config),
        torch.optim.AdamW(plain.parameters(), lr=config.learning_rate, fused=True),
    )

    def kosmos(chosen: list[data.Batch]) -> Callable[[], None]:
        def step() -> None:
            for batch in chosen:
                forward(model, stems, batch)[0].backward()
            ours.step()
            ours.zero_grad()

        return step

    def peer(chosen: list[data.Batch]) -> Callable[[], None]:
        def step() -> None:
            for batch in chosen:
                plain(batch).backward()
            theirs.step()
            theirs.zero_grad()

        return step

    print(f"{'corpus':12} {'tokens':>7} {'images':>7} {'weft tok/s':>11} {'torch tok/s':>12} {'ratio':>6}")
    for name, chosen in [*((name, [one]) for name, one in made.items()), ("whole step", list(made.values()))]:
        tokens, images = sum(b.tokens for b in chosen), sum(len(b.images) for b in chosen)
        mine, others = (measure(make(chosen), tokens, seconds) for make in (kosmos, peer))
        print(f"{name:12} {tokens:7} {images:7} {mine:11,.0f} {others:12,.0f} {mine / others:6.2f}")
    print(f"ratio: {mine / others:.2f}x")


if __name__ == "__main__":
    main()
