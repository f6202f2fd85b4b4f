"""Pairs with the same picture and caption, against the plain loop: whatever the order, ties and crowds included."""

import collections
import random

import apache_beam as beam
import pytest
from apache_beam.testing.util import assert_that, equal_to

from weft.pipeline.runners import beam_options
from weft.schemas.parameters import Recipe
from weft.schemas.records import Score
from weft.transforms.pack.decide import Judge, Stored
from weft.transforms.pack.joins import BesidePairs, Shown
from weft.transforms.pack.same_pictures import Captioned, NearPictures, SamePictures, said
from weft.transforms.score.image_scores import Answers

HASHES = ("f0f0aa5500ff1234", "f0f0aa5500ff1235", "8000000000000000", "")
SAID = ("A red fox", "a red FOX!", "A grey fox", "...")
JUDGE = Judge(Recipe(pair_min_similarity=0.2, drop_single_colour=False), 512, "weft")


def make(count, seed):
    """(key, text, image, similarity) of pairs: few hashes, texts and sizes, so that much is equal."""
    rng = random.Random(seed)
    pairs = []
    for n in range(count):
        status = rng.choice(("ok", "ok", "ok", "timeout"))
        side = rng.choice((100, 300, 300, 600))  # the first is too small for a pair
        image = Stored(
            f"{n}", status, side, 300, rng.random() < 0.1, "b", 0, 0, rng.choices(HASHES, (8, 2, 2, 1))[0],
        )  # fmt: skip
        key = f"d{rng.randrange(10)}{n}", f"p{rng.randrange(10)}{n}"
        stored = None if rng.random() < 0.1 else image
        pairs.append((key, rng.choices(SAID, (6, 3, 2, 1))[0], stored, rng.choice((0.1, 0.3, 0.3))))
    return pairs


def plain(pairs):
    """Others as the rule has them, pair by pair."""
    groups = collections.defaultdict(list)
    for (doc_id, pair_id), text, image, similarity in pairs:
        if image is None or image.status != "ok" or image.width < 200 or image.single_colour or similarity < 0.2:
            continue
        said = text.lower().strip(".!")
        if said and image.phash in HASHES[:2]:
            groups[image.phash, said].append((-image.width * image.height, pair_id, doc_id))
    others = []
    for group in groups.values():
        _, best, page = min(group)
        others += [(f"{d}:{p}", f"{page}:{best}") for _, p, d in group if (p, d) != (best, page)]
    return others


@pytest.mark.parametrize(("seed", "count", "most"), [(0, 80, 4096), (1, 120, 4096), (2, 120, 5), (3, 0, 5)])
def test_others_are_those_of_the_plain_loop(seed, count, most):
    pairs = make(count, seed)
    expected = plain(pairs)
    assert len(expected) > 10 or not count
    for order in range(2):
        random.Random(order).shuffle(pairs)
        rows = [(Captioned(f"{d}:{p}", "", "", said(text)), s) for (d, p), text, s, _ in pairs if s]
        with beam_options.pipeline((), 1) as p:
            inputs = {
                "seen": p | "Row" >> beam.Create(rows).with_output_types(tuple[Captioned, Stored]),
                "scores": p
                | "Score"
                >> beam.Create([(":".join(key), value) for key, _, _, value in pairs]).with_output_types(
                    tuple[str, float]
                ),
            }
            assert_that(inputs | SamePictures(JUDGE, most), equal_to(expected))


LOOK, OTHER = HASHES[:2]
NEAR = [  # (image, size, whom it repeats, its phash, its similarity), a pair each with the same words
    ("a", 600, "", LOOK, 0.3), ("a2", 300, "a", OTHER, 0.3), ("a3", 300, "a", OTHER, 0.1),
    ("b", 600, "", LOOK, 0.1), ("b2", 300, "b", OTHER, 0.3), ("b3", 300, "b", OTHER, 0.3),
    ("c", 100, "", LOOK, 0.3), ("c2", 300, "c", OTHER, 0.3),
    ("d", 600, "", LOOK, 0.1), ("d2", 300, "d", OTHER, 0.3), ("d3", 400, "d", OTHER, 0.3), ("d4", 500, "d", OTHER, 0.1),
    ("z", 600, "", "00ff00ff12345678", 0.3), ("y", 600, "z", "00ff00ff12345678", 0.3),
]  # fmt: skip


def test_of_one_look_the_largest_stays_that_the_recipe_would_keep():
    """The largest of b, c and d are dropped themselves, for similarities and a size; y and z are of one size and look."""
    rows = [
        (Captioned(f"{n}:{n}", n, "", said(f"fox {whom or n}")),
         Stored(n, "ok", side, 300, False, "b", 0, 0, look, "", 0, Answers(repeat_of=whom)))
        for n, side, whom, look, _ in NEAR
    ]  # fmt: skip
    with beam_options.pipeline((), 1) as p:
        inputs = {
            "seen": p | "Row" >> beam.Create(rows).with_output_types(tuple[Captioned, Stored]),
            "scores": p
            | "Score" >> beam.Create([(f"{n}:{n}", v) for n, *_, v in NEAR]).with_output_types(tuple[str, float]),
        }
        near = inputs | "Near" >> NearPictures(JUDGE)
        of_d = [("d2:d2", "d3"), ("d4:d4", "d3")]
        assert_that(near, equal_to([("a2:a2", "a"), ("a3:a3", "a"), ("b3:b3", "b2"), ("y:y", "z"), *of_d]), "near")
        same = {**inputs, "lost": near} | "Same" >> SamePictures(JUDGE)
        # Without what is near, y would stay in the place of z, and z in that of y.
        assert_that(same, equal_to([]), "same")
        alone = [("b3:b3", "b2:b2"), ("d2:d2", "d3:d3"), ("z:z", "y:y")]
        assert_that(inputs | "Alone" >> SamePictures(JUDGE), equal_to(alone), "alone")


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_no_pair_is_lost_for_one_that_is_lost_itself(seed: int) -> None:
    """Where a recipe has both rules, what one keeps may be what the other drops."""
    chance = random.Random(seed)
    pairs, names = [], [f"{n}" for n in range(60)]
    for n in names:
        whom = names[int(n) // 3 * 3]  # three pictures of one look; any two may have one hash
        repeats = "" if whom == n else whom
        image = Stored(n, "ok", chance.choice((100, 300, 600)), 300, False, "b", 0, 0, chance.choice(HASHES[:2]))
        similarity = chance.choice((0.1, 0.3, 0.3))
        pairs.append((n, image._replace(answers=Answers(repeat_of=repeats)), chance.choice(SAID), similarity))
    rules = Recipe(pair_min_similarity=0.2, drop_single_colour=False, drop_near_images=True, pair_same_picture=True)
    judge = Judge(rules, 512, "weft")
    kept = {f"{n}:{n}" for n, image, _, similarity in pairs if not judge.pair(image, similarity, "en")[0]}

    def check(found: list[tuple[str, str, str]]) -> None:
        lost = {key for _, key, _ in found} & kept
        stays = {rule: {one for of, key, one in found if of == rule and key in kept} for rule in ("near", "same")}
        assert all(len(stays[rule]) > 2 for rule in stays)
        assert {f"{image}:{image}" for image in stays["near"]} | stays["same"] <= kept - lost

    with beam.Pipeline() as p:
        made = {
            "pages": p | "P" >> beam.Create([Shown(n, "a", 1, n, [n]) for n in names]).with_output_types(Shown),
            "pairs": p
            | "C"
            >> beam.Create([Captioned(f"{n}:{n}", n, "en", said(text)) for n, _, text, _ in pairs]).with_output_types(
                Captioned
            ),
            "images": p
            | "I" >> beam.Create([(n, image) for n, image, *_ in pairs]).with_output_types(tuple[str, Stored]),
            "scores": p
            | "S"
            >> beam.Create([Score("pair", n, 0, 0, n, value, ()) for n, *_, value in pairs]).with_output_types(Score),
        }
        found = made | BesidePairs(judge)
        told = [
            found[rule]
            | f"Tell{rule}"
            >> beam.MapTuple(lambda key, one, rule=rule: (rule, key, one)).with_output_types(tuple[str, str, str])
            for rule in ("near", "same")
        ]
        assert_that(told | beam.Flatten(), check)
