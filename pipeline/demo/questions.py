"""Questions about generated pictures: rows for the suite's tasks of the demo's world, of scenes that no caption tells.

Scenes are of seeds that no demo web draws, and the pictures asked about are held out by composition: one whose first
thing and ground stand together in a sentence of the web is left out, wherever that went. What is shown beside them
(shots, matrices) may have been told. The captions' tasks are worded as these are, which is all that a model
of the demo's shards has read about pictures; questions, words in pictures and what is told in the prompt alone
(contexts.py) are worded as the paper does; pages that teach them stand in the demo's web where that is asked for
(lessons.py).

No row gives its answer away: the truth stands at any place among the candidates, whatever their lengths, and what is
asked goes with every answer equally often. A row holds scenes and rendered texts; they are drawn where it is written.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import json
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from weft.pipeline.demo import contexts, pictures, rendered
from weft.pipeline.demo.contexts import COUNTS, Row, is_kept_back, is_scene_kept_back, mixed
from weft.pipeline.demo.pictures import COLOURS, GROUNDS, NUMBERS, RELATIONS, SHAPES, Scene, Thing
from weft.pipeline.demo.rendered import Rendered
from weft.schemas.parameters import ConfigError
from weft.schemas.records import hash_bucket
from weft.transforms.io import files

Change = Callable[[Scene], Iterator[Scene]]  # a scene → all that it might be, were one thing of it another

ITEMS = 200  # of each task
SIZE = (280, 224)  # as wide as most pictures of the web: things side by side tell their number by their size too
SQUARE = (224, 224)  # of a text: at the sides of a wider picture a tower sees nothing
CELL = (96, 96)  # of a picture among several
CHOICES = 6
YES_NO = ("no", "yes")
_START = "A picture of "
_WHOLE = (0, 2, 3, 4)  # captions that tell the ground too
_SEEDS = 1_000_000  # of scenes that are looked at

GOOD = ("wonderful", "charming", "brilliant", "delightful", "splendid", "moving", "clever", "superb")
BAD = ("terrible", "boring", "dreadful", "clumsy", "tedious", "hollow", "awful", "shallow")
OPINIONS = (
    "What a {} film",
    "The story is {}",
    "A {} play from start to end",
    "I found the acting {}",
    "The last act was {}",
    "Such a {} book",
    "The music sounds {}",
    "{} scenes and songs",
)


def write(folder: Path, told: Collection[str], items: int = ITEMS) -> None:
    """`folder`/world-…/items.jsonl and pictures. `told` is what may have been read in training."""
    scenes = unseen(told)
    for name, make in TASKS.items():
        _write(folder / f"world-{name}", itertools.islice(make(scenes), items))


def texts_of(truth: str) -> set[str]:
    """All texts, alts and captions of a demo web, of what its file of truth says.

    Of all pages: what of a page was trained on, its pairs, its document or its text, differs with the run.
    """
    texts: set[str] = set()
    for line in map(json.loads, files.read_bytes(truth).splitlines()):
        texts.update(line.get("main_text", ()))
        texts.update(words for image in line.get("images", ()) for words in (image["alt"], image["caption"]))
    return texts


def unseen(told: Collection[str]) -> Iterator[Scene]:
    """Scenes without end: first thing and ground are kept back, and stand together in no text of `told`.

    Of things alone as many are one, two and three, though a web tells three more rarely: else three would be most of
    what is left, and the answer to how many there are.
    """
    is_told = _told(told)
    given = 0  # of things alone
    for scene in _scenes("suite"):
        if scene.second is None:
            count = 1 + hash_bucket(f"suite/{given}", len(NUMBERS), "count")
            scene = dataclasses.replace(scene, first=dataclasses.replace(scene.first, count=count))
        if is_scene_kept_back(dataclasses.replace(scene, second=None)) and not is_told(scene):
            given += scene.second is None
            yield scene


def write_instructions(path: str, told: Collection[str], rows: int) -> None:
    """Instruction data of the demo's world, in words alone: lines of scenes that are told in `told`.

    So what `unseen` gives stands in none of them.
    """
    is_told = _told(told)
    scenes = (scene for scene in _scenes("instruction") if scene.second is None and is_told(scene))
    lines = []
    for number, scene in enumerate(itertools.islice(scenes, rows)):
        seed = f"instruction-{number}"
        text = pictures.caption(scene, _WHOLE[hash_bucket(seed, len(_WHOLE), "form")])
        lines.append(json.dumps(contexts.instruction(scene, text, seed)) + "\n")
    files.write_atomic(path, "".join(lines))


def _scenes(name: str) -> Iterator[Scene]:
    """Scenes of seeds of this name.

    Raises:
        ConfigError: so many are passed over that a web must tell of all that there are.
    """
    for number in range(_SEEDS):
        yield pictures.sample_scene(f"{name}-{number}")
    raise ConfigError("this web tells too many scenes, or too few: ask for fewer questions or pages, or more of them")


def _told(told: Collection[str]) -> Callable[[Scene], bool]:
    """Whether a scene's first thing and ground stand together in a text."""
    lower = list(map(str.lower, told))
    by_ground = {ground: "\n".join(text for text in lower if f"{ground} background" in text) for ground in GROUNDS}
    known: dict[tuple[Thing, str], bool] = {}

    def is_told(scene: Scene) -> bool:
        if (scene.first, scene.ground) not in known:
            thing = pictures.caption(dataclasses.replace(scene, second=None, relation=""), 5).lower()
            known[scene.first, scene.ground] = thing in by_ground[scene.ground]
        return known[scene.first, scene.ground]

    return is_told


def _captions(scenes: Iterator[Scene]) -> Iterator[Row]:
    vocabulary = sorted({*COLOURS, *GROUNDS, *SHAPES, *map(pictures.plural, SHAPES), *NUMBERS[1:]})
    for scene in scenes:
        references = [pictures.caption(scene, variant) for variant in range(6)]
        words = references[0].lower().split()
        wanted = [word for word in words if word in vocabulary]
        yield {"image": scene, "references": references, "words": wanted, "of": vocabulary}


def _colour(scene: Scene) -> Iterator[Scene]:
    for colour in COLOURS:
        if colour != scene.ground:
            yield dataclasses.replace(scene, first=dataclasses.replace(scene.first, colour=colour))


def _shape(scene: Scene) -> Iterator[Scene]:
    for shape in SHAPES:
        yield dataclasses.replace(scene, first=dataclasses.replace(scene.first, shape=shape))


def _number(scene: Scene) -> Iterator[Scene]:
    for count in range(1, 1 + len(NUMBERS)):
        yield dataclasses.replace(scene, first=dataclasses.replace(scene.first, count=count))


def _relation(scene: Scene) -> Iterator[Scene]:
    for relation in RELATIONS:
        yield dataclasses.replace(scene, relation=relation)


CHANGES = {"colour": _colour, "shape": _shape, "number": _number, "relation": _relation}


def _asked(scenes: Iterator[Scene], kind: str) -> tuple[Scene, list[Scene]]:
    """The next scene of one thing (or for relations of two), and all that it might be."""
    scene = next(one for one in scenes if (one.second is None) == (kind != "relation"))
    return scene, list(CHANGES[kind](scene))


def _choices(kind: str) -> Callable[[Iterator[Scene]], Iterator[Row]]:
    """What a picture may be called: the truth among all that it might be."""

    def rows(scenes: Iterator[Scene]) -> Iterator[Row]:
        while True:
            scene, every = _asked(scenes, kind)
            yield {"image": scene, "candidates": list(map(_called, every)), "label": every.index(scene)}

    return rows


def _called(scene: Scene) -> str:
    return pictures.caption(scene, 1).removeprefix(_START)


def told(scene: Scene, seed: str) -> list[str]:
    """What may be asked of a scene with its answers; no question tells what a later one asks."""
    kinds: tuple[str, ...] = ("relation",)
    if scene.second is None:
        kinds = (("shape", "number"), ("number", "colour"))[hash_bucket(seed, 2, "kinds")]
    last = whether(scene, seed)[0]
    return [*(asked(*_question(kind, scene)) for kind in kinds), last]


def whether(scene: Scene, seed: str) -> list[str]:
    """Whether it is what it is, and whether it is what it might be, in any order; with the answers."""
    kinds = ["relation"] if scene.second else ["colour", "shape", "number"]
    both = [scene, _wrong(scene, CHANGES[mixed(kinds, seed)[0]](scene), seed)]
    if hash_bucket(seed, 2, "order"):
        both.reverse()
    return [asked(_so(said), YES_NO[said == scene]) for said in both]


def asked(question: str, answer: str) -> str:
    """A question with its answer, as pages have them."""
    return f"Question: {question} Answer: {answer}."


def _question(kind: str, scene: Scene) -> tuple[str, str]:
    """What is asked of a scene, and its answer."""
    first = scene.first
    if kind == "colour":
        return f"what colour is the {first.shape}?", first.colour
    if kind == "shape":
        return f"what is {first.colour} in the picture?", first.shape
    if kind == "number":
        return f"how many {pictures.plural(first.shape)} are there?", COUNTS[first.count - 1]
    assert scene.second
    return f"where is {first.colour}, seen from {scene.second.colour}?", scene.relation


def _vqa(scenes: Iterator[Scene]) -> Iterator[Row]:
    for number, kind in enumerate(itertools.cycle(CHANGES)):
        scene, every = _asked(scenes, kind)
        question, answer = _question(kind, scene)
        candidates = mixed((_question(kind, one)[1] for one in every), f"vqa-{number}")
        yield {"image": scene, "question": question, "candidates": candidates, "label": candidates.index(answer)}


def _yes_no(scenes: Iterator[Scene]) -> Iterator[Row]:
    """Half of what is asked is so; the other half is so but for one thing."""
    for number, kind in enumerate(itertools.cycle(CHANGES)):
        scene, every = _asked(scenes, kind)
        question, label = _whether(scene, every, f"yes-no-{number}")
        yield {"image": scene, "question": question, "candidates": list(YES_NO), "label": label}


def _whether(scene: Scene, every: list[Scene], seed: str) -> tuple[str, int]:
    """Whether a scene is what it is, or one that it might be; and whether so."""
    label = hash_bucket(seed, 2, "label")
    return _so(scene if label else _wrong(scene, every, seed)), label


def _wrong(scene: Scene, every: Iterable[Scene], seed: str) -> Scene:
    """One of all that a scene might be, and is not."""
    wrong = [one for one in every if one != scene]
    return wrong[hash_bucket(seed, len(wrong), "wrong")]


def _so(said: Scene) -> str:
    return f"is this a picture of {_called(said)}?"


class Matrix(NamedTuple):
    """The shape goes by row, the colour by column."""

    seed: str
    shapes: list[str]
    colours: list[str]

    def cell(self, row: int, column: int, again: str = "") -> Scene:
        grain = hash_bucket(f"{self.seed}/{row}/{column}{again}", 1 << 30, "grain")
        return Scene(Thing(self.shapes[row], self.colours[column], 1), None, "", "grey", grain)

    def shown(self, side: int) -> list[Scene]:
        """All cells but the last."""
        return list(itertools.starmap(self.cell, itertools.product(range(side), repeat=2)))[:-1]

    def wrong(self, side: int) -> list[Scene]:
        """Three shapes in two colours, or the reverse, but for the right one.

        So each value stands equally often, and the candidates alone say nothing (I-RAVEN, arXiv 2002.06838).
        """
        last = side - 1
        both = [last, last - 1], [last, last - 1, side]  # the right one, the one before, one that is not shown
        down, across = both if hash_bucket(self.seed, 2, "more") else both[::-1]
        return mixed(list(itertools.starmap(self.cell, itertools.product(down, across)))[1:], self.seed)


def matrix(seed: str) -> Matrix:
    """The matrix of a seed."""
    return Matrix(seed, mixed(SHAPES, seed), mixed(set(COLOURS) - {"white"}, seed))


def _matrices(side: int) -> Callable[[Iterator[Scene]], Iterator[Row]]:
    """What goes into the last cell; it is one that no page of matrices shows."""

    def rows(_: Iterator[Scene]) -> Iterator[Row]:
        for number in itertools.count():
            made = matrix(f"matrix-{number}")
            right = made.cell(side - 1, side - 1)
            if is_scene_kept_back(right):
                label = hash_bucket(made.seed, CHOICES, "label")
                wrong = made.wrong(side)
                candidates = [*wrong[:label], right, *wrong[label:]]
                yield {"images": made.shown(side), "candidates": candidates, "label": label}

    return rows


def phrases() -> list[tuple[str, str]]:
    """Two words that may stand in a picture."""
    return list(itertools.product(COLOURS, SHAPES))


def sentences() -> list[tuple[str, str]]:
    """Form and word of an opinion."""
    return list(itertools.product(OPINIONS, (*BAD, *GOOD)))


def opinion(form: str, word: str) -> str:
    """The sentence."""
    text = form.format(word)
    return text[0].upper() + text[1:]


@functools.cache
def writings() -> list[str]:
    """All that may stand in a picture."""
    return [" ".join(words) for words in phrases()] + [opinion(*one) for one in sentences()]


def _words(_: Iterator[Scene]) -> Iterator[Row]:
    """Two words in a picture, among other two; none of them stand together in a picture of the web."""
    every = [" ".join(words) for words in phrases() if is_kept_back(*words)]
    for number in itertools.count():
        seed = f"word-{number}"
        candidates = mixed(every, seed)[:CHOICES]
        label = hash_bucket(seed, CHOICES, "label")
        yield {"image": Rendered(candidates[label], seed), "candidates": candidates, "label": label}


def _sentiment(_: Iterator[Scene]) -> Iterator[Row]:
    """Sentences in pictures, of an opinion that one word of them tells; none stands in a picture of the web."""
    every = [one for one in sentences() if is_kept_back(*one)]
    for number in itertools.count():
        seed = f"opinion-{number}"
        label = hash_bucket(seed, 2, "label")
        some = [one for one in every if one[1] in (BAD, GOOD)[label]]
        text = opinion(*some[hash_bucket(seed, len(some), "text")])
        yield {"image": Rendered(text, seed), "candidates": ["negative", "positive"], "label": label}


TASKS: dict[str, Callable[[Iterator[Scene]], Iterator[Row]]] = {  # name → its rows, without end
    "captions": _captions,
    **{kind: _choices(kind) for kind in CHANGES},
    "raven": _matrices(2),
    "raven-3": _matrices(3),
    "vqa": _vqa,
    "yes-no": _yes_no,
    "words": _words,
    "sentiment": _sentiment,
    **contexts.TASKS,
}


def _write(folder: Path, rows: Iterator[Row]) -> None:
    """A JSON line a row; pictures become files, and their names stand in the row."""
    folder.mkdir(parents=True, exist_ok=True)
    names = (f"{number:05d}.jpg" for number in itertools.count())

    def laid(value: Any, size: tuple[int, int] = SIZE) -> Any:
        if isinstance(value, list):
            return [laid(one, CELL) for one in value]
        if not isinstance(value, Scene | Rendered):
            return value
        name = next(names)
        rendered.drawn(value, *(size if isinstance(value, Scene) else SQUARE)).save(folder / name, "JPEG", quality=90)
        return name

    lines = [json.dumps({field: laid(value) for field, value in row.items()}) + "\n" for row in rows]
    (folder / "items.jsonl").write_text("".join(lines), "utf-8")
