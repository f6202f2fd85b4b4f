"""Questions about generated pictures: true, not told in training, answerable from the prompt and from nothing less."""

import dataclasses
import itertools
import math
import re
from collections import Counter

import numpy as np
import pytest

from weft.model_smoketest import suite
from weft.model_smoketest.lm import Likelihood
from weft.model_smoketest.readers import rows as read
from weft.pipeline.demo import captures, contexts, pictures, questions, web
from weft.pipeline.demo.pictures import COLOURS, SHAPES, Scene, Thing
from weft.schemas.config import SUITES
from weft.schemas.records import hash_unit

ITEMS = 300
WORLD = {one.name.removeprefix("world-"): one for one in suite.load(SUITES / "kosmos.toml") if "world" in one.name}
NUMBERED = {shape: shape for shape in SHAPES} | {pictures.plural(shape): shape for shape in SHAPES}


@pytest.fixture(scope="module")
def rows():
    """The rows of each task of TASKS, with scenes in the place of pictures."""
    return {name: list(itertools.islice(make(questions.unseen([])), ITEMS)) for name, make in questions.TASKS.items()}


def of(task):
    return (task.data or task.name).removeprefix("world-")


def called(text):
    """The first colour and the first shape that a text names, as a scene."""
    words = re.findall(r"\w+", text)
    colour = next((word for word in words if word in COLOURS), "")
    return Scene(Thing(next((NUMBERED[word] for word in words if word in NUMBERED), ""), colour, 1), None, "", "", 0)


# What a reader answers who sees the prompt alone, of scenes and texts. None of it knows how rows are made.


def caption(scene, *_):
    return pictures.caption(scene, 1).removeprefix("A picture of ")


def question(*parts):
    scene, asked = parts[0], str(parts[-1])
    if "what colour" in asked:
        return scene.first.colour
    if "how many" in asked:
        return ("one", "two", "three")[scene.first.count - 1]
    return scene.relation if "where" in asked else scene.first.shape


def yes_no(scene, asked):
    return "yes" if f" of {caption(scene)}?" in asked else "no"


def raven(_, *parts):
    *shown, _, candidate, _ = parts
    side = math.isqrt(len(shown) + 1)
    return "Yes" if candidate.first == Thing(shown[-1].first.shape, shown[side - 1].first.colour, 1) else "No"


def sentiment(picture, _):
    return "positive" if set(picture.text.lower().split()) & set(questions.GOOD) else "negative"


def naming(*parts):
    *shots, seen, _ = parts
    for kind in ("colour", "shape"):
        value = getattr(seen.first, kind)
        alike = {name for one, name in zip(shots[::2], shots[1::2], strict=True) if getattr(one.first, kind) == value}
        if len(alike) == 1:
            return alike.pop().removeprefix("This is a ").rstrip(".")
    return ""


def description(scene, text):
    told = re.findall(r"Description of (\w+): ([^.]*)\.", text)
    return next((name for name, said in told if called(said).first == dataclasses.replace(scene.first, count=1)), "")


def fact(text, *parts):
    scene = parts[0] if len(parts) == 2 else called(text.partition("A picture of ")[2])
    kept = {called(what).first: place for what, place in re.findall(r"All ([\w ]+) are kept in the (\w+)", text)}
    return kept.get(Thing("", scene.first.colour, 1)) or kept[Thing(scene.first.shape, "", 1)]


def owner(*parts):
    *shown, asked = parts
    pairs = list(zip(shown[::2], shown[1::2], strict=True))
    pairs = pairs or [(called(what), whose) for what, whose in re.findall(r"of ([^.]*)\. This belongs to (\w+)", asked)]
    whose = re.findall(r"(\w+)\?", asked)[0]
    thing = next(scene.first for scene, told in pairs if whose in told)
    return thing.colour if "what colour" in asked else thing.shape


def instruction(scene, text):
    if "background" in text or "behind" in text:
        return scene.ground
    if "Count" in text or "many" in text:
        return ("one", "two", "three")[scene.first.count - 1]
    return scene.first.shape if "without" in text or "kind" in text else scene.first.colour


CHANCE = "chance"
ANSWERS = {  # task → what answers it, and how often that is right
    **dict.fromkeys(questions.CHANGES, (caption, 1.0)),
    "captions": (caption, 1.0),
    "raven": (raven, 1.0),
    "raven-3": (raven, 1.0),
    "vqa": (question, 1.0),
    "chain-of-thought": (question, 1.0),
    "yes-no": (yes_no, 1.0),
    "words": (lambda picture, _: picture.text, 1.0),
    "sentiment": (sentiment, 1.0),
    "naming-0": (naming, CHANCE),
    **{f"naming-{k}": (naming, 1.0) for k in contexts.SHOTS},
    **{f"shuffled-{k}": (naming, CHANCE) for k in contexts.SHOTS},
    "names": (description, CHANCE),
    "descriptions": (description, 1.0),
    "facts": (fact, 1.0),
    "facts-in-words": (fact, 1.0),
    "owners": (owner, 1.0),
    "owners-in-words": (owner, 1.0),
    "uninstructed": (lambda scene: scene.first.colour, 0.25),  # of four things that are true
    "instructions": (instruction, 1.0),
}


class Reader:
    """A model that is sure of one answer."""

    def __init__(self, answer):
        self.answer = answer

    def loglikelihood(self, requests):
        return [Likelihood(-float(self.answer(*prompt) != text.strip()), 1) for prompt, text in requests]

    def generate_until(self, prompts, **_):
        return [pictures.caption(prompt[0], 0) for prompt in prompts]


class Uniform:
    """A model that finds each answer as likely as luck has it."""

    def loglikelihood(self, requests):
        return [Likelihood(-hash_unit(str(number), "uniform"), 1) for number, _ in enumerate(requests)]


def near(figure, expected, items=ITEMS):
    return abs(figure - expected) < 4 * math.sqrt(expected * (1 - expected) / items)


@pytest.mark.parametrize("name", WORLD)
def test_who_reads_the_prompt_answers_and_who_guesses_is_at_chance(name, rows):
    task, (answer, expected) = WORLD[name], ANSWERS[name]
    found, scores = suite.figures_of(Reader(answer), task, rows[of(task)])
    assert len(scores) == found["items"] == ITEMS
    if isinstance(expected, float) and expected == 1.0:
        assert found["figure"] == 1.0 > 2 * found["chance"] - 0.01
    else:
        assert near(found["figure"], found["chance"] if expected == CHANCE else expected)
    if task.metric == "accuracy" and not task.chance:
        guessed, _ = suite.figures_of(Uniform(), dataclasses.replace(task, first=None, prompt=[]), rows[of(task)])
        assert near(guessed["figure"], found["chance"])


def test_the_chance_of_instructions_is_that_of_a_reader_of_these_alone(rows):
    task, mine = WORLD["instructions"], rows["instructions"]
    kinds = {"colour": COLOURS, "shape": SHAPES, "number": contexts.COUNTS, "ground": pictures.GROUNDS}

    class Blind:
        def loglikelihood(self, requests):
            (told,) = {prompt[-1] for prompt, _ in requests}
            words = kinds[next(kind for kind, asked in contexts._INSTRUCTIONS.items() if told in asked)]
            return [
                Likelihood(-hash_unit(f"{text}{n}", "blind") - (text.strip() not in words), 1)
                for n, (_, text) in enumerate(requests)
            ]

    right = [suite.figures_of(Blind(), task, [row])[0] for row in mine]
    figure, by_chance = (sum(one[name] for one in right) / ITEMS for name in ("figure", "chance"))
    assert by_chance > 0.3 and near(figure, by_chance)


def attributes(candidate):
    return candidate.split() if isinstance(candidate, str) else dataclasses.astuple(candidate.first)[:2]


def commonest(candidates, _):
    """The candidate whose attributes are the commonest among all."""
    counts = Counter(itertools.chain(*map(attributes, candidates)))
    return max(range(len(candidates)), key=lambda i: sum(counts[one] for one in attributes(candidates[i])))


BLIND = {  # rules for the place of an answer, of the candidates and the words of the prompt
    "first": lambda candidates, text: 0,
    "last": lambda candidates, text: len(candidates) - 1,
    "longest": lambda candidates, text: max(range(len(candidates)), key=lambda i: len(candidates[i])),
    "shortest": lambda candidates, text: min(range(len(candidates)), key=lambda i: len(candidates[i])),
    "told last": lambda candidates, text: max(range(len(candidates)), key=lambda i: text.rfind(candidates[i])),
    "told first": lambda candidates, text: max(range(len(candidates)), key=lambda i: -text.find(candidates[i])),
    "commonest": commonest,
    "told often": lambda candidates, text: max(range(len(candidates)), key=lambda i: text.count(candidates[i])),
}


@pytest.mark.parametrize("name", [name for name, task in WORLD.items() if task.metric == "accuracy"])
def test_neither_place_nor_length_nor_custom_tells_the_answer(name, rows):
    task = WORLD[name]
    mine = rows[of(task)]
    drawn = [row for row in mine if not isinstance(row["candidates"][0], str)]
    by_chance = sum(1 / len(row["candidates"]) for row in mine) / ITEMS
    for rule, choose in BLIND.items():
        if drawn and rule not in ("first", "last", "commonest"):
            continue
        right = 0
        for row in mine:
            parts = [] if drawn else task.segments(row | {"said": ""})
            text = " ".join(part for part in parts if isinstance(part, str))
            right += choose(row["candidates"], text) == row["label"]
        assert near(right / ITEMS, by_chance), rule
    if not drawn:
        (usual, right), *_ = Counter(row["candidates"][row["label"]] for row in mine).most_common()
        offered = [1 / len(row["candidates"]) for row in mine if usual in row["candidates"]]
        expected = sum(offered) / len(offered)
        assert right / len(offered) < expected + 5 * math.sqrt(expected * (1 - expected) / len(offered))


def test_every_task_has_its_rows_and_pictures(tmp_path):
    questions.write(tmp_path, ["A red circle on a grey background"], items=1)
    assert {path.name.removeprefix("world-") for path in tmp_path.iterdir()} == set(questions.TASKS)
    for home in tmp_path.iterdir():
        (row,) = read(home)
        several = [row[name] for name in row if isinstance(row[name], list)]
        shown = [path for path in (*row.values(), *itertools.chain(*several)) if hasattr(path, "stat")]
        assert shown and all(path.stat().st_size > 500 for path in shown)
    for name, task in WORLD.items():
        (row,) = read(tmp_path / f"world-{of(task)}")
        assert task.segments(row | {"candidate": "x", "said": ""}), name


def test_candidates_differ_and_the_truth_is_among_them(rows):
    for mine in rows.values():
        for row in mine:
            if "candidates" in row:
                assert len(set(map(str, row["candidates"]))) == len(row["candidates"]) > row["label"] >= 0
    assert {len(row["candidates"]) for row in rows["shape"]} == {12}
    assert all(" of " in c or "above" in c or "below" in c for row in rows["relation"] for c in row["candidates"])
    assert {len(row["candidates"]) for name in ("raven", "raven-3") for row in rows[name]} == {6}


def test_what_a_page_shows_is_not_asked_whatever_became_of_its_pairs(tmp_path):
    web.make_web(str(tmp_path), pages=60, salt="s", questions=20)
    every = [one.made for one in captures.plan(60, "s", 20)[0]]
    lessons, others = (
        {
            (thing, picture.scene.ground)
            for made in every for picture, shown in made.pictures
            if (made.page.kind == "quiz") == taught and isinstance(picture.scene, Scene) and "background" in shown.alt
            for thing in (picture.scene.first, picture.scene.second) if thing
        }
        for taught in (True, False)
    )  # fmt: skip

    def asked(told):
        return {(scene.first, scene.ground) for scene in itertools.islice(questions.unseen(told), 2000)}

    assert len(lessons) > 50 and not lessons & asked([])
    assert others & asked([]) and not others & asked(questions.texts_of(str(tmp_path / web.TRUTH)))


def test_words_and_opinions_asked_about_are_those_kept_back_and_each_part_of_them_is_taught(rows):
    for name, every in (("words", questions.phrases()), ("sentiment", questions.sentences())):
        back = {one for one in every if contexts.is_kept_back(*one)}
        said = {" ".join(one) if name == "words" else questions.opinion(*one) for one in back}
        assert {row["image"].text for row in rows[name]} == said and len(back) < len(every) / 2
        taught = set(every) - back
        assert all({one[n] for one in back} <= {one[n] for one in taught} for n in range(2))


def test_no_question_tells_what_a_later_one_asks():
    for number in range(200):
        scene = pictures.sample_scene(f"told-{number}")
        before = set()
        for text in questions.told(scene, str(number)):
            asked, answer = text.removeprefix("Question: ").removesuffix(".").split(" Answer: ")
            said = caption(scene)
            if answer in ("yes", "no"):
                assert (f" of {said}?" in asked) == (answer == "yes")
            else:
                assert answer == question(scene, asked) and answer not in before
            before |= {NUMBERED.get(word, word) for word in re.findall(r"\w+", text)}


def test_what_was_told_is_not_asked():
    scene = next(questions.unseen([]))
    told = pictures.caption(dataclasses.replace(scene, second=None, relation=""), 0)
    assert next(questions.unseen([told])) != scene


def test_as_many_are_one_two_and_three_where_a_web_tells_three_rarely():
    drawn = (pictures.sample_scene(f"web-{n}") for n in range(4000))
    told = [pictures.caption(scene, 0) for scene in drawn]  # 98 of 100 that are one or two, 57 of 100 that are three
    alone = (scene for scene in questions.unseen(told) if scene.second is None)
    counts = Counter(scene.first.count for scene in itertools.islice(alone, 300))
    assert all(75 < counts[count] < 125 for count in (1, 2, 3)), counts  # 100 expected, deviation 8


def test_what_is_asked_about_is_as_wide_as_what_the_web_shows():
    shown = [picture for made in captures.plan(60, "s", 0)[0] for picture, _ in made.made.pictures]
    assert abs(np.median([one.width / one.height for one in shown]) - np.divide(*questions.SIZE)) < 0.15
