"""A small fastText classifier, trained here: texts with labels → a .bin that fastText itself reads.

The model is fastText's (arXiv 1607.01759): a text is the mean of its words' vectors, a softmax over the labels is on top.
The library that weft installs cannot train, so numpy does, and writes what fasttext.cc's saveModel does.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

DIMENSIONS, STEPS, RATE = 4, 300, 2.0
SOFTMAX, SUPERVISED = 3, 3


def train(path: Path, texts: Mapping[str, Sequence[str]], kind: int = SUPERVISED) -> str:
    """Train on label → texts and write the model; gives its path.

    Args:
        kind: what the file says that it is; 3 is a classifier.
    """
    labels = sorted(texts)
    rows = [([*text.split(), "</s>"], label) for label in labels for text in texts[label]]  # a line's end is a word
    words = sorted({word for said, _ in rows for word in said})
    bags = np.array([[said.count(word) / len(said) for word in words] for said, _ in rows], np.float32)
    wanted = np.array([[float(label == one) for one in labels] for _, label in rows], np.float32)
    chance = np.random.default_rng(0)
    inside = chance.uniform(-0.5, 0.5, (len(words), DIMENSIONS)).astype(np.float32)
    outside = np.zeros((len(labels), DIMENSIONS), np.float32)
    for _ in range(STEPS):
        hidden = bags @ inside
        scores = hidden @ outside.T
        shares = np.exp(scores - scores.max(1, keepdims=True))
        wrong = (shares / shares.sum(1, keepdims=True) - wanted) / len(rows)
        outside, inside = outside - RATE * wrong.T @ hidden, inside - RATE * bags.T @ (wrong @ outside)
    arguments = (DIMENSIONS, 5, STEPS, 1, 5, 1, SOFTMAX, kind, 0, 0, 0, 100)
    entries = [(word, 0) for word in words] + [(f"__label__{label}", 1) for label in labels]
    with open(path, "wb") as out:
        out.write(struct.pack("<14id", 793712314, 12, *arguments, 1e-4))
        out.write(struct.pack("<3iqq", len(entries), len(words), len(labels), len(words), -1))
        for entry, what in entries:
            out.write(entry.encode() + b"\0" + struct.pack("<qb", 1, what))
        for matrix in (inside, outside):
            out.write(b"\0" + struct.pack("<qq", *matrix.shape) + matrix.astype("<f4").tobytes())
    return str(path)
