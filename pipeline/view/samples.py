"""Samples of a shard as the model sees them: tokens in order, those that it is to predict, pictures in their slots."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import urlencode

import numpy as np
import numpy.typing as npt

from weft.model_smoketest.tars import Tar
from weft.schemas import shards as contract
from weft.schemas.shards import Vocabulary
from weft.transforms.io import files
from weft.transforms.pack.tokenizer import Encoder

PER_PAGE = 8
_AT_A_TIME = 24  # tokens after which a character that is not whole is shown as it is


class Piece(NamedTuple):
    """What one token adds to the text, or a picture."""

    text: str
    predicted: bool
    special: bool = False
    picture: str = ""  # below this server
    slots: int = 0


class Sample(NamedTuple):
    """One training sequence."""

    key: str
    number: int  # from 1, in the order of the shard
    tokens: int
    predicted: int
    pieces: list[Piece]
    meta: dict[str, Any]
    doc_ids: list[str]


def encoder(output: str) -> Encoder:
    """The tokenizer beside the shards."""
    folder = files.join(output, "shards")
    known = Vocabulary.loads(files.read_bytes(files.join(folder, contract.TOKENIZER_INFO)).decode())
    return Encoder(files.join(folder, known.file), known.image_tokens, known.context_length)


def keys(output: str, shard: str) -> list[str]:
    """The keys of a shard's samples, in its order."""
    return list(_tar(output, shard).samples)


def samples(output: str, shard: str, wanted: Sequence[str], tokenizer: Encoder) -> Iterator[Sample]:
    """Those of the shard's samples whose keys are wanted."""
    tar = _tar(output, shard)
    numbers = {key: number for number, key in enumerate(tar.samples, 1)}
    for key in wanted:
        members = tar.samples[key]
        ids = np.load(io.BytesIO(tar.part(key, contract.INPUT_IDS)), allow_pickle=False)
        mask = (
            np.load(io.BytesIO(tar.part(key, contract.LOSS_MASK)), allow_pickle=False)
            if contract.LOSS_MASK in members
            else contract.loss_mask(ids, tokenizer.vocabulary)
        )
        meta = json.loads(tar.part(key, contract.META))
        places = (
            contract.image_places(tar.part(key, contract.IMAGE_BYTES), members[contract.DOCUMENT_IMAGES])
            if contract.IMAGE_BYTES in members
            else [place for suffix, place in members.items() if contract.is_image(suffix)]
        )
        shown = [f"/bytes/shards/{shard}?{urlencode({'from': at, 'length': length})}" for at, length in places]
        pieces = list(_pieces(ids, mask, shown, tokenizer))
        of = [one["doc_id"] for one in meta.get("documents", ())] or [meta.get("doc_id", "")]
        yield Sample(key, numbers[key], len(ids), int(mask.sum()), pieces, meta, [one for one in of if one])


def _tar(output: str, shard: str) -> Tar:
    path = os.path.join(output, "shards", shard)
    return _opened(path, os.stat(path).st_mtime_ns)


@lru_cache(maxsize=32)
def _opened(path: str, changed: int) -> Tar:
    """A tar, another one where it was written anew."""
    return Tar(path)


def _pieces(
    ids: npt.NDArray[np.integer], mask: npt.NDArray[np.uint8], shown: Sequence[str], tokenizer: Encoder
) -> Iterator[Piece]:
    known = tokenizer.vocabulary
    spans = contract.image_slots(ids, known)
    begins = {int(span[0]) - 1: number for number, span in enumerate(spans)} if known.image_tokens else {}
    names = {known.bos: contract.BOS, known.eos: contract.EOS, known.pad: contract.PAD}
    at = 0
    while at < len(ids):
        token = int(ids[at])
        if at in begins:
            place = begins[at]
            yield Piece("", False, True, shown[place] if place < len(shown) else "", known.image_tokens)
            at += known.image_tokens + 2
        elif token in names:
            yield Piece(names[token], bool(mask[at]), True)
            at += 1
        else:
            end = at
            while end < len(ids) and end not in begins and int(ids[end]) not in names:
                end += 1
            words = spelled(ids[at:end].tolist(), tokenizer.decode)
            yield from (Piece(text, bool(on)) for text, on in zip(words, mask[at:end], strict=True))
            at = end


def spelled(ids: Sequence[int], decode: Callable[[Iterable[int]], str]) -> list[str]:
    """What each token adds to the text; "" for one that is the beginning of a character.

    A token's text depends on the one before it (a blank at its beginning, bytes of one character), so each is read
    behind that, as streaming decoders do.
    """
    found: list[str] = []
    behind = begin = 0
    for end in range(1, len(ids) + 1):
        before, now = decode(ids[behind:begin]), decode(ids[behind:end])
        whole = len(now) > len(before) and not now.endswith("\ufffd")
        if whole or end - begin >= _AT_A_TIME or end == len(ids):
            found.append(now[len(before) :])
            behind, begin = begin, end
        else:
            found.append("")
    return found
