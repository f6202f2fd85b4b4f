"""The model that says which items of a page are its content: a small network over items and what is around them.

Features of an item → hidden layer → a message. Each item then reads the messages of its neighbours, of the containers
around it, of the items built like it and of the whole page → two logits an item: that it is main content as a text, and
as an image.

Every weight is a multiple of 1 / WEIGHTS and every activation of 1 / GRID, so that float64 sums of their products are
exact: the order in which a machine's linear algebra adds them up cannot change a bit of what comes out.
"""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np

from weft.transforms.extract.html import compiled
from weft.transforms.extract.html.features import GRID, LEVELS, Features, Floats, Ints, levels_of

WEIGHTS = 4096.0
BOUND = 6.0  # on both sides, of a normalised feature
WINDOW = 6  # items to each side whose messages an item reads
MAX_WEIGHT, MIN_WEIGHT = 150.0, 0.1  # of an item in the mean over its page, in words
SHIPPED = Path(__file__).resolve().parent / "weights.npz"


class Model:
    """The network's weights, and the vocabularies of names and words that their rows stand for."""

    def __init__(self, arrays: dict[str, np.ndarray]) -> None:
        self.names = {str(name): number for number, name in enumerate(arrays["names"])}
        self.words = {str(word): number for number, word in enumerate(arrays["words"])}
        self._w = {
            key: np.ascontiguousarray(value, np.float64) for key, value in arrays.items() if value.dtype.kind in "fi"
        }
        for table in ("context", "own", "about", "heads", "around", "inside"):  # a last row of zeros, which -1 finds
            self._w[table] = np.ascontiguousarray(np.pad(self._w[table], ((0, 1), (0, 0))))

    def __call__(self, page: Features) -> tuple[Floats, Floats]:
        """(N,) logits of the items as texts and (N,) as images."""
        w = self._w
        total = len(page.kinds)
        about = np.concatenate([
            _normal(page.page, w["page_mean"], w["page_scale"]),
            w["about"][page.about].sum(0) if len(page.about) else np.zeros(w["about"].shape[1]),
        ])  # fmt: skip
        inputs = _inputs(w, page)
        wide = inputs.shape[1]
        hidden = _active(inputs @ w["w1"][:wide], about @ w["w1"][wide:] + w["b1"])
        message = _active(hidden @ w["wm"], w["bm"])
        weight = np.minimum(page.words, MAX_WEIGHT) + np.rint(MIN_WEIGHT * GRID) / GRID
        mean = _on_grid(message.sum(0) / total)
        weighted = _on_grid(weight @ message / weight.sum())
        kind = _active(np.concatenate([mean, weighted, about]) @ w["wp"], w["bp"])
        around = _around(message, page, total) @ w["w2_around"]
        around += hidden @ w["w2_hidden"]
        out = _active(around, kind @ w["w2_page"] + mean @ w["w2_mean"] + w["b2"]) @ w["w3"] + w["b3"]
        return out[:, 0], out[:, 1]


@functools.cache
def shipped() -> Model:
    """The model that comes with the project."""
    with np.load(SHIPPED) as arrays:
        return Model(dict(arrays))


def _inputs(w: dict[str, Floats], page: Features) -> Floats:
    """(N, D) what the network takes of each item by itself."""
    context = summed_around(_tagged(w["context"], w["around"], page), page)
    own = _tagged(w["own"], w["inside"], page)
    total, wide = len(page.kinds), page.dense.shape[1]
    heads = np.zeros((total + 1, w["heads"].shape[1]))  # a last row of zeros, for no heading
    if compiled.module is None:
        heads[:total] = _summed(w["heads"], page.heads, page.head_ends)
        return np.concatenate([
            _normal(page.dense, w["mean"], w["scale"]), context[page.container],
            own[page.container] + _summed(w["own"], page.inline, page.inline_ends), heads[:total], heads[page.heading],
            w["kind"][page.kinds],
        ], 1)  # fmt: skip
    add = compiled.module.add_rows
    add(w["heads"], page.heads, page.head_ends, heads[:total], heads.shape[1], 0)
    parts = [
        (context, page.container), (own, page.container), (heads, np.arange(total)), (heads, page.heading),
        (w["kind"], page.kinds),
    ]  # fmt: skip
    found = np.zeros((total, wide + sum(table.shape[1] for table, _ in parts)))
    compiled.module.set_normal(np.ascontiguousarray(page.dense), w["mean"], w["scale"], found, BOUND)
    each = np.arange(1, total + 1)
    at = wide
    for table, numbers in parts:
        add(table, numbers, each, found, table.shape[1], at)
        if table is own:
            add(w["own"], page.inline, page.inline_ends, found, table.shape[1], at)
        at += table.shape[1]
    return found


def _tagged(names: Floats, kinds: Floats, page: Features) -> Floats:
    """(C + 1, D) sum of the rows of each container's names and kind; a last row of zeros for no container."""
    said = _summed(names, page.names, page.name_ends)
    if compiled.module:
        found = np.zeros((len(page.tags) + 1, names.shape[1]))
        each = np.arange(1, len(page.tags) + 1)
        for table, numbers in ((said, page.tags), (kinds, page.container_kinds)):
            compiled.module.add_rows(table, numbers, each, found[:-1], names.shape[1], 0)
        return found
    said = said[page.tags] if len(page.tags) else names[:0]
    return np.vstack([said + kinds[page.container_kinds], np.zeros((1, names.shape[1]))])


def summed_around(own: Floats, page: Features) -> Floats:
    """(C + 1, D) what each container says, added to what all containers around it say: `own` itself."""
    if compiled.module:
        compiled.module.add_parents(own, page.parents, own.shape[1])
        return own
    for level in levels_of(page.depths):
        own[level] += own[page.parents[level]]
    return own


def _around(message: Floats, page: Features, total: int) -> Floats:
    """(N, (5 + LEVELS + 1) * M): messages before and after each item, and means over what is around it."""
    wide = message.shape[1]
    running = np.zeros((total + 1, wide))
    found = np.zeros((total, (6 + LEVELS) * wide))
    if compiled.module:
        count = int(page.alike.max()) + 1
        work = running, np.zeros((count, wide)), np.zeros(count)
        compiled.module.around(message, page.low, page.high, page.alike, *work, found, WINDOW)
        return found
    np.cumsum(message, axis=0, out=running[1:])
    for slot, step in enumerate((-1, 1, -2, 2)):
        there = found[:, slot * wide : (slot + 1) * wide]
        if step < 0:
            there[-step:] = message[:step]
        else:
            there[:-step] = message[step:]
    order = np.arange(total)
    low = np.vstack([np.maximum(order - WINDOW, 0), page.low])
    high = np.vstack([np.minimum(order + WINDOW + 1, total), page.high])
    means = (running[high] - running[low]) / (high - low)[:, :, None]
    found[:, 4 * wide : (5 + LEVELS) * wide] = means.transpose(1, 0, 2).reshape(total, -1)
    by_kind = np.argsort(page.alike, kind="stable")
    ends = np.cumsum(np.bincount(page.alike))
    running[1:] = np.cumsum(message[by_kind], axis=0)
    sizes = np.diff(ends, prepend=0)
    groups = (running[ends] - running[ends - sizes]) / np.maximum(sizes, 1)[:, None]
    found[:, (5 + LEVELS) * wide :] = groups[page.alike]
    return _on_grid(found)


def _on_grid(values: Floats) -> Floats:
    return np.rint(values * GRID) / GRID


def _normal(values: Floats, mean: Floats, scale: Floats) -> Floats:
    return _on_grid(np.clip((values - mean) * scale, -BOUND, BOUND))


def _active(values: Floats, biases: Floats) -> Floats:
    if compiled.module:
        compiled.module.activate(values, biases)  # in place: nobody has them but who gives them here
        return values
    return _on_grid(np.maximum(values + biases, 0.0))


def _running(table: Floats, numbers: Ints) -> Floats:
    sums = np.zeros((len(numbers) + 1, table.shape[1]))
    np.cumsum(table[numbers], axis=0, out=sums[1:])
    return sums


def _summed(table: Floats, numbers: Ints, ends: Ints) -> Floats:
    """(N, D) sums of the rows of each item, whose numbers end at `ends`."""
    if compiled.module:
        found = np.zeros((len(ends), table.shape[1]))
        compiled.module.add_rows(table, numbers, ends, found, table.shape[1], 0)
        return found
    return np.diff(_running(table, numbers)[ends], axis=0, prepend=0)
