"""The word lists: no slot without words, no word twice, verbs that fit the sentences."""

import re

import pytest

from weft.pipeline.demo import vocabulary as v

COMPUTED = {"num", "few", "day", "year", "name", "org"}  # prose makes these


@pytest.mark.parametrize("text", [*v.SENTENCES, *v.TITLES, *v.ORGANISATIONS])
def test_every_slot_of_a_template_can_be_filled(text):
    known = {*v.COMMON, *COMPUTED, *next(iter(v.TOPICS.values())), "place"}
    assert {name.rstrip("0123456789") for name in re.findall(r"\{(\w+)\}", text)} <= known


@pytest.mark.parametrize("name", v.COMMON)
def test_phrases_that_are_filled_themselves_have_slots_that_there_are(name):
    known = {*v.COMMON, *COMPUTED, *next(iter(v.TOPICS.values()))}
    assert {slot.rstrip("0123456789") for text in v.COMMON[name] for slot in re.findall(r"\{(\w+)\}", text)} <= known


@pytest.mark.parametrize("topic", v.TOPICS)
def test_a_topic_has_words_of_every_sort_and_regular_verbs(topic):
    words = v.TOPICS[topic]
    assert all(len(words[sort]) >= 7 for sort in ("agent", "thing", "verb", "spot", "quality"))
    assert all(verb.endswith("ed") for verb in words["verb"])


@pytest.mark.parametrize("language", v.LANGUAGES)
def test_patterns_of_a_language_use_its_own_lists(language):
    lists, patterns = v.LANGUAGES[language]
    filled = [*patterns, *(word for words in lists.values() for word in words)]
    assert {slot for text in filled for slot in re.findall(r"\{(\w+)\}", text)} <= set(lists)
