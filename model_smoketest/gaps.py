"""What the right image is worth while a model learns: alignment's gap on a few held-out samples, at a few steps.

It shows when a model begins to look, which the loss does not. A trained model is judged by `weft eval`, on all held-out
samples. Nothing of it reaches the weights.
"""

from __future__ import annotations

import dataclasses

from weft.model_smoketest import alignment, data, losses
from weft.model_smoketest.model import Kosmos
from weft.model_smoketest.tars import Sample
from weft.model_smoketest.vision import StemCache
from weft.schemas.config import Train
from weft.schemas.shards import CORPORA, Vocabulary

TIMES = 5  # in a training
SHARE = 0.1  # of the tokens of the training that all of them may read: a thirtieth of its time, without gradients
_LEAST = 4  # samples that a gap is told of


class Gaps:
    """The samples of each corpus with images, the same every time.

    Args:
        shards: of the training.
        config: likewise; its length decides how many samples there are.
    """

    def __init__(self, shards: str, vocabulary: Vocabulary, config: Train) -> None:
        names = [corpus for corpus in CORPORA if corpus != "text"]
        once = SHARE * config.steps * config.batch_tokens / TIMES / len(names) / 2  # with the right images, with others
        self._steps = config.steps
        self._samples = {name: few for name in names if (few := _few(shards, name, vocabulary, config, once))}

    def due(self, before: int, done: int) -> bool:
        """Whether they are to be measured after `done` steps, when the last line was at `before`."""
        return bool(self._samples) and done * TIMES // self._steps > before * TIMES // self._steps

    def measure(self, model: Kosmos, stems: StemCache) -> dict[str, float]:
        """Corpus → nats a target token that the right images are worth to a model in training."""
        model.eval()
        found = {
            name: alignment.grounding(model, losses.Eye(model, stems), samples, most=1)[0]
            for name, samples in self._samples.items()
        }
        model.train()
        return {name: gap["gap"] for name, gap in found.items() if gap}


def _few(shards: str, corpus: str, vocabulary: Vocabulary, config: Train, tokens: float) -> list[Sample]:
    found: list[Sample] = []
    for sample in data.validation(shards, corpus, vocabulary, dataclasses.replace(config, eval_samples=1 << 30)):
        tokens -= len(sample.ids)
        if tokens < 0:
            break
        found.append(sample)
    return found if len(found) >= _LEAST else []
