"""Training documents that repeat a held-out one: a model that trains on them has read what it is asked.

A corpus without deduplication holds copies of held-out pages under other ids. Two documents are copies where the one
holds SHARED of the other's passages of WORDS words in a row; a document is one too whose page shows the picture of a
held-out pair with the same caption. Read are the JSON of the samples, once, and no image.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from weft.model_smoketest import data
from weft.model_smoketest.tars import Tar
from weft.schemas import shards as contract

WORDS = 8  # as GRAM of census.py, in words: corpora have tokenizers of their own
SHARED = 0.5
_WORD = re.compile(r"\w+")

Told = tuple[str, str, tuple[str, ...]]  # doc_id, its text in one sample, its captions with their pictures


def of(corpora: Iterable[str], held_out: Iterable[str]) -> set[str]:
    """doc_ids of training documents of `corpora` that are copies of a document of the val splits of `held_out`.

    Both are directories of shards.
    """
    passages: dict[tuple[str, ...], set[int]] = defaultdict(set)
    sizes: list[int] = []
    captions: set[str] = set()
    for _, text, shown in _documents(held_out, "val"):
        captions |= set(shown)
        own = _passages(text)
        for passage in own:
            passages[passage].add(len(sizes))
        sizes.append(len(own))
    found = set()
    for document, text, shown in _documents(corpora, "train"):
        own = _passages(text)
        common = Counter(number for passage in own for number in passages.get(passage, ()))
        if not captions.isdisjoint(shown) or any(
            count >= SHARED * min(len(own), sizes[number]) for number, count in common.items()
        ):
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
            yield document, "", (f"{one['sha256']} {one.get('text')}",)
        elif document:
            yield document, one.get("text") or " ".join(filter(None, one.get("texts", []))), ()


def _passages(text: str) -> set[tuple[str, ...]]:
    words = _WORD.findall(text.casefold())
    return {tuple(words[i : i + WORDS]) for i in range(len(words) - WORDS + 1)}
