"""Questions whose answer is told in their own prompt: invented names, facts and instructions, different in each item.

    naming         pictures are called by two invented words, by their colour or their shape: what is this one called?
    descriptions   four classes, each told in words only: which is in the picture?
    facts          told in words, asked of a picture; `told` is the same picture in words, for a reader without eyes
    owners         shown in pictures, asked in words; `told` likewise
    instructions   a picture and what is to be said of it

So nothing is known by heart, and a model that answers has read the prompt. Names have one length, and who is called
what is by hash. Rows are as those of questions.py, whose scenes these are of.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from weft.pipeline.demo import pictures
from weft.pipeline.demo.pictures import COLOURS, GROUNDS, SHAPES, Scene, Thing
from weft.schemas.records import hash_bucket, hash_unit

Row = dict[str, Any]
T = TypeVar("T")

SHOTS = (2, 4, 8)  # as in the paper
CLASSES = 4
_SYLLABLES = ("ba", "ko", "mi", "du", "ze", "fi", "lo", "pu", "ra", "ti", "ve", "gu", "sa", "ho", "ne", "wy")
PLACES = ("cellar", "attic", "kitchen", "garden", "garage", "hall", "tower", "stable")
PEOPLE = ("Ada", "Bruno", "Clara", "Dmitri", "Elena", "Farid", "Greta", "Hassan")
_INSTRUCTIONS = {  # of what → how it is asked for
    "colour": ("Name the colour of the thing.", "Say which colour the thing has."),
    "shape": ("Name the thing, without its colour.", "Say what kind of thing it is."),
    "number": ("Count the things.", "Say how many things there are."),
    "ground": ("Name the colour of the background.", "Say which colour is behind the thing."),
}
COUNTS = ("one", "two", "three")


def is_kept_back(*composition: str | int) -> bool:
    """Whether a composition is for the suite: pages that teach show and tell the others alone."""
    return hash_bucket(" ".join(map(str, composition)), 3, "kept back") == 0


def is_scene_kept_back(scene: Scene) -> bool:
    """Whether a thing and its ground are."""
    things = (scene.first, scene.second) if scene.second else (scene.first,)
    return any(is_kept_back(thing.count, thing.colour, thing.shape, scene.ground) for thing in things)


def mixed(values: Iterable[T], seed: str) -> list[T]:
    """Values in an order that the seed decides."""
    return sorted(values, key=lambda value: hash_unit(str(value), seed))


def _items(scenes: Iterator[Scene], name: str) -> Iterator[tuple[str, Scene]]:
    """(seed, scene of one kind of thing), without end."""
    alone = (scene for scene in scenes if scene.second is None)
    return ((f"{name}-{number}", scene) for number, scene in enumerate(alone))


def names(seed: str, count: int, taught: bool = False) -> list[str]:
    """Invented words of two syllables; those that are taught are others than those that are asked for."""
    every = map("".join, itertools.permutations(_SYLLABLES, 2))
    return mixed((name for name in every if is_kept_back(name) != taught), f"{seed}/names")[:count]


def kind_of(seed: str) -> tuple[str, str]:
    """What is told apart in an item, colours or shapes, and which is not."""
    return ("colour", "shape") if hash_bucket(seed, 2, "kind") else ("shape", "colour")


def others(scene: Scene, kind: str, seed: str) -> list[str]:
    """The other colours that its thing could have, or the other shapes."""
    own = getattr(scene.first, kind)
    every = COLOURS if kind == "colour" else SHAPES
    return mixed((value for value in every if value not in (own, scene.ground)), f"{seed}/{kind}")


def values(scene: Scene, kind: str, seed: str, count: int | None = None) -> list[str]:
    """What its thing is, and others that it could be: so many in all."""
    return [getattr(scene.first, kind), *others(scene, kind, seed)][:count]


def shown(seed: str, taught: bool = False, **fixed: str) -> Scene:
    """A scene of one thing, of which some is given; `taught`: none that is kept back."""
    for number in itertools.count():
        salt = f"{seed}/{number}" if number else seed
        ground = mixed((ground for ground in GROUNDS if ground != fixed["colour"]), f"{salt}/ground")[0]
        thing = Thing(fixed["shape"], fixed["colour"], 1 + hash_bucket(salt, 3, "count"))
        scene = Scene(thing, None, "", ground, hash_bucket(salt, 1 << 30, "grain"))
        if not (taught and is_scene_kept_back(scene)):
            return scene
    raise AssertionError("counting ends never")


def _alike(one: Thing, other: Thing) -> bool:
    return one.colour == other.colour or one.shape == other.shape


def described(name: str, colour: str, shape: str) -> str:
    """A class told in words."""
    return f"Description of {name}: It is {colour} and it is a {shape}."


def kept(kind: str, value: str, place: str) -> str:
    """A fact of all things of a colour or shape."""
    thing = f"{value} things" if kind == "colour" else pictures.plural(value)
    return f"All {thing} are kept in the {place}."


def whose(kind: str, owner: str) -> str:
    """What is asked of somebody's thing."""
    asked = "what colour is the thing of" if kind == "colour" else "what kind of thing is that of"
    return f"{asked} {owner}?"


def naming(scenes: Iterator[Scene]) -> Iterator[Row]:
    """`right8`: eight pictures and their names; `shuffled8`: the names in another order.

    What does not tell them apart, the shape where names are of colours, is another in each picture.
    """
    for seed, scene in _items(scenes, "naming"):
        kind, other = kind_of(seed)
        meant = values(scene, kind, seed, 2)
        rest = others(scene, other, seed)
        both = names(seed, 2)
        row: Row = {"image": scene, "candidates": sorted(both), "label": sorted(both).index(both[0])}
        for count in SHOTS:
            which = [i % 2 for i in mixed(range(count), f"{seed}/{count}")]  # each name as often
            again = [which[i] for i in mixed(range(count), f"{seed}/{count}/shuffled")]
            shots = [
                shown(f"{seed}/{count}/{n}", False, **{kind: meant[of], other: rest[n]}) for n, of in enumerate(which)
            ]
            for told, named in (("right", which), ("shuffled", again)):
                called = [f"This is a {both[of]}." for of in named]
                row[f"{told}{count}"] = list(itertools.chain(*zip(shots, called, strict=True)))
        yield row


def descriptions(scenes: Iterator[Scene]) -> Iterator[Row]:
    """Classes are two colours by two shapes, so that both have to be seen."""
    for seed, scene in _items(scenes, "descriptions"):
        colours, shapes = (values(scene, kind, seed, 2) for kind in ("colour", "shape"))
        every = names(seed, CLASSES)
        classes = list(zip(every, itertools.product(colours, shapes), strict=True))
        told = [described(name, *what) for name, what in classes]
        candidates = sorted(every)
        text = " ".join(mixed(told, seed))
        yield {"image": scene, "descriptions": text, "candidates": candidates, "label": candidates.index(every[0])}


def facts(scenes: Iterator[Scene]) -> Iterator[Row]:
    """Where things of a colour, or of a shape, are kept."""
    for seed, scene in _items(scenes, "facts"):
        kind, _ = kind_of(seed)
        places = mixed(PLACES, f"{seed}/places")[:CLASSES]
        told = [kept(kind, *one) for one in zip(values(scene, kind, seed, CLASSES), places, strict=True)]
        candidates = sorted(places)
        text = " ".join(mixed(told, seed))
        row = {"image": scene, "facts": text, "told": f"{pictures.caption(scene, 1)}."}
        yield {**row, "candidates": candidates, "label": candidates.index(places[0])}


def owners(scenes: Iterator[Scene]) -> Iterator[Row]:
    """Whose thing has which colour, or is what."""
    for seed, scene in _items(scenes, "owners"):
        kind, _ = kind_of(seed)
        things = [scene]  # all of `scenes`: were the others familiar, the one that is not would be the one asked for
        while len(things) < CLASSES:
            one = next(scenes)
            if one.second is None and not any(_alike(one.first, thing.first) for thing in things):
                things.append(one)
        values = [getattr(thing.first, kind) for thing in things]
        people = mixed(PEOPLE, f"{seed}/people")[:CLASSES]
        order = mixed(range(CLASSES), f"{seed}/order")
        owned = [f"This belongs to {people[n]}." for n in order]
        told = [f"{pictures.caption(things[n], 1)}. {text}" for n, text in zip(order, owned, strict=True)]
        candidates = sorted(values)
        yield {
            "shown": list(itertools.chain(*zip([things[n] for n in order], owned, strict=True))),
            "told": " ".join(told),
            "question": whose(kind, people[0]),
            "candidates": candidates,
            "label": candidates.index(values[0]),
        }


def instructions(scenes: Iterator[Scene]) -> Iterator[Row]:
    """Candidates are what is true of a picture in 4 respects, and what is not; the instruction says which is meant."""
    for seed, scene in _items(scenes, "instructions"):
        own = scene.first
        count = hash_bucket(seed, 2, "count")
        wrong = others(scene, "colour", seed)[0]
        ground = mixed((one for one in GROUNDS if one not in (scene.ground, own.colour, wrong)), f"{seed}/ground")[0]
        values = {
            "colour": (own.colour, wrong),
            "shape": (own.shape, others(scene, "shape", seed)[0]),
            "number": (COUNTS[own.count - 1], [one for one in COUNTS if one != COUNTS[own.count - 1]][count]),
            "ground": (scene.ground, ground),
        }
        kind = mixed(_INSTRUCTIONS, f"{seed}/asked")[0]
        candidates = mixed(itertools.chain(*values.values()), f"{seed}/candidates")
        known = {"colour": COLOURS, "shape": SHAPES, "number": COUNTS, "ground": GROUNDS}[kind]
        row = {"image": scene, "instruction": mixed(_INSTRUCTIONS[kind], seed)[0], "candidates": candidates}
        row["blind"] = 1 / sum(one in known for one in candidates)  # who knows which words answer it and guesses
        yield {**row, "label": candidates.index(values[kind][0])}


def instruction(scene: Scene, told: str, seed: str) -> dict[str, str]:
    """A line of instruction data: a picture told in words, and what is to be said of it. Of one kind of thing."""
    own = scene.first
    kind = mixed(_INSTRUCTIONS, f"{seed}/asked")[0]
    values = {"colour": own.colour, "shape": own.shape, "number": COUNTS[own.count - 1], "ground": scene.ground}
    asked = mixed(_INSTRUCTIONS[kind], seed)[0]
    return {"instruction": f"{told}. {asked}", "input": "", "output": values[kind]}


TASKS: dict[str, Callable[[Iterator[Scene]], Iterator[Row]]] = {
    one.__name__: one for one in (naming, descriptions, facts, owners, instructions)
}
