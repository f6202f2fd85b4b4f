"""Near-duplicates planted at known similarities: the stage finds the share that it promises, and nothing far apart."""

import dataclasses
import hashlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow.parquet as pq
import pytest
from scipy.stats import binom

from weft.pipeline.run import books
from weft.pipeline.run.context import Context
from weft.pipeline.stages.dedup import stage
from weft.schemas.config import Config, Dedup
from weft.schemas.records import Document, hash_bucket, hash_unit
from weft.schemas.tables import DOCUMENTS, PAIRS
from weft.transforms.dedup import minhash
from weft.transforms.io.parquet import write_table

EACH = 150
NGRAM = 5


class Planted(NamedTuple):
    target: float
    similarity: float  # the true one
    ids: tuple[str, str]
    texts: tuple[str, str]


def jaccard(one: Sequence[str], two: Sequence[str]) -> float:
    a, b = ({tuple(words[i : i + NGRAM]) for i in range(len(words) - NGRAM + 1)} for words in (one, two))
    return len(a & b) / len(a | b)


@cache
def planted() -> list[Planted]:
    """Pairs that differ in a run of words: one of m words takes m + 4 shingles out of both."""
    made = []
    for target in (0.9, 0.8, 0.7, 0.5):
        for number in range(EACH):
            name = f"{target}/{number}"
            one = [f"w{hash_bucket(f'{name}/{i}', 5_000)}" for i in range(120 + hash_bucket(name, 80))]
            shingles = len(one) - NGRAM + 1
            wanted = shingles * (1 - target) / (1 + target)
            run = (int(np.ceil(wanted)) if target == 0.5 else round(wanted)) - NGRAM + 1
            start = NGRAM + hash_bucket(name, len(one) - run - 2 * NGRAM, "start")
            two = [f"changed{i}" if start <= i < start + run else word for i, word in enumerate(one)]
            ids = (f"{hash_unit(name, 'one')}", f"{hash_unit(name, 'two')}")
            made.append(Planted(target, jaccard(one, two), ids, (" ".join(one), " ".join(two))))
    return made


def documents() -> list[Document]:
    return [
        Document(
            doc_id, f"http://site.test/{doc_id}", 100, "one.warc.gz", place, "", "en", 0.9, "", [text], [None], [None]
        )
        for place, (doc_id, text) in enumerate(
            row for pair in planted() for row in zip(pair.ids, pair.texts, strict=True)
        )
    ]


def run(output: Path, rows: Sequence[Document], files: int, **section: Any) -> tuple[Path, set[frozenset[str]]]:
    """Where the outputs are, and the clusters."""
    for number in range(files):
        write_table(f"{output}/documents/d{number}.parquet", rows[number::files], DOCUMENTS)
        write_table(f"{output}/pairs/d{number}.parquet", [], PAIRS)
    config = dataclasses.replace(Config(), dedup=Dedup(**section))
    flags = ("--direct_num_workers=1",)
    books.audit(str(output), "dedup", stage.run(Context(str(output), (), config, "x", flags)))
    clusters: dict[str, set[str]] = {}
    for part in (output / "clusters").glob("*.parquet"):
        for row in pq.read_table(part).to_pylist():
            assert row["how"] == "near"
            clusters.setdefault(row["cluster_id"], set()).add(row["doc_id"])
    return output, set(map(frozenset, clusters.values()))


def checksums(output: Path) -> dict[str, str]:
    parts = [part for table in ("clusters", "kept", "fates/dedup") for part in sorted((output / table).glob("*"))]
    return {str(part.relative_to(output)): hashlib.sha256(part.read_bytes()).hexdigest() for part in parts}


@pytest.fixture(scope="module")
def default(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, set[frozenset[str]]]:
    return run(tmp_path_factory.mktemp("default"), documents(), 3)


@pytest.fixture(scope="module")
def exact(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, set[frozenset[str]]]:
    return run(tmp_path_factory.mktemp("exact"), documents(), 2, verify="exact")


@pytest.fixture(scope="module")
def union(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, set[frozenset[str]]]:
    return run(tmp_path_factory.mktemp("union"), documents(), 2, cluster="union")


def found(clusters: set[frozenset[str]], target: float) -> list[Planted]:
    return [pair for pair in planted() if pair.target == target and frozenset(pair.ids) in clusters]


def band(target: float, config: Dedup) -> tuple[float, float]:
    """Where the number found lies in 99 of 100 cases, by what `found` says of the true similarities."""
    how = minhash.bands_for(config)
    chances = [minhash.found(pair.similarity, how, config.permutations) for pair in planted() if pair.target == target]
    return binom.interval(0.99, EACH, np.mean(chances))


def test_pairs_are_as_similar_as_they_should_be() -> None:
    for pair in planted():
        assert pair.similarity <= 0.5 if pair.target == 0.5 else abs(pair.similarity - pair.target) < 0.01
    assert len({doc_id for pair in planted() for doc_id in pair.ids}) == 8 * EACH


@pytest.mark.parametrize("target", [0.7, 0.8, 0.9])
def test_the_share_found_is_the_one_promised(default: Any, target: float) -> None:
    low, high = band(target, Dedup())
    assert low <= len(found(default[1], target)) <= high


def test_only_planted_pairs_are_merged_and_none_that_are_half_alike(default: Any, exact: Any) -> None:
    pairs = {frozenset(pair.ids) for pair in planted() if pair.target > 0.5}
    assert default[1] and default[1] <= pairs
    assert exact[1] and exact[1] <= pairs


@pytest.mark.parametrize("target", [0.8, 0.9])
def test_what_is_compared_exactly_is_as_similar_as_it_says(exact: Any, target: float) -> None:
    merged = [pair for pair in planted() if frozenset(pair.ids) in exact[1]]
    assert all(pair.similarity >= 0.8 for pair in merged)
    low, high = band(target, Dedup(verify="exact"))
    assert low <= len(found(exact[1], target)) <= high
    said = {
        frozenset((row["doc_id"], row["kept_id"])): row["similarity"]
        for part in (exact[0] / "clusters").glob("*.parquet")
        for row in pq.read_table(part).to_pylist()
        if row["doc_id"] != row["kept_id"]
    }
    assert said == pytest.approx({frozenset(pair.ids): pair.similarity for pair in merged})


@pytest.mark.parametrize("target", [0.7, 0.8, 0.9])
def test_buckets_as_clusters_find_what_they_promise(union: Any, target: float) -> None:
    low, high = band(target, Dedup(cluster="union"))
    assert low <= len(found(union[1], target)) <= high


def test_buckets_as_clusters_find_at_least_as_many(union: Any, default: Any, exact: Any) -> None:
    totals = [
        sum(len(found(clusters, target)) for target in (0.7, 0.8, 0.9)) for _, clusters in (union, default, exact)
    ]
    assert totals[0] >= totals[1] > 0 and totals[0] > totals[2] > 0
    assert union[1] > exact[1]  # the same bands, and nothing is compared


def test_shuffled_rows_in_other_files_give_the_same_bytes(default: Any, tmp_path: Path) -> None:
    shuffled = sorted(documents(), key=lambda document: hash_unit(document.doc_id, "order"))
    again, _ = run(tmp_path, shuffled, 7)
    assert len(checksums(again)) == 3 * 8
    assert checksums(again) == checksums(default[0])
