"""Which of two corpora gives the better model: equal models, tokens and seeds, judged on the same held-out samples.

    corpora ─► held-out samples of all, as many of each ─► their documents, and copies of these (copies.py), are left
               out of every training set
            ─► for each size and seed: a model of each corpus ─► bits per byte of each held-out sample
            ─► Δ with a 95 % interval over seeds and samples; undecided where it spans 0. The same of each kind of
               samples, where the intervals of all three together are of 95 % (Bonferroni): a fault of pairs alone is
               seen there first

A tokenizer is each corpus' own: held-out samples are read back as text and told again in the tokens of each model, and
bits are counted per byte. Seeds are paired: the same seed starts the same model on each corpus. The interval is that of
Student's t with a degree of freedom less than there are seeds, around a standard error from a bootstrap that draws
seeds, and documents with all their samples (which stand for all models at once; what two corpora hold alike is one
sample), the seeds' part widened by n / (n - 1), as five are few.
"""

from __future__ import annotations

import dataclasses
import heapq
import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from weft.model_smoketest import copies, data, evaluate, losses, shard_files, train
from weft.model_smoketest.tars import Sample, Tar, documents_of
from weft.model_smoketest.words import Words
from weft.schemas import shards as contract
from weft.schemas.config import Train
from weft.schemas.parameters import ConfigError
from weft.schemas.records import hash_unit
from weft.schemas.shards import Vocabulary

RESULT = "compare.json"
SIZES = {"S": (1.0, 1.0), "M": (2.0, 1.5), "L": (3.0, 2.5)}  # times the configured layers; heads, width and ffn
HELD_OUT = 200  # samples of each kind, over all corpora
DRAWS = 2_000  # of the bootstrap
# Student's t, two-sided, by degrees of freedom; beyond the table the normal's, which stands last, is near enough.
T95 = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 1.960)
T98 = (38.188, 7.649, 4.857, 3.961, 3.534, 3.287, 3.128, 3.016, 2.933, 2.870, 2.394)  # 1 - .05 / 3: of three kinds

Log = Callable[[str], None]
Matrix = npt.NDArray[np.float64]
Chosen = npt.NDArray[np.bool_]  # some of the samples


class HeldOut(NamedTuple):
    """A held-out sample as text and images, told by no tokenizer: None where an image stands."""

    kind: str  # one of CORPORA
    sources: tuple[str, ...]  # the corpora that hold it, pictures and all
    document: str  # that it is of
    key: str
    segments: tuple[str | None, ...]
    images: tuple[bytes, ...]
    size: int  # bytes of its text


def compare(
    corpora: Mapping[str, str],
    home: str,
    config: Train,
    seeds: int = 5,
    sizes: Sequence[str] = ("S",),
    neutral: str = "",
    log: Log = print,
) -> dict[str, Any]:
    """Train, evaluate and judge; what is done already in `home` is not done again. Also written to `home`/compare.json.

    Args:
        corpora: name → directory of shards, two or more.
        neutral: shards to hold out instead of the corpora's own val splits.

    Raises:
        ConfigError: a corpus without shards, no held-out sample, or a size that there is not.
    """
    check(sizes, neutral)
    asked = {"neutral": neutral} if neutral else corpora
    held, documents = hold_out(asked)
    held = fitted(held, list(corpora.values()), config.max_length)
    if not held:
        raise ConfigError("no held-out sample in any of the corpora: pack with a larger pack.val_fraction")
    again = copies.of(corpora.values(), asked.values()) - documents
    documents |= again
    found: dict[str, Any] = {"corpora": dict(corpora), "held_out": _counts(held)}
    found |= {"documents_left_out": len(documents), "copies_left_out": len(again)}
    found |= {"seeds": seeds, "tokens": config.steps * config.batch_tokens, "sizes": {}, "epochs": {}}
    for size in sizes:
        rows: dict[str, list[list[float]]] = {name: [] for name in corpora}
        for seed in range(seeds):  # outermost: what is there of a call that was stopped is a comparison of fewer seeds
            chosen = dataclasses.replace(sized(config, size), seed=config.seed + seed)
            for name, shards in corpora.items():
                where = place(home, name, size, seed)
                log(f"compare: {name}, size {size}, seed {seed + 1} of {seeds}")
                summary = train.train(shards, where, chosen, lambda line: None, frozenset(documents))
                found["epochs"].setdefault(name, summary["epochs"])
                rows[name].append(judge(shards, where, held, frozenset(documents)))
            found["sizes"][size] = {"seeds": seed + 1} | verdicts(
                {name: np.array(of) for name, of in rows.items()}, held
            )
            found["rank_holds"] = len({tuple(one["rank"]) for one in found["sizes"].values()}) == 1
            shard_files.write(shard_files.join(home, RESULT), shard_files.json_file(found))
    return found


def check(sizes: Sequence[str], neutral: str = "") -> None:
    """What can be said of a comparison before there are corpora.

    Raises:
        ConfigError: a size that there is not, or `neutral` holds no shards.
    """
    for size in sizes:
        if size not in SIZES:
            raise ConfigError(f"no size {size!r}: {', '.join(SIZES)}")
    if neutral:
        data.read_vocabulary(neutral)


def sized(config: Train, size: str) -> Train:
    """The configuration of a model of this size, with heads as wide as the configured ones.

    >>> [(one.layers, one.width, one.heads, one.ffn) for one in (sized(Train(), size) for size in "SML")]
    [(2, 128, 4, 512), (4, 192, 6, 768), (6, 320, 10, 1280)]
    """
    deeper, wider = SIZES[size]
    heads = math.ceil(config.heads * wider)
    width = config.width // config.heads * heads
    layers = math.ceil(config.layers * deeper)
    return dataclasses.replace(config, layers=layers, width=width, heads=heads, ffn=config.ffn * width // config.width)


def place(home: str, name: str, size: str, seed: int) -> str:
    """Where a comparison keeps the model of a corpus: its `seed`-th of this size."""
    return os.path.join(home, "models", f"{name}-{size}-{seed}")


def hold_out(corpora: Mapping[str, str]) -> tuple[list[HeldOut], set[str]]:
    """Held-out samples, as many from each corpus of each kind; and the documents of all val splits.

    What several corpora hold alike is one sample of all of them.
    """
    held: list[HeldOut] = []
    documents: set[str] = set()
    for kind in contract.CORPORA:
        by_source: list[list[HeldOut]] = []
        for name, shards in corpora.items():
            vocabulary = data.read_vocabulary(shards)
            words = Words(shards, vocabulary)
            tars = [Tar(path) for path in data.tars_of(shards, kind, "val")]
            mine: list[HeldOut] = []
            for _, key, number in heapq.nsmallest(HELD_OUT // len(corpora), _ranked(tars, documents)):
                of = documents_of(tars[number], key)
                mine += _read(kind, name, tars[number].read(kind, key, vocabulary), of, vocabulary, words)
            by_source.append([one for one in mine if one.size])
        most = min(min(map(len, by_source)), HELD_OUT // len(by_source))
        once: dict[Any, HeldOut] = {}
        for one in (one for mine in by_source for one in mine[:most]):
            same = once.setdefault((one.segments, one.images), one)
            once[one.segments, one.images] = same._replace(sources=tuple(dict.fromkeys(same.sources + one.sources)))
        held += once.values()
    return held, documents


def _ranked(tars: Sequence[Tar], documents: set[str]) -> Iterator[tuple[float, str, int]]:
    """Keys with their ranks and the number of their tar; their documents are added to `documents`."""
    for number, tar in enumerate(tars):
        for key in tar.samples:
            documents |= set(documents_of(tar, key))
            yield hash_unit(key, "held"), key, number


def _read(
    kind: str, source: str, sample: Sample, documents: Sequence[str], vocabulary: Vocabulary, words: Words
) -> Iterator[HeldOut]:
    """What a sample says: of a packed text each document by itself, since tokenizers pack differently."""
    parts = [sample]
    if kind == "text":
        begins = np.flatnonzero(sample.ids == vocabulary.bos)
        parts = [sample._replace(ids=ids) for ids in np.split(sample.ids, begins) if len(ids)]
    for number, part in enumerate(parts):
        first, *others = map(words.decode, data.texts_of(part, vocabulary))
        segments: list[str | None] = [first]
        for text in others:
            segments += [None, text]
        kept = tuple(segment for segment in segments if segment != "")
        size = sum(len(segment.encode()) for segment in kept if segment)
        key = f"{sample.key}/{number}" if number else sample.key
        document = documents[min(number, len(documents) - 1)] if documents else key
        yield HeldOut(kind, (source,), document, key, kept, part.images, size)


def fitted(held: Sequence[HeldOut], corpora: Sequence[str], longest: int) -> list[HeldOut]:
    """Held-out samples shortened at their end until each corpus' tokenizer has at most `longest` tokens for them.

    A model that is asked for less of a text than another would be the better one for it.
    """
    told = [Words(shards, data.read_vocabulary(shards)) for shards in corpora]
    longest = min(longest, *(words.vocabulary.context_length for words in told))

    def tokens(segments: Sequence[str | None]) -> int:
        return max(len(_ids(segments, words)) for words in told)

    kept = []
    for one in held:
        segments = list(one.segments)
        while segments and (segments[-1] is None or tokens(segments) > longest):
            last = segments.pop() or ""
            most = last[: len(last) * 7 // 8]
            if shorter := most.rpartition(" ")[0] or most:  # scripts without spaces are cut anywhere
                segments.append(shorter)
        size = sum(len(segment.encode()) for segment in segments if segment)
        if size:
            kept.append(one._replace(segments=tuple(segments), images=one.images[: segments.count(None)], size=size))
    return kept


def _ids(segments: Sequence[str | None], words: Words) -> list[int]:
    parts = [None if segment is None else words.encode(segment) for segment in segments]
    return contract.encode_segments(parts, words.vocabulary)


def judge(shards: str, model_dir: str, held: Sequence[HeldOut], without: frozenset[str]) -> list[float]:
    """Bits of each held-out sample's text for a trained model."""
    model, vocabulary = evaluate.load_model(shards, model_dir, without=without)
    words, eye = Words(shards, vocabulary), losses.Eye(model)
    samples = []
    for one in held:
        ids = np.array(_ids(one.segments, words), np.int64)
        samples.append(Sample(one.key, ids, contract.loss_mask(ids, vocabulary), one.images))
    return [math.fsum(row) / math.log(2) for row in losses.of_samples(model, eye, samples)]


def _counts(held: Sequence[HeldOut]) -> dict[str, int]:
    return {kind: sum(one.kind == kind for one in held) for kind in contract.CORPORA}


def verdicts(bits: dict[str, Matrix], held: Sequence[HeldOut]) -> dict[str, Any]:
    """Bits per byte of each corpus' models: overall, by kind, by seed and by whose samples; and each two compared."""
    sizes = np.array([one.size for one in held], np.float64)
    _, documents = np.unique([one.document for one in held], return_inverse=True)
    by_kind = {kind: np.array([one.kind == kind for one in held]) for kind in contract.CORPORA}
    by_kind = {kind: chosen for kind, chosen in by_kind.items() if chosen.any()}
    kinds = list(by_kind.values())
    sources = {source: np.array([source in one.sources for one in held]) for one in held for source in one.sources}

    def only(chosen: Chosen) -> list[Chosen]:
        return [both for kind in kinds if (both := kind & chosen).any()]

    means = {
        name: {
            "overall": round(score(matrix, sizes, kinds), 5),
            **{kind: round(score(matrix, sizes, [chosen]), 5) for kind, chosen in by_kind.items()},
            "by_seed": [round(score(matrix[s : s + 1], sizes, kinds), 5) for s in range(len(matrix))],
            "by_source": {source: round(score(matrix, sizes, only(of)), 5) for source, of in sources.items()},
        }
        for name, matrix in bits.items()
    }

    def within(a: str, b: str, chosen: Chosen) -> dict[str, Any]:
        """Of samples of one kind alone."""
        _, own = np.unique(documents[chosen], return_inverse=True)
        every = [np.ones(len(own), bool)]
        return difference(bits[a][:, chosen], bits[b][:, chosen], sizes[chosen], every, own, T98).row(a, b)

    pairs = [
        {
            **{"a": a, "b": b, **difference(bits[a], bits[b], sizes, kinds, documents).row(a, b)},
            "by_kind": {kind: within(a, b, chosen) for kind, chosen in by_kind.items()},
        }
        for a, b in combinations(bits, 2)
    ]
    rank = sorted(bits, key=lambda name: score(bits[name], sizes, kinds))
    return {"bits_per_byte": means, "rank": rank, "pairs": pairs}


def score(bits: Matrix, sizes: Matrix, kinds: Sequence[Chosen]) -> float:
    """Bits per byte: of each kind over seeds and samples, then their mean, so that long documents are not all."""
    each = bits.mean(0)
    return float(np.mean([each[chosen].sum() / sizes[chosen].sum() for chosen in kinds]))


class Difference(NamedTuple):
    """Bits per byte of one less those of another: negative where the first is better."""

    delta: float
    low: float
    high: float

    def row(self, a: str, b: str) -> dict[str, Any]:
        """The difference and what it decides; an end that is nowhere is None."""
        winner = "undecided" if self.low <= 0 <= self.high else a if self.delta < 0 else b
        told = {key: round(value, 5) if math.isfinite(value) else None for key, value in self._asdict().items()}
        return {**told, "better": winner}


def difference(
    a: Matrix,
    b: Matrix,
    sizes: Matrix,
    kinds: Sequence[Chosen],
    documents: npt.NDArray[np.intp],
    t: Sequence[float] = T95,
) -> Difference:
    """See the head of this file. One seed decides nothing, nor does one document.

    Args:
        a, b: bits (seeds, samples), row by row of the same seed.
        sizes: bytes of each sample.
        documents: the number of each sample's document.
        t: quantiles of Student's t by degrees of freedom, the last one for all beyond.
    """
    apart = a - b
    seeds = len(apart)
    delta = score(apart, sizes, kinds)
    if seeds < 2 or len(np.unique(documents)) < 2:
        return Difference(delta, -math.inf, math.inf)
    rng = np.random.default_rng(0)
    rows = rng.integers(0, seeds, (DRAWS, seeds))
    over_seeds = np.mean([apart[:, kind].sum(1)[rows].mean(1) / sizes[kind].sum() for kind in kinds], axis=0)
    there = int(documents.max()) + 1
    told = np.array(
        [[np.bincount(documents[kind], of[kind], there) for of in (apart.mean(0), sizes)] for kind in kinds]
    )
    over_documents = np.zeros(DRAWS)
    for draw in range(DRAWS):  # one at a time: all draws of many documents would not fit into memory
        bits, size = (told @ np.bincount(rng.integers(0, there, there), minlength=there)).T
        over_documents[draw] = np.mean(bits[size > 0] / size[size > 0])
    variance = float(over_seeds.var()) * seeds / (seeds - 1) + float(over_documents.var())
    half = t[min(seeds - 2, len(t) - 1)] * math.sqrt(variance)
    return Difference(delta, delta - half, delta + half)
