"""Texts of the demo web: English prose of many topics, the same in other languages, and gibberish.

A seed → sentences. Sentences are templates filled from several hundred phrases per kind, so that two pages share
hardly a run of five words, every page passes for English, and none is a copy unless the web makes it one.
Chance is `Dice`: hashes of the seed, so the same seed gives the same text everywhere.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TypeVar

from weft.pipeline.demo import vocabulary as v
from weft.schemas.records import hash_unit

_T = TypeVar("_T")
_SLOT = re.compile(r"\{(\w+)\}")


class Dice:
    """A stream of choices that depends on its seed alone."""

    def __init__(self, seed: str) -> None:
        self.seed = seed
        self._thrown = 0

    def unit(self) -> float:
        """A number in [0, 1)."""
        self._thrown += 1
        return hash_unit(f"{self.seed} {self._thrown}", "demo")

    def number(self, low: int, high: int) -> int:
        """A whole number from low to high, both included."""
        return low + int(self.unit() * (high - low + 1))

    def pick(self, choices: Sequence[_T]) -> _T:
        """One of `choices`."""
        return choices[int(self.unit() * len(choices))]

    def chance(self, probability: float) -> bool:
        """True with this probability."""
        return self.unit() < probability

    def sample(self, choices: Sequence[_T], count: int) -> list[_T]:
        """`count` different ones of `choices`, in an order of chance."""
        left = list(choices)
        return [left.pop(int(self.unit() * len(left))) for _ in range(min(count, len(left)))]


def sentences(dice: Dice, topic: str, count: int) -> list[str]:
    """`count` English sentences on a topic (a key of TOPICS), no two of one template while there are others."""
    templates: list[str] = []
    while len(templates) < count:
        templates += dice.sample(v.SENTENCES, min(count - len(templates), len(v.SENTENCES)))
    return [fill(dice, template, topic) for template in templates]


def fill(dice: Dice, template: str, topic: str) -> str:
    """A template with every {slot} filled: from the topic, from the common lists, or computed."""
    words = v.TOPICS[topic]
    used: set[str] = set()

    def slot(match: re.Match[str]) -> str:
        name = match.group(1).rstrip("0123456789")
        for _ in range(8):
            text = _phrase(dice, name, words)
            if text not in used:
                break
        used.add(text)
        return _SLOT.sub(slot, text)

    text = _SLOT.sub(slot, template)
    first = 1 if text[0] in "“(" else 0
    return text[:first] + text[first].upper() + text[first + 1 :]


def _phrase(dice: Dice, name: str, words: dict[str, tuple[str, ...]]) -> str:
    if name in words:
        return dice.pick(words[name])
    if name == "num":
        return dice.pick(v.NUMBERS) if dice.chance(0.5) else str(dice.number(13, 940))
    if name == "few":
        return dice.pick(v.NUMBERS[:10])
    if name == "day":
        return f"{dice.number(1, 28)} {dice.pick(v.MONTHS)}"
    if name == "year":
        return str(dice.number(1841, 2019))
    if name == "name":
        return f"{dice.pick(v.FIRST)} {dice.pick(v.LAST)}"
    if name == "org":
        return dice.pick(v.ORGANISATIONS).replace("{place}", dice.pick(v.PLACES))
    return dice.pick(v.COMMON[name])


def title(dice: Dice, topic: str) -> str:
    """A headline."""
    return fill(dice, dice.pick(v.TITLES), topic)


def person(dice: Dice) -> str:
    """First and last name."""
    return _phrase(dice, "name", {})


def foreign(dice: Dice, language: str, count: int) -> list[str]:
    """`count` sentences in another language (a key of vocabulary.LANGUAGES)."""
    lists, patterns = v.LANGUAGES[language]
    made = []
    for _ in range(count):
        text = dice.pick(patterns)
        while "{" in text:
            text = _SLOT.sub(lambda match: dice.pick(lists[match.group(1)]), text)
        made.append(text[0].upper() + text[1:])
    return made


def gibberish(dice: Dice, how: str, count: int) -> list[str]:
    """`count` paragraphs of spam: real words spoiled by `how` (emoji, hashtags, urls, runs, numbers)."""
    topic = dice.pick(sorted(v.TOPICS))
    return [" ".join(_spoil(dice, how, sentences(dice, topic, 3))) for _ in range(count)]


def _spoil(dice: Dice, how: str, texts: list[str]) -> list[str]:
    words = " ".join(texts).split()
    if how == "runs":
        return [*words, dice.pick("!~=*") * dice.number(60, 140), *dice.sample(words, 6)]
    made = []
    for word in words:
        made.append(word)
        if how == "emoji" and dice.chance(0.25):
            made.append(dice.pick(v.EMOJI))
        elif how == "hashtags" and dice.chance(0.3):
            made.append("#" + re.sub(r"\W", "", word).lower() + dice.pick(v.TAGS))
        elif how == "urls" and dice.chance(0.14):
            host = f"{dice.pick(v.TAGS)}{dice.number(2, 99)}.weft.test"
            made.append(f"http://{host}/{dice.pick(v.TAGS)}?id={dice.number(1, 9999)}")
        elif how == "numbers" and dice.chance(0.8):
            made += [str(dice.number(100, 99_999)), dice.pick(("--", "|", "+", "=>", "%", "/"))]
    return made


GIBBERISH = ("emoji", "hashtags", "urls", "runs", "numbers")
