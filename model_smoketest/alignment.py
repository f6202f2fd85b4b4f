"""Whether images and texts belong together, asked of a model that was trained on them.

What an image tells of a text is the loss with other images in its place less the loss with it: the gap. A model that
ignores images has none, and neither has one whose corpus joined texts with the wrong images. Three questions are asked.

    grounding   over held-out samples: the gap on all target tokens after an image, with every other image in its place
    mismatched  over pairs: does the own image do better than the median of others? Where it is another pair's it does
                so half the time, whatever the model can. So twice the share of pairs where it does not is an estimate
                of the share that is mismatched, too high by twice what the model gets wrong
    misplaced   over documents: which of the texts around its place an image tells of, and whether the texts are
                likelier where all images of the document stand one place earlier or later

Other images come from the samples themselves: sorted by content hash and rotated, so that every image is used as often
as before and nobody keeps his own, not even where two samples share one image. All rotations are taken while they fit
in ROTATED_TOKENS, else as many as do, evenly spaced.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from weft.model_smoketest import chance, data, losses
from weft.model_smoketest.chance import Check
from weft.model_smoketest.losses import Eye
from weft.model_smoketest.model import Kosmos
from weft.model_smoketest.tars import Sample
from weft.model_smoketest.vision import content
from weft.schemas import shards as contract
from weft.schemas.shards import Vocabulary

ROTATED_TOKENS = 300_000  # that the rotations of a corpus may cost; at least LEAST of them are taken
LEAST = 3
MOVED_TOKENS = 50_000  # of documents whose images are moved
AUDIT_ROTATIONS = 9  # other images that a pair's own is compared with: odd, so that there is a median
MISMATCHED = 0.05  # allowed: LAION's alt texts have more, which is what the figure is for; a clean demo shows 0 to 4 %
NEAR = 48  # text tokens, nearest to the image, that a text is judged by
PLACES = (-2, -1, 1, 2)  # texts before and after an image
MOVES = (-1, 1)  # places that all images of a document are moved, the one at its end to its other end
BEFORE = 0.5  # what an image tells of the text before it may be twice what it tells of the one after


class Pair(NamedTuple):
    """A pair of the audit."""

    shard: str
    key: str
    gap: float  # nats: median loss of the text with other images, less that with its own
    beaten: float  # share of the other images that do better than its own


def rotations(images: Sequence[bytes], most: int) -> list[list[int]]:
    """Up to `most` permutations that give nobody an image equal to his own, evenly spaced; none where none can be."""
    keys = [content(image) for image in images]
    order = sorted(range(len(images)), key=lambda i: (keys[i], i))
    count = len(images)
    nearest = max(Counter(keys).values(), default=1)  # equal images stand together: step over the largest group
    if count < 2 * nearest:
        return []
    there = count - 2 * nearest + 1
    found = []
    for k in range(min(most, there)):
        shift = nearest + (k if there <= most else (there - 1) * k // max(1, most - 1))
        source = [0] * count
        for place, i in enumerate(order):
            source[i] = order[(place + shift) % count]
        found.append(source)
    return found


def after_image(sample: Sample, vocabulary: Vocabulary) -> int:
    """How many of its targets stand before its first image, and so cannot know it."""
    first = int((sample.ids == vocabulary.image).argmax()) if sample.images else len(sample.ids)
    return int(sample.mask[1:first].sum())


def grounding(model: Kosmos, eye: Eye, samples: list[Sample], most: int = 0) -> tuple[dict[str, Any] | None, str]:
    """What wrong images cost held-out samples, and a note where that cannot be said.

    `most` is how many rotations are taken, as many as ROTATED_TOKENS allows where it is 0.

    The standard error is over samples and draws of wrong images. That of the model's seed is larger and not in it: only
    models of several seeds show it.
    """
    vocabulary = model.vocabulary
    skipped = [after_image(sample, vocabulary) for sample in samples]
    right = losses.of_samples(model, eye, samples)
    chosen = [i for i, row in enumerate(right) if samples[i].images and skipped[i] < len(row)]
    images = [image for sample in samples for image in sample.images]
    tokens = sum(len(sample.ids) for sample in samples)
    sources = rotations(images, most or max(LEAST, ROTATED_TOKENS // max(tokens, 1)))
    if not sources or not chosen:
        return None, "too few different held-out images: no grounding gap"
    wrong = np.zeros((len(sources), len(chosen)))
    for draw, source in enumerate(sources):
        shown = iter([images[i] for i in source])
        rows = losses.of_samples(model, eye, samples, [tuple(next(shown) for _ in s.images) for s in samples])
        wrong[draw] = [math.fsum(rows[i][skipped[i] :]) for i in chosen]
    own = np.array([math.fsum(right[i][skipped[i] :]) for i in chosen])
    counts = np.array([len(right[i]) - skipped[i] for i in chosen])
    cost = wrong - own  # (draws, samples)
    targets = int(counts.sum())
    gap = float(cost.mean(0).sum() / targets)
    over_samples = cost.mean(0) - gap * counts
    draws = cost.sum(1) / targets
    drawn = float(draws.var(ddof=1) / len(draws)) if len(draws) > 1 else 0.0
    return {
        "right": round(float(own.sum()) / targets, 5),
        "wrong": round(float(own.sum()) / targets + gap, 5),
        "gap": round(gap, 5),
        "standard_error": round(math.sqrt(float((over_samples**2).sum()) / targets**2 + drawn), 5),
        "p": chance.above_zero(cost.mean(0).tolist()),
        "win_rate": round(float((cost.mean(0) > 0).mean()), 4),  # of samples, over all draws
        "samples": len(chosen),
        "images": len(images),
        "rotations": len(sources),
    }, ""


def audit(model: Kosmos, eye: Eye, samples: list[tuple[str, Sample]]) -> list[Pair]:
    """How each pair, given as (shard, sample), does with its own image against others."""
    sources = rotations([sample.images[0] for _, sample in samples], AUDIT_ROTATIONS)
    if not sources:
        return []
    only = [sample for _, sample in samples]
    own = _sums(losses.of_samples(model, eye, only))
    other = np.stack(
        [_sums(losses.of_samples(model, eye, only, [only[i].images for i in source])) for source in sources]
    )  # (rotations, pairs)
    gaps = np.median(other, axis=0) - own
    beaten = (other < own).mean(0) + (other == own).mean(0) / 2
    return [
        Pair(shard, sample.key, round(float(gap), 4), round(float(share), 4))
        for (shard, sample), gap, share in zip(samples, gaps, beaten, strict=True)
    ]


def _sums(rows: list[list[float]]) -> npt.NDArray[np.float64]:
    return np.array([math.fsum(row) for row in rows])


def mismatched(pairs: list[Pair]) -> Check:
    """The check on the share of mismatched pairs."""
    worse = sum(pair.beaten > 0.5 for pair in pairs)
    found = chance.share("", worse, len(pairs), MISMATCHED / 2, "")
    told = f"twice the {worse:,} of {len(pairs):,} pairs whose own image does worse than the median of others"
    return Check("pairs.mismatched", min(1.0, 2 * found.value), MISMATCHED, found.p, len(pairs), told)


Gains = dict[int, list[tuple[int, float]]]  # place or move → (number of a document, nats)


def places(model: Kosmos, eye: Eye, documents: list[tuple[int, Sample]]) -> Gains:
    """Place → (document, nats that an image tells of the text at this place), for each image and text near it.

    The text is judged alone behind the image, as a caption is, by its NEAR tokens nearest to the image.
    """
    asked: list[tuple[int, int, Sample]] = []  # document, place, `<s> image text </s>`
    for number, sample in documents:
        texts, images = data.texts_of(sample, model.vocabulary), sample.images
        for at, image in enumerate(images):  # between texts[at] and texts[at + 1]
            for place in PLACES:
                index = at + place + (place < 0)
                if 0 <= index < len(texts) and texts[index]:
                    near = texts[index][-NEAR:] if place < 0 else texts[index][:NEAR]
                    ids = np.array(contract.encode_segments([None, near], model.vocabulary), np.int64)
                    mask = contract.loss_mask(ids, model.vocabulary)
                    mask[-1] = 0  # a text goes on: its end is no caption's
                    asked.append((number, place, Sample(sample.key, ids, mask, (image,))))
    samples = [sample for _, _, sample in asked]
    sources = rotations([sample.images[0] for sample in samples], LEAST)
    found: Gains = {place: [] for place in PLACES}
    if not sources:
        return found
    own = _sums(losses.of_samples(model, eye, samples))
    wrong = [_sums(losses.of_samples(model, eye, samples, [samples[i].images for i in s])) for s in sources]
    for (number, place, _), gain in zip(asked, np.mean(wrong, axis=0) - own, strict=True):
        found[place].append((number, float(gain)))
    return found


def moved(model: Kosmos, eye: Eye, documents: list[tuple[int, Sample]]) -> Gains:
    """Move → (document, nats that its texts gain by it), of documents with two or more different images.

    A document of two images is the same after either move.
    """
    several = [(number, one) for number, one in documents if len({content(image) for image in one.images}) > 1]
    before = itertools.accumulate((len(one.ids) for _, one in several), initial=0)
    several = [one for one, tokens in zip(several, before, strict=False) if tokens < MOVED_TOKENS]
    samples = [sample for _, sample in several]
    own = _sums(losses.of_samples(model, eye, samples))
    found: Gains = {}
    for move in MOVES:
        shown = [sample.images[-move:] + sample.images[:-move] for sample in samples]
        gains = own - _sums(losses.of_samples(model, eye, samples, shown))
        found[move] = [(number, float(gain)) for (number, _), gain in zip(several, gains, strict=True)]
    return found


def misplaced(found: Gains, moves: Gains) -> Check | None:
    """The check on places and moves, over documents: five signs, of which none is there where images stand right.

    One place late, an image belongs to the texts one and two before it; one place early, to those one and two after it.
    What cannot be told apart is a corpus of which all texts stand before their images: it looks late.
    """
    signs = (
        ("late", lambda gain: gain[-2] - gain[1], "more of the text two before than of the one after"),
        ("late", lambda gain: BEFORE * gain[-1] - gain[1], "more of half the text before than of the one after"),
        ("early", lambda gain: gain[2] - gain[-1], "more of the text two after than of the one before"),
    )
    numbers = sorted({number for gains in found.values() for number, _ in gains})
    if len(numbers) < 2:
        return None
    by_number: dict[int, dict[int, list[float]]] = {n: {place: [] for place in PLACES} for n in numbers}
    for place, gains in found.items():
        for number, gain in gains:
            by_number[number][place].append(gain)
    means = [{place: _mean(gains) for place, gains in by_number[n].items()} for n in numbers]
    asked = [
        (word, [sign(mean) for mean in means], f"an image tells {{:+.2f}} nats {told}") for word, sign, told in signs
    ]
    for move, word, where in zip(MOVES, ("late", "early"), ("earlier", "later"), strict=True):
        gains_of = [gain for _, gain in moves.get(move, [])]
        asked.append((word, gains_of, f"a document gains {{:+.2f}} nats where its images stand one place {where}"))
    checks = []
    for word, apart, told in asked:
        p = min(1.0, len(asked) * chance.above_zero(apart))
        told = told.format(_mean(apart)) + (f": images stand {word}" if p < chance.ALPHA else "")
        checks.append(Check("interleaved.misplaced", _mean(apart), 0.0, p, len(apart), told))
    return min(checks, key=lambda check: (check.p, -check.value))


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values) if values else 0.0
