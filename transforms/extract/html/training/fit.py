"""The table → weights: the network of model.py in torch, fitted, rounded to its grid and written.

The loss is a sum of three cross-entropies: of the texts, weighted by their words so that a page's weights sum to one;
of the images; and of the page's type, so that messages carry it. In each step random names and words are dropped
everywhere: with about a thousand sites, their own class names would be learned by heart.
"""

from __future__ import annotations

import collections
import hashlib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from weft.transforms.extract.html.choose import choose
from weft.transforms.extract.html.features import LEVELS
from weft.transforms.extract.html.model import BOUND, MAX_WEIGHT, MIN_WEIGHT, SHIPPED, WEIGHTS, WINDOW, Model
from weft.transforms.extract.html.scan import IMAGE, KINDS
from weft.transforms.extract.html.training.labels import UNKNOWN
from weft.transforms.extract.html.training.table import EDGE, IN, Example, Table

FOLDS = 5
EPOCHS = 5
BATCH = 12  # pages
RATE, DECAY = 3e-3, 0.1  # AdamW
DROPOUT, NAME_DROPOUT = 0.2, 0.4
AVERAGE = 0.98  # of weights, exponentially over steps: what is kept is the average
IMAGE_LOSS, TYPE_LOSS = 0.3, 0.2
SMOOTHING = 0.02  # of labels
BALANCE = 0.5  # power of a page type's rarity that its pages weigh
WIDTHS = {"context": 24, "around": 24, "own": 16, "inside": 16, "heads": 16, "about": 8, "kind": 8}
HIDDEN, MESSAGE, TYPE, OUT = 64, 24, 16, 48


class Batch:
    """Pages end to end as tensors; `pages` has the number of each item's page."""

    def __init__(self, examples: list[Example], types: list[str], weights: dict[str, float]) -> None:
        counts = [len(e.texts) for e in examples]
        bases = np.concatenate([[0], np.cumsum(counts)[:-1]])
        total = sum(counts)
        self.count = len(examples)

        def joined(values: list[np.ndarray]) -> Tensor:
            found = np.concatenate(values)
            return torch.from_numpy(found.astype(np.float32 if found.dtype.kind == "f" else np.int64))

        def moved(name: str, none: bool = False) -> Tensor:
            parts = [getattr(e.features, name) for e in examples]
            return joined(
                [np.where(v < c, v + b, total) if none else v + b for v, b, c in zip(parts, bases, counts, strict=True)]
            )

        f = [e.features for e in examples]
        self.pages = joined([np.full(c, n) for n, c in enumerate(counts)])
        self.dense, self.page = joined([x.dense for x in f]), joined([x.page[None] for x in f])
        self.words, self.kinds = joined([x.words for x in f]), joined([x.kinds for x in f])
        self.heading = moved("heading", none=True)
        self.low = [joined([x.low[n] + b for x, b in zip(f, bases, strict=True)]) for n in range(LEVELS)]
        self.high = [joined([x.high[n] + b for x, b in zip(f, bases, strict=True)]) for n in range(LEVELS)]
        sizes = [int(x.alike.max()) + 1 for x in f]
        offsets = np.concatenate([[0], np.cumsum(sizes)[:-1]])
        self.alike = joined([x.alike + o for x, o in zip(f, offsets, strict=True)])
        self.first = joined([np.full(c, b) for b, c in zip(bases, counts, strict=True)])
        self.last = joined([np.full(c, b + c) for b, c in zip(bases, counts, strict=True)])
        self.bags = {
            "tags": _bag([_parts(x.names, x.name_ends) for x in f]),
            "inline": _bag([_parts(x.inline, x.inline_ends) for x in f]),
            "heads": _bag([_parts(x.heads, x.head_ends) for x in f]),
            "about": _bag([[x.about] for x in f]),
        }
        tags = np.concatenate([[0], np.cumsum([len(x.name_ends) for x in f])])
        self.tags = joined([x.tags + t for x, t in zip(f, tags, strict=False)])
        self.container_kinds = joined([x.container_kinds for x in f])
        counted = [len(x.parents) for x in f]
        outer = np.concatenate([[0], np.cumsum(counted)])  # first container of each page; none is their number
        self.container = joined(
            [np.where(x.container == c, outer[-1], x.container + o) for x, c, o in zip(f, counted, outer, strict=False)]
        )
        around = [_containers_around(e) for e in examples]
        self.around = joined([c + o for (c, _), o in zip(around, outer, strict=False)])
        self.around_of = joined([np.repeat(np.arange(len(n)) + b, n) for (_, n), b in zip(around, bases, strict=True)])
        self.texts, self.images = joined([e.texts for e in examples]), joined([e.images for e in examples])
        self.types = torch.tensor([types.index(e.kind) if e.kind else UNKNOWN for e in examples])
        self.weights = torch.tensor([weights[e.kind] for e in examples], dtype=torch.float32)


def _parts(flat: np.ndarray, ends: np.ndarray) -> list[np.ndarray]:
    return np.split(flat, ends[:-1]) if len(ends) else []


_KNOWN: dict[int, tuple[Example, np.ndarray, np.ndarray]] = {}  # by id, with what has it so that none is used twice


def _containers_around(example: Example) -> tuple[np.ndarray, np.ndarray]:
    """(containers around the first item, around the second, …; how many each item has)."""
    if id(example) not in _KNOWN:
        paths: list[list[int]] = []
        for c, parent in enumerate(example.features.parents.tolist()):
            paths.append([*(paths[parent] if parent < c else ()), c])
        paths.append([])
        around = [paths[c] for c in example.features.container.tolist()]
        flat = np.array([c for path in around for c in path], np.int64)
        _KNOWN[id(example)] = example, flat, np.array([len(path) for path in around])
    return _KNOWN[id(example)][1:]


def _bag(pages: list[list[np.ndarray]]) -> tuple[Tensor, Tensor]:
    items = [item for page in pages for item in page]
    flat = np.concatenate(items)
    offsets = np.cumsum([0, *map(len, items[:-1])])
    return torch.from_numpy(flat.astype(np.int64)), torch.from_numpy(offsets.astype(np.int64))


class Net(nn.Module):
    """model.py's network, with a further output for training: the page's type."""

    def __init__(self, dense: int, page: int, names: int, words: int, types: int) -> None:
        super().__init__()
        sizes = {"context": names, "own": names, "heads": words, "about": names}
        self.bags = nn.ModuleDict({n: nn.EmbeddingBag(s, WIDTHS[n], mode="sum") for n, s in sizes.items()})
        self.kinds = nn.ModuleDict({n: nn.Embedding(KINDS, WIDTHS[n]) for n in ("around", "inside", "kind")})
        for table in (*self.bags.parameters(), *self.kinds["around"].parameters(), *self.kinds["inside"].parameters()):
            nn.init.normal_(table, 0, 0.05)
        about = page + WIDTHS["about"]
        self.one = nn.Linear(
            dense + WIDTHS["context"] + WIDTHS["own"] + 2 * WIDTHS["heads"] + WIDTHS["kind"] + about, HIDDEN
        )
        self.message = nn.Linear(HIDDEN, MESSAGE)
        self.sort = nn.Linear(2 * MESSAGE + about, TYPE)
        self.types = nn.Linear(TYPE, types)
        self.two = nn.Linear(HIDDEN + (7 + LEVELS) * MESSAGE + TYPE, OUT)
        self.three = nn.Linear(OUT, 2)
        self.drop = nn.Dropout(DROPOUT)

    def forward(self, b: Batch) -> tuple[Tensor, Tensor]:
        heads = self._bag("heads", b.bags["heads"])
        about = torch.cat([b.page, self._bag("about", b.bags["about"])], 1)
        said = self._of_containers("context", "around", b)
        context = torch.zeros(len(heads), said.shape[1]).index_add(0, b.around_of, said[b.around])
        own = self._of_containers("own", "inside", b)[b.container] + self._bag("own", b.bags["inline"])
        none = torch.zeros_like(heads[:1])
        inputs = [b.dense, context, own, heads, torch.cat([heads, none])[b.heading],
                  self.kinds["kind"](b.kinds), about[b.pages]]  # fmt: skip
        hidden = self.drop(torch.relu(self.one(torch.cat(inputs, 1))))
        message = torch.relu(self.message(hidden))
        weight = b.words.clamp(max=MAX_WEIGHT) + MIN_WEIGHT
        mean = _mean(message, torch.ones_like(weight), b.pages, b.count)
        weighted = _mean(message, weight, b.pages, b.count)
        kind = self.drop(torch.relu(self.sort(torch.cat([mean, weighted, about], 1))))
        around = _around(message, b)
        out = self.drop(torch.relu(self.two(torch.cat([hidden, around, mean[b.pages], kind[b.pages]], 1))))
        return self.three(out), self.types(kind)

    def _of_containers(self, names: str, kinds: str, b: Batch) -> Tensor:
        said = self._bag(names, b.bags["tags"])[b.tags] + self.kinds[kinds](b.container_kinds)
        return torch.cat([said, torch.zeros_like(said[:1])])

    def _bag(self, name: str, entries: tuple[Tensor, Tensor]) -> Tensor:
        bag, (numbers, offsets) = self.bags[name], entries
        weights = None
        if self.training:
            keep = (torch.rand(len(next(bag.parameters()))) > NAME_DROPOUT).float() / (1 - NAME_DROPOUT)
            weights = keep[numbers]
        return bag(numbers, offsets, per_sample_weights=weights)


def _mean(values: Tensor, weights: Tensor, of: Tensor, count: int) -> Tensor:
    sums = torch.zeros(count, values.shape[1]).index_add(0, of, values * weights[:, None])
    return sums / torch.zeros(count).index_add(0, of, weights)[:, None].clamp(min=1e-6)


def _around(message: Tensor, b: Batch) -> Tensor:
    total = len(message)
    padded = torch.cat([message, torch.zeros_like(message[:1])])
    running = torch.cat([torch.zeros_like(message[:1]), message.cumsum(0)])
    order = torch.arange(total)
    parts = []
    for step in (-1, 1, -2, 2):
        at = order + step
        parts.append(padded[torch.where((at >= b.first) & (at < b.last), at, total)])
    lows = [torch.maximum(order - WINDOW, b.first), *b.low]
    highs = [torch.minimum(order + WINDOW + 1, b.last), *b.high]
    parts += [(running[h] - running[n]) / (h - n).clamp(min=1)[:, None] for n, h in zip(lows, highs, strict=True)]
    parts.append(_mean(message, torch.ones(total), b.alike, int(b.alike.max()) + 1)[b.alike])
    return torch.cat(parts, 1)


def _loss(out: Tensor, types: Tensor, b: Batch) -> Tensor:
    said = (b.words > 0) & (b.texts != UNKNOWN)
    weight = torch.where(said, b.words.clamp(max=MAX_WEIGHT) ** 0.8 + 0.5, 0.0)
    share = weight / torch.zeros(b.count).index_add(0, b.pages, weight).clamp(min=1)[b.pages]
    wanted = b.texts.clamp(min=0) * (1 - 2 * SMOOTHING) + SMOOTHING
    texts = functional.binary_cross_entropy_with_logits(out[:, 0], wanted, reduction="none") * share
    known = (b.images >= 0).float() * torch.where(b.images == EDGE, 0.1, 1.0)
    per_page = torch.zeros(b.count).index_add(0, b.pages, known).clamp(min=1) ** 0.5
    wanted = (b.images == IN).float() + 0.5 * (b.images == EDGE).float()
    images = functional.binary_cross_entropy_with_logits(out[:, 1], wanted, reduction="none") * known
    item = (texts + IMAGE_LOSS * images / per_page[b.pages]) * b.weights[b.pages]
    told = functional.cross_entropy(types, b.types, ignore_index=UNKNOWN, reduction="sum")
    return (item.sum() + TYPE_LOSS * told) / b.count


def fit(examples: list[Example], names: list[str], words: list[str], epochs: int, seed: int) -> dict[str, np.ndarray]:
    """Weights as model.Model takes them."""
    torch.manual_seed(seed)
    torch.set_flush_denormal(True)  # Adam's averages for rare names decay to them, and they cost a hundred times more
    chance = np.random.default_rng(seed)
    counts = collections.Counter(e.kind for e in examples if e.kind)
    types = sorted(counts)
    most = max(counts.values(), default=0) + sum(not e.kind for e in examples)  # of the commonest type and of none told
    rare = {kind: (most / count) ** BALANCE for kind, count in counts.items()}
    rare[""] = min(rare.values(), default=1.0)
    usual = sum(rare[e.kind] for e in examples) / len(examples)
    rare = {kind: weight / usual for kind, weight in rare.items()}
    mean, scale = _normal(np.concatenate([e.features.dense for e in examples]))
    page_mean, page_scale = _normal(np.stack([e.features.page for e in examples]))
    ready = [
        e._replace(features=e.features._replace(
            dense=np.clip((e.features.dense - mean) * scale, -BOUND, BOUND),
            page=np.clip((e.features.page - page_mean) * page_scale, -BOUND, BOUND),
        )) for e in examples
    ]  # fmt: skip
    net = Net(len(mean), len(page_mean), len(names), len(words), len(types))
    optimizer = torch.optim.AdamW(net.parameters(), lr=RATE, weight_decay=DECAY)
    steps = epochs * -(-len(ready) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps, pct_start=0.15)
    average = {name: value.clone() for name, value in net.state_dict().items()}
    for epoch in range(epochs):
        losses = []
        order = chance.permutation(len(ready))
        for start in range(0, len(order), BATCH):
            batch = Batch([ready[n] for n in order[start : start + BATCH]], types, rare)
            out, kinds = net(batch)
            loss = _loss(out, kinds, batch)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            losses.append(float(loss.detach()))
            for name, value in net.state_dict().items():
                average[name].mul_(AVERAGE).add_(value, alpha=1 - AVERAGE)
        print(f"epoch {epoch + 1}: loss {np.mean(losses):.4f}", flush=True)
    _KNOWN.clear()
    return _exported({name: value.numpy() for name, value in average.items()}, names, words) | {
        "mean": mean, "scale": scale, "page_mean": page_mean, "page_scale": page_scale,
    }  # fmt: skip


def _normal(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and inverse deviation, short enough to be written without loss."""
    return values.mean(0).astype(np.float32), (1 / (values.std(0) + 1e-3)).astype(np.float32)


def _exported(state: dict[str, np.ndarray], names: list[str], words: list[str]) -> dict[str, np.ndarray]:
    found = {name: state[f"bags.{name}.weight"] for name in ("context", "own", "heads", "about")}
    found |= {name: state[f"kinds.{name}.weight"] for name in ("around", "inside", "kind")}
    two = state["two.weight"].T
    hidden, around = HIDDEN, HIDDEN + (6 + LEVELS) * MESSAGE
    found |= {
        "w1": state["one.weight"].T, "b1": state["one.bias"],
        "wm": state["message.weight"].T, "bm": state["message.bias"],
        "wp": state["sort.weight"].T, "bp": state["sort.bias"],
        "w2_hidden": two[:hidden], "w2_around": two[hidden:around], "w2_mean": two[around : around + MESSAGE],
        "w2_page": two[around + MESSAGE :], "b2": state["two.bias"],
        "w3": state["three.weight"].T, "b3": state["three.bias"],
    }  # fmt: skip
    rounded = {name: (np.rint(value * WEIGHTS) / WEIGHTS).astype(np.float32) for name, value in found.items()}
    return rounded | {"names": np.array(names), "words": np.array(words)}


def fold_of(domain: str) -> int:
    """Which fold the pages of a domain are held out in."""
    return int(hashlib.blake2b(domain.encode(), digest_size=4).hexdigest(), 16) % FOLDS


def cross_validate(table: Table, folder: Path, epochs: int, seed: int) -> None:
    """Weights for each fold, fitted without its domains, into `folder`; prints how they do on those."""
    folder.mkdir(parents=True, exist_ok=True)
    scores: dict[str, list[float]] = collections.defaultdict(list)
    for fold in range(FOLDS):
        weights = fit([e for e in table.examples if fold_of(e.domain) != fold], table.names, table.words, epochs, seed)
        np.savez_compressed(folder / f"fold{fold}.npz", **weights)  # type: ignore[arg-type]
        model = Model(weights)
        for e in table.examples:
            if fold_of(e.domain) == fold:
                scores[f"{e.source} {e.kind}"].append(f1(e, model))
        print(f"fold {fold} done", flush=True)
    for kind, found in sorted(scores.items()):
        print(f"{kind:24} {len(found):5} pages  F1 {np.mean(found):.4f} (by labels)")


def f1(example: Example, model: Model) -> float:
    """F1 of words, counted by the labels of the kept texts that have one: close to the F1 of the texts themselves."""
    f = example.features
    known = np.where(example.texts != UNKNOWN, f.words, 0.0)
    kept = choose(*model(f), f.words, f.kinds == IMAGE, groups=f.alike)
    content = example.texts * known
    wanted = example.gold_words or float(content.sum())
    return 2 * float(content[kept].sum()) / max(1.0, float(known[kept].sum()) + wanted)


def fit_all(table: Table, out: Path, epochs: int, seed: int) -> None:
    """Weights fitted on the whole table, written to `out`."""
    weights = fit(table.examples, table.names, table.words, epochs, seed)
    np.savez_compressed(out, **weights)  # type: ignore[arg-type]
    print(f"{out}: {out.stat().st_size / 1e3:.0f} kB")


__all__ = ["EPOCHS", "SHIPPED", "cross_validate", "fit", "fit_all", "fold_of"]
