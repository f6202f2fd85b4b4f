"""Logits of a page's items → which of them are kept.

Texts: the set with the greatest expected F1 (of words, against the unknown main content). So the threshold depends on
the page: where nothing is sure, the best guesses are kept rather than nothing. For independent items the best set is a
prefix of their order by probability (Lewis 1995; Ye et al. 2012, arXiv 1206.4625). Items are not independent, though:
of a page's comments all are content or none is. So a text's probability must also reach a share of that of the page's
surest texts; a page that has enough of those loses its doubtful ones. Texts of one repeated structure (the titles of a
grid's cards, the posts of a thread, the entries of a list) are decided by the mean of their logits beside their own.
Up to three texts between kept ones may be more doubtful. A table of data is kept whole or not at all, by how many of
its texts are, or where it interrupts what is kept, or stands anywhere in it and is not far from being kept. What a kept
text has said is not said again in another place of the page, such as the copy for small screens, a teaser or a
quotation.

Images: by their own logit, and by whether the texts around them are kept.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from weft.transforms.extract.html.features import GRID, Floats, Ints

_MOST = 12.0  # a logit beyond this is certainty
SUREST = 0.1  # of a page's words: its surest texts ...
SHARE_OF_SUREST = 0.65  # ... whose probability times this a kept text has; chosen on WCXB's held-out pages and old news
FEW, BETWEEN = 3, 0.5  # the same of so few texts between two kept ones; chosen on sites held out
LONG, MOSTLY = 2_000, 0.74  # kept words of a container, and their share of all, that make it a document without holes
WHOLE = 0.1  # of a table's texts that must be kept for all to be; .1 to .3 do equally well on sites held out
# Mean logit of the texts of a table that is kept where so many words are kept before and after it outside of tables;
# -1 to -2 do equally well. A single headline of another page is no text that goes on.
INNER, FRAME = -1.0, 20
FILLED = -4.0  # logit under which an item in such a document is a hole all the same
# Kept words of a structure that make it the document's own, and texts of other structures between two of such: its end
# may hold code that nothing before it does. 0 and 1 do less, 4 does harm, on all labelled pages.
ITS_OWN, GAP = 50, 2
# Texts that make a repeated structure, and what the mean over it counts beside a text's own logit: chosen on sites held
# out. More, up to 1, gains as much or more on mixed pages, and loses on single ones.
GROUP, SHARED = 3, 0.4
SURE_OF_ONE, MOST_OF_ONE = 6.0, 50.0  # bounds of a text's logit and of its words in that mean
SPEAKING = 8  # words; shorter texts do not decide on the images beside them
SURE, UNSURE = 1.0, -1.0  # logit of an image that needs no kept text around it; the least of one that has such texts
# Logistic function by logit, in steps of 1 / GRID: a table, because exp() differs in last bits between machines.
_PROBABILITY = np.array(
    [round(2**20 / (1 + math.exp(-step / GRID))) / 2**20 for step in range(-int(_MOST * GRID), int(_MOST * GRID) + 1)]
)


def choose(
    texts: Floats,
    images: Floats,
    words: Floats,
    is_image: NDArray[np.bool_],
    furniture: NDArray[np.bool_] | None = None,
    article: NDArray[np.bool_] | None = None,
    around: tuple[Ints, Ints] | None = None,
    tables: Ints | None = None,
    copies: tuple[Ints, Ints] | None = None,
    structures: Callable[[], Ints] | None = None,
    groups: Ints | None = None,
) -> NDArray[np.bool_]:
    """(N,) which items to keep.

    Args:
        texts: (N,) logits of items as texts.
        images: (N,) logits of items as images.
        words: (N,) number of words, 0 for images.
        is_image: (N,) which items are images.
        furniture: (N,) which items stand in a nav, aside or footer: images there need kept texts around them.
        article: (N,) which items stand in a figure, article or main: an image there needs one kept text beside it.
        around: (LEVELS, N) first items of the containers around each item, and their ends.
        tables: (N,) number of the table of data that an item stands in, -1 outside.
        copies: (N,) number that equal texts share, -1 for one that may be said again; and the structure that each
            stands in, in which texts may be alike.
        structures: gives (N,) number of how each text is built in, -1 for images and captions, which are as their
            neighbours are; asked for in long documents alone.
        groups: (N,) number of the repeated structure that each item belongs to.
    """
    own = texts
    if groups is not None:
        texts = _grouped(texts, words, is_image, groups)
    kept = _texts(texts, words) & ~is_image
    if tables is not None:
        kept = _together(kept, own, words, tables, is_image)
    whole = np.zeros(len(words), bool) if around is None else _whole(kept, words, *around)
    if furniture is not None:
        whole &= ~furniture
    if structures is not None and whole.any():
        outside = texts if furniture is None else np.where(furniture, -_MOST, texts)
        built = (
            structures() if tables is None else np.where(tables >= 0, -1, structures())
        )  # they neither go on nor end
        whole |= _on(kept, outside, words, built)
    filled = whole & ~is_image & (texts > FILLED)
    kept |= filled if tables is None else filled & (tables < 0)
    if tables is not None and whole.any():
        kept = _together(kept, own, words, tables, is_image)  # what stands round a table may have been a hole
    if copies is not None:
        kept = _once(kept, *copies, np.zeros(len(words), bool) if furniture is None else furniture)
    speaking = words >= SPEAKING
    order = np.arange(len(words))
    before = np.maximum.accumulate(np.where(speaking, order, -1))
    after = np.minimum.accumulate(np.where(speaking, order, len(words))[::-1])[::-1]
    said = np.append(kept, False)  # none before the first or after the last
    between = said[before] & said[after]
    beside = np.zeros(len(words), bool) if article is None else article & (said[before] | said[after])
    alone = images > SURE if furniture is None else (images > SURE) & ~furniture
    return kept | (is_image & (alone | whole | ((between | beside) & (images > UNSURE))))


def _grouped(texts: Floats, words: Floats, is_image: NDArray[np.bool_], groups: Ints) -> Floats:
    """(N,) logits of texts, those of GROUP and more in one structure nearer to their mean by words.

    Logits are multiples of a power of two, so that the sums are exact in any order.
    """
    weights = np.where(is_image, 0.0, np.minimum(words, MOST_OF_ONE) + 1)
    bounded = np.clip(texts, -SURE_OF_ONE, SURE_OF_ONE)
    sizes, sums = np.bincount(groups, ~is_image), np.bincount(groups, weights * bounded)
    means = sums / np.maximum(np.bincount(groups, weights), 1)
    shared = bounded + SHARED * (means[groups] - bounded)
    return np.where(~is_image & (sizes >= GROUP)[groups], shared, texts)


def _together(
    kept: NDArray[np.bool_], logits: Floats, words: Floats, tables: Ints, is_image: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """(N,) the same, with all texts of a table kept, or none: all where enough are, or both that it stands between.

    Several tables in a row, or one beside a heading that is left out, stand between kept texts at some distance: there
    the mean of their logits tells. It is a sum of multiples of a power of two, exact in any order.
    """
    texts = np.flatnonzero(~is_image)
    of, said = tables[texts], kept[texts]
    starts = np.flatnonzero(np.diff(of, prepend=-2))  # of runs of texts in one table, or outside
    ends = np.append(starts[1:], len(of))
    sums = np.concatenate([[0], np.cumsum(said)])
    around = np.concatenate([[False], said, [False]])
    sizes, sure = ends - starts, np.concatenate([[0.0], np.cumsum(logits[texts])])
    outside = np.concatenate([[0.0], np.cumsum(words[texts] * (said & (of < 0)))])
    inner = (outside[starts] >= FRAME) & (outside[-1] - outside[ends] >= FRAME)
    inner &= sure[ends] - sure[starts] >= INNER * sizes
    whole = (sums[ends] - sums[starts] >= WHOLE * sizes) | (around[starts] & around[ends + 1]) | inner
    made = kept.copy()
    made[texts] = np.where(of >= 0, np.repeat(whole, ends - starts), said)
    return made


def _once(kept: NDArray[np.bool_], texts: Ints, structures: Ints, furniture: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(N,) the same with one of texts that are equal and stand in different structures: the first outside furniture."""
    made = kept.copy()
    stays: dict[int, int] = {}
    for at in np.flatnonzero(kept & (texts >= 0)).tolist():
        before = stays.setdefault(int(texts[at]), at)
        if structures[before] == structures[at]:
            continue
        if furniture[before] and not furniture[at]:
            stays[int(texts[at])], gone = at, before
        else:
            gone = at
        made[gone] = False
    return made


def _whole(kept: NDArray[np.bool_], words: Floats, low: Ints, high: Ints) -> NDArray[np.bool_]:
    """(N,) which items stand in a long container most of whose words are kept, between its first and last kept text.

    The model was fitted on pages of about a thousand words, and is unsure in the middle of a chapter or a book.
    """
    found = np.flatnonzero(kept)
    if not len(found):
        return kept
    own, every = (np.concatenate([[0.0], np.cumsum(values)]) for values in (kept * words, words))
    first, last = int(found[0]), int(found[-1])  # all that is between the two counts as a container
    low, high = np.vstack([low, np.full_like(low[0], first)]), np.vstack([high, np.full_like(high[0], last + 1)])
    inside = own[high] - own[low]
    long = ((inside >= LONG) & (inside >= MOSTLY * (every[high] - every[low]))).any(0)
    order = np.arange(len(words))
    return np.asarray(long & (order > first) & (order < last))


def _on(kept: NDArray[np.bool_], texts: Floats, words: Floats, structures: Ints) -> NDArray[np.bool_]:
    """(N,) which items after the last kept text carry a long document on: up to the last of the same structures.

    The model's doubts grow towards the end of a page, where comments and lists of other pages stand. Those are built
    otherwise than what has been kept; a document's last sections are built alike. The first text under FILLED ends it.
    """
    last = int(np.flatnonzero(kept)[-1])
    order = np.arange(len(words))
    before, after = (np.flatnonzero((structures >= 0) & where) for where in (order <= last, order > last))
    most = int(structures.max()) + 1
    own, every = (np.bincount(structures[before], said[before], most) for said in (kept * words, words))
    after = after[np.logical_and.accumulate(texts[after] > FILLED)]
    same = np.flatnonzero(((own >= ITS_OWN) & (own >= MOSTLY * every))[structures[after]])
    far = np.flatnonzero(np.diff(same, prepend=-1) > GAP + 1)  # those with too much of another kind before them
    same = same[: far[0]] if len(far) else same
    return np.asarray((order > last) & (order <= (after[same[-1]] if len(same) else last)))


def _texts(logits: Floats, words: Floats) -> NDArray[np.bool_]:
    steps = np.rint(np.clip(logits, -_MOST, _MOST) * GRID).astype(np.int64) + int(_MOST * GRID)
    probability = _PROBABILITY[steps]
    order = np.argsort(-probability, kind="stable")
    least, surest = thresholds(probability[order], words[order])
    kept = probability >= max(least, SHARE_OF_SUREST * surest)
    texts = np.flatnonzero(words > 0)
    said = np.flatnonzero(kept[texts])  # places of kept texts among the texts
    gaps = np.diff(said) - 1
    few = np.repeat((gaps > 0) & (gaps <= FEW), gaps + 1)  # of what follows each but the last
    inner = texts[said[0] : said[-1]][few] if len(said) else texts[:0]
    kept[inner] |= probability[inner] >= max(least, BETWEEN * surest)
    return np.asarray(kept)


def thresholds(probability: Floats, words: Floats) -> tuple[float, float]:
    """(the least probability in the set with the greatest expected F1, the probability of the surest tenth of words).

    Args:
        probability: (N,) of texts to be content, the greatest first.
        words: (N,) their numbers of words.
    """
    sizes = np.cumsum(words)
    if not len(words) or not sizes[-1]:
        return 1.0, 1.0
    found = np.cumsum(probability * words)
    best = int(np.argmax(found / (sizes + found[-1])))
    return float(probability[best]), float(probability[int(np.searchsorted(sizes, SUREST * sizes[-1]))])
