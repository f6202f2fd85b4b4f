"""Losses of samples under any images: what every question to a trained model is made of."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from weft.model_smoketest import data
from weft.model_smoketest.model import Kosmos
from weft.model_smoketest.tars import Sample
from weft.model_smoketest.vision import StemCache, content

BATCH_TOKENS = 8192
SEEN_AT_ONCE = 64  # images


class Eye:
    """Images → what the decoder reads of them, each worked out once."""

    def __init__(self, model: Kosmos, stems: StemCache | None = None) -> None:
        self._model, self._stems = model, stems or StemCache(model.tower, limit=0)
        self._known: dict[bytes, Tensor] = {}

    @torch.inference_mode()
    def __call__(self, jpegs: Sequence[bytes]) -> Tensor:
        """(N, K, C) on the model's device."""
        keys = [content(jpeg) for jpeg in jpegs]
        new = dict(pair for pair in zip(keys, jpegs, strict=True) if pair[0] not in self._known)
        left = list(new.items())
        while left:
            some, left = left[:SEEN_AT_ONCE], left[SEEN_AT_ONCE:]
            seen = self._model.see(self._stems([jpeg for _, jpeg in some]))
            self._known |= zip([key for key, _ in some], seen, strict=True)
        return torch.stack([self._known[key] for key in keys])


@torch.inference_mode()
def of_samples(
    model: Kosmos, eye: Eye, samples: Sequence[Sample], images: Sequence[tuple[bytes, ...]] | None = None
) -> list[list[float]]:
    """Nats of each sample's target tokens, in order, when it is shown `images`; its own where there are none.

    What a sample's losses are does not depend on its neighbours but for the last bits.
    """
    rows: list[list[float]] = [[] for _ in samples]
    device = next(model.parameters()).device
    by_length = sorted(range(len(samples)), key=lambda i: len(samples[i].ids))
    while by_length:
        chosen = [by_length.pop()]
        while by_length and (len(chosen) + 1) * len(samples[chosen[0]].ids) <= BATCH_TOKENS:
            chosen.append(by_length.pop())
        shown = [samples[i] if images is None else samples[i]._replace(images=images[i]) for i in chosen]
        batch = data.collate(shown, model.vocabulary)
        ids, places, labels, rows_, slots = (
            t.to(device) for t in (batch.ids, batch.places, batch.labels, batch.rows, batch.slots)
        )
        _, found = model(ids, places, labels, rows_, slots, eye(batch.images) if batch.images else None)
        for i, part in zip(chosen, found.double().cpu().split(batch.counts), strict=True):
            rows[i] = part.tolist()
    return rows
