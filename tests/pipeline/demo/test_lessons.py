"""Lessons: true, worded as the suite asks, and of nothing that it asks of."""

import itertools
import re
from collections import Counter

import pytest

from weft.model_smoketest import suite
from weft.pipeline.demo import contexts, lessons, pictures, questions
from weft.pipeline.demo.pictures import COLOURS, Scene
from weft.pipeline.demo.rendered import Rendered
from weft.schemas.config import SUITES

KINDS = len(lessons.LESSONS)
EVERY = [lessons.lesson(index, f"test-{index}") for index in range(8 * KINDS)]
WORLD = [one for one in suite.load(SUITES / "kosmos.toml") if one.name.startswith("world-")]


def of(lesson):
    """All lessons of a kind."""
    return [made for index, made in enumerate(EVERY) if lessons.LESSONS[index % KINDS] is lesson]


def texts(made):
    return " ".join(part for part in made if isinstance(part, str))


def after(made):
    """Each picture with the text behind it."""
    return [(one, text) for one, text in itertools.pairwise(made) if not isinstance(one, str) and isinstance(text, str)]


def answers(text):
    return re.findall(r"Question: ?([^?]*)\? Answer: (\w[^.]*)\.", text)


def test_nothing_that_is_kept_back_is_shown_or_told():
    asked_names = {name for seed in map(str, range(50)) for name in contexts.names(seed, 10)}
    phrases, sentences = (
        {one for one in every if contexts.is_kept_back(*one)} for every in (questions.phrases(), questions.sentences())
    )
    kept_back = {" ".join(one) for one in phrases} | {questions.opinion(*one) for one in sentences}
    for made in EVERY:
        scenes = [part for part in made if isinstance(part, Scene)]
        assert not any(map(contexts.is_scene_kept_back, scenes))
        assert not {part.text for part in made if isinstance(part, Rendered)} & kept_back
        assert not asked_names & set(re.findall(r"\w+", texts(made)))
    assert len(asked_names) > 20 and len(kept_back) > 40


def test_no_scene_that_the_suite_asks_about_is_shown():
    asked = {(scene.first, scene.ground) for scene in itertools.islice(questions.unseen([]), 3000)}
    shown = {
        (thing, part.ground)
        for made in EVERY for part in made if isinstance(part, Scene)
        for thing in (part.first, part.second) if thing
    }  # fmt: skip
    assert len(shown) > 300 and not asked & shown


def test_pictures_are_few_and_stand_between_texts():
    for made in EVERY:
        assert 1 <= sum(not isinstance(part, str) for part in made) <= lessons.MOST
        assert isinstance(made[-1], str)


@pytest.mark.parametrize("task", [one for one in WORLD if one.metric == "accuracy"], ids=lambda one: one.name)
def test_what_the_suite_says_behind_a_picture_is_taught(task):
    said = texts(itertools.chain(*EVERY))
    captions = ("A picture of", "{instruction}")  # alts and instruction data teach these
    for part in task.prompt:
        fixed = [piece.strip() for piece in re.split(r"\{\w+\}", part)]
        assert part in captions or all(piece in said for piece in fixed)


def test_questions_are_answered_rightly():
    for scene, text in (
        pair for lesson in (lessons.answers, lessons.yes_no) for made in of(lesson) for pair in after(made)
    ):
        said = pictures.caption(scene, 1).removeprefix("A picture of ")
        assert text.startswith(("Question:", f"{pictures.caption(scene, 0)} Question:"))
        assert answers(text)
        for asked, answer in answers(text):
            if answer in ("yes", "no"):
                assert (asked == f"is this a picture of {said}") == (answer == "yes")
            else:
                number = ("one", "two", "three")[scene.first.count - 1]
                assert answer in (scene.first.colour, scene.first.shape, number, scene.relation)
    labels = Counter(answer for made in of(lessons.yes_no) for _, answer in answers(texts(made)))
    assert labels["yes"] == labels["no"] > 50


def test_a_name_stands_for_one_colour_or_shape_and_another_page_gives_it_another():
    meanings = set()
    for made in of(lessons.naming):
        shots = [(scene.first, text.removeprefix("This is a ").rstrip(".")) for scene, text in after(made)]
        assert len(shots) == lessons.MOST
        ways = {kind: {(getattr(thing, kind), name) for thing, name in shots} for kind in ("colour", "shape")}
        _, pairs = min(ways.items(), key=lambda item: len(item[1]))
        assert len(pairs) == len({name for _, name in pairs}) == len({value for value, _ in pairs}) <= 2
        meanings |= pairs
    assert len({name for _, name in meanings}) > 20 < len(meanings)


def test_descriptions_and_facts_tell_the_answer():
    for made in of(lessons.descriptions):
        classes = re.findall(r"Description of (\w+): It is (\w+) and it is a (\w+)\.", texts(made))
        assert len(classes) == 4
        for scene, text in after(made):
            assert (answers(text)[-1][1], scene.first.colour, scene.first.shape) in classes
    in_words = 0
    for made in of(lessons.facts):
        kept = dict(
            (what, place) for what, place in re.findall(r"All (\w+)(?: things)? are kept in the (\w+)\.", made[0])
        )
        for one, text in itertools.pairwise(made[1:]):
            if isinstance(text, str) and text.startswith("Question"):
                in_words += isinstance(one, str)
                said = pictures.caption(one, 5) if isinstance(one, Scene) else one
                words = set(re.findall(r"\w+", said.lower())) | {pictures.plural(w) for w in re.findall(r"\w+", said)}
                (place,) = {place for what, place in kept.items() if what in words}
                assert answers(text) == [("where is it kept", place)]
    assert in_words > 4


def test_owners_are_asked_for_what_is_shown_as_theirs():
    for made in of(lessons.owners):
        theirs = {}
        for one, text in itertools.pairwise(made):
            if isinstance(text, str) and (owner := re.fullmatch(r"This belongs to (\w+)\.", text)):
                theirs[owner[1]] = pictures.caption(one, 5) if isinstance(one, Scene) else one
        asked = answers(texts(made))
        assert len(theirs) == 4 and len(asked) == 8
        for question, answer in asked:
            assert re.search(rf"\b{answer}", theirs[question.split()[-1]])
            assert (answer in COLOURS) == ("colour" in question)


@pytest.mark.parametrize("side", [2, 3])
def test_what_is_correct_goes_on_with_row_and_column(side):
    said = Counter()
    for made in EVERY:
        if isinstance(made[0], str) and made[0] == f"Here are {'three' if side == 2 else 'eight'} images:":
            scenes = [part.first for part in made if isinstance(part, Scene)]
            shown, offered = scenes[: side * side - 1], scenes[side * side - 1 :]
            told = re.findall(r"Is it correct\? (\w+)\.", texts(made))
            for thing, answer in zip(offered, told, strict=True):
                right = thing.shape == shown[-1].shape and thing.colour == shown[side - 1].colour
                assert answer == ("Yes" if right else "No")
                said[answer] += 1
    assert min(said.values()) > sum(said.values()) / 5


def test_what_is_written_is_told():
    told = set()
    for picture, text in (pair for made in of(lessons.written) for pair in after(made)):
        if text.startswith("The words"):
            assert text == f"The words in the picture are {picture.text}."
        else:
            is_good = bool(set(picture.text.lower().split()) & set(questions.GOOD))
            assert answers(text) == [("what is the sentiment of the opinion", "positive" if is_good else "negative")]
        told.add(text)
    assert len(told) > 20
