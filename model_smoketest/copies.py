"""Training documents that repeat a held-out one: a model that trains on them has read what it is asked.

A corpus without deduplication holds copies of held-out pages under other ids. Two documents are copies where the one
holds SHARED of the other's passages of WORDS words in a row (a shorter text is one passage); a document is one too that
shows the picture of a held-out pair with the same caption, as a pair or in a page with pictures. Read are the JSON of
the samples, once, and no image; of each held-out passage 64 bits are kept.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import xxhash

from weft.model_smoketest import data
from weft.model_smoketest.leaks import Hashes, grams
from weft.model_smoketest.tars import Tar
from weft.schemas import shards as contract

WORDS = 8  # as GRAM of leaks.py, in words: corpora have tokenizers of their own
SHARED = 0.5
_WORD = re.compile(r"\w+")

Told = tuple[str, str, tuple[int, ...]]  # doc_id, its text in one sample, hashes of its captions with their pictures


def of(corpora: Iterable[str], held_out: Iterable[str]) -> set[str]:
    """doc_ids of training documents of `corpora` that are copies of a document of the val splits of `held_out`.

    Both are directories of shards.
    """
    captions: set[int] = set()
    held: list[Hashes] = [np.zeros(0, np.uint64)]
    for _, text, shown in _documents(held_out, "val"):
        captions |= set(() if text else shown)  # of pairs: a document is not asked for its captions
        held.append(_passages(text))
    sizes = np.array([len(own) for own in held])
    every, numbers = np.concatenate(held), np.repeat(np.arange(len(held)), sizes)
    order = np.argsort(every, kind="stable")
    every, numbers = every[order], numbers[order]
    found = set()
    for document, text, shown in _documents(corpora, "train"):
        own = _passages(text)
        spans = zip(np.searchsorted(every, own), np.searchsorted(every, own, "right"), strict=True)
        common = [numbers[a:b] for a, b in spans if a < b]
        which, counts = np.unique(np.concatenate([*common, numbers[:0]]), return_counts=True)
        if not captions.isdisjoint(shown) or bool((counts >= SHARED * np.minimum(len(own), sizes[which])).any()):
            found.add(document)
    return found


def _documents(corpora: Iterable[str], split: str) -> Iterator[Told]:
    for shards in corpora:
        for kind in contract.CORPORA:
            for tar in map(Tar, data.tars_of(shards, kind, split)):
                for key in tar.samples:
                    yield from _told(json.loads(tar.part(key, contract.META)))


def _told(meta: dict[str, Any]) -> Iterator[Told]:
    for one in meta.get("documents", [meta]):
        document = one.get("doc_id", "")
        if "sha256" in one:  # a pair: its caption says little, and many pages may say it
            yield document, "", (_caption(one["sha256"], one.get("text")),)
        elif document:
            images = one.get("images", [])
            shown = [_caption(image["sha256"], image[name]) for image in images for name in _SAID if image.get(name)]
            yield document, one.get("text") or " ".join(filter(None, one.get("texts", []))), tuple(shown)


_SAID = ("alt", "caption")  # of a picture in a document


def _caption(picture: str, text: str | None) -> int:
    return xxhash.xxh3_64_intdigest(" ".join([picture, *_words(text or "")]).encode())


def _words(text: str) -> list[str]:
    return _WORD.findall(text.casefold())


def _passages(text: str) -> Hashes:
    words = np.array([xxhash.xxh3_64_intdigest(word.encode()) for word in _words(text)], np.uint64)
    return grams(words, min(WORDS, len(words)) or 1)
