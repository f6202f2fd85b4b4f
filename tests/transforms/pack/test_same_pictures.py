"""Pairs that look and read the same, against the plain loop: whatever the order, ties and crowds included."""

import collections
import dataclasses
import json
import random

import apache_beam as beam
import pytest
from apache_beam.testing.util import assert_that, equal_to

from weft.schemas.config import Config
from weft.transforms.pack.same_pictures import SamePictures
from weft.transforms.pack.samples import Maker, Stored

LOOKS = ("f0f0aa5500ff1234", "f0f0aa5500ff1235", "8000000000000000", "")
SAID = ("A red fox", "a red FOX!", "A grey fox", "...")
PACK = dataclasses.replace(Config().pack, pair_min_similarity=0.2, drop_single_colour=False)
CONFIG = dataclasses.replace(Config(), pack=PACK)


def make(count, seed):
    """(key, text, image, similarity) of pairs: few looks, texts and sizes, so that much is equal."""
    rng = random.Random(seed)
    pairs = []
    for n in range(count):
        status = rng.choice(("ok", "ok", "ok", "timeout"))
        side = rng.choice((100, 300, 300, 600))  # the first is too small for a pair
        image = Stored(
            f"{n}", status, side, 300, rng.random() < 0.1, "b", 0, 0, rng.choices(LOOKS, (8, 2, 2, 1))[0],
        )  # fmt: skip
        key = f"d{rng.randrange(10)}{n}", f"p{rng.randrange(10)}{n}"
        stored = () if rng.random() < 0.1 else tuple(image)
        pairs.append((key, rng.choices(SAID, (6, 3, 2, 1))[0], stored, rng.choice((0.1, 0.3, 0.3))))
    return pairs


def plain(pairs):
    """Twins as the rule has them, pair by pair."""
    groups = collections.defaultdict(list)
    for (doc_id, pair_id), text, stored, similarity in pairs:
        image = Stored(*stored) if stored else None
        if image is None or image.status != "ok" or image.width < 200 or image.single_colour or similarity < 0.2:
            continue
        said = text.lower().strip(".!")
        if said and image.phash in LOOKS[:2]:
            groups[image.phash, said].append((-image.width * image.height, pair_id, doc_id))
    twins = []
    for group in groups.values():
        _, best, page = min(group)
        twins += [(p, (f"{d}:{p}", f"{page}:{best}")) for _, p, d in group if (p, d) != (best, page)]
    return twins


@pytest.mark.parametrize(("seed", "count", "most"), [(0, 80, 4096), (1, 120, 4096), (2, 120, 5), (3, 0, 5)])
def test_twins_are_those_of_the_plain_loop(seed, count, most):
    pairs = make(count, seed)
    expected = plain(pairs)
    assert len(expected) > 10 or not count
    for order in range(2):
        random.Random(order).shuffle(pairs)
        rows = [(p, (json.dumps({"doc_id": d, "pair_id": p, "text": text}), s)) for (d, p), text, s, _ in pairs]
        with beam.Pipeline() as p:
            inputs = {
                "row": p | "Row" >> beam.Create(rows),
                "scores": p | "Score" >> beam.Create([(key[1], value) for key, _, _, value in pairs]),
            }
            assert_that(inputs | SamePictures(Maker(CONFIG, ""), most), equal_to(expected))
