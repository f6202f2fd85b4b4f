"""Duplicates: MinHash signatures a second, and the whole stage from texts to flags, beside those who do the same.

    python benchmarks/dedup.py [signatures|whole|growth] [--documents N] [--texts JSONL[.GZ]] [--peers PYTHON]

signatures: 128 values (datatrove: 14 x 8) of word 5-grams, one thread, CPU time, best of REPEATS; and how far they are
from the exact similarity of perturbed pairs, by each way's own words. Not like for like: datasketch and rensa get the
cheapest words there are (lower case, split at white space), weft folds compatibility forms and punctuation, datatrove
has spaCy cut words. rensa's "rho" samples words, is no MinHash of the whole text and is left out.

whole: documents in a table on disk → which of them are duplicates; a child process each with two workers, start-up and
imports count. Not like for like: weft also looks for equal records and texts, checks candidates, and writes a fate and
a kept row for every document; datatrove (14 x 8, no check) has its flags after three steps and reads all texts again in
the fourth, a row of its own that is not in the ratio; text-dedup (threshold .8, no check) balances false against missed
pairs, so looks for fewer, and writes the kept texts. `recall` is the share of planted copies that are in their
original's cluster, `false` counts families in a cluster with another. Memory is proportional (PSS), over all processes.

growth: weft's stage alone; the ratio is CPU per document of the smallest size over that of the largest.

Documents are runs of sentences from the corpus (--texts: lines with a "text"; without, generated words), a fifth of
them copies with replaced words. Peers live in another environment: see benchmarks/dedup_peers.py.
"""

from __future__ import annotations

import os

os.environ |= dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "RAYON_NUM_THREADS"), "1")  # before numpy

import argparse
import dataclasses
import gzip
import json
import math
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import xxhash
from datasketch import MinHash
from dedup_peers import NGRAM, PERMUTATIONS, Spent, rate, watch

from weft.schemas.parameters import Similarity
from weft.schemas.records import Document, hash_bucket, hash_unit
from weft.schemas.tables import DOCUMENTS, PAIRS
from weft.transforms.dedup import minhash, shingles
from weft.transforms.io.parquet import write_table

PAIRS_COMPARED, FILES, WORKERS, COPY_EVERY = 400, 8, 2, 5
SIZES = {"4.7 KB": (4_700, 200), "1 KB": (1_000, 800)}  # characters, documents
LEVELS = (1.0, 0.95, 0.9, 0.85, 0.8)  # similarity of a copy to its original
SHORTEST, SPREAD = 1_000, 14  # characters of the shortest document, and times that of the longest
GROWTH = (10_000, 20_000, 40_000, 80_000, 160_000)
SIMILARITY = Similarity(ngram=NGRAM, permutations=PERMUTATIONS)
PEERS = str(Path(__file__).with_name("dedup_peers.py"))


class Corpus:
    """Documents by number: each the same whenever it is asked for, so that none is held."""

    def __init__(self, path: str | None) -> None:
        texts = _read(path) if path else (_generate(f"text {i}", 5_000) for i in range(1_000))
        sentences = (s.strip() for text in texts for s in re.split(r"(?<=[.!?])\s+|\n+", text))
        self.sentences = list(dict.fromkeys(s for s in sentences if 30 <= len(s) <= 600))

    def original(self, number: int, length: int = 0) -> str:
        """Runs of two sentences up to a length, log-uniform where none is asked for."""
        length = length or int(SHORTEST * SPREAD ** hash_unit(str(number), "length"))
        pieces: list[str] = []
        while (size := sum(map(len, pieces)) + len(pieces)) < length:
            at = hash_bucket(f"{number}/{len(pieces)}", len(self.sentences) - 1, "piece")
            pieces += self.sentences[at : at + 2]
        return " ".join(pieces)[: length if size > length + 200 else None]

    def copy(self, text: str, name: str, similarity: float) -> str:
        """The text with words replaced, spread evenly, so that its 5-grams are about so similar to the original's."""
        words = text.split()
        share = 1 - (2 * similarity / (1 + similarity)) ** (1 / NGRAM)
        replaced = max(similarity < 1, round(share * len(words)))
        for index in range(replaced):
            at = int((index + hash_unit(f"{name}/{index}", "place")) * len(words) / replaced)
            other = self.sentences[hash_bucket(f"{name}/{index}", len(self.sentences), "word")]
            words[at] = f"{other.split()[0]}{index}"
        return " ".join(words) if replaced else text

    def document(self, number: int, count: int) -> str:
        """One of `count` documents; a few originals have many copies."""
        family, level = family_of(number, count)
        text = self.original(family)
        return text if number == family else self.copy(text, str(number), level)


def family_of(number: int, count: int) -> tuple[int, float]:
    """The document that this one is a copy of, or itself, and the similarity to it."""
    if number % COPY_EVERY != COPY_EVERY - 1:
        return number, 1.0
    group = int(count // COPY_EVERY * hash_unit(str(number), "group") ** 2)
    level = LEVELS[hash_bucket(str(number), len(LEVELS), "level")]
    return group * COPY_EVERY + hash_bucket(str(number), COPY_EVERY - 1, "member"), level


def _read(path: str) -> Iterator[str]:
    with gzip.open(path, "rt", encoding="utf-8") if path.endswith(".gz") else open(path, encoding="utf-8") as lines:
        yield from (json.loads(line)["text"] for line in lines)


def _generate(name: str, length: int) -> str:
    """Words with the lengths and the skewed frequencies of English, in sentences, with curly quotes here and there."""
    words: list[str] = []
    size = 0
    while size < length:
        rank = int(20_000 ** hash_unit(f"{name}/{len(words)}", "benchmark"))  # log-uniform, near Zipf
        word = f"{rank:b}".translate({48: "ae", 49: "n"})[: 3 + rank % 7] + ("" if rank < 50 else str(rank % 100))
        words.append(f"“{word}”." if len(words) % 17 == 16 else word)
        size += len(word) + 1
    return " ".join(words)


def by_weft(texts: Sequence[str]) -> list[Any]:
    return [np.frombuffer(signed, "<u4") for signed in minhash.sign(texts, SIMILARITY)]


def weft_shingles(text: str) -> list[bytes]:
    words = shingles.words(text)
    return [b" ".join(words[i : i + NGRAM]) for i in range(len(words) - NGRAM + 1)]


def peer_shingles(text: str) -> list[bytes]:
    words = text.lower().split()
    return [" ".join(words[i : i + NGRAM]).encode() for i in range(len(words) - NGRAM + 1)]


def by_datasketch(texts: Sequence[str], **options: Any) -> list[Any]:
    sets = [peer_shingles(text) for text in texts]
    return [made.hashvalues for made in MinHash.bulk(sets, num_perm=PERMUTATIONS, **options)]


def signatures(corpus: Corpus, options: argparse.Namespace) -> float:
    sets = [[corpus.original(number, length) for number in range(count)] for length, count in SIZES.values()]
    pairs = []
    for number in range(PAIRS_COMPARED):
        text = corpus.original(number, 4_700)
        pairs.append((text, corpus.copy(text, f"pair {number}", 0.3 + 0.69 * hash_unit(str(number), "pair"))))
    with_xxhash = partial(by_datasketch, hashfunc=xxhash.xxh32_intdigest)
    ways = {"datasketch bulk, sha1": by_datasketch, "datasketch, xxh32": with_xxhash, "weft": by_weft}
    rows: dict[str, tuple[list[float], list[float]]] = {}
    for name, way in ways.items():
        first, second = (way(side) for side in zip(*pairs, strict=True))
        estimates = [float(np.mean(a == b)) for a, b in zip(first, second, strict=True)]
        rows[name] = [rate(way, texts) for texts in sets], estimates
    if options.peers:
        with tempfile.TemporaryDirectory() as home:
            Path(home, "texts.json").write_text(json.dumps({"texts": sets, "pairs": pairs}))
            for line in _peer(options, "signatures", home).splitlines():
                made = json.loads(line)
                rows[made["name"]] = made["rates"], made["estimates"]
    exact = {ways: [_jaccard(ways(a), ways(b)) for a, b in pairs] for ways in (weft_shingles, peer_shingles)}
    print(f"{'docs/s/core (MB/s)':24}" + "".join(f"{size:>20}" for size in SIZES) + f"{'bias':>10}{'RMSE':>9}")
    for name, (rates, estimates) in sorted(rows.items(), key=lambda row: row[1][0][0]):
        line = f"{name:24}"
        for speed, texts in zip(rates, sets, strict=True):
            line += f"{speed:>12,.0f} ({sum(len(t.encode()) for t in texts) / len(texts) * speed / 1e6:5.1f})"
        error = np.array(estimates) - exact[weft_shingles if name == "weft" else peer_shingles]
        print(f"{line}{error.mean():>+10.4f}{math.sqrt((error**2).mean()):>9.4f}")
    truth = np.array(exact[weft_shingles])
    print(f"{'theory, 128 values':64}{0:>+10.4f}{math.sqrt((truth * (1 - truth)).mean() / PERMUTATIONS):>9.4f}")
    best = [max(rates) for rates in zip(*(r for name, (r, _) in rows.items() if name != "weft"), strict=True)]
    return min(ours / peer for ours, peer in zip(rows["weft"][0], best, strict=True))


def _jaccard(first: list[bytes], second: list[bytes]) -> float:
    a, b = set(first), set(second)
    return len(a & b) / len(a | b)


def write(corpus: Corpus, count: int, home: Path, for_peers: bool) -> None:
    """The documents in FILES files, as weft's tables and as plain ids and texts."""
    for part, numbers in enumerate(np.array_split(np.arange(count), FILES)):
        texts = [(n, corpus.document(n, count)) for n in numbers.tolist()]
        rows = [
            Document(f"d{n:07}", f"http://a.test/{n}", n, "w.gz", n, f"<{n}>", "en", 0.9, "", [text], [None], [None])
            for n, text in texts
        ]
        write_table(f"{home}/documents/d{part}.parquet", rows, DOCUMENTS)
        write_table(f"{home}/pairs/d{part}.parquet", [], PAIRS)
        if for_peers:
            (home / "texts").mkdir(exist_ok=True)
            table = pa.table({"id": [f"d{n:07}" for n, _ in texts], "text": [t for _, t in texts]})
            pq.write_table(table, home / f"texts/{part:05}.parquet", compression="zstd", row_group_size=2_000)


def stage(home: str) -> None:
    """weft's side of `whole` and `growth`, in a process of its own."""
    from weft.pipeline.run.context import Context
    from weft.pipeline.stages.dedup import stage
    from weft.schemas.config import Config, Dedup

    config = dataclasses.replace(Config(), dedup=Dedup(url=False))
    stage.run(Context(output=home, inputs=(), config=config, fingerprint="x"))


def run_weft(home: Path) -> Spent:
    return watch([sys.executable, __file__, "stage", "--texts", str(home)], home / "weft.log")


def weft_clusters(home: Path) -> dict[int, str]:
    rows = pq.read_table(home / "clusters", columns=["doc_id", "cluster_id"]).to_pylist()
    return {int(row["doc_id"][1:]): row["cluster_id"] for row in rows}


def judge(found: dict[int, Any], count: int) -> str:
    """Clusters of two and more, documents that go, recall of planted copies by similarity, families joined wrongly."""
    sizes = Counter(found.values())
    families: dict[Any, set[int]] = {}
    hits, planted = Counter[float](), Counter[float]()
    for number in range(count):
        family, level = family_of(number, count)
        if number in found:
            families.setdefault(found[number], set()).add(family)
        if family != number:
            planted[level] += 1
            hits[level] += number in found and found[number] == found.get(family)
    recall = "".join(f"{hits[level] / max(1, planted[level]):>7.3f}" for level in LEVELS)
    wrong = sum(len(members) - 1 for members in families.values())
    return f"{sum(size > 1 for size in sizes.values()):>10,}{len(found) - len(sizes):>9,}{recall}{wrong:>7,}"


def whole(corpus: Corpus, options: argparse.Namespace) -> float:
    count, rates = options.documents or 20_000, {}
    have = json.loads(_peer(options, "have")) if options.peers else []
    copies = sum(family_of(number, count)[0] != number for number in range(count))
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        write(corpus, count, home, bool(have))
        print(f"{count:,} documents, {copies:,} of them copies; recall at {', '.join(map(str, LEVELS))}")
        print(f"{'':16}{'docs/s':>9}{'CPU s':>9}{'peak GB':>9}{'clusters':>10}{'flagged':>9}{'recall':>35}{'false':>7}")

        def show(what: str, spent: Spent, said: str) -> None:
            print(f"{what:16}{count / spent.wall:>9,.0f}{spent.cpu:>9,.1f}{spent.memory:>9.2f}{said}", flush=True)

        spent = run_weft(home)
        rates["weft"] = count / spent.wall
        show("weft", spent, judge(weft_clusters(home), count))
        for peer in ("datatrove", "text-dedup") if options.peers else ():
            if peer not in have:
                print(f"{peer:16} cannot be imported by {options.peers}")
                continue
            spent = watch([options.peers, PEERS, peer, name, str(WORKERS)], home / f"{peer}.log")
            rates[peer] = count / spent.wall
            found = {int(row): cluster for row, cluster in json.loads(_peer(options, "clusters", name, peer)).items()}
            show(peer, spent, judge(found, count))
            if peer == "datatrove":
                more = watch([options.peers, PEERS, "filter", name, str(WORKERS)], home / "filter.log")
                peak = max(spent.memory, more.memory)
                show(" + its filter", Spent(spent.wall + more.wall, spent.cpu + more.cpu, peak), "")
    if "text-dedup" in rates:
        print(f"over text-dedup, which finds less: {rates['weft'] / rates['text-dedup']:.2f}x")
    return rates["weft"] / rates["datatrove"] if "datatrove" in rates else math.nan


def growth(corpus: Corpus, options: argparse.Namespace) -> float:
    print(f"{'documents':>10}{'CPU s/1000':>12}{'wall s/1000':>13}{'peak GB':>9}")
    costs = []
    for count in [size for size in GROWTH if size <= (options.documents or GROWTH[-1])] or [options.documents]:
        with tempfile.TemporaryDirectory() as name:
            write(corpus, count, Path(name), False)
            spent = run_weft(Path(name))
        costs.append(spent.cpu / count * 1000)
        print(f"{count:>10,}{costs[-1]:>12.2f}{spent.wall / count * 1000:>13.2f}{spent.memory:>9.2f}", flush=True)
    return costs[0] / costs[-1]


def _peer(options: argparse.Namespace, *arguments: str) -> str:
    return subprocess.check_output([options.peers, PEERS, *arguments], text=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", nargs="?", default="signatures", choices=("signatures", "whole", "growth", "stage"))
    parser.add_argument("--documents", type=int, default=0, metavar="N", help="of whole; most of growth")
    parser.add_argument("--texts", metavar="PATH")
    parser.add_argument("--peers", metavar="PYTHON")
    options = parser.parse_args()
    if options.part == "stage":
        return stage(options.texts)
    work = {"signatures": signatures, "whole": whole, "growth": growth}[options.part]
    ratio = work(Corpus(options.texts), options)
    if not options.peers and options.part != "growth":
        print("more peers: --peers PYTHON of an environment made as benchmarks/dedup_peers.py says")
    if not math.isnan(ratio):
        print(f"ratio: {ratio:.2f}x")


if __name__ == "__main__":
    main()
