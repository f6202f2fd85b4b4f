"""How likely a figure is by chance: the few tests that the meter decides with, and one sentence for each check.

A check counts how many of n things show something that a share of them may show; or it has a value for each of n
samples that must not, or must, be above zero on average. p is the probability of so much by chance alone, and a check
fails where it is under ALPHA. Nearly all are one-sided against a share that a clean corpus keeps well under, so a clean
run fails far less often than one time in a hundred for each.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

ALPHA = 0.01
FLIPS = 9_999  # of signs: the smallest p is 1 / (FLIPS + 1), and that of n values 2^-n


@dataclasses.dataclass(frozen=True)
class Check:
    """One question to a corpus and its answer.

    Attributes:
        name: what is asked, a word or two: `pairs.mismatched`.
        value: the figure that moves, a share or nats.
        allowed: what a sound corpus may show.
        p: of a figure so bad where the truth is what is allowed.
        samples: how many were looked at.
        told: the answer in words.
        wanted: the figure is one that a sound corpus shows, and p of one so high where there is nothing to be shown:
            the check fails where p is not small.
    """

    name: str
    value: float
    allowed: float
    p: float
    samples: int
    told: str
    wanted: bool = False

    @property
    def failed(self) -> bool:
        return (self.p < ALPHA) != self.wanted

    def row(self) -> dict[str, Any]:
        """For eval.json."""
        rounded = {key: round(getattr(self, key), 5) for key in ("value", "allowed")}
        return {**dataclasses.asdict(self), **rounded, "p": float(f"{self.p:.2g}"), "failed": self.failed}


def share(name: str, found: int, of: int, allowed: float, told: str) -> Check:
    """A check on a share: `found` of `of` things, where `allowed` of them may."""
    return Check(name, found / max(of, 1), allowed, tail(found, of, allowed), of, f"{found:,} of {of:,} {told}")


def tail(found: int, of: int, probability: float) -> float:
    """P(X >= found) for X binomial(of, probability)."""
    if found <= 0:
        return 1.0
    if probability <= 0:
        return 0.0
    log_p, log_q = math.log(probability), math.log1p(-probability)
    terms = [
        math.lgamma(of + 1) - math.lgamma(k + 1) - math.lgamma(of - k + 1) + k * log_p + (of - k) * log_q
        for k in range(found, of + 1)
    ]
    return min(1.0, math.fsum(map(math.exp, terms)))


def above_zero(values: Sequence[float]) -> float:
    """p of a mean so high where the true one is at most 0: signs flipped at random, the same each time."""
    if not len(values):
        return 1.0
    array = np.asarray(values, np.float64)
    if 2 ** len(array) <= FLIPS:  # all there are
        signs = (np.arange(2 ** len(array))[:, None] >> np.arange(len(array)) & 1) * 2 - 1
        return float((signs @ array >= array.sum() - 1e-12).mean())
    signs = np.random.default_rng(0).integers(0, 2, (FLIPS, len(array)), dtype=np.int8) * 2 - 1
    return float((1 + np.count_nonzero(signs @ array >= array.sum() - 1e-12)) / (FLIPS + 1))


def can_show(values: int) -> bool:
    """Whether so many values can ever be above zero by `above_zero`."""
    return 2.0**-values < ALPHA


def standard_error(values: Sequence[float]) -> float:
    """Of the mean of values that are independent."""
    return float(np.std(values, ddof=1) / math.sqrt(len(values))) if len(values) > 1 else math.inf
