"""Buckets and their pairs: bounded, connected, compared; and buckets that are too large for one worker."""

import pickle
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import apache_beam as beam
import networkx as nx
import numpy as np
import pytest
from apache_beam.testing.util import assert_that

from weft.pipeline.runners import beam_options
from weft.schemas.parameters import Similarity
from weft.schemas.records import hash_bucket, hash_unit, stable_id
from weft.transforms.beam import hot_keys
from weft.transforms.dedup import minhash, shingles
from weft.transforms.dedup.lsh import (
    LARGE_BUCKET,
    WINDOW,
    WINDOW_IN_LARGE,
    Edge,
    Signed,
    SimilarPairs,
    band_records,
    bucket_pairs,
)
from weft.transforms.dedup.minhash import Bands

VOCABULARY = [f"word{i}" for i in range(2_000)]
DEFAULT = Bands(13, 7, 95 / 128)
EXACT = Bands(13, 8, 0.8, exact=True)


def members(count: int, old: Callable[[int], bool] = lambda i: False) -> list[tuple[bytes, str, bool]]:
    """Members of a bucket, some of which agree in the next band too."""
    return [(bytes([hash_bucket(f"next{i}", 5)]), f"{i:03}", old(i)) for i in range(count)]


def base(name: str, count: int = 200) -> list[str]:
    return [VOCABULARY[hash_bucket(f"{name}/{i}", len(VOCABULARY))] for i in range(count)]


def perturb(words: list[str], every: int, offset: int = 0) -> list[str]:
    return [f"new{i}" if i % every == offset else word for i, word in enumerate(words)]


def signed(documents: dict[str, list[str]], old: Iterable[str] = ()) -> list[Signed]:
    texts = [" ".join(words) for words in documents.values()]
    values = minhash.sign(texts, Similarity())
    sets = [np.unique(shingles.shingles([text.encode()], Similarity())[0]).astype("<u4").tobytes() for text in texts]
    return [Signed(name, name in set(old), *row) for name, *row in zip(documents, values, sets, strict=True)]


def similar(folder: Path, documents: list[Signed], how: Bands, **options: Any) -> list[Edge]:
    def save(rows: Any) -> None:
        (folder / "pairs").write_bytes(pickle.dumps(list(rows)))

    with beam_options.pipeline((), 1) as p:
        assert_that(p | beam.Create(documents).with_output_types(Signed) | SimilarPairs(how, **options), save)
    return pickle.loads((folder / "pairs").read_bytes())


def is_one_component(edges: list[Edge], nodes: Iterable[str]) -> bool:
    graph = nx.Graph(edges)
    return set(graph) == set(nodes) and nx.is_connected(graph)


def test_small_buckets_meet_in_full() -> None:
    small = members(WINDOW + 1)
    pairs = list(bucket_pairs(reversed(small)))
    assert sorted(pairs) == [(f"{a:03}", f"{b:03}") for a in range(len(small)) for b in range(a + 1, len(small))]
    assert list(bucket_pairs(small[:1])) == []


@pytest.mark.parametrize(
    ("count", "reach"), [(LARGE_BUCKET, WINDOW), (LARGE_BUCKET + 1, WINDOW_IN_LARGE), (200, WINDOW_IN_LARGE)]
)
def test_large_buckets_stay_connected_at_a_bounded_cost(count: int, reach: int) -> None:
    bucket = members(count)
    pairs = list(bucket_pairs(reversed(bucket)))
    ordered = [name for _, name, _ in sorted(bucket)]
    expected = {frozenset((ordered[i], ordered[j])) for i in range(count) for j in range(i) if i - j <= reach or j == 0}
    assert len(pairs) == len(expected) <= count * (reach + 1)
    assert {frozenset(pair) for pair in pairs} == expected
    assert all(a < b for a, b in pairs)


def test_a_star_pairs_every_member_with_the_first() -> None:
    bucket = members(100)
    first = min(bucket)[1]
    assert sorted(map(sorted, bucket_pairs(bucket, star=True))) == sorted(
        sorted((first, name)) for _, name, _ in bucket if name != first
    )


@pytest.mark.parametrize("star", [False, True])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.95])
def test_old_members_never_meet_and_new_ones_stay_connected(share: float, star: bool) -> None:
    for size in (2, 5, 20, 90):
        bucket = members(size, old=lambda i: hash_unit(str(i), "old") < share)
        old = {name for _, name, is_old in bucket if is_old}
        pairs = list(bucket_pairs(bucket, star))
        assert not any({a, b} <= old for a, b in pairs)
        assert len(set(pairs)) == len(pairs)
        new = {name for _, name, _ in bucket} - old
        if new and size > 1:
            connected = nx.Graph(pairs)
            assert new <= set(connected) and nx.is_connected(connected)
        else:
            assert pairs == []


def test_band_records_carry_the_next_band() -> None:
    (document,) = signed({"a": base("a")})
    records = list(band_records(document, DEFAULT))
    keys = [key for key, _ in records]
    assert keys == list(minhash.band_keys(document.signature, 13, 7))
    assert [member for _, member in records] == [(key[2:], "a", False) for key in keys[1:] + keys[:1]]


@pytest.mark.parametrize("how", [DEFAULT, EXACT])
def test_similar_pairs_finds_planted_ones_and_nothing_else(tmp_path: Path, how: Bands) -> None:
    documents, planted = {}, []
    for number in range(60):
        words = base(f"base{number}")
        documents[f"a{number:02}"] = words
        if number < 20:
            documents[f"b{number:02}"] = perturb(words, every=180, offset=90)  # 5 of 196 shingles differ: 0.95
            planted.append((f"a{number:02}", f"b{number:02}"))
        elif number < 40:
            documents[f"c{number:02}"] = perturb(
                words, every=20
            )  # about 0.6: often in one bucket, never similar enough
    assert sorted(similar(tmp_path, signed(documents), how)) == planted


def test_the_cut_is_on_what_the_bands_name(tmp_path: Path) -> None:
    """Signatures that agree everywhere over sets that are half alike, and the other way round."""
    one, two = np.arange(100, dtype="<u4").tobytes(), np.arange(30, 130, dtype="<u4").tobytes()
    documents = [Signed("a", False, bytes(512), one), Signed("b", False, bytes(512), two)]
    assert similar(tmp_path, documents, DEFAULT) == [("a", "b")]
    assert similar(tmp_path, documents, EXACT) == []
    assert similar(tmp_path, documents, Bands(13, 7, 70 / 130, exact=True)) == [("a", "b")]
    apart = [Signed("a", False, bytes(512), one), Signed("b", False, bytes(256) + b"\xff" * 256, one)]
    assert similar(tmp_path, apart, DEFAULT) == []
    assert similar(tmp_path, apart, EXACT) == similar(tmp_path, apart, Bands(13, 7, 0.0)) == [("a", "b")]


def test_earlier_documents_are_compared_with_new_ones_alone(tmp_path: Path) -> None:
    documents = signed({name: base("same") for name in "abcd"}, old="bd")
    assert sorted(similar(tmp_path, documents, DEFAULT)) == [("a", "b"), ("a", "c"), ("a", "d"), ("b", "c"), ("c", "d")]


@pytest.mark.parametrize("how", [Bands(1, 7, 95 / 128), Bands(3, 7, 0.0), Bands(1, 8, 0.8, exact=True)])
def test_a_split_bucket_is_one_component(tmp_path: Path, how: Bands) -> None:
    (one,) = signed({"": base("template")})
    documents = [one._replace(doc_id=stable_id(str(i))) for i in range(2_000)]
    alone = signed({f"alone{i}": base(f"alone{i}") for i in range(20)})
    edges = similar(tmp_path, documents + alone, how, most=50)
    assert is_one_component(edges, [document.doc_id for document in documents])
    assert len(set(edges)) == len(edges) and all(a < b for a, b in edges)
    degrees = sorted((degree for _, degree in nx.Graph(edges).degree()), reverse=True)
    assert degrees[0] < 500  # no member meets the whole bucket
    if how.least == 0:
        assert len(edges) < how.bands * 2_000


def test_a_bucket_of_five_times_what_a_part_holds_is_one_component(tmp_path: Path) -> None:
    signature = bytes(range(32))
    documents = [Signed(stable_id(str(i)), False, signature, b"") for i in range(5 * hot_keys.MOST)]
    edges = similar(tmp_path, documents, Bands(1, 8, 0.0))
    assert len(edges) == len(documents) - 1
    assert is_one_component(edges, [document.doc_id for document in documents])
    assert max(degree for _, degree in nx.Graph(edges).degree()) < 2 * hot_keys.MOST  # of its part, and a little
