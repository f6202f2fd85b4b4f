"""Prose: sentences that are whole, that differ, and that come again from the same seed."""

import pytest

from weft.pipeline.demo import prose, vocabulary
from weft.pipeline.demo.prose import Dice, sentences
from weft.pipeline.demo.vocabulary import TOPICS


def test_prose_does_not_repeat_itself():
    texts = [sentence for topic in TOPICS for sentence in sentences(Dice(f"prose {topic}"), topic, 30)]
    assert len(set(texts)) == len(texts)
    assert not [text for text in texts if "{" in text or "  " in text or not text.endswith((".", "\u201d"))]


def test_dice_depend_on_their_seed_alone_and_stay_in_bounds():
    dice = Dice("s")
    thrown = [dice.number(3, 5) for _ in range(200)]
    assert set(thrown) == {3, 4, 5}
    again = Dice("s")
    assert [again.number(3, 5) for _ in range(200)] == thrown
    assert sorted(Dice("s").sample(range(9), 20)) == list(range(9))
    assert 0.2 < sum(dice.chance(0.3) for _ in range(1000)) / 1000 < 0.4


@pytest.mark.parametrize("language", sorted(vocabulary.LANGUAGES))
def test_sentences_of_another_language_have_no_holes(language):
    texts = prose.foreign(Dice(f"foreign {language}"), language, 20)
    assert len(texts) == 20 and not [text for text in texts if "{" in text] and len(set(texts)) > 5


@pytest.mark.parametrize(
    ("how", "sign"), [("hashtags", "#"), ("urls", "http://"), ("numbers", "0"), ("emoji", vocabulary.EMOJI[0])]
)
def test_spam_is_spoiled_as_it_says(how, sign):
    signs = vocabulary.EMOJI if how == "emoji" else (sign,)
    paragraphs = prose.gibberish(Dice(f"spam {how}"), how, 3)
    assert len(paragraphs) == 3 and all(any(one in text for one in signs) for text in paragraphs)


def test_a_run_of_signs_is_long():
    (text,) = prose.gibberish(Dice("runs"), "runs", 1)
    assert max(len(word) for word in text.split() if len(set(word)) == 1) >= 60


def test_names_and_titles():
    assert len(prose.person(Dice("p")).split()) >= 2
    assert all("{" not in prose.title(Dice(f"{topic}{n}"), topic) for topic in TOPICS for n in range(9))
