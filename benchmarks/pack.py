"""Tokens per second of packing on one core, beside the plain way: tokenizers and webdataset.TarWriter.

Both take the same generated documents (two texts around one picture) and the same trained tokenizer, and write tars of
ids, a loss mask, JSON and JPEG bytes. The plain way writes each document as it comes. weft also cuts documents to the
context, keeps spelled-out special tokens out of the ids, hashes the tar and puts it in place whole. CPU time, best of
REPEATS; what Beam's own shuffle costs is not in it.

Run: python benchmarks/pack.py
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import webdataset
from tokenizers import Tokenizer

from weft.schemas import shards
from weft.schemas.records import hash_unit, stable_id
from weft.transforms.io.tar import write_tar
from weft.transforms.pack import sequences, tokenizer

DOCUMENTS, WORDS, REPEATS = 400, 200, 5
JPEG = bytes(range(256)) * 60  # a stored picture's size; no packer looks inside
IMAGE_TOKENS, CONTEXT = 64, 2048

Texts = list[tuple[str, str]]  # before and after the picture


def make_text(name: str) -> str:
    """WORDS words with skewed frequencies, the same on each run."""
    ranks = (int(20_000 ** hash_unit(f"{name}/{n}", "benchmark")) for n in range(WORDS))
    return " ".join(f"{rank:b}".translate({48: "ae", 49: "n"})[: 3 + rank % 7] for rank in ranks)


def weft(documents: Texts, encoder: tokenizer.Encoder, home: Path) -> int:
    """The packer's own steps on one shard; returns ids written."""
    words, count = encoder.vocabulary, 0

    def members() -> Iterator[tuple[str, bytes]]:
        nonlocal count
        for number, (before, after) in enumerate(documents):
            made, _ = sequences.chunks([before, None, after], [1], encoder.encode, words)
            for part, chunk in enumerate(made):
                ids = np.asarray(chunk.ids, words.dtype)
                count += len(ids)
                key = f"{number:08d}-{part:03d}"
                for suffix, data in shards.document_images([JPEG] * len(chunk.images)).items():
                    yield shards.member(key, suffix), data
                yield shards.member(key, shards.INPUT_IDS), shards.npy(ids)
                yield shards.member(key, shards.META), shards.json_bytes({"key": key, "spans": chunk.spans})
                yield shards.member(key, shards.LOSS_MASK), shards.npy(shards.loss_mask(ids, words))

    write_tar(str(home / "weft.tar"), members())
    return count


def plain(documents: Texts, encoder: tokenizer.Encoder, home: Path) -> int:
    """The loop that one would write by hand; returns ids written."""
    bare, words, count = Tokenizer.from_str(encoder.data.decode()), encoder.vocabulary, 0
    span = [words.image] * (words.image_tokens + 1) + [words.image_end]
    with webdataset.TarWriter(str(home / "plain.tar")) as tar:
        for number, (before, after) in enumerate(documents):
            texts = [bare.encode(text, add_special_tokens=False).ids for text in (before, after)]
            ids = np.asarray([words.bos, *texts[0], *span, *texts[1], words.eos], words.dtype)
            mask = (~np.isin(ids, [words.bos, words.image, words.image_end])).astype(np.uint8)
            count += len(ids)
            key = f"{number:08d}-000"
            sample = {"__key__": key, "0.jpg": JPEG, "input_ids.npy": ids, "loss_mask.npy": mask, "json": {"key": key}}
            tar.write(sample)
    return count


def rate(work: Callable[[Texts, tokenizer.Encoder, Path], int], documents: Texts, encoder: tokenizer.Encoder) -> float:
    """Ids per second of CPU time, best of REPEATS."""
    best = 0.0
    with tempfile.TemporaryDirectory() as home:
        for _ in range(REPEATS):
            begun = time.process_time()
            count = work(documents, encoder, Path(home))
            best = max(best, count / (time.process_time() - begun))
    return best


def main() -> None:
    """Print the table and the ratio."""
    documents = [(make_text(stable_id(f"{n}", "a")), make_text(stable_id(f"{n}", "b"))) for n in range(DOCUMENTS)]
    with tempfile.TemporaryDirectory() as home:
        path = Path(home, shards.TOKENIZER)
        path.write_bytes(tokenizer.train([text for pair in documents for text in pair], 4096))
        encoder = tokenizer.Encoder(str(path), IMAGE_TOKENS, CONTEXT)
    print(f"{'packing, one core':36}{'tokens/s':>14}")
    rows = {"tokenizers + webdataset.TarWriter": plain, "weft": weft}
    speeds = {name: rate(work, documents, encoder) for name, work in rows.items()}
    for name, speed in speeds.items():
        print(f"{name:36}{speed:>14,.0f}")
    print(f"ratio: {speeds['weft'] / speeds['tokenizers + webdataset.TarWriter']:.2f}x")


if __name__ == "__main__":
    main()
