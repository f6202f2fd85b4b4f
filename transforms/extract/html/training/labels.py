"""Gold main text → how much of each text of a page belongs to it.

A long text's label is the share of its words that lie in 4-word shingles of the gold text. A short text ("Reviews",
"$45.00") may stand in the navigation as well as in the content. It counts as content where it is part of the heaviest
chain: the longest sequence, by words, of texts that come in the same order on the page and in the gold text.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict

import numpy as np

SHINGLE = 4
SHORT = 12  # words; longer texts are told by their shingles alone
MAYBE, HARDLY = 0.5, 0.2  # label of a short text that the gold text has out of order: of three words or more; of fewer
UNKNOWN = -1  # label of what nothing is known of
_MOST_PLACES = 200
_WORD = re.compile(r"\w+")


def words(text: str) -> list[str]:
    """Words of a text, in lower case."""
    return _WORD.findall(text.lower())


def label(texts: list[str], gold: str) -> np.ndarray:
    """(N,) share of each text in [0, 1] that is in the gold text."""
    wanted = words(gold)
    said = [words(text) for text in texts]
    places = defaultdict(list)
    for at, word in enumerate(wanted):
        places[word].append(at)
    shingles = set(zip(*(wanted[n:] for n in range(SHINGLE)), strict=False))
    found = np.zeros(len(texts))
    chained: list[tuple[int, list[int], float]] = []  # (text, where it may stand, weight)
    exact: dict[int, int] = {}
    for n, text in enumerate(said):
        if len(text) >= SHINGLE:
            covered = np.zeros(len(text), bool)
            for at in range(len(text) - SHINGLE + 1):
                if tuple(text[at : at + SHINGLE]) in shingles:
                    covered[at : at + SHINGLE] = True
            found[n] = covered.mean()
        if len(text) > SHORT and found[n] > 0.7:
            start = next((at for at in places[text[0]] if wanted[at : at + 6] == text[:6]), None)
            if start is not None:
                chained.append((n, [start], float(len(text))))
        elif text and len(text) <= SHORT and (len(text) < SHINGLE or found[n] >= 0.9):
            stands = [at for at in places[text[0]][:_MOST_PLACES] if wanted[at : at + len(text)] == text]
            if stands:
                exact[n] = len(stands)
                chained.append((n, stands, len(text) + 0.5))
    chain = _heaviest(chained, [len(text) for text in said], len(wanted))
    repeats = Counter(tuple(text) for text in said)
    for n, text in enumerate(said):
        if text and len(text) <= SHORT and (len(text) < SHINGLE or found[n] >= 0.9):
            alone = n in exact and repeats[tuple(text)] <= exact[n]
            found[n] = 1.0 if n in chain else (MAYBE if len(text) >= 3 else HARDLY) if alone else 0.0
    return found


def parts(texts: list[str], kept: list[str], left: list[str]) -> np.ndarray:
    """(N,) 1 for texts that hold a part that is to be kept, 0 for one to be left out, UNKNOWN for neither or both.

    A part may begin and end within a word.
    """
    wanted, unwanted = ([spaced(part) for part in every if spaced(part)] for every in (kept, left))
    found = np.full(len(texts), float(UNKNOWN))
    for n, text in enumerate(map(spaced, texts)):
        keep, leave = (any(part in text for part in every) for every in (wanted, unwanted))
        if keep != leave:
            found[n] = float(keep)
    return found


def spaced(text: str) -> str:
    """A text with single spaces alone."""
    return " ".join(text.split())


def _heaviest(items: list[tuple[int, list[int], float]], lengths: list[int], size: int) -> set[int]:
    """Texts of the heaviest chain, found with a Fenwick tree of maxima over places in the gold text."""
    most = size + 2
    best: list[tuple[float, int]] = [(0.0, -1)] * (most + 1)
    nodes: list[tuple[int, int]] = []  # (text, node before)
    for n, stands, weight in items:
        ends = []
        for at in stands:
            value, node = 0.0, -1
            i = at + 1
            while i > 0:
                if best[i] > (value, node):
                    value, node = best[i]
                i -= i & -i
            nodes.append((n, node))
            ends.append((min(most, at + lengths[n] + 1), (value + weight, len(nodes) - 1)))
        for end, entry in ends:
            while end <= most:
                best[end] = max(best[end], entry)
                end += end & -end
    chain = set()
    node = max(best)[1]
    while node >= 0:
        n, node = nodes[node]
        chain.add(n)
    return chain
