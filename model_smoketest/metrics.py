"""Scores of answers: from what a model said, or how likely it found each candidate, to a number an item.

A task's figure is the mean of its items', so its error is that of a mean; ROC AUC alone is of all items together.
"""

from __future__ import annotations

import math
import unicodedata
from collections import Counter
from collections.abc import Sequence

import numpy as np

NGRAMS = 4
SIGMA = 6.0  # of CIDEr-D's penalty on length
_ARTICLES = frozenset(("a", "an", "the"))
_COUNTED = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_NUMBERS = {"none": "0"} | {word: str(number) for number, word in enumerate(_COUNTED)}


def words(text: str) -> list[str]:
    """Lower case, without punctuation: letters with their marks, digits and apostrophes of any script.

    A text that is nothing but punctuation is what it is: no two of them are the same for that.
    """
    lower = unicodedata.normalize("NFC", text).lower()
    plain = "".join(char if char == "'" or unicodedata.category(char)[0] in "LMN" else " " for char in lower)
    return plain.split() or lower.split()


def exact(said: str, references: Sequence[str]) -> float:
    """1 where it is one of the references, but for case and punctuation."""
    return float(words(said) in map(words, references))


def vqa(said: str, references: Sequence[str]) -> float:
    """VQA accuracy (Antol et al., 2015): of ten answers, min(1, agreeing / 3), over all nine others of each.

    Articles go and numbers become digits; the official script's table of contractions is not here.
    """

    def plain(text: str) -> str:
        return " ".join(_NUMBERS.get(word, word) for word in words(text) if word not in _ARTICLES)

    mine, theirs = plain(said), list(map(plain, references))
    agreeing = theirs.count(mine)
    if len(theirs) < 2:
        return float(agreeing)
    return float(np.mean([min(1.0, (agreeing - (one == mine)) / 3) for one in theirs]))


def f1(said: str, wanted: Sequence[str], vocabulary: Sequence[str]) -> float:
    """F1 of the words of `vocabulary` that were said against those that were wanted, each as often as it stands."""
    of = set(vocabulary)
    told, true = (Counter(word for word in found if word in of) for found in (words(said), wanted))
    common = (told & true).total()
    return 2 * common / max(1, told.total() + true.total())


def cider(said: Sequence[str], references: Sequence[Sequence[str]]) -> list[float]:
    """CIDEr-D of each item, times ten as in pycocoevalcap (Vedantam et al., 2015): 100 times this is what papers print.

    n-grams up to four, weighted by how few items' references have them; a Gaussian penalty on the difference in length.
    Words are `words`, not those of the Penn Treebank tokenizer, and not stemmed.
    """
    counts = [[_ngrams(words(one)) for one in mine] for mine in references]
    seen = Counter(gram for mine in counts for gram in {gram for one in mine for gram in one})
    total = math.log(max(1, len(references)))

    def vectors(grams: Counter[tuple[str, ...]]) -> list[dict[tuple[str, ...], float]]:
        found: list[dict[tuple[str, ...], float]] = [{} for _ in range(NGRAMS)]
        for gram, count in grams.items():
            found[len(gram) - 1][gram] = count * (total - math.log(max(1, seen[gram])))
        return found

    scores = []
    for text, mine in zip(said, counts, strict=True):
        own = _ngrams(words(text))
        told, length = vectors(own), sum(count for gram, count in own.items() if len(gram) == 1)
        each = []
        for reference in mine:
            theirs = vectors(reference)
            apart = length - sum(count for gram, count in reference.items() if len(gram) == 1)
            likeness = [_cosine(a, b) for a, b in zip(told, theirs, strict=True)]
            each.append(10 * float(np.mean(likeness)) * math.exp(-(apart**2) / (2 * SIGMA**2)))
        scores.append(float(np.mean(each)) if each else 0.0)
    return scores


def roc_auc(scores: Sequence[float], labels: Sequence[int]) -> tuple[float, float]:
    """Area under the ROC curve, ties counted half, and its standard error (Hanley and McNeil, 1982)."""
    values, truth = np.asarray(scores, float), np.asarray(labels, bool)
    good, bad = values[truth], values[~truth]
    if not len(good) or not len(bad):
        return math.nan, math.nan
    area = float(np.mean((good[:, None] > bad) + 0.5 * (good[:, None] == bad)))
    q1, q2 = area / (2 - area), 2 * area**2 / (1 + area)
    spread = area * (1 - area) + (len(good) - 1) * (q1 - area**2) + (len(bad) - 1) * (q2 - area**2)
    return area, math.sqrt(max(0.0, spread) / (len(good) * len(bad)))


def _ngrams(tokens: Sequence[str]) -> Counter[tuple[str, ...]]:
    return Counter(tuple(tokens[i : i + n]) for n in range(1, NGRAMS + 1) for i in range(len(tokens) - n + 1))


def _cosine(a: dict[tuple[str, ...], float], b: dict[tuple[str, ...], float]) -> float:
    """As CIDEr-D: a count above the reference's gains nothing."""
    norms = math.sqrt(sum(v * v for v in a.values()) * sum(v * v for v in b.values()))
    return sum(min(value, b[gram]) * b[gram] for gram, value in a.items() if gram in b) / norms if norms else 0.0
