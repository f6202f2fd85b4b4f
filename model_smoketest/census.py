"""What can be told of shards without a model: samples are read and counted.

Whether the tokens are the tokenizer's own, the mask is the contract's, the captions whole and in the language of the
texts, the images undistorted, nothing said twice and nothing of the validation split trained on. Every answer is a
share of samples against one that is allowed (chance.py), which is far above what sound corpora showed and far below a
fault that is worth finding.
"""

from __future__ import annotations

import io
import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from weft.model_smoketest import chance, data, leaks
from weft.model_smoketest.chance import Check
from weft.model_smoketest.tars import Sample, Tar
from weft.model_smoketest.words import Words
from weft.schemas import shards as contract
from weft.schemas.shards import Vocabulary

SAMPLES = 4_000  # of each corpus and split at most, the first in order of their keys, which are hashes
RARELY = 0.002  # allowed where a sound packer never does it
ENDING = 32  # characters that captions or documents end in
SAME_ENDING = 0.05  # of captions or documents
LONGEST = 0.1  # of captions may be of the longest length, or one character under it
WORD = re.compile(r"[^\W\d_]{3,}")
STRANGE = 0.5  # a caption of which so many words are in no text is strange
PIXELS = 2  # by which a side may differ from what its proportions ask for


class Seen(NamedTuple):
    """What the census keeps of a sample."""

    text: str  # its text tokens, read back
    own_tokens: bool  # the tokenizer gives these tokens for this text
    right_mask: bool
    told_size: bool  # images are of the proportions that KEY.json tells, or it tells none


def take(shards: str, vocabulary: Vocabulary) -> list[Check]:
    """The checks of a directory of shards.

    Raises:
        ConfigError: shards or tokenizer are damaged.
    """
    words = Words(shards, vocabulary)
    corpora = {corpus: list(_all(shards, corpus, vocabulary, words)) for corpus in contract.TRAINED}
    checks = []
    for corpus, seen in corpora.items():
        if seen:
            checks += _contract(corpus, seen) + leaks.take(shards, corpus, vocabulary)
    for corpus in ("pairs", "interleaved"):
        if corpora[corpus]:
            checks.append(_endings(corpus, [one.text for one in corpora[corpus]]))
    captions = [one.text for one in corpora["pairs"]]
    if captions:
        checks.append(_cut(captions))
        if told := [one.text for corpus in ("interleaved", "text") for one in corpora[corpus]]:
            checks.append(_strange(captions, told))
    return checks


def texts(sample: Sample, vocabulary: Vocabulary, words: Words) -> list[str]:
    """The stretches of text that a sample's targets stand for: no first token, and nothing that an instruction asks."""
    chosen = data.is_text(sample.ids, vocabulary) & sample.mask.astype(bool)
    chosen[0] = False
    return [words.decode(run) for run in _runs(sample.ids, chosen)]


def _all(shards: str, corpus: str, vocabulary: Vocabulary, words: Words) -> Iterator[Seen]:
    for split in contract.SPLITS:
        for tar, key in islice(data.places_of(shards, corpus, split), SAMPLES):
            yield _see(tar, corpus, key, vocabulary, words)


def _see(tar: Tar, corpus: str, key: str, vocabulary: Vocabulary, words: Words) -> Seen:
    sample = tar.read(corpus, key, vocabulary)
    meta: dict[str, Any] = json.loads(tar.part(key, contract.META))
    asked = meta["asked"] if corpus == contract.INSTRUCTIONS else 0
    targets = contract.answer_mask(sample.ids, asked, vocabulary).astype(bool)
    runs = _runs(sample.ids, data.is_text(sample.ids, vocabulary))
    caption = _caption(tar, key)
    told = meta.get("images", [meta] if "width" in meta else [])
    read = [words.decode(run) for run in runs]
    return Seen(
        caption or " ".join(read),
        _own(caption if corpus == "pairs" else "", runs, read, words),
        bool((sample.mask == targets).all()),
        all(_proportions(image, one) for image, one in zip(sample.images, told, strict=False)),
    )


def _caption(tar: Tar, key: str) -> str:
    return tar.part(key, contract.CAPTION).decode() if contract.CAPTION in tar.samples[key] else ""


def _own(caption: str, runs: list[np.ndarray[Any, Any]], texts: list[str], words: Words) -> bool:
    """Whether the tokens are the tokenizer's for the caption beside them, or for what they say themselves."""
    if caption:
        tokens = [token for run in runs for token in run.tolist()]
        return words.encode(caption)[: len(tokens)] == tokens
    agree = sum(words.encode(text) == run.tolist() for text, run in zip(texts, runs, strict=True))
    return agree * 2 >= len(runs)  # a run that was cut inside a word may be read otherwise


def _runs(ids: np.ndarray[Any, Any], chosen: np.ndarray[Any, Any]) -> list[np.ndarray[Any, Any]]:
    """The stretches of `ids` where `chosen`."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], chosen.astype(np.int8), [0]])))
    return [ids[a:b] for a, b in zip(edges[::2], edges[1::2], strict=True)]


def _proportions(image: bytes, told: dict[str, Any]) -> bool:
    width, height = told.get("width"), told.get("height")
    if not width or not height:
        return True
    with Image.open(io.BytesIO(image)) as opened:
        w, h = opened.size
    scale = math.sqrt(w * h / (width * height))
    return abs(w - width * scale) <= PIXELS and abs(h - height * scale) <= PIXELS


def _contract(corpus: str, seen: list[Seen]) -> list[Check]:
    def wrong(name: str, bad: int, told: str) -> Check:
        return chance.share(f"{corpus}.{name}", bad, len(seen), RARELY, told)

    checks = [
        wrong("tokens", sum(not s.own_tokens for s in seen), "samples have tokens that are not the tokenizer's"),
    ]
    if corpus in ("interleaved", contract.INSTRUCTIONS):
        checks.append(wrong("mask", sum(not s.right_mask for s in seen), "loss masks are not on what is told"))
    if corpus in ("pairs", "interleaved"):
        bad = sum(not s.told_size for s in seen)
        checks.append(
            chance.share(
                f"{corpus}.distorted", bad, len(seen), leaks.SELDOM, "samples have images of other proportions"
            )
        )
    return checks


def _endings(corpus: str, texts: list[str]) -> Check:
    """Boilerplate: many texts that end alike."""
    different = {text.casefold().strip() for text in texts}
    ends = Counter(text[-ENDING:] for text in different if len(text) > ENDING)
    ending, count = max(ends.items(), key=lambda item: (item[1], item[0]), default=("", 0))
    count = 0 if count < 2 else count
    return chance.share(
        f"{corpus}.boilerplate", count, len(texts), SAME_ENDING, f"end in {ending!r}" if count else "end alike"
    )


def _cut(captions: list[str]) -> Check:
    """Captions that were cut pile up at the longest length; by nature few are as long as the longest."""
    most = max(map(len, captions))
    at = sum(len(text) >= most - 1 for text in captions)
    return chance.share(
        "pairs.cut", at, len(captions), LONGEST, f"captions are of the longest length, {most} characters"
    )


def _words(text: str) -> set[str]:
    return set(WORD.findall(text.casefold()))


def _strange(captions: list[str], texts: list[str]) -> Check:
    """Captions in other words than the texts; what is allowed is twice what texts themselves show, and a tenth."""
    counts = Counter(word for text in texts for word in _words(text))

    def strange(items: Iterable[str], own: int) -> tuple[int, int]:
        told = [found for found in map(_words, items) if found]
        far = sum(sum(counts[word] <= own for word in found) > STRANGE * len(found) for found in told)
        return far, len(told)

    baseline, of = strange(texts, 1)  # a word of one text alone is strange to the others
    found, looked = strange(captions, 0)
    allowed = min(0.9, 0.1 + 2 * baseline / max(of, 1))
    return chance.share("pairs.language", found, looked, allowed, "captions are in words that no text has")
