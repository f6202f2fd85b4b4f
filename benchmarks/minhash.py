"""MinHash signatures per second on one core, beside datasketch.

Both read the same generated English-like texts (1 KB and 5 KB) and make 128-value signatures of word 5-grams under the
same permutation scheme. datasketch gets the cheapest words there are (lower case, split at white space) and, in its
second row, the fastest hash function; weft also folds compatibility forms and punctuation. CPU time, best of REPEATS.

Run: python benchmarks/minhash.py
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import xxhash
from datasketch import MinHash

from schemas.records import hash_unit
from transforms import minhash

PERMUTATIONS = 128
NGRAM = 5
REPEATS = 5
SIZES = {"1 KB": (1_000, 400), "5 KB": (5_000, 100)}  # characters, documents


def make_text(name: str, length: int) -> str:
    """Words with the lengths and the skewed frequencies of English, in sentences, with curly quotes here and there."""
    words: list[str] = []
    size = 0
    while size < length:
        draw = hash_unit(f"{name}/{len(words)}", "benchmark")
        rank = int(20_000**draw)  # log-uniform, near Zipf
        word = f"{rank:b}".translate({48: "ae", 49: "n"})[: 3 + rank % 7] + ("" if rank < 50 else str(rank % 100))
        if len(words) % 17 == 16:
            word = f"“{word}”."
        words.append(word)
        size += len(word) + 1
    return " ".join(words)


def peer_shingles(text: str) -> list[bytes]:
    words = text.lower().split()
    return [" ".join(words[i : i + NGRAM]).encode() for i in range(len(words) - NGRAM + 1)]


def datasketch_bulk(texts: Sequence[str]) -> None:
    MinHash.bulk([peer_shingles(text) for text in texts], num_perm=PERMUTATIONS)


def datasketch_xxhash(texts: Sequence[str]) -> None:
    for text, sketch in zip(
        texts,
        MinHash.generator(map(peer_shingles, texts), num_perm=PERMUTATIONS, hashfunc=xxhash.xxh32_intdigest),
        strict=True,
    ):
        assert text and sketch is not None


def weft(texts: Sequence[str]) -> None:
    for text in texts:
        minhash.sign(text, NGRAM, PERMUTATIONS)


def rate(work: Callable[[Sequence[str]], None], texts: Sequence[str]) -> float:
    """Documents per second of CPU time, best of REPEATS."""
    best = float("inf")
    for _ in range(REPEATS):
        begun = time.process_time()
        work(texts)
        best = min(best, time.process_time() - begun)
    return len(texts) / best


def main() -> None:
    """Print the table and the ratio of the size where weft leads least."""
    rows = {
        "datasketch 2 bulk, sha1 (default)": datasketch_bulk,
        "datasketch 2, xxh32": datasketch_xxhash,
        "weft": weft,
    }
    print(f"{'docs/s/core (MB/s)':36}" + "".join(f"{size:>20}" for size in SIZES))
    results: dict[str, list[float]] = {}
    for name, work in rows.items():
        line = f"{name:36}"
        for length, count in SIZES.values():
            texts = [make_text(f"{length}/{i}", length) for i in range(count)]
            work(texts[:2])
            speed = rate(work, texts)
            results.setdefault(name, []).append(speed)
            megabytes = sum(len(text.encode()) for text in texts) / count * speed / 1e6
            line += f"{speed:>12,.0f} ({megabytes:5.1f})"
        print(line)
    peers = [max(column) for column in zip(*(v for k, v in results.items() if k != "weft"), strict=True)]
    print(f"ratio: {min(ours / peer for ours, peer in zip(results['weft'], peers, strict=True)):.2f}x")


if __name__ == "__main__":
    main()
