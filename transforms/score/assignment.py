"""Which text an image belongs to: MMC4's linear assignment over a document's similarities.

(image position, text position, similarity) of one document → for each image the text that it is matched with.

MMC4 (arXiv 2304.06939, 3) gives each image one sentence so that the sum of similarities is largest, no sentence twice;
where a document has more images than texts, those left over take their best text. Its first released files put several
images on one sentence all the same. Here it is an annotation: the order of the document stays as it was. On a page of
more images and texts than `MOST` allows, where the assignment would take the cube of their number, each has its best.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

UNIT = 100_000  # similarities have five decimals: as whole numbers their sums are exact
_EXACT = 1 << 50  # whole numbers below this, and sums of a few of them, are exact as float64
MOST = 250_000  # images x texts of one document that are compared and assigned: 500 of each, 60 MB of rows
NONE = -1  # no text


class Match(NamedTuple):
    """An image's text and how well it fits."""

    text: int  # its position; NONE where the image was compared with nothing
    similarity: float  # NaN where there is none


NO_MATCH = Match(NONE, float("nan"))


def assign(
    similarities: npt.NDArray[np.floating], images: Sequence[int] = (), texts: Sequence[int] = ()
) -> npt.NDArray[np.int64]:
    """The column of each row, NONE for a row without any number.

    No column is given twice where there are enough of them. Among assignments with the same sum it is one whose images
    stand nearest their texts. A NaN is never chosen while another assignment of as many rows does without.

    Args:
        similarities: images x texts, cosines.
        images: positions of the rows in the document, for ties.
        texts: positions of the columns.
    """
    values = np.asarray(similarities, np.float64)
    rows, columns = values.shape
    found = np.full(rows, NONE, np.int64)
    usable = np.isfinite(values)
    if not usable.any():
        return found
    whole = np.where(usable, np.rint(np.where(usable, values, 0.0) * UNIT), 0.0)
    far = np.abs(np.subtract.outer(np.asarray(images, np.float64), np.asarray(texts, np.float64)))
    far = far if far.shape == values.shape else np.zeros_like(values)
    least = min(rows, columns)
    step = 1.0 + float(far.max(initial=0.0)) * least  # a unit of similarity outweighs all distances together
    spread = float(whole.max() - whole.min())
    forbidden = whole.min() - (spread + 1.0) * (least + 1)  # one NaN outweighs all similarities together
    if abs(forbidden) * step * (least + 1) > _EXACT:
        far, step = np.zeros_like(far), 1.0
    weight = np.where(usable, whole * step - far, forbidden * step)
    for row, column in zip(*linear_sum_assignment(weight, maximize=True), strict=True):
        if usable[row, column]:
            found[row] = column
    for row in np.flatnonzero(found == NONE):  # surplus images, and those whose only texts are taken
        if usable[row].any():
            found[row] = int(np.argmax(np.where(usable[row], weight[row], -np.inf)))
    return found


def match(compared: Iterable[tuple[int, int, float]]) -> dict[int, Match]:
    """Image position → its Match, of one document's (image position, text position, similarity)."""
    rows = sorted(set(compared), key=lambda row: row[:2])
    images, texts = sorted({row[0] for row in rows}), sorted({row[1] for row in rows})
    if len(images) * len(texts) > MOST:
        return {image: _best(image, of) for image, of in groupby(rows, itemgetter(0))}
    matrix = np.full((len(images), len(texts)), np.nan)
    row_of, column_of = {n: i for i, n in enumerate(images)}, {n: i for i, n in enumerate(texts)}
    for image, text, similarity in rows:
        matrix[row_of[image], column_of[text]] = similarity
    columns = assign(matrix, images, texts)
    return {
        image: Match(texts[column], float(matrix[row, column])) if column != NONE else NO_MATCH
        for row, (image, column) in enumerate(zip(images, columns.tolist(), strict=True))
    }


def _best(image: int, compared: Iterable[tuple[int, int, float]]) -> Match:
    """The text most like an image, of equal ones the nearest, of these the first."""
    usable = [(value, text) for _, text, value in compared if math.isfinite(value)]
    if not usable:
        return NO_MATCH
    value, text = max(usable, key=lambda one: (round(one[0] * UNIT), -abs(one[1] - image), -one[1]))
    return Match(text, value)


def share_above(matches: Iterable[Match], least: float) -> float:
    """Share of images whose match is above `least` (MMC4-core: .25); 1.0 of no images."""
    values = [found.similarity > least for found in matches]
    return sum(values) / len(values) if values else 1.0
