"""Components against networkx's, on random graphs and on the shapes that need many rounds."""

import functools
import itertools
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apache_beam as beam
import networkx as nx
import pytest
from apache_beam.testing.util import assert_that
from hypothesis import given, settings
from hypothesis import strategies as st

from weft.pipeline.runners import beam_options
from weft.schemas.records import hash_bucket
from weft.transforms.beam import hot_keys
from weft.transforms.dedup.components import Edge, Stars, large_star, small_star

CHAIN = [(f"{i:03}", f"{i + 1:03}") for i in range(60)]
STAR = [("500", f"{i:03}") for i in range(400, 560) if i != 500]
RANDOM_TREE = [(f"n{i:04}", f"n{hash_bucket(f'tree{i}', i):04}") for i in range(1, 300)]
CYCLE = [("x1", "x2"), ("x2", "x3"), ("x3", "x1"), ("x1", "x1"), ("x1", "x2"), ("x2", "x1")]
SHUFFLED = sorted((f"s{i:03}" for i in range(200)), key=lambda name: hash_bucket(name, 1 << 40, "shuffle"))
FOREST = CHAIN + STAR + RANDOM_TREE + CYCLE + list(itertools.pairwise(SHUFFLED))


def components(edges: list[Edge]) -> dict[str, str]:
    """Node → smallest node of its component, for all that are not it."""
    graph = nx.Graph(edges)
    return {node: min(found) for found in nx.connected_components(graph) for node in found if node != min(found)}


def save(path: Path) -> Callable[[Any], None]:
    def write(rows: Any) -> None:
        path.write_bytes(pickle.dumps(list(rows)))

    return write


def job(folder: Path, edges: list[Edge], rounds: int, most: int = hot_keys.MOST) -> tuple[list[Edge], int]:
    with beam_options.pipeline((), 1) as p:
        stars, unsettled = p | beam.Create(edges).with_output_types(Edge) | Stars(rounds, most)
        assert_that(stars, save(folder / "stars"), label="stars")
        assert_that(unsettled, save(folder / "unsettled"), label="unsettled")
    (left,) = pickle.loads((folder / "unsettled").read_bytes())
    return pickle.loads((folder / "stars").read_bytes()), left


def settle(folder: Path, edges: list[Edge], rounds: int, jobs: int, most: int = hot_keys.MOST) -> int:
    """Jobs until all is settled, which may be `jobs` at most; the stars must be networkx's components."""
    expected = components(edges)
    for number in range(1, jobs + 1):
        edges, left = job(folder, edges, rounds, most)
        assert set().union(*edges) == expected.keys() | set(expected.values())
        assert (left == 0) == (sorted(set(edges)) == sorted(expected.items()))
        if not left:
            return number
    raise AssertionError(f"{left} nodes are not settled after {jobs} jobs")


def random_graph(seed: int) -> list[Edge]:
    nodes, edges = 2 + hash_bucket(f"nodes{seed}", 40), hash_bucket(f"edges{seed}", 60)
    name = [f"{seed:03}/{hash_bucket(f'{seed}/{i}', 10**6, 'name'):06}" for i in range(nodes)]
    return [tuple(name[hash_bucket(f"{seed}/{i}/{end}", nodes)] for end in "ab") for i in range(edges)]


@given(st.lists(st.tuples(st.integers(0, 25), st.integers(0, 25)), max_size=60))
@settings(max_examples=200, deadline=None, derandomize=True)
def test_rounds_of_stars_end_in_components(numbers: list[tuple[int, int]]) -> None:
    edges = {(f"{a:02}", f"{b:02}") for a, b in numbers if a != b}
    expected = components(sorted(edges))
    for _ in range(20):
        for link, both in ((large_star, True), (small_star, False)):
            around: dict[str, set[str]] = {}
            for a, b in edges:
                around.setdefault(a, set()).add(b)
                if both:
                    around.setdefault(b, set()).add(a)
            edges = {edge for node, found in around.items() for edge in link(node, found)}
            assert components(sorted(edges)) == expected
    assert edges == set(expected.items())


def test_three_hundred_random_graphs_at_once(tmp_path: Path) -> None:
    edges = [edge for seed in range(300) for edge in random_graph(seed)]
    assert settle(tmp_path, edges, rounds=3, jobs=2) <= 2


def test_repeated_jobs_settle_every_shape(tmp_path: Path) -> None:
    assert settle(tmp_path, FOREST, rounds=2, jobs=5) > 1


def test_shallow_graphs_are_one_job(tmp_path: Path) -> None:
    assert settle(tmp_path, STAR + CYCLE, rounds=3, jobs=1) == 1


def test_a_chain_of_a_thousand_takes_a_few_jobs(tmp_path: Path) -> None:
    assert settle(tmp_path, [(f"{i:04}", f"{i + 1:04}") for i in range(1_000)], rounds=3, jobs=5) > 1


def test_a_star_is_one_job_whichever_its_centre_is(tmp_path: Path) -> None:
    stars = [
        (f"{star}/{centre}", f"{star}/n{i:03}") for star, centre in enumerate(("a", "n500x", "z")) for i in range(999)
    ]
    assert settle(tmp_path, stars, rounds=3, jobs=1) == 1


def test_no_edges_no_components(tmp_path: Path) -> None:
    assert job(tmp_path, [("lonely", "lonely")], 2) == ([], 0)
    assert job(tmp_path, [], 1) == ([], 0)


@pytest.fixture
def counted_in_full(monkeypatch: pytest.MonkeyPatch) -> None:
    """So small a `most` means something only where every record is in the sample."""
    monkeypatch.setattr(hot_keys, "HotKeys", functools.partial(hot_keys.HotKeys, sample=1))


@pytest.mark.usefixtures("counted_in_full")
@pytest.mark.parametrize("centre", ["a", "z"])
def test_a_split_star_is_one_component(tmp_path: Path, centre: str) -> None:
    settle(tmp_path, [(centre, f"n{i:03}") for i in range(200)], rounds=3, jobs=4, most=4)


@pytest.mark.usefixtures("counted_in_full")
def test_splitting_leaves_components_as_they_are(tmp_path: Path) -> None:
    edges = [edge for seed in range(60) for edge in random_graph(seed)]
    settle(tmp_path, edges, rounds=3, jobs=4, most=4)


def test_a_crowded_centre_with_a_smaller_neighbour_is_settled_in_a_few_jobs(tmp_path: Path) -> None:
    """Every part of the centre's neighbours has to learn of the smallest, whichever part that is in."""
    edges = [("m", f"z{i:05}") for i in range(6_000)] + [("m", "a")]
    settle(tmp_path, edges, rounds=3, jobs=3, most=512)
