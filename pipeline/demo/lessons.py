"""Pages that teach what the suite asks of the demo's world, with other scenes, words, names and facts than it asks of.

A lesson is segments in reading order, texts and what pictures show, made from a seed and scenes without end; a page of
the web shows each (pages.py). They are worded as the suite's prompts are (configs/suites/kosmos.toml). Names and facts
are new on each page, so that what can be learned is to look them up there.

What the suite asks of is kept back by hash (`contexts.is_kept_back`): a thing on its ground, two words in one picture,
an opinion in a sentence, an invented name. Each of their parts is taught, in other company.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

from weft.pipeline.demo import contexts, pictures, questions
from weft.pipeline.demo.contexts import CLASSES, PEOPLE, PLACES, mixed
from weft.pipeline.demo.pictures import Scene
from weft.pipeline.demo.questions import BAD, asked
from weft.pipeline.demo.rendered import Rendered
from weft.schemas.records import hash_bucket

Segment = str | Scene | Rendered
Lesson = Callable[[str, Iterator[Scene]], Iterator[Segment]]

MOST = 9  # pictures of a page: eight shots, or cells of a matrix, and what is asked of
FEW = 5


def lesson(index: int, seed: str) -> list[Segment]:
    """The `index`-th lesson: kinds take turns."""
    return list(LESSONS[index % len(LESSONS)](seed, _scenes(seed)))


def _scenes(seed: str) -> Iterator[Scene]:
    every = (pictures.sample_scene(f"{seed}/{number}") for number in itertools.count())
    return (scene for scene in every if not contexts.is_scene_kept_back(scene))


def _alone(scenes: Iterator[Scene]) -> Scene:
    return next(scene for scene in scenes if scene.second is None)


def answers(seed: str, scenes: Iterator[Scene]) -> Iterator[Segment]:
    """Questions of pictures; every other picture is described first."""
    for number, scene in enumerate(itertools.islice(scenes, FEW)):
        said = [pictures.caption(scene, 0)] * hash_bucket(f"{seed}/{number}", 2, "described")
        yield from (scene, " ".join([*said, *questions.told(scene, f"{seed}/{number}")]))


def yes_no(seed: str, scenes: Iterator[Scene]) -> Iterator[Segment]:
    """A right one and a wrong one of each picture."""
    for number, scene in enumerate(itertools.islice(scenes, FEW + 2)):
        yield from (scene, " ".join(questions.whether(scene, f"{seed}/{number}")))


def naming(seed: str, scenes: Iterator[Scene]) -> Iterator[Segment]:
    """Two invented words for two colours or shapes."""
    scene, (kind, other) = _alone(scenes), contexts.kind_of(seed)
    values = contexts.values(scene, kind, seed, 2)
    rest = contexts.others(scene, other, seed)
    names = contexts.names(seed, 2, taught=True)
    for number in range(MOST):
        which = hash_bucket(f"{seed}/{number}", 2, "which")
        fixed = {kind: values[which], other: rest[number % len(rest)]}
        yield from (contexts.shown(f"{seed}/{number}", taught=True, **fixed), f"This is a {names[which]}.")


def descriptions(seed: str, scenes: Iterator[Scene]) -> Iterator[Segment]:
    """Classes of two colours by two shapes, told once."""
    scene = _alone(scenes)
    sides = (contexts.values(scene, kind, seed, 2) for kind in ("colour", "shape"))
    classes = dict(zip(contexts.names(seed, CLASSES, taught=True), itertools.product(*sides), strict=True))
    text = " ".join(mixed((contexts.described(name, *what) for name, what in classes.items()), seed)) + " "
    for number in range(FEW):
        name = list(classes)[hash_bucket(f"{seed}/{number}", CLASSES, "which")]
        colour, shape = classes[name]
        yield contexts.shown(f"{seed}/{number}", taught=True, colour=colour, shape=shape)
        yield f"{text}Question:what is the name of the thing in the picture? Answer: {name}."
        text = ""


def facts(seed: str, scenes: Iterator[Scene]) -> Iterator[Segment]:
    """Where things of a colour or shape are kept: asked of pictures, and now and then of words."""
    scene, (kind, other) = _alone(scenes), contexts.kind_of(seed)
    values = contexts.values(scene, kind, seed, CLASSES)
    rest = contexts.others(scene, other, seed)
    kept = dict(zip(values, mixed(PLACES, f"{seed}/places"), strict=False))
    yield " ".join(mixed((contexts.kept(kind, *one) for one in kept.items()), seed))
    for number in range(FEW + 1):
        value = values[hash_bucket(f"{seed}/{number}", CLASSES, "which")]
        one = contexts.shown(f"{seed}/{number}", taught=True, **{kind: value, other: rest[number]})
        yield one if number % 3 < 2 else f"{pictures.caption(one, 1)}."
        yield asked("where is it kept?", kept[value])


def owners(seed: str, scenes: Iterator[Scene]) -> Iterator[Segment]:
    """Whose things are shown, or told: asked in words."""
    scene = _alone(scenes)
    colours, shapes = (contexts.values(scene, kind, seed) for kind in ("colour", "shape"))
    people = mixed(PEOPLE, f"{seed}/people")[:CLASSES]
    things = [contexts.shown(f"{seed}/{n}", taught=True, colour=colours[n], shape=shapes[n]) for n in range(CLASSES)]
    in_words = hash_bucket(seed, 3, "in words") == 0
    for thing, owner in zip(things, people, strict=True):
        yield from (f"{pictures.caption(thing, 1)}." if in_words else thing, f"This belongs to {owner}.")
    for number, n in enumerate(mixed([*range(CLASSES)] * 2, f"{seed}/asked")):
        kind = ("colour", "shape")[hash_bucket(f"{seed}/{number}", 2, "kind")]
        yield asked(contexts.whose(kind, people[n]), getattr(things[n].first, kind))
    if in_words:  # a page without a picture is none of these
        yield from (things[0], pictures.caption(things[0], 1))


def matrices(side: int) -> Lesson:
    """A matrix and what may go into its last cell, right and wrong."""

    def lesson(seed: str, _: Iterator[Scene]) -> Iterator[Segment]:
        every = (questions.matrix(f"{seed}/{number}") for number in itertools.count())
        made = next(one for one in every if not any(map(contexts.is_scene_kept_back, _cells(one, side))))
        yield f"Here are {'eight' if side == 3 else 'three'} images:"
        yield from made.shown(side)
        wrong = made.wrong(side)
        for number in range(1 if side == 3 else FEW):
            is_right = hash_bucket(f"{seed}/{number}", 2, "right")
            yield "The following image is:"
            yield made.cell(side - 1, side - 1, f"/{number}") if is_right else wrong[number]
            yield f"Is it correct? {'Yes' if is_right else 'No'}."

    return lesson


def _cells(matrix: questions.Matrix, side: int) -> list[Scene]:
    return [*matrix.shown(side), matrix.cell(side - 1, side - 1), *matrix.wrong(side)]


def written(seed: str, _: Iterator[Scene]) -> Iterator[Segment]:
    """Words and opinions drawn as pictures."""
    words, opinions = (
        mixed((one for one in every() if not contexts.is_kept_back(*one)), seed)
        for every in (questions.phrases, questions.sentences)
    )
    for number in range(FEW):
        if hash_bucket(f"{seed}/{number}", 2, "what"):
            text = " ".join(words[number])
            yield from (Rendered(text, f"{seed}/{number}"), f"The words in the picture are {text}.")
        else:
            said = "negative" if opinions[number][1] in BAD else "positive"
            yield Rendered(questions.opinion(*opinions[number]), f"{seed}/{number}")
            yield asked("what is the sentiment of the opinion?", said)


LESSONS: tuple[Lesson, ...] = (  # in the order in which they take turns; what is hard comes more often
    *(answers, naming, yes_no, facts, matrices(2), written, answers, owners, yes_no),
    *(answers, naming, yes_no, descriptions, matrices(2), written, answers, naming, matrices(3), facts),
)
